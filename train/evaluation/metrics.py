"""Per-record figures of reconstructed leads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ecg_edge.firmware_bridge.array_types import AnyFloatArray, FloatArray


@dataclass(frozen=True)
class LeadFigures:
    """Figures of each record, one column per lead.

    Attributes
    ----------
    mse_mv2 : ndarray of shape (n_records, n_leads)
        Mean square error of each record.
    r : ndarray of shape (n_records, n_leads)
        Pearson correlation; NaN where the truth (or the estimate) is flat.
    variance_mv2, energy_mv2 : ndarray of shape (n_records, n_leads)
        Mean square of the truth about its mean over the record, and about 0 mV.
    """

    leads: tuple[str, ...]
    mse_mv2: FloatArray
    r: FloatArray
    variance_mv2: FloatArray
    energy_mv2: FloatArray

    def summary(self) -> dict[str, Any]:
        """Means over records, per lead and over leads.

        Returns
        -------
        dict
            ``{"records": n, "leads": {lead: {"rmse_mv", "r", "mse_mv2", "r_undefined"}}, "mean": {…}}``.
            `rmse_mv` and `mse_mv2` are means over records of each record's RMSE and MSE.
            `r` leaves out the records where it is undefined.
        """
        rows = {
            lead: {
                "rmse_mv": float(np.sqrt(self.mse_mv2[:, k]).mean()),
                "r": _nanmean(self.r[:, k]),
                "mse_mv2": float(self.mse_mv2[:, k].mean()),
                "r_undefined": int(np.isnan(self.r[:, k]).sum()),
            }
            for k, lead in enumerate(self.leads)
        }
        names = ("rmse_mv", "r", "mse_mv2")
        mean = {name: float(np.mean([row[name] for row in rows.values()])) for name in names}
        return {"records": len(self.mse_mv2), "leads": rows, "mean": mean}


def _nanmean(x: FloatArray) -> float:
    finite = x[np.isfinite(x)]
    return float(finite.mean()) if len(finite) else 0.0


def figures(truth: AnyFloatArray, estimate: AnyFloatArray, leads: tuple[str, ...]) -> LeadFigures:
    """Compare estimates with the truth.

    Parameters
    ----------
    truth, estimate : ndarray of shape (n_records, n_samples, n_leads)
        In mV, the scored stretch only.
    leads : tuple of str
        Names of the columns.
    """
    t, e = np.asarray(truth, np.float64), np.asarray(estimate, np.float64)
    mse = ((t - e) ** 2).mean(axis=1)
    tc, ec = t - t.mean(axis=1, keepdims=True), e - e.mean(axis=1, keepdims=True)
    power = (tc**2).sum(axis=1) * (ec**2).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        r = (tc * ec).sum(axis=1) / np.sqrt(power)
    return LeadFigures(leads, mse, np.where(power > 1e-12, r, np.nan), (tc**2).mean(axis=1), (t**2).mean(axis=1))


def concatenate(parts: list[LeadFigures]) -> LeadFigures:
    """Join the figures of several batches of records."""
    return LeadFigures(
        parts[0].leads,
        np.concatenate([p.mse_mv2 for p in parts]),
        np.concatenate([p.r for p in parts]),
        np.concatenate([p.variance_mv2 for p in parts]),
        np.concatenate([p.energy_mv2 for p in parts]),
    )
