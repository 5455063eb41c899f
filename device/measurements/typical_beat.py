"""The median beat at 500 Hz: aligned to better than a sample, without ectopic beats, with its noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from ecg_edge.firmware_bridge.array_types import FloatArray

FS = 500
"""Rate of the beat in Hz: a step is 2 ms."""
MIN_BEATS = 3
MAX_BEATS = 40
_BEFORE_S, _AFTER_S = 0.40, 0.75
_SHARE_BEFORE, _SHARE_AFTER = 0.60, 0.95
_QRS_S = 0.08
_SHIFT_S = 0.024
_ALIKE = 0.85
_SMALLEST = 0.3
_PREMATURE = 0.85
_MOST_ALIKE = 0.8
"""Share of the beats that a P wave must precede where every other beat is premature; else half of them."""
_LIMIT = 200


@dataclass(frozen=True)
class TypicalBeat:
    """The median over the beats that resemble each other.

    Attributes
    ----------
    mv : ndarray of float64, shape (n_samples, n_leads)
        At `FS`.
    r : int
        Row of the R peak.
    noise_mv : ndarray of float64, shape (n_leads,)
        Standard error of the median.
    rr_s : float
        Median distance of the beats in seconds.
    used, found : int
        Beats in the median, and beats there are.
    kept : ndarray of int64, shape (used,)
        Which of the peaks these are.
    p_alike : float
        Correlation of what lies before single beats' QRS with the median beat's, -1 to 1: low where no P wave precedes
        every beat. Half of the beats reach it; four in five where every other beat is premature.
    p_locked : float
        The same that four in five reach.
    halves : tuple of two ndarrays like `mv`
        The medians of every other beat, and of those between.
    """

    mv: FloatArray
    r: int
    noise_mv: FloatArray
    rr_s: float
    used: int
    found: int
    p_alike: float
    kept: npt.NDArray[np.int64]
    p_locked: float
    halves: tuple[FloatArray, FloatArray]


def typical_beat(mv: FloatArray, fs: float | Fraction, peaks: Sequence[int]) -> TypicalBeat | None:
    """Make the median beat of a stretch.

    Parameters
    ----------
    mv : ndarray of shape (n_samples, n_leads)
        In mV; a beat with a NaN is left out.
    fs : float or Fraction
        In Hz.
    peaks : sequence of int
        Rows of the R peaks.

    Returns
    -------
    TypicalBeat or None
        None with fewer than `MIN_BEATS` beats that resemble each other.
    """
    at = np.asarray(peaks[-MAX_BEATS:], np.float64) / float(fs)
    if len(at) < MIN_BEATS:
        return None
    rr = float(np.median(np.diff(at)))
    before, after = min(_BEFORE_S, _SHARE_BEFORE * rr), min(_AFTER_S, _SHARE_AFTER * rr)
    x = _at_500(np.asarray(mv, np.float64), Fraction(fs).limit_denominator(1000))
    margin = round(_SHIFT_S * FS)
    a, b = round(before * FS), round(after * FS)
    rows = np.rint(at * FS).astype(np.int64)
    which = np.flatnonzero((rows >= a + margin) & (rows + b + margin <= len(x)))
    rows = rows[which]
    wide = np.array([x[k - a - margin : k + b + margin] for k in rows]).reshape(len(rows), a + b + 2 * margin, -1)
    whole = np.isfinite(wide).all(axis=(1, 2))
    wide, which = wide[whole], which[whole]
    if len(wide) < MIN_BEATS:
        return None
    beats = _aligned(wide, a + margin, margin)
    beats = beats - np.median(beats[:, : a - round(0.05 * FS)], axis=1, keepdims=True)
    qrs = slice(a - round(_QRS_S * FS), a + round(_QRS_S * FS))
    usual = np.median(beats[:, qrs], axis=0)
    like = (_correlations(beats[:, qrs], usual) >= _ALIKE) & _same_size(beats[:, qrs], usual)
    kept, which = beats[like], which[like] + max(0, len(peaks) - MAX_BEATS)
    if len(kept) < MIN_BEATS:
        return None
    beat = np.median(kept, axis=0)
    spread = 1.4826 * np.median(np.abs(kept - beat), axis=(0, 1))
    early = slice(max(0, a - round(0.30 * FS)), a - round(0.05 * FS))
    single = _correlations(kept[:, early], beat[early])
    half, most = (float(np.quantile(single, 1 - share)) for share in (0.5, _MOST_ALIKE))
    alike = most if _alternates(np.diff(at)) else half
    halves = (np.median(kept[::2], axis=0), np.median(kept[1::2], axis=0))
    noise = spread * 1.25 / np.sqrt(len(kept))
    return TypicalBeat(beat, a, noise, rr, len(kept), len(wide), alike, which, most, halves)


def _alternates(rr: FloatArray) -> bool:
    """Whether short and long intervals follow each other, as where every other beat is premature."""
    changes = rr[1:] / rr[:-1]
    far = (changes < _PREMATURE) | (changes > 1 / _PREMATURE)
    return bool(len(changes) > 2 and far.mean() > 0.5)


def _at_500(mv: FloatArray, fs: Fraction) -> FloatArray:
    from scipy.signal import resample_poly

    ratio = (FS / fs).limit_denominator(_LIMIT)
    if ratio == 1:
        return mv
    bad = ~np.isfinite(mv)
    level = np.array([np.median(c[np.isfinite(c)]) if np.isfinite(c).any() else 0.0 for c in mv.T])
    filled = np.where(bad, level, mv) - level
    out = resample_poly(filled, ratio.numerator, ratio.denominator, axis=0) + level
    if bad.any():
        rows = np.minimum(np.arange(len(out)) * ratio.denominator // ratio.numerator, len(mv) - 1)
        out[bad[rows]] = np.nan
    return np.asarray(out)


def _aligned(wide: FloatArray, r: int, margin: int) -> FloatArray:
    """Beats moved by up to `margin` rows to where their slope fits the median's best."""
    half = round(_QRS_S * FS)
    slope = np.diff(wide, axis=1)
    template = np.median(slope[:, r - half : r + half], axis=0)
    out = []
    for beat, d in zip(wide, slope, strict=True):
        fits = [float((d[r - half + s : r + half + s] * template).sum()) for s in range(-margin, margin + 1)]
        s = int(np.argmax(fits)) - margin
        out.append(beat[margin + s : len(beat) - margin + s])
    return np.array(out)


def _same_size(beats: FloatArray, usual: FloatArray) -> npt.NDArray[np.bool_]:
    """Whether beats are about as high as the usual one: a P wave may have the shape of a wide QRS complex."""
    share = np.ptp(beats, axis=1).max(axis=1) / max(1e-12, float(np.ptp(usual, axis=0).max()))
    return np.asarray((share > _SMALLEST) & (share < 1 / _SMALLEST))


def _correlations(beats: FloatArray, template: FloatArray) -> FloatArray:
    a = (beats - beats.mean(axis=1, keepdims=True)).reshape(len(beats), -1)
    b = (template - template.mean(axis=0)).ravel()
    return np.asarray(a @ b / np.maximum(1e-12, np.linalg.norm(a, axis=1) * np.linalg.norm(b)))
