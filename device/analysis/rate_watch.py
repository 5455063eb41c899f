"""Whether samples arrive at the rate the device is said to have.

Samples arrive late, never early: of each half second the least delay counts. The median slope of these points (Theil
1950, Sen 1968) states how much longer a second of signal lasts than a second. Both halves of the window must agree;
after a burst or a stall they do not. The slope must stand out from the scatter of the delays. Four seconds are enough
for a steady link, eight for one that delivers in bursts.
"""

from __future__ import annotations

from collections import deque
from fractions import Fraction
from functools import cache

import numpy as np
import numpy.typing as npt

from ecg_edge.firmware_bridge.events import Gap, ReaderEvent, Reconnected, SampleBlock

OFF = 0.03
"""Share of the nominal rate from which on it is wrong."""
_HONEST = 0.02
"""Oscillators without a crystal are off by up to so much."""
_AGREE = 0.5
_WINDOWS = (8, 16)
_LOOK_S = 0.5
_SURE = 5.0
"""Standard errors that a slope must differ by from an honest one: it is looked at 7,200 times an hour."""
_LEAST_SCATTER_S = 0.002
_TIMES = 2
USUAL_HZ = (100, 125, 128, 150, 180, 192, 200, 240, 250, 256, 300, 320, 360, 400, 480, 500, 512, 600, 800, 860, 1000)
_NEAR = 0.015


_PLAYED = 2.0
"""A device whose own time agrees with its rate is not so many times faster: its signal is played faster."""
_LIKE = 0.05
"""Share by which arrival may differ from a device's own time that it confirms."""


class RateWatch:
    """Follows one stream by when its samples arrive, and by the device's own time where it sends one.

    The device's time has no jitter, but its firmware may count it wrongly: it is believed where arrival is like it.

    Parameters
    ----------
    fs : Fraction
        Nominal rate in Hz.
    tick_hz : Fraction, optional
        Of the device's own clock.
    """

    def __init__(self, fs: Fraction, tick_hz: Fraction | None = None) -> None:
        self._fs, self._tick_hz = float(fs), tick_hz
        self._arrival, self._own = _Line(self._fs), _Line(self._fs)

    def reset(self) -> None:
        """Begin anew, as after a reconnection; what was found stays until there is something new."""
        self._arrival.reset()
        self._own.reset()

    def event(self, event: ReaderEvent) -> None:
        """Take an event of the stream, whichever it is."""
        if isinstance(event, SampleBlock):
            self.feed(event.index + len(event), event.arrival)
            if event.ticks is not None and self._tick_hz:
                self._own.feed(event.index, float(event.ticks / self._tick_hz))
        elif isinstance(event, Reconnected) or (isinstance(event, Gap) and not event.known):
            self.reset()

    def feed(self, stop: int, arrival: float) -> None:
        """Take that the sample before index `stop` arrived at host time `arrival`, in seconds."""
        self._arrival.feed(stop, arrival)

    @property
    def off_hz(self) -> float | None:
        """The measured rate where it is off by more than `OFF`, else None."""
        own, roughly = self._own.off_hz, self._arrival.latest_hz
        if own is not None and roughly is not None and abs(roughly / own - 1) < _LIKE:
            return own
        off, told = self._arrival.off_hz, self._own.measured_hz
        played = off is not None and told is not None and own is None and off > _PLAYED * self._fs
        return None if played else off


class _Line:
    """Seconds of the signal against seconds of a clock.

    Attributes
    ----------
    measured_hz : float or None
        The rate, once it is sure.
    latest_hz : float or None
        What the last seconds look like, sure or not.
    """

    def __init__(self, fs: float) -> None:
        self._fs = fs
        self.measured_hz: float | None = None
        self.latest_hz: float | None = None
        self.reset()

    def reset(self) -> None:
        self._least: deque[tuple[float, float]] = deque(maxlen=_WINDOWS[-1])
        self._now: tuple[float, float] | None = None
        self._look, self._off_times = -1, 0

    def feed(self, stop: int, arrival: float) -> None:
        at = stop / self._fs
        if int(arrival // _LOOK_S) != self._look:
            self._look = int(arrival // _LOOK_S)
            if self._now is not None:
                self._least.append(self._now)
                self._judge()
            self._now = None
        if self._now is None or arrival - at < self._now[1]:
            self._now = at, arrival - at

    @property
    def off_hz(self) -> float | None:
        hz = self.measured_hz
        return hz if hz is not None and abs(hz / self._fs - 1) > OFF else None

    def _judge(self) -> None:
        """Find the rate from the shortest window that is sure; a wrong one must be found twice running."""
        for n in _WINDOWS:
            if len(self._least) < n:
                return
            points = np.array(self._least)[-n:]
            off, error = _off(points)
            self.latest_hz = self._fs * (1 + off)
            if abs(off) > OFF:
                if abs(off) - _HONEST < _SURE * error or not _halves_agree(points, off):
                    continue
                self._off_times += 1
                if self._off_times < _TIMES:
                    return
            elif abs(off) + error > OFF and n < _WINDOWS[-1]:
                continue
            else:
                self._off_times = 0
            self.measured_hz = self._fs * (1 + off)
            return


def _off(points: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Share by which the rate differs from the nominal one, and its standard error.

    Parameters
    ----------
    points : ndarray of float64, shape (n, 2)
        Second of the signal and delay of each look, in seconds.
    """
    t, d = points.T
    slope = _slope(points)
    off = d - slope * t
    scatter = max(_LEAST_SCATTER_S, 1.4826 * _median(np.abs(off - _median(off))))
    error = scatter / float(np.sqrt(((t - t.mean()) ** 2).sum()))
    return 1 / max(1e-6, 1 + slope) - 1, error


def _halves_agree(points: npt.NDArray[np.float64], off: float) -> bool:
    middle = len(points) // 2
    halves = (_off(part)[0] for part in (points[:middle], points[middle:]))
    return all(half * off > 0 and abs(half) >= _AGREE * abs(off) for half in halves)


def _slope(points: npt.NDArray[np.float64]) -> float:
    """Median slope between any two points."""
    t, d = points.T
    i, j = _pairs(len(t))
    return _median((d[j] - d[i]) / np.maximum(t[j] - t[i], 1e-9))


@cache
def _pairs(n: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Indices of any two of `n` points."""
    i, j = np.triu_indices(n, 1)
    return i, j


def _median(x: npt.NDArray[np.float64]) -> float:
    """As `numpy.median`, without what that prepares for other shapes: it is asked twice a second."""
    ordered, middle = np.sort(x), len(x) // 2
    return float(ordered[middle] if len(x) % 2 else (ordered[middle - 1] + ordered[middle]) / 2)


def usual(hz: float) -> Fraction:
    """The rate a designer would have chosen near a measured one; the measured one in whole Hz where there is none."""
    near = min(USUAL_HZ, key=lambda known: abs(known - hz))
    return Fraction(near if abs(near / hz - 1) <= _NEAR else round(hz))
