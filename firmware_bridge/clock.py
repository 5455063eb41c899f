"""The one clock: injected everywhere, so that no test sleeps."""

from __future__ import annotations

import threading
import time
from datetime import datetime, timedelta, timezone
from typing import Protocol


class Clock(Protocol):
    """What the rest of the program may know of time."""

    def monotonic(self) -> float:
        """Seconds on a clock that never jumps."""
        ...

    def now(self) -> datetime:
        """Return the wall-clock time, timezone-aware, UTC."""
        ...

    def wait(self, event: threading.Event, timeout: float) -> bool:
        """Wait until `event` is set or `timeout` seconds passed; return whether it is set."""
        ...


class SystemClock:
    """The machine's own clock."""

    def monotonic(self) -> float:
        """Seconds on a clock that never jumps."""
        return time.monotonic()

    def now(self) -> datetime:
        """Return the wall-clock time, timezone-aware, UTC."""
        return datetime.now(timezone.utc)

    def wait(self, event: threading.Event, timeout: float) -> bool:
        """Wait until `event` is set or `timeout` seconds passed; return whether it is set."""
        return event.wait(timeout)


class ManualClock:
    """A clock that moves only when told to, or when somebody waits on it.

    `wait` advances the clock by its timeout and returns at once, so a paced
    loop runs as fast as the machine allows while its timestamps stay exact.

    Parameters
    ----------
    start : datetime, optional
        Wall-clock time at `monotonic() == 0`.
    """

    def __init__(self, start: datetime | None = None) -> None:
        self._t = 0.0
        self._start = start or datetime(2000, 1, 1, tzinfo=timezone.utc)

    def monotonic(self) -> float:
        """Seconds advanced so far."""
        return self._t

    def now(self) -> datetime:
        """Return the start time plus the seconds advanced so far."""
        return self._start + timedelta(seconds=self._t)

    def wait(self, event: threading.Event, timeout: float) -> bool:
        """Advance by `timeout` without sleeping; return whether `event` is set."""
        self.advance(max(0.0, timeout))
        return event.is_set()

    def advance(self, seconds: float) -> None:
        """Move the clock forward."""
        self._t += seconds
