"""A port in virtual time: an emulated device at one end, a real reader at the other, and no waiting."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from types import TracebackType

from ecg_edge.firmware_bridge.clock import ManualClock
from ecg_edge.firmware_bridge.errors import DeviceLostError, PortNotFoundError

AHEAD_S = 0.8
"""Signal that the reader may be ahead of its consumer."""
_PAUSE_S = 0.3
_AT_FIRST_S, _LATER_S = 0.001, 0.5
"""Real time for which it waits then, every time: before anything has been taken, and when something has."""


class VirtualPort:
    """The device's link and the host's transports, both by the same clock; no sleep anywhere.

    Time passes only while the host reads or waits. A host that opens the port at another speed than the
    device's reads garbage, as at a UART.

    Parameters
    ----------
    clock : ManualClock
        Of the device and the host.
    baud : int
        The device's speed; 0 for USB, which has none.
    before : bytes
        What a boot loader sends at another speed when the port is opened.
    amid : bytes
        The same, two seconds into the stream.
    lost : int
        Bytes of the first frame that the host comes too late for.

    Attributes
    ----------
    address : str
        Name of the port.
    step : callable
        Lets the device do what is due; it must advance the clock.
    stop : threading.Event
        Set when the clock is past `until`: ends a host that would wait for ever.
    """

    def __init__(
        self, clock: ManualClock, baud: int = 0, *, before: bytes = b"", amid: bytes = b"", lost: int = 0,
        until: float = 300.0,
    ) -> None:  # fmt: skip
        self.address, self.clock, self.until = "virtual-port", clock, until
        self.step: Callable[[], None] = lambda: clock.advance(0.01)
        self.stop = threading.Event()
        self._baud, self._before, self._amid, self._lost = baud, before, amid, lost
        self._speed = baud
        self._out = b""
        self._in = b""
        self._readers, self._open, self._plugged = 0, False, True
        self._first: float | None = None
        self._sent = 0.0
        self._followed: float | None = None
        self._taken = threading.Condition()
        self._noise = random.Random(1)

    # --- the device's end ------------------------------------------------------------------------

    def poll(self) -> int:
        """Return the number of the reader that has the port open, 0 if none has."""
        return self._readers if self._open else 0

    def read(self) -> bytes:
        """Return what the host wrote."""
        data, self._in = self._in, b""
        return data

    def send(self, frame: bytes) -> bool:
        """Send a frame."""
        before, self._sent = self._sent, self.clock.monotonic()
        if self._followed is not None and self._sent > before + _PAUSE_S:
            self._followed = self._sent  # nothing was sent that could have been taken
        if self._first is None:
            self._first = self._sent
            frame = frame[self._lost :]
        if self._amid and self.clock.monotonic() > self._first + 2:
            frame, self._amid = self._amid + frame, b""
        if self._baud and self._speed != self._baud:
            frame = self._noise.randbytes(max(1, len(frame) * self._speed // self._baud))
        self._out += frame
        return True

    def wait(self, timeout: float) -> None:
        """Nothing: there is always room."""

    def drain(self, stop: threading.Event) -> None:
        """Nothing."""

    def hang_up(self) -> None:
        """Pull the plug."""
        self._plugged = self._open = False

    def plug_in(self) -> None:
        """Put it back."""
        self._plugged = True

    def close(self) -> None:
        """Leave for good."""
        self.hang_up()

    # --- the host's end --------------------------------------------------------------------------

    def connect(self, url: str, *, baud: int = 115200, timeout: float = 0.2) -> VirtualTransport:
        """Open the port, as `transport.open_transport` does.

        Raises
        ------
        PortNotFoundError
            The plug is out.
        """
        self._tick()
        if not self._plugged:
            raise PortNotFoundError(f"{url} does not exist", "plug the device in")
        self._speed, self._open, self._readers = baud, True, self._readers + 1
        self._out, self._in = self._before, b""
        return VirtualTransport(self, url, timeout)

    def take(self, most: int, timeout: float) -> bytes:
        """Wait for bytes, at most `timeout` seconds.

        Raises
        ------
        DeviceLostError
            The plug was pulled.
        """
        end = self.clock.monotonic() + timeout
        while not self._out and self.clock.monotonic() < end and self._plugged:
            self._tick()
        if not self._plugged:
            raise DeviceLostError(f"{self.address} went away", "plug the device in again")
        data, self._out = self._out[:most], self._out[most:]
        return data

    def put(self, data: bytes) -> None:
        """Write to the device."""
        self._in += data

    def leave(self) -> None:
        """Close the host's end."""
        self._open = False

    def follow(self, arrival: float) -> None:
        """Note how far the consumer of the samples is."""
        with self._taken:
            self._followed = arrival
            self._taken.notify_all()

    def _tick(self) -> None:
        self.step()
        now = self.clock.monotonic()
        with self._taken:
            patience = _AT_FIRST_S if self._followed is None else _LATER_S
            self._taken.wait_for(self._near, patience)  # the host's other threads need real time
        if now > self.until:
            self.stop.set()

    def _near(self) -> bool:
        followed = self._followed if self._followed is not None else self._first
        return followed is None or self._sent <= followed + AHEAD_S or self.stop.is_set()


class VirtualTransport:
    """The host's end of a `VirtualPort`; fulfils `transport.Transport`."""

    def __init__(self, port: VirtualPort, url: str, timeout: float) -> None:
        self.url, self.description = url, "virtual port"
        self._port, self._timeout = port, timeout

    def read(self, max_bytes: int = 4096) -> bytes:
        """See `Transport.read`."""
        return self._port.take(max_bytes, self._timeout)

    def write(self, data: bytes) -> None:
        """See `Transport.write`."""
        self._port.put(data)

    def close(self) -> None:
        """See `Transport.close`."""
        self._port.leave()

    def __enter__(self) -> VirtualTransport:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
