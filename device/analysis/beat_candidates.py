"""Where a lead may hold a QRS complex: maxima of its slope.

Each keeps what separates it from a T wave, a step and a spike.

Band-pass, slope, square and moving average after Pan and Tompkins (IEEE Trans. Biomed. Eng. 32:230, 1985).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ecg_edge.device.analysis.despike import Despike
from ecg_edge.device.conditioning.conditioner import StreamingSos
from ecg_edge.device.conditioning.section_design import bandpass

AVERAGE_S = 0.12
REFRACTORY_S = 0.2
BAND_DELAY_S = 0.06
BRIDGED_S = 0.2
"""A held gap with the resampler's kernel about it stays below; a beat is rarely lost in it."""
_BAND_HZ = (8.0, 20.0)
_FLOOR = 0.7
"""mV/s: the slope of a QRS of some 40 µV; less is noise on a flat line."""
_AFTER_FAULT_S = 0.5
_CALM_S = 3.0
_CALM_SHARE = 0.3
_SHAPE_S, _WAVE_S = 0.1, 0.25
_BESIDE_S = (0.03, 0.1, 0.14, 0.18)
_HIGHPASS_HZ = 0.5
_STEP, _STEP_OFF = 0.6, 0.25

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Candidate:
    """A maximum of the slope that nothing within a refractory time to either side exceeds.

    Attributes
    ----------
    at : int
        Sample of the maximum.
    height : float
        Root mean square of the slope there, in mV/s.
    calm : float
        The same between the waves of the seconds before.
    peak : int
        Sample of its R wave.
    bad : int
        The last invalid sample before it.
    bend : float
        Largest second difference, in mV: high for a QRS, low for a T or P wave of the same height.
    step : bool
        The level before and the level after differ by the wave's height: a step, not a beat.
    shape : ndarray
        The lead 0.1 s around the peak, mean 0 and norm 1.
    wave : ndarray
        The same from 0.1 s before to 0.25 s behind the peak.
    """

    at: int
    height: float
    calm: float
    peak: int
    bad: int
    bend: float
    step: bool
    shape: FloatArray = field(repr=False)
    wave: FloatArray = field(repr=False)


def alike(a: Candidate, b: Candidate) -> float:
    """Correlation of the lead around two peaks, the better of three alignments."""
    x, y = a.shape, b.shape
    return max(float(x @ y), float(x[1:] @ y[:-1]), float(x[:-1] @ y[1:]))


def same_wave(a: Candidate, b: Candidate) -> float:
    """Correlation of the lead around two peaks and of their T waves, as far as both are known."""
    n = min(len(a.wave), len(b.wave))
    return float(a.wave[:n] @ b.wave[:n])


