"""Whether a measured lead is quiet enough to reconstruct others from.

The gate judges conditioned samples, as the network sees them. Baseline wander and mains that the filters remove close
nothing. Two things close the gate. *Noise*: above 22 Hz more than 0.12 mV and twice as much power as in the band of the
QRS. *Motion*: slow waves above 0.25 mV that neither stand still between beats (kurtosis) nor repeat (autocorrelation).
Broad beats of a fast rhythm repeat. The limits lie about where the other leads alone reconstruct better: see
docs/explanation/signal-quality.md.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ecg_edge.device.analysis.recent_rows import Tail

WINDOW_S = 4.0
EVERY_S = 0.5
CLOSE_AFTER, OPEN_AFTER = 2, 4
"""Verdicts in a row that close the gate, and that open it."""
_QRS_HZ, _SLOW_HZ, _FAST_HZ = (4.0, 15.0), (0.3, 4.0), (22.0, 50.1)
_FAST_SHARE = 2.0
_NOISE_MV = 0.12
_SLOW_SHARE = 0.75
_MOTION_MV = 0.25
_PEAKED = 6.0
_REPEATS = 0.5
_BEAT_S = (0.25, 2.0)
BoolArray = npt.NDArray[np.bool_]
Array = npt.NDArray[np.float64]


def verdict(x: Array, fs: float) -> str:
    """Say what makes a lead useless, or nothing.

    Parameters
    ----------
    x : ndarray of shape (n_samples,)
        Some seconds of one conditioned lead, in mV.
    fs : float
        Rate in Hz.

    Returns
    -------
    str
        ``noise``, ``motion``, or empty.
    """
    x = x - x.mean()
    taper = np.hanning(len(x))
    power = np.abs(np.fft.rfft(x * taper)) ** 2 * 2 / (len(x) * float((taper**2).sum()))  # sums to the mean square
    hz = np.fft.rfftfreq(len(x), 1 / fs)
    qrs, slow, fast = (float(power[(hz >= a) & (hz < b)].sum()) + 1e-12 for a, b in (_QRS_HZ, _SLOW_HZ, _FAST_HZ))
    if fast > max(_NOISE_MV**2, _FAST_SHARE * qrs):
        return "noise"
    spread = float((x**2).mean())
    peaked = float((x**4).mean()) / (spread**2 + 1e-18)
    if slow > _SLOW_SHARE * qrs and spread > _MOTION_MV**2 and peaked < _PEAKED and _repeats(x, fs) < _REPEATS:
        return "motion"
    return ""


def _repeats(x: Array, fs: float) -> float:
    """Highest autocorrelation at the distance of a beat, beyond the first zero."""
    n = len(x)
    own = np.fft.irfft(np.abs(np.fft.rfft(x, 2 * n)) ** 2)[:n] / np.arange(n, 0, -1)
    below = np.flatnonzero(own < 0)
    first = max(round(_BEAT_S[0] * fs), int(below[0]) if len(below) else n)
    lags = own[first : round(_BEAT_S[1] * fs)]
    return float(lags.max() / own[0]) if len(lags) and own[0] > 0 else 0.0


class NoiseGate:
    """Follows some leads; what it says is the same however the rows are cut.

    A window that touches an invalid row has no verdict. An invalid row opens the gate of its lead, because its flag
    keeps it out.

    Parameters
    ----------
    fs : int
        Model rate in Hz.
    n_leads : int
        Number of leads.

    Attributes
    ----------
    reasons : tuple of str
        Of each lead: why its gate is closed; empty where it is open.
    """

    def __init__(self, fs: int, n_leads: int) -> None:
        self._fs, self._n = float(fs), n_leads
        self._window, self._every = round(WINDOW_S * fs), round(EVERY_S * fs)
        self.reset(0)

    def reset(self, index: int) -> None:
        """Begin anew; the next row has the given index."""
        self._next = index
        self._before = Tail(self._window, np.zeros((0, self._n)))
        self._before_ok = Tail(self._window, np.zeros((0, self._n), np.bool_))
        self._bad = np.zeros(self._n, np.int64)
        self._good = np.zeros(self._n, np.int64)
        self.reasons: tuple[str, ...] = ("",) * self._n

    def feed(self, x: npt.NDArray[np.floating], valid: BoolArray) -> tuple[BoolArray, list[tuple[int, int, str]]]:
        """Take rows.

        Parameters
        ----------
        x, valid : ndarray of shape (n_rows, n_leads)
            Conditioned, in mV, and where they can be trusted.

        Returns
        -------
        fit : ndarray of bool, same shape
            False where the gate is closed.
        turns : list of (int, int, str)
            Row from which, column, and reason (empty: opened).
        """
        first = self._next
        self._next += len(x)
        fit = np.ones(valid.shape, np.bool_)
        turns: list[tuple[int, int, str]] = []
        at = 0
        if judged := range(-(-first // self._every) * self._every, self._next, self._every):
            rows = np.concatenate([self._before.rows(), x.astype(np.float64)])
            ok = np.concatenate([self._before_ok.rows(), valid])
        for row in judged:
            fit[at : row - first] = self._open
            stop = len(rows) - (self._next - row)
            turns += self._judge(row, rows[:stop], ok[:stop])
            at = row - first
        if any(self.reasons):
            fit[at:] = self._open
        self._before.add(x.astype(np.float64))
        self._before_ok.add(valid)
        return fit, turns

    @property
    def _open(self) -> BoolArray:
        return np.array([not reason for reason in self.reasons])

    def _judge(self, row: int, x: Array, ok: BoolArray) -> list[tuple[int, int, str]]:
        """Verdict of each lead on the rows before `row`, as many as there are."""
        turns = []
        for k in range(self._n if len(x) else 0):
            if not ok[-1, k]:
                self._bad[k] = self._good[k] = 0
                turns += self._turn(row, k, "")
            elif len(x) >= self._window and ok[-self._window :, k].all():
                turns += self._weigh(row, k, verdict(x[-self._window :, k], self._fs))
        return turns

    def _weigh(self, row: int, k: int, reason: str) -> list[tuple[int, int, str]]:
        self._bad[k] = self._bad[k] + 1 if reason else 0
        self._good[k] = 0 if reason else self._good[k] + 1
        if self._bad[k] >= CLOSE_AFTER and not self.reasons[k]:
            return self._turn(row, k, reason)
        if self._good[k] >= OPEN_AFTER:
            return self._turn(row, k, "")
        return []

    def _turn(self, row: int, k: int, reason: str) -> list[tuple[int, int, str]]:
        if self.reasons[k] == reason:
            return []
        self.reasons = (*self.reasons[:k], reason, *self.reasons[k + 1 :])
        return [(row, k, reason)]
