"""``--as auto``: which device sent these bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ecg_edge.firmware_bridge.decoders.catalogue import KNOWN, Device, known_devices
from ecg_edge.firmware_bridge.errors import AmbiguousStreamError, NotAnEcgStreamError
from ecg_edge.firmware_bridge.ports.first_bytes import shown
from ecg_edge.firmware_bridge.tally import Tally

LOOK = 1 << 16
"""Bytes that are enough to tell the devices apart; the slowest sends them in about a minute."""
_SHARE = 0.5
_FRAMES = 4
_NEAR = 0.1


@dataclass(frozen=True)
class Match:
    """How well a device's decoder recognises some bytes.

    Attributes
    ----------
    device : Device
        The device.
    share : float
        Share of the bytes that lie in accepted frames.
    tally : Tally
        What its decoder counted.
    """

    device: Device
    share: float
    tally: Tally

    @property
    def reason(self) -> str:
        """Why, in a sentence."""
        return f"{self.share:.0%} of the bytes are frames of {self.device.title} ({self.tally.samples} samples)"


def matches(data: bytes, devices: Sequence[Device] | None = None) -> list[Match]:
    """Let every decoder try the bytes; return those that recognise most of them, best first."""
    data = data[:LOOK]
    found = []
    for device in known_devices() if devices is None else devices:
        if not (tally := _tally(device, data)):
            continue
        share = 1 - tally.skipped_bytes / max(1, len(data))
        if share >= _SHARE and tally.samples >= _FRAMES:
            found.append(Match(device, share, tally))
    return sorted(found, key=lambda match: (-match.share, -match.device.evidence))


def _tally(device: Device, data: bytes) -> Tally | None:
    """What a device's decoder counts in the bytes; None where it fails and is another package's."""
    try:
        decoder = device.decoder()
        decoder.feed(data)
        decoder.close()
        return decoder.tally
    except Exception:  # a stranger's code may raise anything: then it recognises nothing
        if device in KNOWN:
            raise
        return None


def identify(data: bytes, devices: Sequence[Device] | None = None) -> Match:
    """Return the device whose decoder recognises the bytes best.

    Of decoders that recognise about the same share, the one whose format fixes
    more bits per frame is right: it could have refused more.

    Parameters
    ----------
    data : bytes
        The beginning of a stream; `LOOK` bytes are looked at.
    devices : sequence of Device
        The candidates; all known ones by default.

    Raises
    ------
    NotAnEcgStreamError
        No decoder recognises the bytes.
    AmbiguousStreamError
        More than one does, equally well.
    """
    devices = known_devices() if devices is None else devices
    found = matches(data, devices)
    if not found:
        seen = "no bytes" if not data else f"{min(len(data), LOOK)} bytes, {shown(data)}"
        raise NotAnEcgStreamError(
            f"no decoder recognises an ECG stream in this ({seen})",
            "name the device: ecg-edge decode --as DEVICE FILE; "
            f"DEVICE is one of {', '.join(sorted(d.name for d in devices))}",
        )
    near = [match for match in found if match.share >= found[0].share - _NEAR]
    most = max(match.device.evidence for match in near)
    best = [match for match in near if match.device.evidence == most]
    if len(best) > 1:
        names = tuple(match.device.name for match in best)
        raise AmbiguousStreamError(
            f"these bytes fit {' and '.join(names)} equally well",
            "name the one it is: " + " or ".join(f"ecg-edge decode --as {name} FILE" for name in names),
            names,
        )
    return best[0]
