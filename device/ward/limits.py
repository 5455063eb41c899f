"""Limits of a bed: when its tile is marked. This is no alarm: nobody is called."""

from __future__ import annotations

from dataclasses import dataclass

from ecg_edge.firmware_bridge.errors import UsageError

SILENCE_S = 10.0
LOWEST, HIGHEST = 20, 300
_CONFIRM = 3
"""Figures in a row, one a second, before a rate counts as outside, or as back."""


@dataclass(frozen=True)
class Limits:
    """What is marked.

    Attributes
    ----------
    low, high : float or None
        Heart rate in 1/min.
    silence_s : float
        Seconds without samples.

    Raises
    ------
    UsageError
        A value is out of its range, or low is not below high.
    """

    low: float | None = None
    high: float | None = None
    silence_s: float = SILENCE_S

    def __post_init__(self) -> None:
        rates = [r for r in (self.low, self.high) if r is not None]
        if not all(LOWEST <= r <= HIGHEST for r in rates) or rates != sorted(set(rates)):
            raise UsageError(f"{self.words} are no limits of a heart rate", f"give {LOWEST} to {HIGHEST}, low first")
        if not 1 <= self.silence_s <= 3600:
            raise UsageError(f"{self.silence_s:g} s of silence is no limit", "give 1 to 3600 s")

    @property
    def words(self) -> str:
        """For the tile: ``40–120``; empty where no rate is limited."""
        low, high = ("" if r is None else f"{r:g}" for r in (self.low, self.high))
        return f"{low}–{high}" if low or high else ""


class RateWatch:
    """Whether a heart rate has left its limits, confirmed by three figures in a row."""

    def __init__(self) -> None:
        self.outside = ""
        self._count, self._last = 0, ""

    def take(self, rate: float | None, limits: Limits) -> bool:
        """Take a figure; return whether `outside` has changed. A rate that is not known is neither in nor out."""
        if rate is None:
            self._count = 0
            return self.forget()
        now = ""
        if limits.low is not None and rate < limits.low:
            now = f"rate below {limits.low:g}"
        elif limits.high is not None and rate > limits.high:
            now = f"rate above {limits.high:g}"
        self._count = self._count + 1 if now == self._last else 1
        self._last = now
        if now == self.outside or self._count < _CONFIRM:
            return False
        self.outside = now
        return True

    def forget(self) -> bool:
        """State nothing any more; return whether something was stated."""
        was, self.outside, self._last = self.outside, "", ""
        return bool(was)
