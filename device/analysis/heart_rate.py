"""The heart rate, stated only while the beats found look like beats of one heart."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ecg_edge.device.analysis.beat_candidates import Candidate, alike

_KEPT, _LEAST, _LEAST_AGAIN = 9, 3, 2
_WAVES = 64
_STALE_S, _OLDEST_S = 3.0, 8.0
_STALE_INTERVALS = 1.6
_LIKE, _CONTRAST = 0.75, 2.0
_MOST = 0.3
_COMPARED = 4
_AFTER_S, _BEFORE_S = 0.42, 0.34
"""No T wave is so long after a beat, and no P wave so long before the next."""
_STANDS_OUT, _SIZED = 2.0, 0.04
_BIG = 0.25
_LATEST, _SAME, _SPREAD = 4, 0.5, 0.08
"""All but one of so many intervals with a wave between, its likeness from one to the next, and its place's spread."""


class HeartRate:
    """Mean of the last eight intervals, the longest and the shortest left out.

    Stated while the last beat is fresh (three seconds, longer in a slow rhythm) and the beats resemble each other.
    Half of them must correlate at 0.75 or more with one of the four before. Most must be twice as high as what lies
    between them. Beats found in noise are neither.
    Nor is a rate stated while a wave recurs between the beats, at the same place and of the same shape.
    It may be every other beat, and the rate twice as high. After a pause it is counted anew.

    Parameters
    ----------
    fs : int
        Rate of the samples in Hz.
    """

    def __init__(self, fs: int) -> None:
        self._fs = fs
        self._beats: deque[Candidate] = deque(maxlen=_KEPT)
        self._intervals: deque[int] = deque(maxlen=_KEPT - 1)
        self._least = _LEAST
        self._alike: deque[float] = deque(maxlen=_KEPT - 1)
        self._contrast: deque[float] = deque(maxlen=_KEPT - 1)
        self._between: deque[tuple[float, Candidate] | None] = deque(maxlen=_LATEST)
        self._waves: deque[tuple[int, bool]] = deque(maxlen=_WAVES)

    def reset(self) -> None:
        """Forget everything."""
        self._beats.clear()
        self._intervals.clear()
        self._least = _LEAST
        self._alike.clear()
        self._contrast.clear()
        self._between.clear()
        self._waves.clear()

    @property
    def usual(self) -> float:
        """Mean interval in samples; 0 where none is known."""
        return float(np.mean(self._intervals)) if self._intervals else 0.0

    def add(self, beat: Candidate, contrast: float) -> None:
        """Take the next beat, and how many times it exceeds what is no beat."""
        self._contrast.append(contrast)
        if self._beats:
            last = list(self._beats)[-_COMPARED:]
            self._alike.append(max(alike(beat, b) for b in last))
            silent = (beat.peak - self._beats[-1].peak) / self._fs
            if len(self._intervals) >= self._least and silent > self._stale_s():  # what was before says nothing of now
                self._intervals.clear()
                self._least = _LEAST_AGAIN
            elif beat.bad < self._beats[-1].peak:
                self._intervals.append(beat.peak - self._beats[-1].peak)
        self._beats.append(beat)

    def passed_over(self, beat: Candidate, next_beat: Candidate, waves: Sequence[Candidate]) -> None:
        """Take what lies between a beat and the next and was not taken for one."""
        first, last = beat.at + _AFTER_S * self._fs, next_beat.at - _BEFORE_S * self._fs
        least = _SIZED * min(beat.height, next_beat.height)
        found = [w for w in waves if first < w.at < last and w.height > max(least, _STANDS_OUT * w.calm)]
        best = max(found, key=lambda w: w.height, default=None)
        if best:
            self._waves.append((best.peak, best.height > _BIG * min(beat.height, next_beat.height)))
        self._between.append(((best.at - beat.at) / (next_beat.at - beat.at), best) if best else None)

    @property
    def alternates(self) -> bool:
        """Whether a wave that may be a beat recurs between the beats."""
        waves = [b for b in self._between if b is not None]
        if len(waves) < _LATEST - 1:
            return False
        same = [max(alike(a[1], b[1]) for b in waves if b is not a) for a in waves]
        return float(np.median(same)) > _SAME and float(np.std([place for place, _ in waves])) < _SPREAD

    @property
    def waves(self) -> list[int]:
        """Samples of the last waves between beats that may be beats: the large ones, and all where they alternate."""
        every = self.alternates
        return [peak for peak, big in self._waves if big or every]

    def pause(self, now: int) -> float | None:
        """Seconds since the last beat of a rhythm, at sample `now`; None while it is fresh, or there was no rhythm."""
        if len(self._intervals) < self._least:
            return None
        silent = (now - self._beats[-1].peak) / self._fs
        return silent if silent > min(_OLDEST_S, self._stale_s()) else None

    def _stale_s(self) -> float:
        return max(_STALE_S, _STALE_INTERVALS * float(np.median(self._kept())) / self._fs)

    def _kept(self) -> npt.NDArray[np.int64]:
        """The intervals in order of length, the longest and the shortest left out."""
        rr = np.sort(self._intervals)
        return rr[1:-1] if len(rr) > 4 else rr

    def per_minute(self, now: int) -> float | None:
        """Beats per minute at sample `now`; None where it cannot be stated."""
        if len(self._intervals) < self._least:
            return None
        if self.pause(now) is not None:
            return None
        if (
            self.alternates
            or float(np.median(self._alike)) < _LIKE
            or float(np.quantile(self._contrast, _MOST)) < _CONTRAST
        ):
            return None
        return 60 * self._fs / float(self._kept().mean())
