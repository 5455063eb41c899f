"""A small causal QRS detector: beats a fraction of a second after they happened, and the heart rate.

The way of Pan and Tompkins (IEEE Trans. Biomed. Eng. 32:230, 1985): band-pass, slope, square,
moving average, two running levels and a threshold between them. What is taken for a candidate here
is a maximum of the average that nothing within a refractory time to either side exceeds.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import signal

from ecg_edge.device.conditioning.conditioner import StreamingSos

_BAND_HZ = (6.0, 18.0)
_AVERAGE_S = 0.12
_REFRACTORY_S = 0.2
_T_WAVE_S = 0.36
_LEARN_S = 2.0
_FORGET_S = 2.5
_SEARCH_BACK = 1.66
_STALE_S = 3.0
_BAND_DELAY_S = 0.06
_FLOOR = 0.6
"""(mV/s)²: the average of a QRS of some 40 µV; less is noise on a flat line."""
_AFTER_FAULT_S = 0.5
_RR_KEPT = 8
_BRIDGED_S = 0.2
"""A held gap with the resampler's kernel about it stays below; a beat is rarely lost in it."""

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Candidate:
    """A maximum of the average; `peak` is the sample of its R wave, `bad` the last invalid sample before it."""

    at: int
    height: float
    peak: int
    bad: int


