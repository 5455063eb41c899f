"""How well probabilities separate the superclasses: area under the ROC curve and F1, with intervals over patients."""

from __future__ import annotations

from typing import Any

import numpy as np

from ecg_edge.firmware_bridge.array_types import BoolArray, Float32Array, FloatArray
from ecg_edge.train.evaluation.bootstrap import Bootstrap, interval
from ecg_edge.train.evaluation.metrics_table import SUPERCLASSES


def areas(true: Float32Array, said: Float32Array, weights: FloatArray | None = None) -> FloatArray:
    """Area under each class's ROC curve, ties counted half.

    Parameters
    ----------
    true : ndarray of shape (n_records, n_classes)
        0 or 1.
    said : ndarray of shape (n_records, n_classes)
        Any score that grows with the probability.
    weights : ndarray of shape (n_draws, n_records), optional
        How often each record counts; once without.

    Returns
    -------
    ndarray of shape (n_draws, n_classes)
        NaN where a draw holds only one of the two answers.
    """
    w = np.ones((1, len(true))) if weights is None else weights
    return np.stack([_area(true[:, k] > 0, said[:, k], w) for k in range(true.shape[1])], axis=1)


def _area(true: BoolArray, said: Float32Array, w: FloatArray) -> FloatArray:
    order = np.argsort(said, kind="stable")
    first = np.flatnonzero(np.diff(said[order], prepend=-np.inf))
    ill, well = (np.add.reduceat(w[:, order] * side[order], first, axis=1) for side in (true, ~true))
    below = np.cumsum(well, axis=1) - 0.5 * well
    pairs = ill.sum(axis=1) * well.sum(axis=1)
    return np.asarray(np.divide((ill * below).sum(axis=1), pairs, out=np.full(len(w), np.nan), where=pairs > 0))


def f1(true: Float32Array, said: Float32Array, limits: FloatArray, weights: FloatArray | None = None) -> FloatArray:
    """F1 of each class where a probability above its limit is a yes; shapes as `areas`."""
    w = np.ones((1, len(true))) if weights is None else weights
    yes, right = said > limits, true > 0
    hit = w @ (yes & right).astype(np.float64)
    wrong = w @ (yes ^ right).astype(np.float64)
    return np.asarray(2 * hit / np.maximum(2 * hit + wrong, 1e-12))


def best_limits(true: Float32Array, said: Float32Array) -> FloatArray:
    """The limit of each class with the highest F1: found on validation records, used on others."""
    found = []
    for k in range(true.shape[1]):
        tried = np.unique(np.quantile(said[:, k], np.linspace(0.02, 0.98, 193)))
        each = [f1(true[:, k : k + 1], said[:, k : k + 1], np.array([t]))[0, 0] for t in tried]
        found.append(tried[int(np.argmax(each))])
    return np.array(found)


def table(true: Float32Array, said: Float32Array, limits: FloatArray, boot: Bootstrap) -> dict[str, Any]:
    """Both figures per class and their mean over the classes that have one, with intervals.

    Parameters
    ----------
    true, said : ndarray of shape (n_records, 5)
        Truth and probabilities.
    limits : ndarray of shape (5,)
        See `best_limits`.
    boot : Bootstrap
        Of the same records.
    """
    drawn = boot.weights[:, boot.unit]
    doc: dict[str, Any] = {"records": len(true)}
    for name, value, resampled in (
        ("auc", areas(true, said), areas(true, said, drawn)),
        ("f1", f1(true, said, limits), f1(true, said, limits, drawn)),
    ):
        doc[name] = {"macro": float(_macro(value)[0]), "ci": interval(_macro(resampled))}
        doc[name]["classes"] = {
            label: {"value": float(value[0, k]) if np.isfinite(value[0, k]) else None, "ci": interval(resampled[:, k])}
            for k, label in enumerate(SUPERCLASSES)
        }
    return doc


def lost(true: Float32Array, said: Float32Array, of_real: Float32Array, boot: Bootstrap) -> dict[str, Any]:
    """Macro AUC lost against the real leads, with the interval of the paired difference."""
    drawn = boot.weights[:, boot.unit]
    both = [_macro(areas(true, p))[0] for p in (of_real, said)]
    each = _macro(areas(true, of_real, drawn)) - _macro(areas(true, said, drawn))
    return {"auc": float(both[0] - both[1]), "ci": interval(each)}


def _macro(each: FloatArray) -> FloatArray:
    """Mean over the classes that have a figure; 0 where none has."""
    known = np.isfinite(each)
    total = np.where(known, each, 0.0).sum(axis=1)
    return np.asarray(total / np.maximum(known.sum(axis=1), 1))
