"""Bootstrap intervals over patients (Efron & Tibshirani 1993, percentile method), with a seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ecg_edge.firmware_bridge.array_types import AnyFloatArray, FloatArray

LEVEL = 0.95
RESAMPLES = 1000
MIN_UNITS = 5
"""With fewer there are no intervals: resampling two patients says nothing about a third."""


@dataclass(frozen=True)
class Bootstrap:
    """Resampled sums over records; whole patients are drawn, since records of one patient are alike.

    Attributes
    ----------
    over : str
        What is drawn: ``patients``, ``records``, or both where some patients are unknown.
    unit : ndarray of int, shape (n_records,)
        The unit each record belongs to.
    weights : ndarray of float64, shape (n_resamples, n_units)
        How often each resample draws each unit; no rows where there are too few units.
    seed : int
        Of the draws.
    """

    over: str
    unit: npt.NDArray[np.intp]
    weights: FloatArray
    seed: int

    @classmethod
    def of(cls, patients: Sequence[str], ids: Sequence[int], resamples: int = RESAMPLES, seed: int = 0) -> Bootstrap:
        """Draw units from the records' patients; a record whose patient is unknown stands for itself.

        Parameters
        ----------
        patients : sequence of str
            Of each record; empty where unknown.
        ids : sequence of int
            Of each record; pieces of one record share it.
        resamples, seed : int
            How many resamples, and the seed of their draws.
        """
        names = [f"patient {p}" if p else f"record {i}" for p, i in zip(patients, ids, strict=True)]
        _, unit = np.unique(np.array(names), return_inverse=True)
        n = int(unit.max()) + 1
        resamples = resamples if n >= MIN_UNITS else 0
        known = sum(bool(p) for p in patients)
        over = "patients" if known == len(names) else "patients, records where unknown" if known else "records"
        draws = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=resamples)
        return cls(over, unit, draws.astype(np.float64), seed)

    def sums(self, x: AnyFloatArray) -> FloatArray:
        """Sum over the records of each resample.

        Parameters
        ----------
        x : ndarray of shape (n_records, k)
            NaN counts as nothing.

        Returns
        -------
        ndarray of shape (n_resamples, k)
        """
        per_unit = np.zeros((self.weights.shape[1], x.shape[1]))
        np.add.at(per_unit, self.unit, np.nan_to_num(np.asarray(x, np.float64)))
        return np.asarray(self.weights @ per_unit)

    def describe(self) -> dict[str, Any]:
        """What was done, for the report."""
        resamples, units = self.weights.shape
        return {"level": LEVEL, "over": self.over, "units": units, "resamples": resamples, "seed": self.seed}


def interval(values: AnyFloatArray) -> list[float] | None:
    """Percentile interval of resampled values, shape (n_resamples,); None where none is finite."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return None
    tail = 50 * (1 - LEVEL)
    low, high = np.percentile(finite, [tail, 100 - tail])
    return [float(low), float(high)]


def against(row: dict[str, Any], other: dict[str, Any], draws: int = 2000) -> tuple[float, float, float]:
    """Relative change of the RMSE from `other` to `row`, and its 95 % interval by a paired bootstrap over records."""
    a, b = (np.array(figures["rmse_each_mv"]) for figures in (row, other))
    picks = np.random.default_rng(0).integers(0, len(a), (draws, len(a)))
    drawn = a[picks].mean(axis=1) / b[picks].mean(axis=1) - 1
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(a.mean() / b.mean() - 1), float(low), float(high)
