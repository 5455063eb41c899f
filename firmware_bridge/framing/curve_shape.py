"""Whether a curve turns sharply, as an ECG does at its QRS, or is smooth, as a pulse wave and breathing are."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

SMOOTH = 0.76
"""Bend below which no ECG lies: the least of 30,000 leads of PTB-XL, 4 s each, is 0.79; pulse waves reach 0.74."""
APART = 1.9
"""Echo below which a column without beats is none of the heart beside it.

Lead I beside II in 400 records of PTB-XL, where it has no beats of its own: 2.3 or more. Accelerometers: 1.6 or less.
"""
_STEEP, _WIDE_S = 0.9, 0.04
_SPIKY = 6.0
_SPAN_S = 0.03
_FEWEST_LEVELS = 12


def bend(x: npt.NDArray[np.float64], fs: float) -> float:
    """How sharply a curve turns: change of the slope over the slope, both over 30 ms.

    Parameters
    ----------
    x : ndarray of shape (n_samples,)
        In any unit, a second or more, all finite.
    fs : float
        Rate in Hz; a rough one is enough.

    Returns
    -------
    float
        About 0.2 for a wave of 1 Hz, 0.6 for a pulse wave, 1.3 for an ECG, 1.7 for noise; 0 for a line.
    """
    slope = _slopes(x, fs)
    span = _span(fs)
    turn = slope[span:] - slope[:-span]
    return float(np.sqrt((turn**2).mean() / (slope**2).mean())) if len(turn) and slope.any() else 0.0


def beats(x: npt.NDArray[np.float64], fs: float) -> bool:
    """Whether a curve has short steep parts between calm ones, as only an ECG has among vital signs.

    Parameters
    ----------
    x, fs
        As `bend`.
    """
    slope = _slopes(x, fs)
    power = float((slope**2).mean()) if len(slope) else 0.0
    if power <= 0 or len(np.unique(x)) < _FEWEST_LEVELS:
        return False
    return float((slope**4).mean()) >= _SPIKY * power**2 and bend(x, fs) >= SMOOTH


def echo(x: npt.NDArray[np.float64], beating: npt.NDArray[np.float64], fs: float) -> float:
    """How much more steeply a curve moves while another one beats than between these beats.

    Parameters
    ----------
    x, beating : ndarray of shape (n_samples,)
        At the same times, all finite.
    fs : float
        As `bend`.

    Returns
    -------
    float
        About 1 where they have nothing in common.
    """
    power, other = _slopes(x, fs) ** 2, _slopes(beating, fs) ** 2
    if not power.any():
        return 1.0
    steep = (other >= np.quantile(other, _STEEP)).astype(np.float64)
    wide = np.ones(2 * max(1, round(_WIDE_S * fs)) + 1)
    within = np.convolve(steep, wide, "same") > 0
    if within.all() or not power[~within].any():
        return 1.0
    return float(np.sqrt(power[within].mean() / power[~within].mean()))


def _span(fs: float) -> int:
    return max(2, round(_SPAN_S * fs))


def _slopes(x: npt.NDArray[np.float64], fs: float) -> npt.NDArray[np.float64]:
    """Differences over the span of a curve smoothed by as much, without its trend."""
    span = _span(fs)
    if len(x) < 4 * span:
        return np.zeros(0)
    calm = np.convolve(x - x[0], np.full(span, 1 / span), "valid")
    slope = calm[span:] - calm[:-span]
    return np.asarray(slope - slope.mean(), np.float64)
