"""The heart rate, stated only while the beats found look like beats of one heart."""

from __future__ import annotations

from collections import deque

import numpy as np

from ecg_edge.device.analysis.beat_candidates import Candidate, alike

_KEPT, _LEAST = 9, 3
_STALE_S, _OLDEST_S = 3.0, 8.0
_STALE_INTERVALS = 1.6
_LIKE, _CONTRAST = 0.75, 2.0
_MOST = 0.3
_COMPARED = 4


class HeartRate:
    """Mean of the last eight intervals, the longest and the shortest left out.

    Stated while the last beat is fresh (three seconds, longer in a slow rhythm) and the beats resemble each other.
    Half of them must correlate at 0.75 or more with one of the four before. Most must be twice as high as what lies
    between them. Beats found in noise are neither.

    Parameters
    ----------
    fs : int
        Rate of the samples in Hz.
    """

    def __init__(self, fs: int) -> None:
        self._fs = fs
        self._beats: deque[Candidate] = deque(maxlen=_KEPT)
        self._intervals: deque[int] = deque(maxlen=_KEPT - 1)
        self._alike: deque[float] = deque(maxlen=_KEPT - 1)
        self._contrast: deque[float] = deque(maxlen=_KEPT - 1)

    def reset(self) -> None:
        """Forget everything."""
        self._beats.clear()
        self._intervals.clear()
        self._alike.clear()
        self._contrast.clear()

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
            if beat.bad < self._beats[-1].peak:
                self._intervals.append(beat.peak - self._beats[-1].peak)
        self._beats.append(beat)

    def per_minute(self, now: int) -> float | None:
        """Beats per minute at sample `now`; None where it cannot be stated."""
        if len(self._intervals) < _LEAST:
            return None
        rr = np.sort(self._intervals)
        rr = rr[1:-1] if len(rr) > 4 else rr
        stale = min(_OLDEST_S, max(_STALE_S, _STALE_INTERVALS * float(np.median(rr)) / self._fs))
        if now - self._beats[-1].peak > stale * self._fs:
            return None
        if float(np.median(self._alike)) < _LIKE or float(np.quantile(self._contrast, _MOST)) < _CONTRAST:
            return None
        return 60 * self._fs / float(rr.mean())
