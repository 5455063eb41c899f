"""Naming the device at a port by listening to it, and by asking only where it says nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from ecg_edge.firmware_bridge.clock import Clock
from ecg_edge.firmware_bridge.decoders.catalogue import Device, known_devices
from ecg_edge.firmware_bridge.errors import AmbiguousStreamError, NotAnEcgStreamError, PluginError
from ecg_edge.firmware_bridge.ports.checked_decoder import checked
from ecg_edge.firmware_bridge.ports.identify import LOOK, Match, identify, matches
from ecg_edge.firmware_bridge.ports.transport import Transport

QUIET_S = 2.5
"""An AVR board is silent for two seconds after its port was opened."""
_HEARD_S = 1.0
_ASKED_S = 1.2
_LONGEST_S = 8.0
_TIMED_S = 4.0
"""So long equals are listened to before their rates decide."""
_RATE_OFF = 0.06
_USUAL = 115200

Open = Callable[[int], Transport]


def name_device(open_port: Open, url: str, clock: Clock, devices: Sequence[Device] | None = None) -> Match:
    """Find out what sends at a port.

    First it is listened to, at each speed that a known device uses; a stream that only one decoder recognises names its
    device. A silent port is asked: by EcgLink first, whose question nothing else answers. Then the devices that wait
    for a start command are asked, the most certain format first. A device that was started is stopped again.

    Parameters
    ----------
    open_port : callable
        Opens the port at a speed in baud.
    url : str
        For messages.
    clock : Clock
        Measures the patience.
    devices : sequence of Device
        The candidates; all known ones by default.

    Raises
    ------
    NotAnEcgStreamError
        Silent, unknown, or ambiguous; the message says what to try.
    PluginError
        Nothing came, and a decoder of another package failed when it was to ask.
    """
    devices = known_devices() if devices is None else devices
    heard = b""
    last: NotAnEcgStreamError | None = None
    for baud in _speeds(devices) if has_speed(url) else [_USUAL]:
        # A simple format may be found in what a wrong speed makes of another's bytes: each only at its own.
        here = [d for d in devices if d.baud in (0, baud) or not has_speed(url)]
        with open_port(baud) as port:
            data, error, match = _hear(port, clock, here, QUIET_S)
            if match:
                return match
            if not data:
                match, data, error = _ask(port, clock, here)
                if match:
                    return match
            heard, last = heard + data, error or last
            if isinstance(error, AmbiguousStreamError):
                break
    if not heard:
        raise NotAnEcgStreamError(
            f"{url} is open but silent, and answers none of the questions known here",
            f"switch the device on, or name it: ecg-edge run {url} --as DEVICE",
        )
    told = last.message if last else "too little came to tell"
    if isinstance(last, AmbiguousStreamError):
        commands = " or ".join(f"ecg-edge run {url} --as {name}" for name in last.names)
        raise AmbiguousStreamError(f"{url}: {told}", f"name the one it is: {commands}", last.names)
    raise NotAnEcgStreamError(f"{url}: {told}", f"name the device: ecg-edge run {url} --as DEVICE")


def has_speed(url: str) -> bool:
    """Whether a port has a speed of its own: a network connection and a pseudo-terminal have none."""
    return "://" not in url and not os.path.realpath(url).startswith("/dev/pts/")


def _speeds(devices: Sequence[Device]) -> list[int]:
    """Speeds to try, the usual one first; devices on USB take any."""
    others = sorted({d.baud for d in devices if d.baud} - {_USUAL}, reverse=True)
    return [_USUAL, *others]


def _hear(
    port: Transport, clock: Clock, devices: Sequence[Device], patience_s: float
) -> tuple[bytes, NotAnEcgStreamError | None, Match | None]:
    """Return the bytes received, the error if no device matches, or the match."""
    data = b""
    error: NotAnEcgStreamError | None = None
    begun = clock.monotonic()
    judged = spoke = begun
    first: tuple[int, float] | None = None
    while len(data) < LOOK:
        more = port.read()
        data, now = data + more, clock.monotonic()
        if more:
            spoke = now
            first = first or (len(data), now)
        elif now - spoke > patience_s:  # silent, or a greeting that nothing follows
            break
        if data and now - judged >= _HEARD_S:
            judged = now
            try:
                return data, None, identify(data, devices)
            except AmbiguousStreamError as e:
                error = e
                if first and spoke - first[1] >= _TIMED_S:
                    bytes_per_s = (len(data) - first[0]) / (spoke - first[1])
                    if match := by_rate(data, bytes_per_s, [d for d in devices if d.name in e.names]):
                        return data, None, match
            except NotAnEcgStreamError as e:
                error = e
        if now - begun > _LONGEST_S:
            break
    return data, error, None


def by_rate(data: bytes, bytes_per_s: float, equals: Sequence[Device]) -> Match | None:
    """The one of several devices that fit alike whose rate the bytes have; None where that is none, or more.

    Parameters
    ----------
    data : bytes
        All of them decode it.
    bytes_per_s : float
        How fast it arrived.
    equals : sequence of Device
        The candidates.
    """
    fitting = []
    for match in matches(data, equals):
        hz = match.tally.samples / len(data) * bytes_per_s
        if abs(hz / float(match.device.fs) - 1) < _RATE_OFF:
            fitting.append(match)
    return fitting[0] if len(fitting) == 1 else None


def _ask(
    port: Transport, clock: Clock, devices: Sequence[Device]
) -> tuple[Match | None, bytes, NotAnEcgStreamError | None]:
    """Send each device's opening in turn; the first that answers in its own format is named.

    Returns who that is, and if nobody is, what came and why it names none. A decoder of another package that fails is
    passed over; its `PluginError` is raised where nothing came from anybody.
    """
    heard, last = b"", None
    faults: list[PluginError] = []
    askers = [(d, opening) for d in devices if (opening := _written(d, "opening", faults))]
    seen: set[bytes] = set()
    for device, opening in sorted(askers, key=lambda item: (item[0].name != "ecglink", -item[0].evidence)):
        # EcgLink numbers its questions; of others one question serves all devices that share it.
        if opening in seen:
            continue
        seen.add(opening)
        port.write(opening)
        same = [d for d, other in askers if other == opening or d is device]
        data, error, match = _hear(port, clock, same, _ASKED_S)
        port.write(_written(device, "closing", faults))
        if match:
            return match, data, None
        if isinstance(error, AmbiguousStreamError):
            return None, data, error
        heard, last = heard + data, error or last
        if data:
            _hear(port, clock, (), 0.0)
    if faults and not heard:
        raise faults[0]
    return None, heard, last


def _written(device: Device, method: str, faults: list[PluginError]) -> bytes:
    """What a device's decoder writes, `opening` or `closing`; nothing where it fails and is another package's."""
    try:
        decoder = checked(device.decoder())
        return decoder.opening() if method == "opening" else decoder.closing()
    except PluginError as e:
        faults.append(e)
        return b""
