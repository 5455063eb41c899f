"""Beats and R amplitudes of many records at once, coarser than `delineation` and differentiable: for training."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from torch import Tensor
from torch.nn import functional as F

from ecg_edge.firmware_bridge.array_types import BoolArray, Float32Array

QRS_S = (0.07, 0.09)
"""Before and behind the steepest instant of a beat: where its R wave is looked for."""
LEVEL_S = (0.11, 0.08)
"""Before it, from and to: the level that amplitudes are measured from."""
_SMOOTH_S = 0.03
_APART_S, _SLOPE_S, _LEAST_SLOPE = 0.25, 0.05, 0.35


def beats(x: Float32Array, fs: int) -> BoolArray:
    """Where the beats are: the steepest instant of each QRS complex.

    Parameters
    ----------
    x : ndarray of shape (n_records, n_leads, n_samples)
        Quiet records in mV.
    fs : int
        In Hz.

    Returns
    -------
    ndarray of bool, shape (n_records, n_samples)
        Local maxima, over 250 ms to both sides, of the summed slope of all leads. A maximum counts from .35 of the
        record's largest.
    """
    slope = np.zeros((len(x), x.shape[-1]), np.float32)
    slope[:, 1:-1] = np.abs(x[..., 2:] - x[..., :-2]).sum(axis=1)
    slope = ndimage.uniform_filter1d(slope, max(1, round(_SLOPE_S * fs)), axis=-1)
    highest = ndimage.maximum_filter1d(slope, 2 * round(_APART_S * fs) + 1, axis=-1)
    enough = _LEAST_SLOPE * slope.max(axis=-1, keepdims=True)
    return np.asarray((slope == highest) & (slope > enough), np.bool_)


def r_amplitudes(v: Tensor, at: Tensor, fs: int) -> Tensor:
    """R amplitude of each record and lead: mean over its beats of the highest 30 ms, above the level before.

    Parameters
    ----------
    v : Tensor of shape (batch, lead, time)
        In mV.
    at : Tensor of shape (batch, time)
        True where a beat is, see `beats`; those too close to an end to be seen whole do not count.
    fs : int
        In Hz.

    Returns
    -------
    Tensor of shape (batch, lead)
        In mV; 0 for a record without a whole beat.
    """
    before, after = (round(s * fs) for s in QRS_S)
    first, last = (round(s * fs) for s in LEVEL_S)
    width = max(1, round(_SMOOTH_S * fs))
    top = F.max_pool1d(F.avg_pool1d(v, width, 1), before + after + 2 - width, 1)
    level = F.avg_pool1d(v, first - last + 1, 1)
    n = v.shape[-1] - first - after
    height = top[..., first - before :][..., :n] - level[..., :n]
    inside = at[:, None, first : first + n].to(v.dtype)
    return (height * inside).sum(-1) / inside.sum(-1).clamp(min=1)
