"""How much of what one recording teaches holds on the patient's next one, direction by direction.

A reference fits the person and the day alike. In the whitened coordinates of the head's regressors each direction of
the fitted change has a factor per target. The factors make the change fit a second recording of the same patient
best. They are found by weighted least squares over the training patients who have two recordings, in both directions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from itertools import pairwise

import numpy as np

from ecg_edge.device.lead_algebra import BASIS
from ecg_edge.device.personal_calibration import fit as calibration
from ecg_edge.firmware_bridge.array_types import Float32Array, FloatArray
from ecg_edge.firmware_bridge.progress import Progress
from ecg_edge.train.data.prepare import Prepared
from ecg_edge.train.head.design import head_weights, inputs, regressors
from ecg_edge.train.network.unet import UNet

JUDGED_FROM_S = 2.0
"""In the other recording, as every evaluation is; a fit begins at `calibration.SKIP_S`."""
MIN_PAIRS = 30
_RIDGE, _TOWARD = 0.003, 0.5
"""Of the factors themselves: a small pull toward a half."""
_ERROR_FLOOR_MV = 0.02


def learn(model: UNet, data: Prepared, moments: Float32Array) -> Float32Array | None:
    """Learn the factors on patients with two recordings.

    Parameters
    ----------
    model : UNet
        In evaluation mode, of fixed leads.
    data : Prepared
        Training records.
    moments : ndarray of float32, shape (n_regressors, n_regressors)
        As the model file will hold them.

    Returns
    -------
    ndarray of float32, shape (n_regressors, n_targets), or None
        None with fewer than `MIN_PAIRS` pairs.
    """
    return factors(pairs_of(data), head_weights(model)[0], moments, lambda n: _record(model, data, n), model.spec.fs)


def factors(
    pairs: list[tuple[int, int]],
    weights: Float32Array,
    moments: Float32Array,
    record: Callable[[int], tuple[FloatArray, FloatArray]],
    fs: int,
) -> Float32Array | None:
    """Learn the factors of one head; see `learn`.

    Parameters
    ----------
    pairs : list of tuple of int
        See `pairs_of`.
    weights : ndarray of float32, shape (n_regressors, n_targets)
        Of the mean.
    moments : ndarray of float32, shape (n_regressors, n_regressors)
        As the model file will hold them.
    record : callable
        Returns regressors and truth of a record by its number, from `calibration.SKIP_S` on.
    fs : int
        In Hz.
    """
    if len(pairs) < MIN_PAIRS:
        return None
    head = weights.astype(np.float64)
    prior = calibration.prior(moments)
    basis, inverse = calibration.whitened(prior)
    k, n_out = head.shape
    later = round((JUDGED_FROM_S - calibration.SKIP_S) * fs)
    left, right = np.zeros((n_out, k, k)), np.zeros((n_out, k))
    with Progress("next recordings", len(pairs)) as progress:
        for pair in pairs:
            (xa, ta), (xb, tb) = (record(n) for n in pair)
            for (x, t), (y, u) in (((xa, ta), (xb, tb)), ((xb, tb), (xa, ta))):
                z, e = (y[later:] @ basis), (u - y @ head)[later:]
                c = inverse @ calibration.change(x, t - x @ head, prior, calibration.TAUGHT_STRENGTH)
                _add(left, right, c, z, e)
            progress.step()
    found = np.empty((k, n_out))
    for j in range(n_out):
        pull = _RIDGE * np.trace(left[j]) / k
        found[:, j] = np.linalg.solve(left[j] + pull * np.eye(k), right[j] + pull * _TOWARD)
    return found.astype(np.float32)


def _add(left: FloatArray, right: FloatArray, c: FloatArray, z: FloatArray, e: FloatArray) -> None:
    """Add one fitted change `c` and the recording (`z`, its whitened regressors) that judges it."""
    gram, moment = z.T @ z, z.T @ e
    weight = 1 / ((e**2).mean(axis=0) + _ERROR_FLOOR_MV**2)  # every patient counts alike
    for j, w in enumerate(weight):
        left[j] += w * np.outer(c[:, j], c[:, j]) * gram
        right[j] += w * c[:, j] * moment[:, j]


def pairs_of(data: Prepared) -> list[tuple[int, int]]:
    """Consecutive recordings of one patient, by their numbers."""
    of: dict[object, list[int]] = defaultdict(list)
    for k, patient in enumerate(data.patients):
        if patient:
            of[patient].append(k)
    return [pair for records in of.values() for pair in pairwise(records)]


def _record(model: UNet, data: Prepared, k: int) -> tuple[FloatArray, FloatArray]:
    """Regressors and truth of one record from `calibration.SKIP_S` on."""
    late, first = model.spec.lookahead, round(calibration.SKIP_S * model.spec.fs)
    rows = regressors(model, inputs(model, data, slice(k, k + 1)))[0].numpy()[late:]
    truth = data.x[k, : len(rows)][:, [BASIS.index(lead) for lead in model.spec.target_leads]]
    return rows[first:].astype(np.float64), np.asarray(truth[first:], np.float64)
