"""Whether samples arrive at the rate the device is said to have.

Samples come late, never early: of each second of signal the least delay counts. A line through these of some seconds
(Theil 1950, Sen 1968) says how much longer a second of signal lasts than a second. Both halves of the window must say
so, which a burst at the start and a stall do not.
"""

from __future__ import annotations

from collections import deque
from fractions import Fraction

import numpy as np

OFF = 0.03
"""Share of the nominal rate from which on it is wrong; oscillators without a crystal are off by up to 2 %."""
_AGREE = 0.5
_WINDOW = 6
_LOOK_S = 1.0
USUAL_HZ = (100, 125, 128, 150, 180, 192, 200, 240, 250, 256, 300, 320, 360, 400, 480, 500, 512, 600, 800, 860, 1000)
_NEAR = 0.015


class RateWatch:
    """Follows one stream.

    Parameters
    ----------
    fs : Fraction
        Nominal rate in Hz.
    """

    def __init__(self, fs: Fraction) -> None:
        self._fs = float(fs)
        self.measured_hz: float | None = None
        self.reset()

    def reset(self) -> None:
        """Begin anew, as after a reconnection; what was found stays until there is something new."""
        self._least: deque[tuple[float, float]] = deque(maxlen=_WINDOW)
        self._now: tuple[float, float] | None = None
        self._second = -1

    def feed(self, stop: int, arrival: float) -> None:
        """Take that the sample before index `stop` arrived at host time `arrival`, in seconds."""
        at = stop / self._fs
        if int(at // _LOOK_S) != self._second:
            self._second = int(at // _LOOK_S)
            if self._now is not None:
                self._least.append(self._now)
                self._judge()
            self._now = None
        if self._now is None or arrival - at < self._now[1]:
            self._now = at, arrival - at

    @property
    def off_hz(self) -> float | None:
        """The measured rate where it is off by more than `OFF`, else None."""
        hz = self.measured_hz
        return hz if hz is not None and abs(hz / self._fs - 1) > OFF else None

    def _judge(self) -> None:
        if len(self._least) < _WINDOW:
            return
        slopes = [_slope(list(self._least)[a:b]) for a, b in ((0, _WINDOW), (0, _WINDOW // 2), (_WINDOW // 2, _WINDOW))]
        whole, *halves = (1 / max(1e-6, 1 + s) - 1 for s in slopes)
        if abs(whole) > OFF and any(half * whole <= 0 or abs(half) < _AGREE * abs(whole) for half in halves):
            return
        self.measured_hz = self._fs * (1 + whole)


def _slope(points: list[tuple[float, float]]) -> float:
    """Median slope between any two points."""
    t, d = np.array(points).T
    i, j = np.triu_indices(len(t), 1)
    return float(np.median((d[j] - d[i]) / (t[j] - t[i])))


def usual(hz: float) -> Fraction:
    """The rate a designer would have chosen near a measured one; the measured one in whole Hz where there is none."""
    near = min(USUAL_HZ, key=lambda known: abs(known - hz))
    return Fraction(near if abs(near / hz - 1) <= _NEAR else round(hz))
