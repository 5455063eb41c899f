"""Ridge regression from the input leads: the linear baseline beside every figure."""

from __future__ import annotations

import numpy as np

from ecg_edge.device.lead_algebra import BASIS, measured
from ecg_edge.firmware_bridge.array_types import AnyFloatArray, Float32Array, FloatArray
from ecg_edge.firmware_bridge.progress import Progress
from ecg_edge.train.data.prepare import Prepared

SKIPPED_S = 2.0
TAPS = (1, 31)


def design(x: AnyFloatArray, taps: int) -> FloatArray:
    """Neighbouring samples as regressors.

    Parameters
    ----------
    x : ndarray of shape (n_samples, n_inputs)
        In mV.
    taps : int
        Odd; sample ``t`` gets ``t - taps // 2 … t + taps // 2`` (the ends repeat the border sample).

    Returns
    -------
    ndarray of shape (n_samples, taps * n_inputs)
        Ordered tap by tap from the earliest, leads within a tap.
    """
    half = taps // 2
    padded = np.pad(np.asarray(x, np.float64), ((half, half), (0, 0)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, taps, axis=0)
    return np.ascontiguousarray(windows.transpose(0, 2, 1)).reshape(len(x), -1)


def fit(
    data: Prepared, inputs: tuple[str, ...], targets: tuple[str, ...], fs: int, taps: int, strength: float = 1e-4
) -> Float32Array:
    """Fit one ridge regression over all records, the first 2 s of each left out.

    Parameters
    ----------
    data : Prepared
        Training records.
    inputs, targets : tuple of str
        Measured channels, and basis leads.
    fs : int
        Rate in Hz.
    taps : int
        Odd number of samples each estimate sees.
    strength : float
        Added to the diagonal, relative to its mean.

    Returns
    -------
    ndarray of float32, shape (taps * n_inputs, n_targets)
        For the regressors of `design`.
    """
    cols_out = [BASIS.index(n) for n in targets]
    n = taps * len(inputs)
    gram, cross = np.zeros((n, n)), np.zeros((n, len(targets)))
    skip = round(SKIPPED_S * fs)
    with Progress(f"ridge, {taps} tap{'s' * (taps != 1)}", len(data)) as progress:
        for record in data.x:
            a = design(measured(record, inputs), taps)[skip:]
            gram += a.T @ a
            cross += a.T @ record[skip:, cols_out]
            progress.step()
    gram[np.diag_indices(n)] += strength * np.trace(gram) / n
    return np.linalg.solve(gram, cross).astype(np.float32)


def predict(x: AnyFloatArray, weights: Float32Array) -> FloatArray:
    """Estimate the targets of one record, shape (n_samples, n_targets), from its inputs, (n_samples, n_inputs)."""
    return design(x, len(weights) // x.shape[1]) @ weights.astype(np.float64)
