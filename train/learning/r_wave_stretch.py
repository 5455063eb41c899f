"""R waves of an estimate stretched about their mean, so that they vary from person to person as the true ones do.

The best estimate of what cannot be known varies less than the truth: regression to the mean. Undoing it costs least
where only the R waves are stretched, and where a record is large. There an error of the same size is a smaller part
of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ecg_edge.firmware_bridge.array_types import BoolArray, Float32Array, FloatArray
from ecg_edge.train.learning.r_amplitudes import LEVEL_S, QRS_S

_FULL_S, _NOTHING_S = 0.05, 0.10
"""Up to there a beat is stretched as a whole, from there on not at all."""
_LEAST_MV, _GAINS = 0.05, (0.3, 3.0)
_MOST, _HALVINGS = 8.0, 40


@dataclass(frozen=True)
class Stretch:
    """How R waves are stretched, one value per lead.

    Attributes
    ----------
    mean : ndarray of shape (n_leads,)
        R amplitude in mV that stays as it is.
    factor : ndarray of shape (n_leads,)
        By what share a deviation from it grows, in a record of mean size; 0 where nothing is to be done.
    size : ndarray of shape (n_leads,)
        Mean over records of the RMS, in mV.
    """

    mean: FloatArray
    factor: FloatArray
    size: FloatArray

    def apply(self, x: Float32Array, at: BoolArray, fs: int) -> Float32Array:
        """Stretch what is above zero in the beats of records.

        Parameters
        ----------
        x : ndarray of shape (n_records, n_leads, n_samples)
            In mV.
        at : ndarray of bool, shape (n_records, n_samples)
            Where the beats are.
        fs : int
            In Hz.
        """
        before = _amplitudes(x, at, fs)
        gain = self.grown(before, sizes(x)) / np.maximum(before, _LEAST_MV)
        gain = np.where(before > _LEAST_MV, np.clip(gain, *_GAINS), 1.0)
        return np.asarray(x * (1 + (gain[:, :, None] - 1) * _near(at, fs)[:, None] * (x > 0)), np.float32)

    def grown(self, amplitude: FloatArray, size: FloatArray) -> FloatArray:
        """Stretched amplitudes, shape (n_records, n_leads)."""
        share = self.factor * size / self.size
        return np.asarray(np.maximum(amplitude + share * (amplitude - self.mean), 0.0))


def learn(truth: FloatArray, estimate: FloatArray, size: FloatArray, ratio: float | FloatArray) -> Stretch:
    """Find the stretch that gives the estimates' R amplitudes so much of the truth's variance.

    Parameters
    ----------
    truth, estimate : ndarray of shape (n_records, n_leads)
        R amplitudes in mV.
    size : ndarray of shape (n_records, n_leads)
        RMS of the estimates in mV, see `sizes`.
    ratio : float or ndarray of shape (n_leads,)
        Wanted variance ratio; one that is there already stays.
    """
    wanted = ratio * truth.var(axis=0)
    mean, low = estimate.mean(axis=0), np.zeros(truth.shape[1])
    high = np.full_like(low, _MOST)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        short = Stretch(mean, middle, size.mean(axis=0)).grown(estimate, size).var(axis=0) < wanted
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    return Stretch(mean, low, size.mean(axis=0))


def _near(at: BoolArray, fs: int) -> Float32Array:
    """From 1 at the beats to 0 between them, shape as `at`."""
    near = np.zeros(at.shape, np.float32)
    reach, n = round(_NOTHING_S * fs), at.shape[1]
    for k in range(-reach, reach + 1):
        weight = min(1.0, (_NOTHING_S - abs(k) / fs) / (_NOTHING_S - _FULL_S))
        here, there = near[:, max(0, k) : n + min(0, k)], at[:, max(0, -k) : n - max(0, k)]
        np.maximum(here, weight * there, out=here)
    return near


def _amplitudes(x: Float32Array, at: BoolArray, fs: int) -> FloatArray:
    """R amplitude of each record's representative beat, as an evaluation reads it; 0 without a whole beat."""
    before, after = round(LEVEL_S[0] * fs), round(QRS_S[1] * fs)
    window = np.arange(-before, after + 1)
    qrs = slice(before - round(QRS_S[0] * fs), None)
    level = slice(0, before - round(LEVEL_S[1] * fs) + 1)
    found = np.zeros(x.shape[:2])
    for k, (record, where) in enumerate(zip(x, at, strict=True)):
        inside = np.flatnonzero(where[before : where.size - after]) + before
        if len(inside):
            beat = np.median(record[:, inside[:, None] + window], axis=1)
            found[k] = beat[:, qrs].max(axis=1) - beat[:, level].mean(axis=1)
    return found


def sizes(x: Float32Array) -> FloatArray:
    """RMS of each record and lead, of the shape (n_records, n_leads, n_samples)."""
    return np.asarray(np.sqrt(np.square(x, dtype=np.float64).mean(axis=-1)))
