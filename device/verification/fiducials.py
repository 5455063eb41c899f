"""What a clinician reads off a trace, compared between two estimates of the same records: ST level and R peak.

The instants are those of the beats in a measured lead, so both estimates are read at the same ones. No delineation of a
reconstructed trace lies between them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ecg_edge.device.analysis.beat_detector import BeatDetector
from ecg_edge.firmware_bridge.array_types import AnyFloatArray

_PR_S, _ST_S, _HALF_S = -0.08, 0.10, 0.01
"""Before the QRS; J + 60 ms with J taken 40 ms after R; read as a mean over 20 ms."""
_QRS_S = 0.06
_MIN_PEAK_MV = 0.1


@dataclass(frozen=True)
class Shift:
    """How far estimate b differs from a in what is read off it, per lead.

    Attributes
    ----------
    st_uv : ndarray of shape (n_leads,)
        Mean over records of the absolute difference of the record's median ST level, in microvolts.
    rpeak_ms : ndarray of shape (n_leads,)
        Median over beats of the absolute shift of the largest deflection of the QRS, in ms.
    moved : ndarray of shape (n_leads,)
        Share of beats whose largest deflection moved by a sample or more.
    beats : int
        Beats read.
    """

    st_uv: npt.NDArray[np.float64]
    rpeak_ms: npt.NDArray[np.float64]
    moved: npt.NDArray[np.float64]
    beats: int


def beats_of(lead: AnyFloatArray, fs: int) -> npt.NDArray[np.int64]:
    """R peaks of a measured lead, shape (n_samples,) in mV, by the device's own detector."""
    found = BeatDetector(fs).feed(np.asarray(lead), np.ones(len(lead), np.bool_))
    return np.asarray(found, np.int64)


def compare(a: AnyFloatArray, b: AnyFloatArray, lead: AnyFloatArray, fs: int, first: int) -> Shift:
    """Compare two estimates.

    Parameters
    ----------
    a, b : ndarray of shape (n_records, n_samples, n_leads)
        In mV; a is the reference.
    lead : ndarray of shape (n_records, m_samples)
        A measured lead, m ≥ n; finds the beats.
    fs : int
        Rate in Hz.
    first : int
        Beats before this sample are not read.
    """
    st, shifts = [], []
    for record, other, measured in zip(a, b, lead, strict=True):
        at = beats_of(measured[: len(record)], fs)
        margin = round((_ST_S + _HALF_S) * fs) + 1
        at = at[(at >= max(first, margin)) & (at < len(record) - margin)]
        if len(at):
            st.append(np.abs(_st(record, at, fs) - _st(other, at, fs)))
            shifts.append(_peak_shift(record, other, at, fs))
    if not st:
        nothing = np.zeros(a.shape[2])
        return Shift(nothing, nothing, nothing, 0)
    moved = np.abs(np.concatenate(shifts))
    seen = [column[~np.isnan(column)] for column in moved.T]  # a lead none of whose beats can be read has not moved
    return Shift(
        1e3 * np.mean(st, axis=0),
        np.array([1e3 / fs * np.median(c) if len(c) else 0.0 for c in seen]),
        np.array([(c > 0).mean() if len(c) else 0.0 for c in seen]),
        len(moved),
    )


def _st(x: AnyFloatArray, at: npt.NDArray[np.int64], fs: int) -> npt.NDArray[np.float64]:
    """Median over beats of the ST level above the PR segment, per lead, in mV."""
    half = round(_HALF_S * fs)
    window = np.arange(-half, half + 1)
    st, pr = (x[at[:, None] + round(t * fs) + window].mean(axis=1) for t in (_ST_S, _PR_S))
    return np.asarray(np.median(st - pr, axis=0), np.float64)


def _peak_shift(a: AnyFloatArray, b: AnyFloatArray, at: npt.NDArray[np.int64], fs: int) -> npt.NDArray[np.float64]:
    """Shift in samples of each beat's largest deflection, shape (n_beats, n_leads); NaN where there is none to see."""
    reach = round(_QRS_S * fs)
    rows = at[:, None] + np.arange(-reach, reach + 1)
    left, right = np.abs(a[rows]), np.abs(b[rows])
    shift = np.asarray(right.argmax(axis=1) - left.argmax(axis=1), np.float64)
    shift[left.max(axis=1) < _MIN_PEAK_MV] = np.nan
    return shift
