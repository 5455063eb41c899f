"""Where events come from, by URL: a device, a stored record, the synthetic heart."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from pathlib import Path

from ecg_edge.device.arguments import check_callables, check_clock, check_flags, check_gain
from ecg_edge.device.sources.paced_source import PacedSource
from ecg_edge.device.sources.source import Source
from ecg_edge.device.sources.synthetic_source import synthetic
from ecg_edge.firmware_bridge.clock import Clock, SystemClock
from ecg_edge.firmware_bridge.decoder import Decoder, is_decoder
from ecg_edge.firmware_bridge.decoders.catalogue import find_device
from ecg_edge.firmware_bridge.ecglink.decoder import EcgLinkDecoder
from ecg_edge.firmware_bridge.errors import NotAnEcgStreamError, PortNotFoundError, UsageError
from ecg_edge.firmware_bridge.events import StreamInfo
from ecg_edge.firmware_bridge.ports.listen import name_device
from ecg_edge.firmware_bridge.ports.reader import Reader
from ecg_edge.firmware_bridge.ports.same_device import SamePort
from ecg_edge.firmware_bridge.ports.transport import Transport, list_ports, open_transport
from ecg_edge.firmware_bridge.units import mv_per

_BAUD = 115200
_BAUDS = 50, 20_000_000
_PORTLESS = {"device", "gain", "baud"}
_IDLE = {"replay": _PORTLESS, "synthetic": _PORTLESS, "brainflow": _PORTLESS, "tcp": {"baud"}}
"""What does nothing for a source."""
MIN_LIVE_FS, MAX_LIVE_FS = 80, 20_000
Report = Callable[[str], None]
Opener = Callable[..., Transport]


def open_source(
    url: Path | str = "auto",
    clock: Clock | None = None,
    *,
    reconnect: bool = True,
    fast: bool = False,
    baud: int | None = None,
    device: str | Decoder | None = None,
    gain: float | None = None,
    fs: Fraction | float | None = None,
    unit: str = "",
    named: bool = False,
    report: Report = lambda _: None,
    opener: Opener = open_transport,
) -> Source:
    """Make a source; nothing is opened before its `start`, except a record's header, and a port to be listened to.

    Parameters
    ----------
    url : Path or str
        ``auto``, a serial port, ``tcp://host:port``, ``replay:RECORDING``, ``brainflow:BOARD?serial_port=…``, or
        ``synthetic:leads=I,II&fs=250&seed=0&bpm=65``. A Path may be of a port or a recording.
    clock : Clock, optional
        Stamps and paces; the machine's own by default.
    reconnect : bool
        Whether a device that was lost is waited for.
    fast : bool
        Play a record or the synthetic heart without pace.
    baud : int, optional
        Of a serial port; the device's own by default, 115200 where it has none.
    device : str or Decoder, optional
        What speaks at the port: a name of `devices`, ``auto`` to find out by listening, or a decoder of your own.
        EcgLink by default, and ``auto`` where the port is.
    gain : float, optional
        Gain in V/V of a device whose stream does not carry it.
    fs : Fraction or float, optional
        Rate in Hz of a device whose stream states none or a wrong one, or of a recording that states none. So does
        ``replay:FILE?fs=HZ``.
    unit : str
        Of a recording that states none: ``uV``, or what one count is, ``0.38uV``.
    named : bool
        The user names the channels: a recording's own labels need not make sense.
    report : callable
        Takes a sentence for the user: what is being listened to, what was found.
    opener : callable
        Opens a port, as `open_transport` does.

    Returns
    -------
    Source
        Its ``url`` is the resolved one: ``auto`` has become a port.

    Raises
    ------
    UsageError, PortNotFoundError, RecordingError, MissingExtraError
        The URL makes no sense, or names nothing there is.

    Examples
    --------
    >>> import ecg_edge as ee
    >>> source = ee.open_source("synthetic:leads=I,II&fs=500", fast=True)
    >>> source.start()
    >>> [info] = source.get()
    >>> info.leads, info.fs
    (('I', 'II'), Fraction(500, 1))
    >>> block = source.get()[0]
    >>> block.mv.shape, block.index
    ((10, 2), 0)
    >>> source.stop()
    """
    url = _exact_url(url)
    check_clock(clock)
    check_flags(reconnect=reconnect, fast=fast, named=named)
    check_callables(report=report, opener=opener)
    check_gain(gain)
    clock, rate = clock or SystemClock(), None if fs is None else _exact_fs(fs)
    scheme, _, rest = url.partition(":")
    _refuse_idle(scheme, device=device, gain=gain, baud=baud)
    if not isinstance(unit, str) or (unit and mv_per(unit) is None):
        raise UsageError(f"unit={unit!r} (--unit) is no unit of voltage", "give mV, uV, V, or what a count is: 0.38uV")
    if unit and scheme != "replay":
        raise UsageError("unit (--unit) is for replay: sources", "leave it out: a device states its own scale")
    if scheme == "replay":
        from ecg_edge.device.sources.replay_source import read_recording, split_rate

        path, stated = split_rate(rest)
        info, blocks = read_recording(path, rate or stated, named, unit)
        for remark in info.origin.remarks if info.origin else ():
            report(f"{path}: {remark}")
        return PacedSource(info, blocks, clock, fast, url=url)
    if scheme == "synthetic":
        if rate is not None:
            raise UsageError("fs (--fs) does nothing for synthetic:", f"name the source synthetic:fs={float(rate):g}")
        info, blocks = synthetic(rest)
        return PacedSource(info, blocks, clock, fast, url=url)
    if scheme == "brainflow":
        from ecg_edge.firmware_bridge.ports.brainflow import brainflow_source

        if rate is not None:
            raise UsageError("fs (--fs) does nothing for brainflow:, which knows the board's rate", "leave fs out")
        return brainflow_source(rest, clock)
    if baud is not None and not (
        isinstance(baud, int) and not isinstance(baud, bool) and _BAUDS[0] <= baud <= _BAUDS[1]
    ):
        raise UsageError(f"baud (--baud) {baud} is no speed of a serial port", "9600, 115200 and 921600 are usual")
    if fast:
        raise UsageError(
            "fast (--fast) is for replay: and synthetic: sources", "leave it out: a device sets its own pace"
        )
    port = only_port() if url == "auto" else url
    if device == "auto" or (url == "auto" and device is None):
        device = recognise(port, clock, baud, report, opener)
    decoder, usual_baud = _decoder(device, gain, rate)
    same = SamePort(port, partial(opener, baud=baud or usual_baud), report=report)
    return Reader(same, decoder, clock, reconnect=reconnect, url=port)


def _exact_url(given: Path | str) -> str:
    """A source in words; a recording's path is replayed."""
    if not isinstance(given, str | Path):
        raise UsageError(
            f"url={given!r} is no source", "name one: 'auto', '/dev/ttyUSB0', 'replay:RECORDING', 'synthetic:'"
        )
    recording = isinstance(given, Path) and (given.is_file() or given.with_suffix(".hea").is_file())
    return f"replay:{given}" if recording else str(given)


