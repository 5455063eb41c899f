"""Percentiles of a stream of durations in bounded memory."""

from __future__ import annotations

import math

import numpy as np

_LEAST_S, _PER_OCTAVE, _OCTAVES = 1e-6, 64, 30


class LatencyRecorder:
    """Histogram on a logarithmic scale: 1 µs to a quarter of an hour, steps of 1.1 %.

    A percentile is stated at the upper edge of its step, so it is never too good, and never more
    than 1.1 % too bad.

    Attributes
    ----------
    count : int
        Durations taken.
    max_s : float
        The longest, exactly; 0 where there is none.
    """

    def __init__(self) -> None:
        self._bins = np.zeros(_PER_OCTAVE * _OCTAVES + 1, np.int64)
        self.count = 0
        self.max_s = 0.0

    def add(self, seconds: float) -> None:
        """Take one duration in seconds."""
        step = math.log2(max(seconds, _LEAST_S) / _LEAST_S) * _PER_OCTAVE
        self._bins[min(math.ceil(step), len(self._bins) - 1)] += 1
        self.count += 1
        self.max_s = max(self.max_s, seconds)

    def percentile(self, percent: float) -> float:
        """Duration in seconds that `percent` of all do not exceed; 0 where there is none."""
        if not self.count:
            return 0.0
        rank = max(1, math.ceil(self.count * percent / 100))
        at = int(np.searchsorted(np.cumsum(self._bins), rank))
        return float(min(_LEAST_S * 2.0 ** (at / _PER_OCTAVE), self.max_s))
