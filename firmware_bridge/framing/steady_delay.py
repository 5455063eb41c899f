"""Tell packets that arrive later and later, as from a slow device, from packets that are late all at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

Point = tuple[float, float]
"""Seconds of signal, and how much later than these it arrived: a silence takes time, but no signal."""

_LOOK_S = 0.02
_KEPT_S = 2.0
_LEVEL_S = 0.25
_LEAST = 3
_SPAN_S = 0.05
_SURE_S = 0.5
_SLOW, _SILENCE_S = 0.2, 0.1
"""Where delays grow so fast, only a silence of that length is one: jitter hides shorter ones."""
_MOST_GROWTH = 9.0
"""Seconds per second: a tenth of the nominal rate."""


class SteadyDelay:
    """The delays of the last two seconds of signal, and how fast they grow."""

    def __init__(self) -> None:
        self._points: deque[Point] = deque()

    def reset(self) -> None:
        """Forget what was before a loss or a restart."""
        self._points.clear()

    def add(self, at: float, delay: float) -> None:
        """Keep the delay of what lies `at` so many seconds in the signal; of 20 ms the least one counts."""
        points = self._points
        if points and 0 <= at - points[-1][0] < _LOOK_S:
            if delay < points[-1][1]:
                points[-1] = points[-1][0], delay
            return
        points.append((at, delay))
        while at - points[0][0] > _KEPT_S:
            points.popleft()

    @property
    def growth(self) -> float:
        """Seconds per second by which the delay grew lately; 0 where less than half a second of it is known."""
        if not self._points or self._points[-1][0] - self._points[0][0] < _SURE_S:
            return 0.0
        return _growth(list(self._points))

    def explains(self, held: Sequence[Point], allowed: float) -> bool:
        """Whether the growth before and within `held` explains how late they are, but for `allowed` seconds."""
        before = list(self._points)
        if not before:
            return min(delay for _, delay in held) <= allowed
        growth = max(0.0, _growth(before), _growth(held))
        recent = [(t, d) for t, d in before if before[-1][0] - t <= _LEVEL_S]  # a growth slightly off adds up over time
        leap = min(d - growth * t for t, d in held) - min(d - growth * t for t, d in recent)
        return leap <= (max(allowed, _SILENCE_S) if growth > _SLOW else allowed)


def _growth(points: Sequence[Point]) -> float:
    """Between the least delays of the two halves: jitter only adds to a delay."""
    if len(points) < _LEAST or points[-1][0] - points[0][0] < _SPAN_S:
        return 0.0
    middle = len(points) // 2
    early, late = points[:middle], points[-middle:]
    apart = (sum(t for t, _ in late) - sum(t for t, _ in early)) / middle
    return min(_MOST_GROWTH, (min(d for _, d in late) - min(d for _, d in early)) / apart)
