"""Making a calibration: from a reference and a model to the fitted head."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np

from ecg_edge.device.inference.load import Model
from ecg_edge.device.lead_algebra import BASIS, measured
from ecg_edge.device.personal_calibration.file import Calibration
from ecg_edge.device.personal_calibration.fit import Design, Fit, design
from ecg_edge.device.personal_calibration.reference import Reference, condition_reference
from ecg_edge.device.personal_calibration.reference_checks import check
from ecg_edge.firmware_bridge.errors import CalibrationError
from ecg_edge.firmware_bridge.lead_names import LEADS


def make_design(
    model: Model, reference: Reference, mains_hz: float | None, weight: float = 1.0
) -> tuple[Design, list[str]]:
    """Check and stream a reference; returns its design and what is doubtful about it."""
    spec = model.spec
    x = condition_reference(reference, spec, mains_hz)
    doubts = check(reference, x, spec.fs)
    inputs = measured(x[:, [LEADS.index(lead) for lead in BASIS]], spec.input_leads)
    truth = x[:, [LEADS.index(lead) for lead in spec.target_leads]].astype(np.float64)
    return design(model, inputs, truth, weight), doubts


def refuse_harm(model: Model, found: Fit) -> None:
    """Refuse a fit that does worse than the shipped head on what it was not fitted to.

    Raises
    ------
    CalibrationError
        The mean error over the leads does not fall.
    """
    if not found.rmse_after.mean() < found.rmse_before.mean():
        raise CalibrationError(
            f"the fit would make things worse: {found.rmse_before.mean():.3f} mV before, "
            f"{found.rmse_after.mean():.3f} mV after, on stretches left out",
            "record another reference, longer and at rest",
        )


def make(model: Model, found: Fit, patient: str, references: Sequence[Reference], at: datetime) -> Calibration:
    """Bind a fit to its patient, model and leads; what of a reference was not used becomes a note."""
    names = tuple(r.name for r in references)
    spec = model.spec
    before, after = found.rmse_before.tolist(), found.rmse_after.tolist()
    expected = {
        lead: {"rmse_before_mv": round(b, 4), "rmse_after_mv": round(c, 4), "interval_factor": round(float(k), 3)}
        for lead, b, c, k in zip(spec.target_leads, before, after, found.interval_factors, strict=True)
    }
    return Calibration(
        patient, at.isoformat(timespec="seconds"), names, spec.model_id, spec.input_leads, spec.target_leads,
        found.strength, found.mean.astype(np.float32), found.interval_factors.astype(np.float32),
        found.again.astype(np.float32), found.covariance.astype(np.float32), expected,
        tuple(f"{r.name}: {r.remark}" for r in references if r.remark),
    )  # fmt: skip
