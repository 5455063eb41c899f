"""What the verb `simulate` is made of: a source, a link, a patch between them, and its account."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecg_edge.firmware_bridge.clock import Clock, SystemClock
from ecg_edge.firmware_bridge.errors import UsageError
from ecg_edge.firmware_bridge.lead_names import LEADS, parse_channels
from ecg_edge.firmware_bridge.virtual_patch.faults import Faults
from ecg_edge.firmware_bridge.virtual_patch.link import Link
from ecg_edge.firmware_bridge.virtual_patch.patch import VirtualPatch
from ecg_edge.firmware_bridge.virtual_patch.signal_source import DEFAULT_LSB_MV, SampleSource, SyntheticSource

if TYPE_CHECKING:
    from ecg_edge.firmware_bridge.emulators.catalogue import Emulated
    from ecg_edge.firmware_bridge.virtual_patch.dialect import Voice

_SYNTHETIC_FS = Fraction(250)
_SYNTHETIC_LEADS = "I,II"


@dataclass(frozen=True)
class SourceOptions:
    """What the virtual patch is to measure.

    Attributes
    ----------
    record : str or None
        A WFDB record; the synthetic heart otherwise.
    leads : str
        Names separated by commas; empty: I and II, or what the record has.
    fs : Fraction or None
        Rate in Hz; the record's own, or 250 for the synthetic heart.
    seed : int
        Patient and noise of the synthetic heart.
    unit : str
        Of a record that states none.
    heart_rate_bpm : float
        Of the synthetic heart.
    lsb_mv : float
        Millivolts per count.
    loop : bool
        Begin the record again at its end.
    like : Emulated or None
        The device to be: it gives rate and leads where they are not told.
    """

    record: str | None = None
    leads: str = ""
    fs: Fraction | None = None
    seed: int = 0
    heart_rate_bpm: float = 65.0
    unit: str = ""
    lsb_mv: float = DEFAULT_LSB_MV
    loop: bool = False
    like: Emulated | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Leads that are told."""
        return tuple(filter(None, (lead.strip() for lead in self.leads.split(","))))


def build_source(options: SourceOptions) -> SampleSource:
    """Return the source, reading the record or making the heart."""
    fs, leads = options.fs, options.leads
    if options.like is not None:
        info = options.like.info(options.names or None, fs)
        fs, leads = info.fs, leads or ",".join(lead for lead in info.leads if lead in LEADS)
    if options.record:
        from ecg_edge.firmware_bridge.virtual_patch.recorded_signal import record_source

        return record_source(options.record, options.names, fs, options.lsb_mv, options.loop, options.unit)
    from ecg_edge.firmware_bridge.synthetic_heart.heart import SyntheticHeart

    fs, chosen = fs or _SYNTHETIC_FS, parse_channels(leads or _SYNTHETIC_LEADS)
    heart = SyntheticHeart(fs, chosen, heart_rate_bpm=options.heart_rate_bpm, seed=options.seed)
    return SyntheticSource(heart, chosen, fs, options.lsb_mv)


def build_voice(options: SourceOptions, source: SampleSource) -> Voice | None:
    """Return the emulated device's protocol; None for EcgLink."""
    if options.like is None:
        return None
    return options.like.voice(options.like.info(options.names or None, options.fs), source.info)


def build_link(path: str | None, tcp: str | None, faults: Faults) -> Link:
    """Return the device's end of the cable: TCP if asked for, a pseudo-terminal otherwise.

    Raises
    ------
    UsageError
        Both are asked for; or an unplugged pseudo-terminal would come back under
        another name that no reader could know.
    """
    if tcp is not None:
        from ecg_edge.firmware_bridge.virtual_patch.link_tcp import TcpLink, parse_host_port

        if path is not None:
            raise UsageError("--link and --tcp contradict each other", "choose one")
        return TcpLink(*parse_host_port(tcp))
    if faults.unplug and path is None:
        fix = "add --link PATH (or --tcp HOST:PORT), so that a reader can find the port again"
        raise UsageError("a port that is unplugged comes back under another name", fix)
    from ecg_edge.firmware_bridge.virtual_patch.link_pty import PtyLink

    return PtyLink(path)


def parse_rate(text: str | None) -> Fraction | None:
    """Parse ``250``, ``250.5`` or ``32768/131`` Hz."""
    if text is None:
        return None
    try:
        rate = Fraction(text).limit_denominator(10_000)
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if not 0 < rate <= 100_000:
        raise UsageError(f"bad rate {text!r}", "use a number of Hz, for example --fs 250")
    return rate


def samples_in(seconds: float | None, fs: Fraction) -> int | None:
    """Return the samples in a number of seconds, at least one; None for no limit."""
    if seconds is None:
        return None
    if not 0 < seconds < 1e9:
        raise UsageError(f"bad duration of {seconds} s", "use --seconds with a positive number")
    return max(1, round(seconds * fs))


def frame_seconds(ms: float) -> float:
    """Return the signal per frame in seconds, from milliseconds."""
    if not 0 < ms <= 1000:
        raise UsageError(f"frames of {ms} ms", "use --frame-ms with 1 to 1000")
    return ms / 1000


def boot_number(clock: Clock | None = None) -> int:
    """Return a number that differs at every start: the wall clock's seconds."""
    return int((clock or SystemClock()).now().timestamp()) & 0xFFFFFFFF


def account(patch: VirtualPatch, link: Link) -> dict[str, Any]:
    """Return what the patch did and what was lost on the way, as JSON."""
    info, options = patch.info, patch.options
    return {
        "port": link.address,
        "device": info.device,
        "rate_hz": float(info.fs),
        "leads": list(info.leads),
        "samples_per_frame": info.samples_per_frame,
        "seconds": float(patch.tally.taken / info.fs),
        "ended": patch.ended,
        **asdict(patch.tally),
        "faults": asdict(options.faults),
        "seed": options.seed,
        **patch.log.document(),
    }


def write_fault_log(path: Path, document: dict[str, Any] | None = None) -> None:
    """Write the account, or before the start an empty one, so that a bad path is noticed early."""
    try:
        path.write_text(json.dumps(document or {}, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}", "choose another --fault-log") from error
