"""A TCP port as the device's end of the cable."""

from __future__ import annotations

import contextlib
import select
import socket
import threading

from ecg_edge.firmware_bridge.errors import PortBusyError, UsageError
from ecg_edge.firmware_bridge.virtual_patch.link import CHUNK, DRAIN_TICK_S, DRAIN_TICKS, Outbox


class TcpLink:
    """A TCP port that serves one reader at a time.

    Parameters
    ----------
    host, port
        Where to listen; port 0 takes a free one, told in `address`.

    Raises
    ------
    PortBusyError
        The address cannot be had.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self._host, self._port = host, port
        self._outbox = Outbox()
        self._readers = 0
        self._reader: socket.socket | None = None
        self._server: socket.socket | None = None
        self.plug_in()
        name = f"[{host}]" if ":" in host else host
        self.address = f"tcp://{name}:{self._port}"

    def poll(self) -> int:
        """Return the number of the reader that is connected, letting the next one in; 0 for none."""
        if self._reader is None and self._server is not None:
            with contextlib.suppress(BlockingIOError, ConnectionError):
                self._reader, _ = self._server.accept()
                self._readers += 1
                self._reader.setblocking(False)
                self._reader.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._readers if self._reader is not None else 0

    def read(self) -> bytes:
        """Return what the reader wrote; notice when it has gone."""
        if self._reader is None:
            return b""
        try:
            data = self._reader.recv(CHUNK)
        except BlockingIOError:
            return b""
        except OSError:
            data = b""
        if not data:
            self._let_go()
        return data

    def send(self, frame: bytes) -> bool:
        """Send a whole frame, or nothing and return False."""
        return self._reader is not None and self._outbox.send(self._reader.send, frame)

    def wait(self, timeout: float) -> None:
        """Wait for room."""
        if self._reader is not None:
            select.select([], [self._reader], [], timeout)

    def drain(self, stop: threading.Event) -> None:
        """Announce the end, and wait until the reader has seen it and closed."""
        told = False
        for _ in range(DRAIN_TICKS):
            if self._reader is None or stop.is_set():
                return
            if not told and self._outbox.flush(self._reader.send):
                told = True
                with contextlib.suppress(OSError):
                    self._reader.shutdown(socket.SHUT_WR)
            select.select([self._reader], [] if told else [self._reader], [], DRAIN_TICK_S)
            # Commands left unread would turn the end of the stream into a reset.
            self.read()

    def hang_up(self) -> None:
        """Close the connection and refuse new ones."""
        self._let_go()
        if self._server is not None:
            self._server.close()
        self._server = None

    def plug_in(self) -> None:
        """Listen, on the same port as before."""
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        try:
            server = socket.create_server((self._host, self._port), family=family, backlog=1)
        except (OSError, OverflowError) as error:
            message = f"cannot listen on {self._host}:{self._port}: {error}"
            raise PortBusyError(message, "choose another --tcp HOST:PORT") from error
        server.setblocking(False)
        self._server, self._port = server, server.getsockname()[1]

    def close(self) -> None:
        """Close for good."""
        self.hang_up()

    def _let_go(self) -> None:
        self._outbox.clear()
        if self._reader is not None:
            self._reader.close()
        self._reader = None


def parse_host_port(text: str) -> tuple[str, int]:
    """Parse ``HOST:PORT``, ``:PORT`` (loopback) or ``[::1]:PORT``."""
    host, colon, port = text.removeprefix("tcp://").rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise UsageError(f"bad address {text!r}", "use HOST:PORT, for example 127.0.0.1:4567")
    return host.strip("[]") or "127.0.0.1", int(port)
