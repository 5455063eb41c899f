"""Personal calibration: the head refitted to one person, in closed form.

The refitted weights minimise a sum of two terms. One is the squared error over the reference. The other is ``strength``
times the squared change of the output on the training population, from the model's second moments. This is ridge
regression toward the shipped head: the posterior mean of a Gaussian prior around it (Bishop, Pattern Recognition and
Machine Learning, 2006, 3.3).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from ecg_edge.device.inference.head import features, layout_of, regressors
from ecg_edge.device.inference.load import Model
from ecg_edge.device.inference.spec import ModelSpec, Personal
from ecg_edge.firmware_bridge.array_types import FloatArray

SKIP_S = 1.0
"""Start of every reference that is not fitted: filters and network settle there."""
BLOCK_S = 1.0
"""Cross-validation leaves out stretches of about a beat."""
STRENGTHS = (10.0, 30.0, 100.0, 300.0)
"""Of the prior, in samples; tried by cross-validation inside the reference."""
FLOOR = 1e-3
"""mV²: added to the diagonal of the moments, so that no direction is free of the prior."""
TAUGHT_STRENGTH = 100.0
"""For electrodes put on again, where the model knows what lasts (`Head.shrink`)."""
AGAIN_STRENGTH, AGAIN_SHARE = 2000.0, 0.8
"""Where it does not: a strong prior, and a step short of the fit. Both, and what drift does: the least error on
pairs of recordings of the training folds at which at most 2 % of the patients lose more than 5 %."""
DRIFT = {"same": (1.5, 3.0), "again": (0.5, 3.0)}
"""Divergence of the measured leads (see `drift`) up to which the refitted head counts in full, and from
which it does not. In fold 9, seconds 5-9 against 1-5 of a record stay below 1.5 in 98 % of the records."""
HALF_LIFE_DAYS = 365.0
"""Age beyond the newest reference at which one counts half."""


@dataclass(frozen=True)
class Design:
    """What one reference says: regressors and truth of the same instants.

    Attributes
    ----------
    regressors : ndarray of float64, shape (n_samples, n_regressors)
        In the order of `RegressorLayout`.
    truth : ndarray of float64, shape (n_samples, n_targets)
        Conditioned target leads in mV.
    weight : float
        How much the reference counts, 0 to 1.
    """

    regressors: FloatArray
    truth: FloatArray
    weight: float = 1.0


@dataclass(frozen=True)
class Fit:
    """A head fitted to a person.

    Attributes
    ----------
    mean : ndarray of float64, shape (n_regressors, n_targets)
        Weights in mV per regressor.
    interval_factors : ndarray of float64, shape (n_targets,)
        The interval is mean ± factor × the model's scale.
    again : ndarray of float64, shape (n_regressors, n_targets)
        Weights for another day, when the electrodes have been put on again.
    covariance : ndarray of float64, shape (n_inputs, n_inputs)
        Second moments of the measured leads in mV².
    strength : float
        Weight of the prior in samples.
    rmse_before, rmse_after : ndarray of float64, shape (n_targets,)
        In mV, of the shipped head and of the refitted one on the stretches left out.
    """

    mean: FloatArray
    interval_factors: FloatArray
    again: FloatArray
    covariance: FloatArray
    strength: float
    rmse_before: FloatArray
    rmse_after: FloatArray


def design(model: Model, inputs: npt.NDArray[np.float32], truth: FloatArray, weight: float = 1.0) -> Design:
    """Regressors and truth of a conditioned reference, its first second left out."""
    body = features(model, inputs)
    first = round(SKIP_S * model.spec.fs)
    rows = regressors(model.spec, body, inputs)
    return Design(rows[first:], np.asarray(truth[first : len(body)], np.float64), weight)


def fit(spec: ModelSpec, designs: Sequence[Design], strengths: Sequence[float] = STRENGTHS) -> Fit:
    """Refit the head; the strength of the prior is chosen by leaving out stretches of a second.

    Parameters
    ----------
    spec : ModelSpec
        Its head is the prior's mean, its moments the prior's precision.
    designs : sequence of Design
        At least one.
    strengths : sequence of float
        Candidates, in samples.
    """
    shipped = spec.head.mean.astype(np.float64)
    precision = prior(spec.head.moments)
    blocks = [block for d in designs for block in _blocks(d, round(BLOCK_S * spec.fs))]
    sums = [(d.weight * d.regressors.T @ d.regressors, d.weight * d.regressors.T @ _rest(d, shipped)) for d in blocks]
    gram, moment = sum(g for g, _ in sums), sum(m for _, m in sums)

    def solve(strength: float, without: int | None = None) -> FloatArray:
        g, m = (gram, moment) if without is None else (gram - sums[without][0], moment - sums[without][1])
        return np.asarray(np.linalg.solve(g + strength * precision, m), np.float64)

    left = {s: [_rest(d, shipped + solve(s, k)) for k, d in enumerate(blocks)] for s in strengths}
    best = min(strengths, key=lambda s: float(_rmse(left[s]).mean()))
    factors = _factors(spec, blocks, left[best])
    before = _rmse([_rest(d, shipped) for d in blocks])
    inputs = layout_of(spec).tap(0)
    return Fit(
        shipped + solve(best),
        factors,
        shipped + _lasting(spec, precision, solve),
        np.asarray(gram[inputs, inputs] / sum(d.weight * len(d.truth) for d in blocks), np.float64),
        best,
        before,
        _rmse(left[best]),
    )


def prior(moments: npt.NDArray[np.floating]) -> FloatArray:
    """Precision of the prior per sample of its strength, shape (n_regressors, n_regressors)."""
    return np.asarray(moments.astype(np.float64) + FLOOR * np.eye(len(moments)), np.float64)


def change(x: FloatArray, rest: FloatArray, precision: FloatArray, strength: float) -> FloatArray:
    """Change of the head by ridge: `x` the regressors, `rest` what the shipped head leaves of the truth."""
    return np.asarray(np.linalg.solve(x.T @ x + strength * precision, x.T @ rest), np.float64)


def whitened(precision: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Directions in which the regressors are uncorrelated and of unit power, as columns; and the inverse."""
    values, vectors = np.linalg.eigh(precision)
    root = np.sqrt(values)
    return vectors / root, (vectors * root).T


