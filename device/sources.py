"""Where events come from, by URL: a device, a stored record, the synthetic heart."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from functools import partial
from typing import Protocol, runtime_checkable
from urllib.parse import parse_qs

import numpy as np

from ecg_edge.firmware_bridge.clock import Clock
from ecg_edge.firmware_bridge.decoder import Decoder
from ecg_edge.firmware_bridge.devices import find_device
from ecg_edge.firmware_bridge.ecglink_decoder import EcgLinkDecoder
from ecg_edge.firmware_bridge.errors import PortNotFoundError, UsageError
from ecg_edge.firmware_bridge.listen import name_device
from ecg_edge.firmware_bridge.reader import Reader, ReaderEvent
from ecg_edge.firmware_bridge.same_port import SamePort
from ecg_edge.firmware_bridge.samples import Channel, SampleBlock, StreamInfo, parse_leads
from ecg_edge.firmware_bridge.synthetic import SyntheticHeart
from ecg_edge.firmware_bridge.transport import list_ports, open_transport
from ecg_edge.firmware_bridge.verb import hint

_BAUD = 115200
FRAME_S = 0.02
"""Length of the blocks of sources that are not devices."""

_FAST_BLOCKS = 25


class Source(Protocol):
    """What the run loop takes events from; `firmware_bridge.reader.Reader` is one.

    Attributes
    ----------
    live : bool
        Whether samples come at their own pace, whoever waits for them.
    """

    live: bool

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        ...

    @property
    def dropped_blocks(self) -> int:
        """Blocks dropped because the run was too slow."""
        ...

    def start(self) -> None:
        """Begin; raise a typed error if that is impossible."""
        ...

    def stop(self) -> None:
        """End."""
        ...

    def get(self, timeout: float | None = None) -> list[ReaderEvent]:
        """Take what has come, waiting at most `timeout` seconds for it."""
        ...


@runtime_checkable
class Patient(Protocol):
    """A source that can keep samples back until they are of use, to wake nobody in between."""

    def expect(self, short: float, every: float) -> None:
        """Samples are of use when `short` more have come, and then whenever `every` more have."""
        ...


class PacedSource:
    """Plays blocks at the pace of their own time.

    Parameters
    ----------
    info : StreamInfo
        Told first.
    blocks : iterator of SampleBlock
        Without arrival times.
    clock : Clock
        Sets the pace and stamps the blocks.
    fast : bool
        As fast as they are taken, without any pace.
    """

    dropped_blocks = 0
    live = False

    def __init__(self, info: StreamInfo, blocks: Iterator[SampleBlock], clock: Clock, fast: bool = False) -> None:
        self._info, self._blocks, self._clock, self._fast = info, blocks, clock, fast
        self._stop = threading.Event()
        self._begun: float | None = None
        self.ended = False

    def start(self) -> None:
        """Begin."""

    def stop(self) -> None:
        """End."""
        self._stop.set()

    def get(self, timeout: float | None = None) -> list[ReaderEvent]:
        """Take the next block when its time has come; it may be a little later than `timeout` says."""
        if self._begun is None:
            self._begun = self._clock.monotonic()
            return [self._info]
        blocks = list(itertools.islice(self._blocks, _FAST_BLOCKS if self._fast else 1))
        self.ended = not blocks
        if blocks and not self._fast:
            due = self._begun + float((blocks[-1].index + len(blocks[-1])) / self._info.fs)
            if (wait := due - self._clock.monotonic()) > 0:
                self._clock.wait(self._stop, wait)
        now = self._clock.monotonic()
        return [replace(block, arrival=now) for block in blocks]


def open_source(
    url: str,
    clock: Clock,
    *,
    reconnect: bool = True,
    fast: bool = False,
    baud: int | None = None,
    device: str | None = None,
    gain: float | None = None,
) -> tuple[str, Source]:
    """Make a source; nothing is opened before its `start`, except a record's header, and a port to be listened to.

    Parameters
    ----------
    url : str
        ``auto``, a serial port, ``tcp://host:port``, ``replay:RECORD``, ``brainflow:BOARD?serial_port=…``, or
        ``synthetic:leads=I,II&fs=250&seed=0&bpm=65``.
    clock : Clock
        Stamps and paces.
    reconnect : bool
        Whether a device that was lost is waited for.
    fast : bool
        Play a record or the synthetic heart without pace.
    baud : int, optional
        Of a serial port; the device's own by default, 115200 where it has none.
    device : str, optional
        What speaks at the port, a name of `firmware_bridge.devices`, or ``auto`` to find out by
        listening; EcgLink by default, and ``auto`` where the port is.
    gain : float, optional
        Gain in V/V of a device whose stream does not carry it.

    Returns
    -------
    url : str
        As resolved.
    source : Source

    Raises
    ------
    UsageError, PortNotFoundError, RecordingError, MissingExtraError
        The URL makes no sense, or names nothing there is.
    """
    scheme, _, rest = url.partition(":")
    if scheme == "replay":
        from ecg_edge.device.replay import read_record

        info, blocks = read_record(rest)
        return url, PacedSource(info, blocks, clock, fast)
    if scheme == "synthetic":
        info, blocks = synthetic(rest)
        return url, PacedSource(info, blocks, clock, fast)
    if scheme == "brainflow":
        from ecg_edge.firmware_bridge.brainflow_boards import brainflow_source

        return url, brainflow_source(rest, clock)
    if fast:
        raise UsageError("--fast is for replay: and synthetic: sources", "leave it out: a device sets its own pace")
    port = only_port() if url == "auto" else url
    if device == "auto" or (url == "auto" and device is None):
        device = recognise(port, clock, baud)
    decoder, usual_baud = _decoder(device, gain)
    return port, Reader(
        SamePort(port, partial(open_transport, baud=baud or usual_baud)), decoder, clock, reconnect=reconnect
    )


def recognise(port: str, clock: Clock, baud: int | None) -> str:
    """Listen at a port and return the name of the device there, saying why; see `listen.name_device`."""
    hint(f"listening at {port}")
    match = name_device(lambda speed: open_transport(port, baud=baud or speed), port, clock)
    hint(f"recognised {match.device.name}: {match.reason}")
    return match.device.name


def _decoder(device: str | None, gain: float | None) -> tuple[Decoder, int]:
    """Decoder of a device, and the speed of its UART."""
    if device is None or device == "ecglink":
        if gain is not None:
            raise UsageError("EcgLink carries its own scale", "leave --gain out, or name the device with --as")
        return EcgLinkDecoder(), _BAUD
    found = find_device(device)
    return found.decoder(gain=gain, live=True), found.baud or _BAUD


def only_port() -> str:
    """Return the one USB serial port of this machine, or raise saying what to name."""
    ports = [p for p in list_ports() if p.vid is not None]
    if len(ports) == 1:
        return ports[0].device
    if ports:
        names = ", ".join(f"{p.device} ({p.description})" for p in ports)
        raise UsageError(f"more than one serial port: {names}", "name one: ecg-edge run " + ports[0].device)
    raise PortNotFoundError(
        "no USB serial port on this machine", "plug the device in, or try without one: ecg-edge demo"
    )


def synthetic(text: str) -> tuple[StreamInfo, Iterator[SampleBlock]]:
    """Endless blocks of the synthetic heart, from ``leads=…&fs=…&seed=…&bpm=…``.

    Raises
    ------
    UsageError
        Unknown or malformed parameters.
    """
    known = {"leads": "I,II", "fs": "250", "seed": "0", "bpm": "65"}
    try:
        given = {
            k: v[-1] for k, v in parse_qs(text.lstrip("?"), keep_blank_values=True, strict_parsing=bool(text)).items()
        }
        if unknown := given.keys() - known.keys():
            raise UsageError(f"unknown parameter {', '.join(sorted(unknown))} in synthetic:{text}")
        known |= given
        fs, leads = Fraction(known["fs"]), parse_leads(known["leads"])
        heart = SyntheticHeart(fs, leads, float(known["bpm"]), int(known["seed"]))
    except (ValueError, ZeroDivisionError, UsageError) as e:
        raise UsageError(f"bad source synthetic:{text}: {e}", "write synthetic:leads=I,II&fs=250&seed=0&bpm=65") from e
    frame = max(1, round(FRAME_S * fs))
    info = StreamInfo("synthetic heart", fs, tuple(Channel(x, _LSB_MV) for x in leads), samples_per_frame=frame)
    return info, _beat_on(heart, frame)


_LSB_MV = 0.001


def _beat_on(heart: SyntheticHeart, frame: int) -> Iterator[SampleBlock]:
    index = 0
    while True:
        counts = np.rint(heart.read(frame) / _LSB_MV).astype(np.int32)
        mv = (counts * _LSB_MV).astype(np.float32)
        yield SampleBlock(index, counts, mv, np.ones(mv.shape, np.bool_))
        index += frame
