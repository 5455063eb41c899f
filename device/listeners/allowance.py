"""So many a second, and some at once."""

from __future__ import annotations

import time
from collections.abc import Callable


class Allowance:
    """A token bucket.

    Parameters
    ----------
    per_s : float
        Refilled in a second.
    at_once : float
        What a quiet time saves up at most.
    now : callable
        Seconds of a clock that never goes back.
    """

    def __init__(self, per_s: float, at_once: float, now: Callable[[], float] = time.monotonic) -> None:
        self._per_s, self._most, self._now = per_s, at_once, now
        self._left, self._at = at_once, now()

    def take(self) -> bool:
        """Take one, if one is left."""
        self._refill()
        if self._left < 1:
            return False
        self._left -= 1
        return True

    def wait_s(self) -> float:
        """Seconds until one is left."""
        self._refill()
        return max(0.0, (1 - self._left) / self._per_s)

    def _refill(self) -> None:
        now = self._now()
        self._left, self._at = min(self._most, self._left + self._per_s * (now - self._at)), now
