"""Whether figures hold when they are read twice: from every other beat, and from the beats between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from fractions import Fraction
from itertools import pairwise

import numpy as np

from ecg_edge.device.measurements.fiducials import Fiducials, fiducials
from ecg_edge.device.measurements.typical_beat import TypicalBeat
from ecg_edge.firmware_bridge.array_types import FloatArray

_LAGS_S, _LAG_STEP_S = (0.17, 0.31), 0.01
_ALIKE = 0.68
"""Of 100 records of PTB-XL, of which every 220th was taken, none reached 0.6."""
_LEAST_ROOT_MV = 0.02
_AFTER_QRS_S, _BEFORE_QRS_S = 0.06, 0.05
_MOST_BEATS = 12


def spreads(beat: TypicalBeat, columns: list[int], next_s: float) -> dict[str, float]:
    """Seconds by which each instant differs between the two halves of the beats.

    Parameters
    ----------
    beat : TypicalBeat
    columns : list of int
        See `fiducials`.
    next_s : float
        See `fiducials`.

    Returns
    -------
    dict of str to float
        By the name of the instant; infinite where a half has none.
    """
    noise = beat.noise_mv * np.sqrt(2)
    first, second = (fiducials(replace(beat, mv=half, noise_mv=noise), columns, next_s) for half in beat.halves)
    names = [f.name for f in fields(Fiducials)]
    if first is None or second is None:
        return dict.fromkeys(names, np.inf)
    apart = {name: abs(getattr(first, name) - getattr(second, name)) for name in names}
    return {name: float(s) if np.isfinite(s) else np.inf for name, s in apart.items()}


def is_periodic(mv: FloatArray, fs: float | Fraction, peaks: Sequence[int]) -> bool:
    """Whether one wave of 200 to 350 a minute fills the time between the beats, as in atrial flutter.

    Between beats long enough for two such waves, it is the same a wave later. P and T differ in height and width.

    Parameters
    ----------
    mv : ndarray of shape (n_samples, n_leads)
        In mV; NaN where missing.
    fs : float or Fraction
        In Hz.
    peaks : sequence of int
        Rows of the R peaks.
    """
    rate = float(fs)
    lags = np.unique(np.rint(np.arange(*_LAGS_S, _LAG_STEP_S) * rate).astype(np.int64))
    found = []
    for a, b in list(pairwise(peaks))[-_MOST_BEATS:]:
        between = mv[a + round(_AFTER_QRS_S * rate) : b - round(_BEFORE_QRS_S * rate)]
        usable = lags[lags <= len(between) / 1.7]
        if len(usable) and np.isfinite(between).all():
            level = _without_line(between)
            found.append(max(_same(level, int(lag)) for lag in usable))
    return len(found) > 2 and float(np.median(found)) > _ALIKE


def _without_line(x: FloatArray) -> FloatArray:
    basis = np.linalg.qr(np.vander(np.linspace(-1, 1, len(x)), 2))[0]
    return np.asarray(x - basis @ (basis.T @ x))


def _same(x: FloatArray, lag: int) -> float:
    """Likeness in shape and height, up to 1, of rows to those `lag` later; 0 where nothing is there to compare."""
    a, b = x[:-lag] - x[:-lag].mean(axis=0), x[lag:] - x[lag:].mean(axis=0)
    power = float((a**2).sum() + (b**2).sum())
    if power < 2 * a.size * _LEAST_ROOT_MV**2:
        return 0.0
    return 1 - float(((a - b) ** 2).sum()) / power