def _lasting(spec: ModelSpec, precision: FloatArray, solve: Callable[[float], FloatArray]) -> FloatArray:
    """The part of the change that is expected to hold on another day."""
    if spec.head.shrink is None:
        return AGAIN_SHARE * solve(AGAIN_STRENGTH)
    basis, inverse = whitened(precision)
    return basis @ (spec.head.shrink * (inverse @ solve(TAUGHT_STRENGTH)))


def calibrated(
    model: Model,
    mean: npt.NDArray[np.floating],
    interval_factors: npt.NDArray[np.floating],
    covariance: npt.NDArray[np.floating] | None = None,
    drift: tuple[float, float] = DRIFT["same"],
) -> Model:
    """Return the model with another head on the same body.

    With the `covariance` of the reference's measured leads, it returns to its own head where the stream departs from it
    by more than `drift`.
    """
    own = model.spec.head
    personal = None
    if covariance is not None:
        personal = Personal(own.mean, own.interval_factors, np.asarray(covariance, np.float32), *drift)
    head = replace(
        model.spec.head,
        mean=np.asarray(mean, np.float32),
        interval_factors=np.asarray(interval_factors, np.float32),
    )
    return replace(model, spec=replace(model.spec, head=head), personal=personal)


def _blocks(d: Design, length: int) -> list[Design]:
    n = max(2, len(d.truth) // length)
    edges = np.linspace(0, len(d.truth), n + 1).astype(int)
    return [Design(d.regressors[a:b], d.truth[a:b], d.weight) for a, b in pairwise(edges) if b > a]


def _rest(d: Design, weights: FloatArray) -> FloatArray:
    return np.asarray(d.truth - d.regressors @ weights, np.float64)


def _rmse(parts: list[FloatArray]) -> FloatArray:
    return np.asarray(np.sqrt((np.concatenate(parts) ** 2).mean(axis=0)), np.float64)


def _factors(spec: ModelSpec, blocks: list[Design], left: list[FloatArray]) -> FloatArray:
    """Factor at which the interval covers its level of the samples left out."""
    log_scale = spec.head.log_scale.astype(np.float64)
    scale = np.exp(np.clip(np.concatenate([d.regressors for d in blocks]) @ log_scale, -6.0, 3.0))
    return np.asarray(np.quantile(np.abs(np.concatenate(left)) / scale, spec.head.interval_level, axis=0), np.float64)
