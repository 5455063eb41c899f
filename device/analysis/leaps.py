"""Samples that no electrode can have given: a lead that leaps and is back at once.

A pulse in the wire, a bit that flipped, a number that overflowed: one such sample would ring in the filters for
seconds. It counts as lost. A lead that stays where it leapt to has a new electrode offset. It is lost while that is not
known, for 40 ms; then its filters restart.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from ecg_edge.device.analysis.plausibility import LARGE_MV
from ecg_edge.firmware_bridge.array_types import AnyFloatArray, BoolArray, Float32Array, FloatArray

SANE_MV = 1e5
"""No electrode gives a hundred volts; what claims to is not a sample."""
HOLD_S = 0.040
"""A lead that returns after a longer loss restarts its filters."""
_NEVER = -(2**62)


class LeapWatch:
    """Finds samples that lie more than 20 mV off the last good one; the same however the samples are cut.

    Parameters
    ----------
    fs : Fraction
        Native rate in Hz.
    n_leads : int
        Number of leads.
    """

    def __init__(self, fs: Fraction, n_leads: int) -> None:
        self._n, self._hold = n_leads, int(HOLD_S * fs)
        self.reset()

    def reset(self) -> None:
        """Forget everything: the next sample of each lead is good."""
        self._at = 0
        self._good = np.zeros(self._n)
        self._last = np.zeros(self._n)
        self._last_at = np.full(self._n, _NEVER, np.int64)
        self._away = np.zeros(self._n, np.int64)
        self._settled = False

    def feed(self, mv: FloatArray, valid: BoolArray) -> BoolArray:
        """Take native samples.

        Parameters
        ----------
        mv, valid : ndarray of shape (n_samples, n_leads)
            In mV, and where there is a sample; elsewhere anything may stand.

        Returns
        -------
        ndarray of bool, same shape
            True where a sample is none: it leaps, or is not within 100 V.
        """
        found = np.zeros(mv.shape, np.bool_)
        if self._settled and self._is_plain(mv, valid):
            self._good[:] = self._last[:] = mv[-1]
            self._at += len(mv)
            self._last_at[:] = self._at - 1
            return found
        with np.errstate(invalid="ignore", over="ignore"):
            known = valid & (np.abs(mv) <= SANE_MV)
        usual = known.all(axis=0) & (self._last_at == self._at - 1) & (self._away == 0) & (len(mv) > 0)
        if usual.any():
            steps = np.diff(mv[:, usual], axis=0, prepend=self._last[None, usual])
            usual[usual] = (np.abs(steps) <= LARGE_MV).all(axis=0)
            self._good[usual] = self._last[usual] = mv[-1, usual]
            self._last_at[usual] = self._at + len(mv) - 1
        for k in np.flatnonzero(~usual).tolist():
            rows = np.flatnonzero(known[:, k])
            found[rows, k] = self._leaps(k, mv[rows, k], self._at + rows)
        self._at += len(mv)
        self._settled = bool((self._last_at == self._at - 1).all() and not self._away.any())
        return np.asarray(found | (valid & ~known), np.bool_)

    def _is_plain(self, mv: FloatArray, valid: BoolArray) -> bool:
        """Fast path: whether every lead goes on where it was, which is so in nearly every block."""
        if not len(mv) or not valid.all():
            return False
        steps = np.concatenate([self._last[None], mv])
        return bool((np.abs(steps[1:] - steps[:-1]) <= LARGE_MV).all() and np.abs(mv).max() <= SANE_MV)

    def _leaps(self, k: int, x: FloatArray, at: npt.NDArray[np.int64]) -> BoolArray:
        """Which known samples of one lead leap."""
        found = np.zeros(len(x), np.bool_)
        lost = np.diff(at, prepend=self._last_at[k]) > self._hold + 1
        apart = (np.abs(np.diff(x, prepend=self._last[k])) > LARGE_MV) | lost
        edges = np.unique([0, *np.flatnonzero(apart).tolist(), len(x)]).tolist()
        for a, b in pairwise(edges):
            away = 0 if apart[a] else int(self._away[k])
            home = 0
            if not lost[a] and (away or apart[a]):
                near = np.abs(x[a:b] - self._good[k]) <= LARGE_MV
                home = min(int(near.argmax()) if near.any() else b - a, max(0, self._hold + 1 - away))
            found[a : a + home] = True
            self._away[k] = away + b - a if home >= b - a else 0
            if home < b - a:
                self._good[k] = x[b - 1]
        if len(x):
            self._last[k], self._last_at[k] = x[-1], at[-1]
        return found


def believable(rows: Float32Array) -> BoolArray:
    """Return which conditioned rows, in mV, a heart can have made; shape as `rows`."""
    return np.asarray(np.abs(rows) <= LARGE_MV, np.bool_)


def without_leaps(mv: AnyFloatArray, fs: Fraction) -> FloatArray:
    """Return a whole recording, shape (n_samples, n_leads) in mV, with NaN where a sample is none; see `LeapWatch`."""
    rows = np.asarray(mv, np.float64)
    leaps = LeapWatch(fs, rows.shape[1]).feed(rows, np.isfinite(rows))
    return np.where(leaps, np.nan, rows) if leaps.any() else rows
