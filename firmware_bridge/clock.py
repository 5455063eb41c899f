"""The one clock: injected everywhere, so that no test sleeps."""

from __future__ import annotations

import threading
import time
from datetime import datetime, timedelta, timezone
from typing import Protocol

_SET_FROM = timedelta(seconds=1)
"""NTP slews what is less, over hours."""


class Clock(Protocol):
    """What the rest of the program may know of time."""

    def monotonic(self) -> float:
        """Seconds on a clock that never jumps."""
        ...

    def now(self) -> datetime:
        """Return the wall-clock time, timezone-aware, UTC."""
        ...

    def uptime(self) -> float:
        """Seconds on a clock that never jumps, and that counts while the machine sleeps."""
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

    def uptime(self) -> float:
        """Seconds on a clock that never jumps, and that counts while the machine sleeps."""
        return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()

    def wait(self, event: threading.Event, timeout: float) -> bool:
        """Wait until `event` is set or `timeout` seconds passed; return whether it is set."""
        return event.wait(timeout)


class ManualClock:
    """A clock that moves only when told to, or when somebody waits on it.

    `wait` advances the clock by its timeout and returns at once. A paced loop then runs as fast as the machine allows,
    with exact timestamps.

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

    def uptime(self) -> float:
        """Seconds advanced so far."""
        return self._t

    def set(self, now: datetime) -> None:
        """Set the wall clock, as NTP does; the seconds advanced stay."""
        self._start = now - timedelta(seconds=self._t)

    def wait(self, event: threading.Event, timeout: float) -> bool:
        """Advance by `timeout` without sleeping; return whether `event` is set."""
        self.advance(max(0.0, timeout))
        return event.is_set()

    def advance(self, seconds: float) -> None:
        """Move the clock forward."""
        self._t += seconds


class ClockWatch:
    """Notices that the wall clock was set: a board without a battery clock starts in 1970 until NTP answers.

    Parameters
    ----------
    clock : Clock
        Whose wall clock is watched.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began = self._of()

    def set_by(self) -> timedelta | None:
        """How much the clock was set forward since the last time asked; None where it was not."""
        began = self._of()
        by = began - self._began
        if abs(by) < _SET_FROM:
            return None
        self._began = began
        return by

    def _of(self) -> datetime:
        """Wall-clock time at which the machine started, as the clock states it now."""
        try:
            return self._clock.now() - timedelta(seconds=self._clock.uptime())
        except OverflowError:  # the calendar begins later
            return self._clock.now()
