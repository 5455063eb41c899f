"""Beats and their landmarks by NeuroKit2: R peaks, the J point, and the amplitudes measured from them.

What is measured is the representative beat of a record: the median over its beats, aligned at the R peaks.
Truth and estimate are measured at the same instants, those of the truth.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt

from ecg_edge.device.lead_algebra import BASIS
from ecg_edge.firmware_bridge.errors import MissingExtraError

ST_AFTER_J_S = 0.060
_J_LEADS = ("II", "V2", "V5")
_J_RANGE_S = (0.02, 0.12)
_BEFORE_S, _AFTER_S = 0.25, 0.50
_BASELINE_S = (-0.09, -0.07)
_QRS_FROM_S = -0.06
_T_AFTER_J_S = 0.08
_MIN_BEATS = 3
# NeuroKit2 needs four beats and some seconds; more cost time and change little.
_MIN_BEATS_FOR_J, _J_SEARCH_S = 4, 5.0
_TOLERANCE_S = 0.1
# What numpy, pandas and scipy raise inside NeuroKit2 on a signal without beats.
_NOTHING_FOUND = (ValueError, LookupError, ZeroDivisionError, TypeError)
Floats = npt.NDArray[np.floating]
Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Landmarks:
    """Instants of one record, in samples.

    Attributes
    ----------
    r : ndarray of int, shape (n_beats,)
        R peaks whose whole beat lies in the scored stretch.
    j : float
        From the R peak to the J point.
    t_end : int
        From the R peak to where the search for the T wave ends.
    """

    r: npt.NDArray[np.intp]
    j: float
    t_end: int


@dataclass(frozen=True)
class Amplitudes:
    """Of the representative beat, one value in mV per lead, relative to the level 80 ms before the R peak.

    Attributes
    ----------
    r, t, st : ndarray of shape (n_leads,)
        Largest value of the QRS complex; extreme of the T wave with its sign; level 60 ms after the J point.
    """

    r: Array
    t: Array
    st: Array


@dataclass(frozen=True)
class PeakTiming:
    """R peaks of an estimated lead against those of the true one.

    Attributes
    ----------
    true, found, matched : int
        Peaks in the truth, in the estimate, and in both within 100 ms.
    errors_s : ndarray of shape (matched,)
        Estimate minus truth.
    """

    true: int
    found: int
    matched: int
    errors_s: Array


class Delineator:
    """NeuroKit2 at one sampling rate.

    Parameters
    ----------
    fs : int
        In Hz.

    Raises
    ------
    MissingExtraError
        NeuroKit2 is not installed.
    """

    def __init__(self, fs: int) -> None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                import neurokit2
        except ImportError:
            raise MissingExtraError("neurokit2", "evaluate") from None
        self._nk: Any = neurokit2
        self._fs = fs
        self.name = f"NeuroKit2 {version('neurokit2')}"

    def r_peaks(self, x: Floats) -> npt.NDArray[np.intp]:
        """R peaks of one lead, shape (n_samples,) in mV, as sample numbers; none where none is found."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                _, info = self._nk.ecg_peaks(np.asarray(x, np.float64), sampling_rate=self._fs)
            return np.asarray(info["ECG_R_Peaks"], np.intp)
        except _NOTHING_FOUND:
            return np.empty(0, np.intp)

    def landmarks(self, truth: Floats, first: int) -> Landmarks | None:
        """R peaks from all leads together, J point as the median of three leads.

        Parameters
        ----------
        truth : ndarray of shape (n_samples, 8)
            Basis leads in mV.
        first : int
            Where the scored stretch begins.

        Returns
        -------
        Landmarks or None
            None where fewer than three whole beats or no J point is found.
        """
        fs = self._fs
        peaks = self.r_peaks(np.sqrt((np.asarray(truth, np.float64) ** 2).sum(axis=1)))
        j = [self._j_offset(truth[first:, BASIS.index(lead)], peaks - first) for lead in _J_LEADS]
        whole = peaks[(peaks >= first + _BEFORE_S * fs) & (peaks < len(truth) - _AFTER_S * fs)]
        if len(whole) < _MIN_BEATS or not np.isfinite(j).any():
            return None
        offset = float(np.nanmedian(j))
        if not _J_RANGE_S[0] * fs <= offset <= _J_RANGE_S[1] * fs:
            return None
        interval = float(np.median(np.diff(whole)))
        return Landmarks(whole, offset, int(min(_AFTER_S * fs, 0.65 * interval)))

    def _j_offset(self, x: Floats, peaks: npt.NDArray[np.intp]) -> float:
        """Median distance in samples from the R peaks to the end of the QRS complex, NaN where not found."""
        after = round(_AFTER_S * self._fs)
        peaks = peaks[(peaks >= _BEFORE_S * self._fs) & (peaks < len(x) - after)]
        if len(peaks) < _MIN_BEATS_FOR_J:
            return float("nan")
        n = max(round(_J_SEARCH_S * self._fs), int(peaks[_MIN_BEATS_FOR_J - 1]) + after)
        stretch, peaks = np.asarray(x[:n], np.float64), peaks[peaks <= n - after]
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                _, waves = self._nk.ecg_delineate(stretch, peaks, sampling_rate=self._fs, method="dwt")
        except _NOTHING_FOUND:
            return float("nan")
        ends = np.asarray(waves["ECG_R_Offsets"], np.float64)[: len(peaks)] - peaks
        return float(np.nanmedian(ends)) if np.isfinite(ends).any() else float("nan")

    def timing(self, truth: Floats, estimate: Floats, first: int) -> PeakTiming:
        """Compare the R peaks of one lead, both of shape (n_samples,), from sample `first` on."""
        a, b = (p[(p >= first)].astype(np.float64) for p in (self.r_peaks(truth), self.r_peaks(estimate)))
        if not len(a) or not len(b):
            return PeakTiming(len(a), len(b), 0, np.empty(0))
        nearest = np.abs(b[None] - a[:, None]).argmin(axis=1)
        back = np.abs(b[None] - a[:, None]).argmin(axis=0)
        mutual = back[nearest] == np.arange(len(a))
        errors = (b[nearest] - a)[mutual] / self._fs
        errors = errors[np.abs(errors) <= _TOLERANCE_S + 1e-9]
        return PeakTiming(len(a), len(b), len(errors), errors)


def amplitudes(x: Floats, at: Landmarks, fs: int) -> Amplitudes:
    """Measure the representative beat.

    Parameters
    ----------
    x : ndarray of shape (n_samples, n_leads)
        In mV.
    at : Landmarks
        Of the truth.
    fs : int
        In Hz.
    """
    before, after = round(_BEFORE_S * fs), round(_AFTER_S * fs)
    window = np.arange(-before, after)
    inside = at.r[(at.r >= before) & (at.r < len(x) - after)]
    beat = np.median(np.asarray(x, np.float64)[inside[:, None] + window], axis=0)
    start, stop = (before + round(s * fs) for s in _BASELINE_S)
    beat = beat - beat[start : stop + 1].mean(axis=0)
    j = before + at.j
    wave = beat[round(j + _T_AFTER_J_S * fs) : before + at.t_end]
    if not len(wave):
        wave = beat[round(j + _T_AFTER_J_S * fs) : round(j + _T_AFTER_J_S * fs) + 1]
    extreme = np.take_along_axis(wave, np.abs(wave).argmax(axis=0)[None], axis=0)[0]
    qrs = beat[before + round(_QRS_FROM_S * fs) : round(j) + 1]
    return Amplitudes(qrs.max(axis=0), extreme, beat[round(j + ST_AFTER_J_S * fs)])
