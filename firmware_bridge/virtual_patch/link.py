"""The device's end of a cable, whatever it is made of; see `PtyLink` and `TcpLink`."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

CHUNK = 4096
DRAIN_TICK_S = 0.01
DRAIN_TICKS = 6000
"""A reader that takes nothing for a minute is not waited for any longer."""


class Link(Protocol):
    """One reader at a time, whole frames or none, nothing ever blocks but `drain` and `wait`."""

    address: str

    def poll(self) -> int:
        """Return the number of the reader that is there, counted from 1; 0 for none."""
        ...

    def read(self) -> bytes:
        """Return what the reader wrote, also if it has gone since; maybe nothing."""
        ...

    def send(self, frame: bytes) -> bool:
        """Send a whole frame, or nothing of it and return False where there is no room."""
        ...

    def wait(self, timeout: float) -> None:
        """Wait until there may be room, the reader goes, or `timeout` seconds pass."""
        ...

    def drain(self, stop: threading.Event) -> None:
        """Wait until the reader has taken everything, has gone, or `stop` is set (checked often)."""
        ...

    def hang_up(self) -> None:
        """Pull the plug."""
        ...

    def plug_in(self) -> None:
        """Put it back."""
        ...

    def close(self) -> None:
        """Leave for good."""
        ...


class Outbox:
    """Keeps the rest of a frame of which the kernel took only a part: frames are never cut."""

    def __init__(self) -> None:
        self._rest = b""

    def send(self, write: Callable[[bytes], int], frame: bytes) -> bool:
        """Send a whole frame, now or its rest later, or nothing and return False."""
        if not self.flush(write):
            return False
        taken = _some(write, frame)
        self._rest = frame[taken:] if taken else b""
        return taken > 0

    def flush(self, write: Callable[[bytes], int]) -> bool:
        """Send what is left of the last frame; return whether nothing is."""
        self._rest = self._rest[_some(write, self._rest) :]
        return not self._rest

    def clear(self) -> None:
        """Forget the rest: its reader has gone."""
        self._rest = b""


def _some(write: Callable[[bytes], int], data: bytes) -> int:
    try:
        return write(data) if data else 0
    except OSError:  # no room, or the reader has just gone: `poll` will tell which
        return 0
