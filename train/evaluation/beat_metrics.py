"""Figures of amplitudes, ST levels and R-peak times, from what was measured on each record's beats."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ecg_edge.firmware_bridge.array_types import FloatArray
from ecg_edge.train.evaluation.bootstrap import Bootstrap, interval
from ecg_edge.train.evaluation.delineation import PeakTiming

ST_THRESHOLD_MV = 0.1
LIMITS_SD = 1.96


def amplitude_regression(truth: FloatArray, estimate: FloatArray, boot: Bootstrap | None = None) -> dict[str, Any]:
    """Regression to the mean of one lead's amplitude (Bland & Altman 1986; Presacan et al. 2025).

    Parameters
    ----------
    truth, estimate : ndarray of shape (n_records,)
        In mV; NaN where not measured.
    boot : Bootstrap, optional
        Of the same records.

    Returns
    -------
    dict
        ``variance_ratio``: variance of the estimates over that of the truth, 1 where nothing shrinks. ``slope``:
        estimate on truth. ``error_r2``: share of the error's variance that the true amplitude explains. ``bias_mv``
        and ``limits_mv``: mean of estimate - truth, and 1.96 SD about it. ``bland_altman_slope``: difference on the
        mean of both. Also ``mae_mv``, ``records`` and ``ci``.
    """
    both = np.isfinite(truth) & np.isfinite(estimate)
    n = int(both.sum())
    if n < 2:
        return {"records": n}
    t, e = np.where(both, truth, 0.0), np.where(both, estimate, 0.0)
    sums = np.stack([both, t, e, t * t, e * e, t * e], axis=1).astype(np.float64)
    row = _finite(_shrinkage(sums.sum(axis=0)[None]))
    difference = (estimate - truth)[both]
    bias, spread = float(difference.mean()), LIMITS_SD * float(difference.std(ddof=1))
    doc: dict[str, Any] = {
        "records": n,
        **row,
        "bias_mv": bias,
        "limits_mv": [bias - spread, bias + spread],
        "mae_mv": float(np.abs(difference).mean()),
    }
    if boot is not None:
        doc["ci"] = {name: interval(v) for name, v in _shrinkage(boot.sums(sums)).items()}
    return doc


def _shrinkage(sums: FloatArray) -> dict[str, FloatArray]:
    """Figures from sums of (1, t, e, t², e², te), shape (n, 6)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = sums[:, 1:] / sums[:, :1]
        var_t, var_e = mean[:, 2] - mean[:, 0] ** 2, mean[:, 3] - mean[:, 1] ** 2
        cov = mean[:, 4] - mean[:, 0] * mean[:, 1]
        var_d, cov_dt = var_e + var_t - 2 * cov, cov - var_t
        return {
            "variance_ratio": var_e / var_t,
            "slope": cov / var_t,
            "error_r2": cov_dt**2 / (var_d * var_t),
            "bland_altman_slope": (var_e - var_t) / ((var_e + var_t + 2 * cov) / 2),
        }


def st_levels(truth: FloatArray, estimate: FloatArray, boot: Bootstrap | None = None) -> dict[str, Any]:
    """ST level of one lead: its error, and what happens at the threshold of 0.1 mV.

    Parameters
    ----------
    truth, estimate : ndarray of shape (n_records,)
        Level at J+60 ms in mV; NaN where not measured.
    boot : Bootstrap, optional
        Of the same records.

    Returns
    -------
    dict
        ``bias_mv``, ``mae_mv``, ``sensitivity``, ``specificity``, ``ci``. ``above_threshold``: share of records whose
        error exceeds 0.1 mV. ``events``: number of true levels beyond ±0.1 mV. ``true_positives``: events stated with
        the same sign; ``false_negatives`` and ``false_positives``. ``wrong_events``: false ones among all that are
        true or stated. ``unexplained``: 1 - squared correlation.
        A stated elevation where the truth is a depression is both a false positive and a false negative.
    """
    both = np.isfinite(truth) & np.isfinite(estimate)
    if not both.any():
        return {"records": 0}
    t, e = np.where(both, truth, 0.0), np.where(both, estimate, 0.0)
    true, said = (np.sign(x) * (np.abs(x) >= ST_THRESHOLD_MV) for x in (t, e))
    hit = (true != 0) & (said == true)
    columns = {
        "records": both,
        "sum": e - t,
        "abs": np.abs(e - t),
        "above": np.abs(e - t) > ST_THRESHOLD_MV,
        "events": true != 0,
        "hits": hit,
        "false_negatives": (true != 0) & ~hit,
        "false_positives": (said != 0) & ~hit,
        "quiet_kept": both & (true == 0) & (said == 0),
    }
    sums = np.stack([c.astype(np.float64) for c in columns.values()], axis=1)
    total = dict(zip(columns, sums.sum(axis=0), strict=True))
    doc: dict[str, Any] = {
        "records": int(total["records"]),
        "events": int(total["events"]),
        "true_positives": int(total["hits"]),
        "false_negatives": int(total["false_negatives"]),
        "false_positives": int(total["false_positives"]),
        **_finite(_st_shares(tuple(columns), sums.sum(axis=0)[None])),
        "unexplained": _unexplained(truth[both], estimate[both]),
    }
    if boot is not None:
        doc["ci"] = {k: interval(v) for k, v in _st_shares(tuple(columns), boot.sums(sums)).items()}
    return doc