def _exact_fs(fs: Fraction | float) -> Fraction:
    with contextlib.suppress(TypeError, ValueError, OverflowError):
        if not isinstance(fs, str | bytes | bool) and (rate := Fraction(fs)) > 0:
            return rate
    raise UsageError(f"fs={fs!r} is no rate", "give the samples per second of one lead: fs=250")


def refuse_slow(source: Source | None, info: StreamInfo) -> None:
    """Refuse a live device too slow for an ECG: it describes itself wrongly, or is none.

    Raises
    ------
    NotAnEcgStreamError
        Its rate is below `MIN_LIVE_FS`.
    """
    if source is not None and source.live and info.fs < MIN_LIVE_FS:
        raise NotAnEcgStreamError(
            f"{info.device} sends {float(info.fs):g} samples a second, too few for an ECG",
            f"set the device to {MIN_LIVE_FS} Hz or more",
        )


def _refuse_idle(scheme: str, **given: object) -> None:
    """Refuse what says how to read a port, where there is no port."""
    for name, value in given.items():
        if value is not None and name in _IDLE.get(scheme, ()):
            flag = "--as" if name == "device" else f"--{name}"
            raise UsageError(f"{name} ({flag}) does nothing for {scheme}:", f"leave {name} out: it is for a port")


def recognise(port: str, clock: Clock, baud: int | None, report: Report, opener: Opener = open_transport) -> str:
    """Listen at a port, return the name of the device there, and report why; see `listen.name_device`."""
    report(f"listening at {port}")
    match = name_device(lambda speed: opener(port, baud=baud or speed), port, clock)
    report(f"recognised {match.device.name}: {match.reason}")
    return match.device.name


def given_rate(fs: object) -> Fraction | None:
    """Return a rate that a program passes, in Hz; None is none.

    Raises
    ------
    UsageError
        It is no number, or out of range.
    """
    if fs is None:
        return None
    if isinstance(fs, str | bytes | bytearray | bool):
        raise UsageError(f"fs={fs!r} is no rate", "give the samples per second of one lead as a number: fs=250")
    return read_rate(str(fs))


def read_rate(text: str) -> Fraction:
    """Read a device's rate in Hz.

    Raises
    ------
    UsageError
        It is none, or one at which no ECG can be reconstructed.
    """
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError, OverflowError):
        raise UsageError(f"fs={text} is no rate", "give the device's samples per second: fs=250 (--fs 250)") from None
    if not MIN_LIVE_FS <= rate <= MAX_LIVE_FS:
        raise UsageError(f"fs={text} is out of range", f"give {MIN_LIVE_FS} to {MAX_LIVE_FS} Hz")
    return rate


def _decoder(device: str | Decoder | None, gain: float | None, fs: Fraction | None) -> tuple[Decoder, int]:
    """Decoder of a device, and the speed of its UART."""
    if device is None or device == "ecglink":
        if gain is not None:
            raise UsageError(
                "EcgLink carries its own scale", "leave gain (--gain) out, or name the device with device= (--as)"
            )
        return EcgLinkDecoder(fs), _BAUD
    if isinstance(device, type):
        raise UsageError(f"device={device.__name__} is a class", f"pass an object of it: device={device.__name__}()")
    if is_decoder(device):
        return device, _BAUD
    found = find_device(str(device))
    return found.decoder(gain=gain, fs=fs, live=True), found.baud or _BAUD


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
