"""Tables over records from per-record figures: per lead and mean, with bootstrap intervals, per diagnostic group."""

from __future__ import annotations

from typing import Any

import numpy as np

from ecg_edge.firmware_bridge.array_types import BoolArray, FloatArray
from ecg_edge.train.data.prepare import Prepared
from ecg_edge.train.evaluation.bootstrap import Bootstrap, interval
from ecg_edge.train.evaluation.metrics import LeadFigures

SUPERCLASSES = ("NORM", "MI", "STTC", "CD", "HYP")
"""Diagnostic superclasses of PTB-XL (Wagner et al. 2020); a record may be of several."""
_MOST_GROUPS = 12
_WORST_PERCENT = 5


def full_table(figures: LeadFigures, boot: Bootstrap | None = None) -> dict[str, Any]:
    """Extend `LeadFigures.summary` by what a reviewer asks for.

    Parameters
    ----------
    figures : LeadFigures
        Of all records.
    boot : Bootstrap, optional
        Of the same records; without it there are no intervals.

    Returns
    -------
    dict
        As `LeadFigures.summary`, with more figures per lead and mean. ``r_p5`` is the 5th percentile over records.
        ``r2`` is 1 - sum of squared errors / sum of squares of the truth about each record's mean, pooled over
        records. ``prd`` is the percentage root-mean-square difference, 100 sqrt(mean e² / mean t²), averaged over
        records. ``ci`` holds an interval for each of rmse_mv, r, mse_mv2, r2, prd.
    """
    doc = figures.summary()
    r2 = 1 - _quotient(figures.mse_mv2.sum(axis=0), figures.variance_mv2.sum(axis=0))
    prd = _means(_prd(figures))
    for k, lead in enumerate(figures.leads):
        r = figures.r[:, k][np.isfinite(figures.r[:, k])]
        p5 = float(np.percentile(r, _WORST_PERCENT)) if len(r) else None
        doc["leads"][lead] |= {"r_p5": p5, "r2": _number(r2[k]), "prd": _number(prd[k])}
    for name in ("r_p5", "r2", "prd"):
        found = [row[name] for row in doc["leads"].values() if row[name] is not None]
        doc["mean"][name] = float(np.mean(found)) if found else None
    if boot is not None:
        _add_intervals(doc, figures, boot)
    return doc


def _add_intervals(doc: dict[str, Any], figures: LeadFigures, boot: Bootstrap) -> None:
    for row in (*doc["leads"].values(), doc["mean"]):
        row["ci"] = {}
    for name, values in _resampled(figures, boot).items():
        for k, lead in enumerate(figures.leads):
            doc["leads"][lead]["ci"][name] = interval(values[:, k])
        doc["mean"]["ci"][name] = interval(values.mean(axis=1))


def _resampled(f: LeadFigures, boot: Bootstrap) -> dict[str, FloatArray]:
    """Each figure in each resample, shape (n_resamples, n_leads)."""
    prd = _prd(f)
    count = {name: boot.sums(np.isfinite(x)) for name, x in (("all", f.mse_mv2), ("r", f.r), ("prd", prd))}
    return {
        "rmse_mv": _quotient(boot.sums(np.sqrt(f.mse_mv2)), count["all"]),
        "r": _quotient(boot.sums(f.r), count["r"]),
        "mse_mv2": _quotient(boot.sums(f.mse_mv2), count["all"]),
        "r2": 1 - _quotient(boot.sums(f.mse_mv2), boot.sums(f.variance_mv2)),
        "prd": _quotient(boot.sums(prd), count["prd"]),
    }


def _prd(f: LeadFigures) -> FloatArray:
    return 100 * np.sqrt(_quotient(f.mse_mv2, f.energy_mv2))


def _means(x: FloatArray) -> FloatArray:
    """Column means without NaN; NaN where nothing is left."""
    return _quotient(np.nansum(x, axis=0), np.isfinite(x).sum(axis=0).astype(np.float64))


def _quotient(a: FloatArray, b: FloatArray) -> FloatArray:
    """Divide a by b; NaN where b is 0."""
    return np.asarray(np.divide(a, b, out=np.full(np.shape(a), np.nan), where=np.asarray(b) > 0))


def _number(x: float) -> float | None:
    return float(x) if np.isfinite(x) else None


def rows_of(figures: LeadFigures, keep: BoolArray) -> LeadFigures:
    """The figures of some of the records."""
    parts = (figures.mse_mv2, figures.r, figures.variance_mv2, figures.energy_mv2)
    return LeadFigures(figures.leads, *(p[keep] for p in parts))


def diagnostic_groups(data: Prepared) -> dict[str, BoolArray]:
    """Which records belong to which diagnosis.

    Returns
    -------
    dict of str to ndarray of bool, shape (n_records,)
        The superclasses where the data set has them; a record may be in several. Otherwise one group per text of
        diagnosis. Empty where these are too many or unknown.
    """
    sets = [set(text.split(";")) - {""} for text in data.superclasses]
    found = set().union(*sets) if sets else set()
    if found and found <= set(SUPERCLASSES):
        return {name: np.array([name in s for s in sets]) for name in SUPERCLASSES if name in found}
    texts = sorted({t for t in data.superclasses if t})
    if not texts or len(texts) > _MOST_GROUPS:
        return {}
    return {text: np.array([t == text for t in data.superclasses]) for text in texts}
