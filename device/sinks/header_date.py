"""The date in a run's header, mended when the machine's clock is set."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from ecg_edge.device.sinks.sink import RunHeader
from ecg_edge.firmware_bridge.clock import Clock, ClockWatch


class HeaderDate:
    """Follows the wall clock of a run: what was dated by a wrong clock gets the right date.

    Parameters
    ----------
    header : RunHeader
        As dated when the run began. A stored source's own date stays.
    clock : Clock
        The machine's.
    """

    def __init__(self, header: RunHeader, clock: Clock) -> None:
        self.header = header
        self._stated = header.info.origin is not None and header.info.origin.started is not None
        self._watch = ClockWatch(clock)

    def mended(self) -> str:
        """Return what is to be noted where the clock was set since; `header` is then another one. Else nothing."""
        by = self._watch.set_by()
        if by is None or self._stated:
            return ""
        was = self.header.started
        try:
            self.header = replace(self.header, started=was + by)
        except OverflowError:
            return ""
        return f"the clock was set: this recording began at {_words(self.header)}, not at {was:%Y-%m-%d %H:%M:%S}"


def before(now: datetime, seconds: float) -> datetime:
    """Time so long before; the same where the calendar begins later, as on a board without any clock."""
    try:
        return now - timedelta(seconds=seconds)
    except OverflowError:
        return now


def _words(header: RunHeader) -> str:
    return f"{header.started:%Y-%m-%d %H:%M:%S}"