def _st_shares(names: tuple[str, ...], sums: FloatArray) -> dict[str, FloatArray]:
    s = dict(zip(names, sums.T, strict=True))
    with np.errstate(invalid="ignore", divide="ignore"):
        wrong = s["false_positives"] + s["false_negatives"]
        return {
            "bias_mv": s["sum"] / s["records"],
            "mae_mv": s["abs"] / s["records"],
            "above_threshold": s["above"] / s["records"],
            "sensitivity": s["hits"] / s["events"],
            "specificity": s["quiet_kept"] / (s["records"] - s["events"]),
            "wrong_events": wrong / (wrong + s["hits"]),
        }


def _unexplained(t: FloatArray, e: FloatArray) -> float | None:
    if len(t) < 3 or not np.ptp(t) or not np.ptp(e):
        return None
    return float(1 - np.corrcoef(t, e)[0, 1] ** 2)


def r_peak_timing(records: list[PeakTiming], boot: Bootstrap | None = None) -> dict[str, Any]:
    """R-peak times of one lead over records.

    Parameters
    ----------
    records : list of PeakTiming
        One per record.
    boot : Bootstrap, optional
        Of the same records.

    Returns
    -------
    dict
        ``beats``, ``matched``, ``bias_ms``, ``mae_ms``, ``ci``. ``p95_ms``: 95th percentile of the absolute error.
        ``sensitivity`` and ``precision``: share of true and of found peaks that have a partner within 100 ms.
    """
    sums = np.array([[p.true, p.found, p.matched, p.errors_s.sum(), np.abs(p.errors_s).sum()] for p in records], float)
    errors = np.concatenate([p.errors_s for p in records]) if records else np.empty(0)
    doc: dict[str, Any] = {"beats": int(sums[:, 0].sum()), "matched": len(errors)}
    doc |= _finite(_timing_shares(sums.sum(axis=0)[None]))
    doc["p95_ms"] = float(1000 * np.percentile(np.abs(errors), 95)) if len(errors) else None
    if boot is not None:
        doc["ci"] = {k: interval(v) for k, v in _timing_shares(boot.sums(sums)).items()}
    return doc


def _timing_shares(sums: FloatArray) -> dict[str, FloatArray]:
    true, found, matched, signed, absolute = sums.T
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "bias_ms": 1000 * signed / matched,
            "mae_ms": 1000 * absolute / matched,
            "sensitivity": matched / true,
            "precision": matched / found,
        }


def _finite(values: dict[str, FloatArray]) -> dict[str, float | None]:
    return {k: float(v[0]) if np.isfinite(v[0]) else None for k, v in values.items()}


def coverage(
    hits: FloatArray, widths_mv: FloatArray, leads: tuple[str, ...], boot: Bootstrap | None = None
) -> dict[str, dict[str, Any]]:
    """Coverage and width of the stated interval, per lead.

    Parameters
    ----------
    hits : ndarray of shape (n_records, n_leads)
        Share of each record's samples inside the interval.
    widths_mv : ndarray of shape (n_records, n_leads)
        Mean width from end to end.
    leads : tuple of str
        Names of the columns.
    boot : Bootstrap, optional
        Of the same records.
    """
    resampled: Callable[[int], list[float] | None] = lambda k: None  # noqa: E731
    if boot is not None:
        drawn = boot.sums(hits) / boot.sums(np.ones_like(hits))
        resampled = lambda k: interval(drawn[:, k])  # noqa: E731
    return {
        lead: {
            "coverage": float(hits[:, k].mean()),
            "width_mv": float(widths_mv[:, k].mean()),
            "ci": {"coverage": resampled(k)},
        }
        for k, lead in enumerate(leads)
    }
