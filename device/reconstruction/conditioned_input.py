"""Millivolts at their own rate to rows a model reads, with a flag where a sample was missing."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt

from ecg_edge.device.analysis.leaps import HOLD_S, LeapWatch, believable
from ecg_edge.device.conditioning.conditioner import Conditioner
from ecg_edge.device.conditioning.input_guard import InputGuard
from ecg_edge.device.conditioning.mains import exact_mains
from ecg_edge.device.inference.spec import ModelSpec


class ConditionedInput:
    """The conditioner behind the input guard; the same rows however the input is cut.

    Parameters
    ----------
    fs : Fraction
        Rate of the samples in Hz.
    spec : ModelSpec
        Model rate, leads and conditioning.
    mains_hz : float or None
        50, 60, or None for no notch.
    n_leads : int, optional
        Columns of the samples; as many as the model reads unless given.

    Attributes
    ----------
    half : int
        Native samples by which the resampler is late.

    Raises
    ------
    UsageError
        There is no such mains frequency.
    """

    def __init__(self, fs: Fraction, spec: ModelSpec, mains_hz: float | None, n_leads: int | None = None) -> None:
        n = n_leads or len(spec.input_leads)
        self._conditioner = Conditioner(fs, spec.fs, n, spec.conditioning, exact_mains(mains_hz))
        self._leaps = LeapWatch(fs, n)
        self._step = fs / spec.fs
        self.half = round(self._conditioner.delay * fs)
        self._guarded = n, int(HOLD_S * fs), max(1, 2 * self.half)
        self.reset()

    @property
    def delay(self) -> float:
        """Row ``m`` shows the input at ``m / spec.fs - delay``, in seconds."""
        return self._conditioner.delay

    @property
    def next_row(self) -> int:
        """Index of the next row that `feed` returns."""
        return self._conditioner.next_output

    def reset(self, start: int = 0) -> None:
        """Forget everything; the next sample has the index `start`, which may be negative."""
        self._conditioner.reset(start)
        self._leaps.reset()
        self._guard = InputGuard(*self._guarded)  # a new one: the old one would remember the last value
        self._guard.reset(start, lost_before=False)

    def feed(self, mv: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
        """Take samples, shape (n_samples, n_leads) in mV, NaN where there is none; one that leaps counts as none.

        Returns
        -------
        rows : ndarray of float32, shape (m_samples, n_leads)
            Conditioned, finite: the last value is held where a sample is missing.
        valid : ndarray of bool, same shape
            False where a sample under the resampler's kernel is missing, or the row is too large for a heart.
        """
        first = self.next_row
        parts = [np.zeros((0, mv.shape[1]), np.float32)]
        valid = np.isfinite(mv)
        valid &= ~self._leaps.feed(mv, valid)
        for segment in self._guard.feed(np.where(valid, mv, 0.0), valid) if len(mv) else ():
            if segment.back.any():
                self._conditioner.reseed(segment.back, segment.mv[0])
            parts.append(self._conditioner.feed(segment.mv))
        rows = np.concatenate(parts)
        return rows, self._guard.valid(first, self.next_row, self._step) & believable(rows)