class CandidateFinder:
    """Finds candidates in one lead; they are the same however the samples are cut into blocks.

    Parameters
    ----------
    fs : int
        Rate in Hz, at least 50.

    Attributes
    ----------
    delay : int
        Samples between an R peak and the sample whose arrival reveals it, at most.
    next : int
        Index of the next sample.
    """

    def __init__(self, fs: int) -> None:
        self._fs = fs
        self._width = max(2, round(AVERAGE_S * fs))
        self._reach = round(REFRACTORY_S * fs)
        self._taps, self._around = np.arange(self._width), np.arange(2 * self._reach + 1)
        self._bridged, self._back = round(BRIDGED_S * fs), round(BAND_DELAY_S * fs)
        self._calm, self._shape, self._wave = (round(s * fs) for s in (_CALM_S, _SHAPE_S, _WAVE_S))
        self._beside = [round(s * fs) for s in _BESIDE_S]
        t = np.sqrt(2) * np.pi * _HIGHPASS_HZ * np.array(_BESIDE_S)
        left = np.exp(-t) * (np.cos(t) - np.sin(t))  # of a step behind the conditioner's high-pass
        self._step_left = left[1:] / left[0]
        self._band = StreamingSos(bandpass(_BAND_HZ[0], min(_BAND_HZ[1], 0.4 * fs), fs))
        self._despike = Despike()
        self._columns = self._reach + self._width + self._back + self._beside[-1]
        self.delay = self._despike.delay + self._reach + self._width + self._back
        self.reset(0)

    def reset(self, index: int) -> None:
        """Forget everything; the next sample has the given index."""
        self._band.reset()
        self._despike.reset()
        self.next = index
        self._at = index - self._despike.delay
        """Index of the next sample behind the despiker, whose first ones repeat the first sample."""
        self._seen = np.zeros((2, self._columns))  # band-passed, plain
        self._slope2 = np.zeros(self._width - 1)
        self._average = np.zeros(self._calm + 2 * self._reach)
        self._last_bad = self._last_good = index - 1

    def feed(self, mv: npt.NDArray[np.floating], valid: BoolArray) -> list[Candidate]:
        """Take samples; return what became certain with them, in order."""
        n, reach = len(mv), self._reach
        if not n:
            return []
        bad = self._bad(valid)
        plain = self._despike.feed(np.asarray(mv, np.float64))
        band = self._band.feed(plain[:, None])[:, 0]
        seen = np.concatenate([self._seen, np.array([band, plain])], axis=1)
        slope2 = np.concatenate([self._slope2, ((seen[0, -n:] - seen[0, -n - 1 : -1]) * self._fs) ** 2])
        # One addition after the other: the result cannot depend on the cut.
        sums = np.add.accumulate(slope2[np.arange(n)[:, None] + self._taps], axis=1)[:, -1]
        average = np.concatenate([self._average, np.sqrt(sums / self._width)])
        recent = average[self._calm :]
        highest = recent[np.arange(n)[:, None] + self._around].argmax(axis=1) == reach
        out = []
        for k in np.flatnonzero(highest & (recent[reach : reach + n] > _FLOOR)):
            at = self._at + int(k) - reach
            if bad[k] < at - _AFTER_FAULT_S * self._fs:
                calm = average[k + reach : k + reach + self._calm]
                out.append(self._candidate(at, float(recent[reach + k]), calm, int(bad[k]), seen))
        self._slope2, self._average, self._seen = slope2[n:], average[n:], seen[:, n:]
        self.next += n
        self._at += n
        return out

    def lost_since(self, seconds: float) -> bool:
        """Whether too long a hole ended, or goes on, in the last seconds."""
        return self._last_bad > self.next - seconds * self._fs

    def _bad(self, valid: BoolArray) -> npt.NDArray[np.int64]:
        """For each sample behind the despiker, the last one before it that ended too long a hole."""
        n = len(valid)
        if self._last_good == self.next - 1 and valid.all():
            self._last_good += n
            return np.full(n, self._last_bad)
        rows = self.next + np.arange(n)
        good = np.maximum.accumulate(np.concatenate([[self._last_good], np.where(valid, rows, -1)]))[1:]
        bad = np.where(rows - good > self._bridged, rows, -1)
        bad = np.maximum.accumulate(np.concatenate([[self._last_bad], bad]))[1:]
        self._last_bad, self._last_good = int(bad[-1]), int(good[-1])
        return np.asarray(bad)

    def _candidate(self, at: int, height: float, calm: FloatArray, bad: int, seen: FloatArray) -> Candidate:
        column = at - self._at + self._columns
        near = column - self._width + int(np.abs(seen[0, column - self._width : column + 1]).argmax())
        peak = self._peak(seen[1], near)
        plain = seen[1]
        start = column - self._width - self._back
        bend = float(
            np.abs(plain[start + 2 : column + 1] - 2 * plain[start + 1 : column] + plain[start : column - 1]).max()
        )
        return Candidate(
            at,
            height,
            float(np.partition(calm, nth := int(_CALM_SHARE * len(calm)))[nth]),
            peak - self._columns + self._at,
            bad,
            bend,
            self._is_step(plain, start, column),
            self._normal(plain, near, near + self._shape),
            self._normal(plain, near, min(near + self._wave, column + self._reach)),
        )

    def _normal(self, plain: FloatArray, near: int, stop: int) -> FloatArray:
        """The lead from before the complex up to `stop`, of a length that no cut changes."""
        lead = plain[near - self._shape : stop + 1]
        lead = lead - lead.mean()
        return np.asarray(lead / (float(np.sqrt(lead @ lead)) + 1e-9))

    def _peak(self, plain: FloatArray, near: int) -> int:
        """Column of the R wave that made the band-passed lead peak at column `near`."""
        level = float(plain[near - self._width : near + self._width + 1].mean())
        start = near - self._back
        return start + int(np.abs(plain[start : near + 1] - level).argmax())

    def _is_step(self, plain: FloatArray, start: int, stop: int) -> bool:
        """Whether the lead lies at one level before the steepest place and at another behind it."""
        edge = start + int(np.abs(np.diff(plain[start : stop + 1])).argmax())
        k = self._beside
        before = float(plain[edge - k[-1] : edge - k[0] + 1].mean())
        wave = plain[edge - k[0] : edge + k[0] + 2]
        leap = float(wave[-1]) - before
        if abs(leap) < _STEP * float(wave.max() - wave.min()):
            return False
        behind = np.array([plain[edge + j - 1 : edge + j + 2].mean() - before for j in k[1:]]) / leap
        return bool((np.abs(behind - self._step_left) < _STEP_OFF).all())
