"""A pseudo-terminal as the device's end of the cable: any program opens it as a serial port."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import termios
import threading
import tty
from collections.abc import Iterator
from pathlib import Path

from ecg_edge.firmware_bridge.errors import UsageError
from ecg_edge.firmware_bridge.virtual_patch.link import CHUNK, DRAIN_TICK_S, DRAIN_TICKS, Outbox


class PtyLink:
    """A pseudo-terminal in raw mode, which any program can open as a serial port.

    Parameters
    ----------
    path : str, optional
        Where to put a symbolic link to the port; it then stays the same when the
        port's own name changes with `hang_up` and `plug_in`.

    Raises
    ------
    UsageError
        Something that is no symbolic link is in the way, or its folder does not exist.
    """

    def __init__(self, path: str | None = None) -> None:
        self._path = Path(path) if path else None
        self._outbox = Outbox()
        self._readers, self._here = 0, False
        self._master, self.port = -1, ""
        self.plug_in()
        self.address = path or self.port

    def poll(self) -> int:
        """Return the number of the reader that has the port open, 0 for none."""
        if self._master < 0:
            return 0
        here = not self._events(0) & select.POLLHUP
        if self._here and not here:
            self._forget()
        self._readers += here and not self._here
        self._here = here
        return self._readers if here else 0

    def read(self) -> bytes:
        """Return what the reader wrote."""
        try:
            return os.read(self._master, CHUNK) if self._master >= 0 else b""
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EIO):  # EIO: nobody there and nothing left
                return b""
            raise

    def send(self, frame: bytes) -> bool:
        """Send a whole frame, or nothing and return False."""
        return self._master >= 0 and self._outbox.send(self._write, frame)

    def wait(self, timeout: float) -> None:
        """Wait for room."""
        self._events(timeout, select.POLLOUT)

    def drain(self, stop: threading.Event) -> None:
        """Wait until the reader has read all: what is left when the port closes would be lost."""
        for _ in range(DRAIN_TICKS):
            if stop.is_set() or not self.poll():
                return
            if self._outbox.flush(self._write) and not self._unread():
                return
            self._events(DRAIN_TICK_S)

    def hang_up(self) -> None:
        """Close the port; a reader sees the end of the file or an error."""
        if self._master >= 0:
            os.close(self._master)
        self._master, self._here = -1, False
        self._outbox.clear()
        if self._path and self._points_here():
            self._path.unlink(missing_ok=True)

    def plug_in(self) -> None:
        """Open a new port and point the symbolic link at it."""
        self._master, slave = os.openpty()
        self.port = os.ttyname(slave)
        tty.setraw(slave)
        os.close(slave)
        os.set_blocking(self._master, False)
        if self._path:
            self._link(self._path)

    def close(self) -> None:
        """Close the port for good."""
        self.hang_up()

    def _write(self, data: bytes) -> int:
        return os.write(self._master, data)

    def _events(self, timeout: float, wanted: int = 0) -> int:
        poller = select.poll()
        poller.register(self._master, wanted)
        ready = poller.poll(timeout * 1000)
        return ready[0][1] if ready else 0

    def _unread(self) -> bool:
        """Whether bytes wait on the reader's side. Polling, unlike FIONREAD, sees all of them."""
        with self._slave() as slave:
            poller = select.poll()
            poller.register(slave, select.POLLIN)
            return any(event & select.POLLIN for _, event in poller.poll(0))

    def _forget(self) -> None:
        # The next reader must not find what the last one left unread.
        self._outbox.clear()
        with self._slave() as slave:
            termios.tcflush(slave, termios.TCIFLUSH)

    @contextlib.contextmanager
    def _slave(self) -> Iterator[int]:
        slave = os.open(self.port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            yield slave
        finally:
            os.close(slave)

    def _points_here(self) -> bool:
        return bool(self._path and self._path.is_symlink() and str(self._path.readlink()) == self.port)

    def _link(self, path: Path) -> None:
        if path.exists() and not path.is_symlink():
            raise UsageError(f"{path} exists and is no symbolic link", "choose another --link")
        fresh = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            fresh.symlink_to(self.port)
            fresh.replace(path)
        except OSError as error:
            raise UsageError(f"cannot make the link {path}: {error.strerror}", "choose another --link") from error
