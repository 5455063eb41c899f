"""What is mended before measuring, short losses and the pulses of a pacemaker; and one-sample steps, no heart's.

The muscle of the heart is excited in some milliseconds at least, so a QRS complex rises over several samples.
A pulse leaves its place in one sample and is back within 8 ms. Below 200 Hz the two cannot be told apart.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ecg_edge.firmware_bridge.array_types import BoolArray, FloatArray

_LEAST_FS = 200.0
_WIDEST_S = 0.008
_LEAST_MV, _ABOVE_USUAL = 0.1, 8.0
_STEEPER = 4.0
_SAME_LEVEL = 0.5
_AROUND_S, _EDGE = 0.1, 0.5


def without_pulses(mv: FloatArray, fs: float) -> tuple[FloatArray, int]:
    """Replace pulses of a pacemaker by straight lines, in all leads where one has it.

    Parameters
    ----------
    mv : ndarray of shape (n_samples, n_leads)
        In mV; NaN where missing.
    fs : float
        In Hz.

    Returns
    -------
    (ndarray, int)
        The leads, and how many pulses were found.
    """
    if fs < _LEAST_FS or len(mv) < 2 * _WIDEST_S * fs + 4:
        return mv, 0
    out, count = mv, 0
    for width in range(1, round(_WIDEST_S * fs) + 1):
        for k in np.flatnonzero(np.any([_pulses(lead, width) for lead in out.T], axis=0)).tolist():
            out = out.copy() if out is mv else out
            out[k : k + width + 2] = np.linspace(out[k], out[k + width + 1], width + 2)
            count += 1
    return out, count


def bridged(mv: FloatArray, fs: float) -> FloatArray:
    """Leads with straight lines across up to 8 ms of missing samples, one sample at least."""
    out = mv
    for k in range(mv.shape[1]):
        bad = np.isnan(mv[:, k])
        if not bad.any() or bad.all():
            continue
        out = out.copy() if out is mv else out
        rows = np.arange(len(mv))
        line = np.interp(rows, rows[~bad], mv[~bad, k])
        edges = np.flatnonzero(np.diff(np.concatenate([[0], bad.astype(np.int8), [0]])))
        for a, b in edges.reshape(-1, 2).tolist():
            if a > 0 and b < len(mv) and b - a <= max(1, round(_WIDEST_S * fs)):
                out[a:b, k] = line[a:b]
    return out


def _pulses(x: FloatArray, width: int) -> BoolArray:
    """Of each row, whether a pulse of `width` samples begins behind it."""
    d = np.diff(x)
    usual = float(np.nanmedian(np.abs(d))) if np.isfinite(d).any() else 0.0
    found = np.zeros(len(x), np.bool_)
    n = len(d) - width - 2
    before, up, down, after = d[:n], d[1 : n + 1], d[1 + width : n + 1 + width], d[2 + width :]
    jump = np.minimum(np.abs(up), np.abs(down))
    with np.errstate(invalid="ignore"):
        sharp = jump > np.maximum(_LEAST_MV, _ABOVE_USUAL * usual)
        sharp &= (up * down < 0) & (np.abs(up + down) < _SAME_LEVEL * jump)
        sharp &= jump > _STEEPER * np.maximum(np.abs(before), np.abs(after))
    found[1 : n + 1] = sharp
    return found


def is_stepped(x: FloatArray, fs: float, peaks: Sequence[int]) -> bool:
    """Whether what was found in a lead rises by half its height in one sample: a square, a sawtooth, no heart.

    Parameters
    ----------
    x : ndarray of shape (n_samples,)
        In mV.
    fs : float
        In Hz.
    peaks : sequence of int
        Rows of what was found.
    """
    if fs < _LEAST_FS or not len(peaks):
        return False
    reach = round(_AROUND_S * fs)
    shares = []
    for k in peaks:
        near = x[max(0, k - reach) : k + reach + 1]
        near = near[np.isfinite(near)]
        if len(near) > 1 and np.ptp(near) > 0:
            shares.append(float(np.abs(np.diff(near)).max() / np.ptp(near)))
    return bool(shares) and float(np.median(shares)) > _EDGE