class BeatDetector:
    """Finds R peaks in one lead.

    The beats are the same however the samples are cut into blocks. A beat is reported
    ``delay`` samples after it at most, unless it is found by searching back.

    Parameters
    ----------
    fs : int
        Rate in Hz, at least 50.

    Attributes
    ----------
    delay : int
        Samples between an R peak and the sample whose arrival reports it, at most.
    """

    def __init__(self, fs: int) -> None:
        self._fs = fs
        self._width = max(2, round(_AVERAGE_S * fs))
        self._reach = round(_REFRACTORY_S * fs)
        self._taps, self._around = np.arange(self._width), np.arange(2 * self._reach + 1)
        self._bridged = round(_BRIDGED_S * fs)
        self._back = round(_BAND_DELAY_S * fs)
        band = signal.butter(1, (_BAND_HZ[0], min(_BAND_HZ[1], 0.4 * fs)), "bandpass", fs=fs, output="sos")
        self._band = StreamingSos(np.asarray(band))
        self.delay = self._reach + self._width + self._back
        self._rr: deque[int] = deque(maxlen=_RR_KEPT)
        self.reset(0)

    def reset(self, index: int) -> None:
        """Forget everything; the next sample has the given index."""
        self._band.reset()
        self._next = index
        self._seen = np.zeros((2, self._reach + self._width + self._back))  # band-passed, plain
        self._slope2 = np.zeros(self._width - 1)
        self._average = np.zeros(2 * self._reach)
        self._last_bad = self._last_good = index - 1
        self._learnt_at = index + round(_LEARN_S * self._fs)
        self._waiting: list[_Candidate] = []
        self._missed: list[_Candidate] = []
        self._signal = self._noise = 0.0
        self._rr.clear()
        self._beat: _Candidate | None = None

    def feed(self, mv: npt.NDArray[np.floating], valid: npt.NDArray[np.bool_]) -> list[int]:
        """Take samples of one lead; return the indices of the R peaks they reveal, in order.

        Parameters
        ----------
        mv : ndarray of shape (n_samples,)
            Conditioned, in mV, finite.
        valid : ndarray of bool, same shape
            After more than 0.2 s of invalid samples, beats of the next half second are not reported,
            and no interval is taken across.
        """
        beats: list[int] = []
        if len(mv):
            for c in self._candidates(np.asarray(mv, np.float64), np.asarray(valid, np.bool_)):
                beats += [b.peak for b in self._learn(c)]
        return beats

    def heart_rate(self) -> float | None:
        """Beats per minute: median of the last eight intervals; None where they are stale or too few."""
        if self._beat is None or len(self._rr) < 2 or self._next - self._beat.peak > _STALE_S * self._fs:
            return None
        return 60 * self._fs / float(np.median(self._rr))

    def _candidates(self, mv: FloatArray, valid: npt.NDArray[np.bool_]) -> list[_Candidate]:
        """Maxima of the average that became certain with these samples."""
        n, reach = len(mv), self._reach
        rows = self._next + np.arange(n)
        good = np.maximum.accumulate(np.concatenate([[self._last_good], np.where(valid, rows, -1)]))[1:]
        bad = np.where(rows - good > self._bridged, rows, -1)
        bad = np.maximum.accumulate(np.concatenate([[self._last_bad], bad]))[1:]
        band = self._band.feed(mv[:, None])[:, 0]
        seen = np.concatenate([self._seen, np.stack([band, mv])], axis=1)
        steps = seen[0, -n:] - seen[0, -n - 1 : -1]
        slope2 = np.concatenate([self._slope2, (steps * self._fs) ** 2])
        # One addition after the other: the result cannot depend on the cut.
        average = np.add.accumulate(slope2[np.arange(n)[:, None] + self._taps], axis=1)[:, -1]
        average = np.concatenate([self._average, average / self._width])
        first = self._next - self._seen.shape[1]  # index of the first column of `seen`
        out = []
        highest = average[np.arange(n)[:, None] + self._around].argmax(axis=1) == reach
        for k in np.flatnonzero(highest & (average[reach : reach + n] > _FLOOR)):
            at = int(rows[k]) - reach
            if bad[k] < at - _AFTER_FAULT_S * self._fs:
                out.append(_Candidate(at, float(average[reach + k]), self._peak(seen, at - first) + first, int(bad[k])))
        self._slope2, self._average = slope2[n:], average[n:]
        self._seen, self._last_bad, self._last_good = seen[:, n:], int(bad[-1]), int(good[-1])
        self._next += n
        return out

    def _peak(self, seen: FloatArray, at: int) -> int:
        """Column of the R wave that made the average peak at column `at`."""
        start = max(0, at - self._width)
        near = start + int(np.abs(seen[0, start : at + 1]).argmax())
        start = max(0, near - self._back)
        plain = seen[1, start : near + 1]
        return start + int(np.abs(plain - plain.mean()).argmax())

    def _learn(self, c: _Candidate) -> list[_Candidate]:
        """Hold the first candidates back until the levels are known from them."""
        if c.at < self._learnt_at:
            self._waiting.append(c)
            return []
        waiting, self._waiting = [*self._waiting, c], []
        if len(waiting) > 1:
            self._signal = 0.7 * max(w.height for w in waiting)
        return [beat for w in waiting for beat in self._judge(w)]

    def _judge(self, c: _Candidate) -> list[_Candidate]:
        """Beats this candidate is or reveals."""
        beats = self._search_back(c)
        threshold = self._noise + 0.25 * (self._signal - self._noise)
        soon = self._beat is not None and c.at - self._beat.at < _T_WAVE_S * self._fs
        if c.height < threshold or (soon and self._beat and c.height < 0.25 * self._beat.height):
            self._noise += 0.125 * (c.height - self._noise)
            self._missed.append(c)
            return beats
        self._accept(c)
        return [*beats, c]

    def _search_back(self, c: _Candidate) -> list[_Candidate]:
        """Take the best of the candidates passed over, if a beat is overdue."""
        if not self._missed or self._beat is None:
            return []
        waited = c.at - self._beat.at
        usual = float(np.mean(self._rr)) if self._rr else self._fs * _STALE_S / 2
        best = max(self._missed, key=lambda m: m.height)
        forgotten = waited > _FORGET_S * self._fs
        if waited < _SEARCH_BACK * usual or (best.height < 0.4 * self._noise + 0.1 * self._signal and not forgotten):
            return []
        if forgotten:  # the waves have become smaller, after a lead was moved: begin at their size
            self._signal, self._noise = best.height, 0.0
        self._accept(best)
        return [best]

    def _accept(self, c: _Candidate) -> None:
        self._signal += 0.125 * (min(c.height, 4 * self._signal or c.height) - self._signal)
        if self._beat is not None and c.bad < self._beat.peak:
            self._rr.append(c.peak - self._beat.peak)
        self._beat, self._missed = c, []
