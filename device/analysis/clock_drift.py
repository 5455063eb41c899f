"""The device's clock against the host's: drift and jitter from when samples arrive.

Frames arrive late, never early, so the least delay of each stretch counts. A line through these delays relates the
clocks, whatever the jitter above it (Theil 1950, Sen 1968). Lost samples are on the sample axis and do not disturb it.
"""

from __future__ import annotations

from collections import deque
from fractions import Fraction

import numpy as np

WINDOW_S = 5.0
MIN_WINDOWS, MAX_WINDOWS = 12, 180
"""A minute until the first figure; a quarter of an hour remembered."""


class ClockFit:
    """Follows one stream.

    Parameters
    ----------
    fs : Fraction
        Nominal rate in Hz.
    """

    def __init__(self, fs: Fraction) -> None:
        self._fs = float(fs)
        self.reset()

    def reset(self) -> None:
        """Begin anew, as after a restart of the device's counter or a reconnection."""
        self._least: deque[tuple[float, float]] = deque(maxlen=MAX_WINDOWS)
        self._window = -1
        self._now = (0.0, np.inf)
        self._most = 0.0
        self._spread: deque[float] = deque(maxlen=MAX_WINDOWS)

    def feed(self, stop: int, arrival: float) -> None:
        """Take that the sample before index `stop` arrived at host time `arrival`, in seconds."""
        at = stop / self._fs
        window = int(at // WINDOW_S)
        if window != self._window:
            if self._window >= 0 and np.isfinite(self._now[1]):
                self._least.append(self._now)
                self._spread.append(self._most - self._now[1])
            self._window, self._now, self._most = window, (at, np.inf), -np.inf
        delay = arrival - at
        if delay < self._now[1]:
            self._now = (at, delay)
        self._most = max(self._most, delay)

    @property
    def drift_ppm(self) -> float | None:
        """How much slow the device's clock is against the host's, in parts per million; None in the first minute."""
        if len(self._least) < MIN_WINDOWS:
            return None
        t, d = np.array(self._least).T
        i, j = np.triu_indices(len(t), 1)
        return 1e6 * float(np.median((d[j] - d[i]) / (t[j] - t[i])))

    @property
    def jitter_ms(self) -> float | None:
        """Median over windows of the latest arrival after the earliest; None before the first window's end."""
        return 1e3 * float(np.median(self._spread)) if self._spread else None
