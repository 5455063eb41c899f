"""The verb ``calibrate``: twelve-lead references to a person's calibration file."""

from __future__ import annotations

import argparse
from datetime import datetime, timezone
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ecg_edge.device.calibration import HALF_LIFE_DAYS, Design, Fit, design, fit
from ecg_edge.device.calibration_file import Calibration, CalibrationError, write_calibration
from ecg_edge.device.console import say
from ecg_edge.device.model import Model, load_model
from ecg_edge.device.reference import condition_reference, read_reference
from ecg_edge.device.reference_checks import check
from ecg_edge.firmware_bridge.errors import EcgEdgeError, UsageError
from ecg_edge.firmware_bridge.samples import LEADS
from ecg_edge.firmware_bridge.verb import emit_json, hint


def calibrate(arguments: argparse.Namespace) -> int:
    """Do what ``ecg-edge calibrate`` says; return the exit status."""
    try:
        document = _calibrate(arguments)
    except EcgEdgeError as e:
        if arguments.json:
            emit_json({"error": e.message, "fix": e.fix, "exit": e.exit_code})
        raise
    for flag in document["flags"]:
        hint(f"doubtful: {flag}")
    if arguments.json:
        emit_json(document)
    else:
        say(_text(document))
    hint(
        "gain and interval hold while the electrodes stay where they are (run --placement same); for electrodes put "
        "on again the run takes a more careful head, which gains less: then a new reference is worth its ten seconds"
    )
    hint(f"next: ecg-edge run SOURCE --model {arguments.model} --calibration {arguments.out} --placement same")
    return 0


def _calibrate(a: argparse.Namespace) -> dict[str, Any]:
    model = load_model(a.model)
    fs = None if a.fs is None else _rate(a.fs)
    ages = a.age or [0.0] * len(a.reference)
    if len(ages) != len(a.reference) or not all(0 <= age < 1e5 for age in ages):
        raise UsageError("--age needs a number of days for each --reference", "give as many as references")
    mains = None if a.mains == "off" else float(a.mains)
    designs, names, flags = [], [], []
    for path, age in zip(a.reference, ages, strict=True):
        d, name, doubts = read_design(model, path, mains, fs, 0.5 ** ((age - min(ages)) / HALF_LIFE_DAYS))
        designs.append(d)
        names.append(name)
        flags += [f"{name}: {doubt}" for doubt in doubts]
    found = fit(model.spec, designs)
    refuse_harm(model, found)
    c = make(model, found, a.patient, tuple(names), datetime.now(timezone.utc))
    write_calibration(Path(a.out), c)
    return {
        "out": a.out, "patient": c.patient, "references": names, "model_id": c.model_id, "strength": c.strength,
        "expected": {k: dict(v) for k, v in c.expected.items()}, "flags": flags,
    }  # fmt: skip


def read_design(
    model: Model, path: str, mains_hz: float | None, fs: Fraction | None = None, weight: float = 1.0
) -> tuple[Design, str, list[str]]:
    """Read, check and stream a reference; returns its design, its name and what is doubtful about it."""
    reference = read_reference(path, fs)
    spec = model.spec
    x = condition_reference(reference, spec, mains_hz)
    doubts = check(reference, x, spec.fs)
    inputs = np.ascontiguousarray(x[:, [LEADS.index(lead) for lead in spec.input_leads]])
    truth = x[:, [LEADS.index(lead) for lead in spec.target_leads]].astype(np.float64)
    return design(model.backend, inputs, truth, weight), reference.name, doubts


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


def make(model: Model, found: Fit, patient: str, references: tuple[str, ...], at: datetime) -> Calibration:
    """Bind a fit to its patient, model and leads."""
    spec = model.spec
    before, after = found.rmse_before.tolist(), found.rmse_after.tolist()
    expected = {
        lead: {"rmse_before_mv": round(b, 4), "rmse_after_mv": round(c, 4), "interval_factor": round(float(k), 3)}
        for lead, b, c, k in zip(spec.target_leads, before, after, found.interval_factors, strict=True)
    }
    return Calibration(
        patient, at.isoformat(timespec="seconds"), references, spec.model_id, spec.input_leads, spec.target_leads,
        found.strength, found.mean.astype(np.float32), found.interval_factors.astype(np.float32),
        found.again.astype(np.float32), found.covariance.astype(np.float32), expected,
    )  # fmt: skip


def _rate(text: str) -> Fraction:
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError) as e:
        raise UsageError(f"--fs {text} is no rate", "give Hz") from e
    if not 50 <= rate <= 10_000:
        raise UsageError(f"--fs {text} is out of range", "give 50 to 10000 Hz")
    return rate


def _text(d: dict[str, Any]) -> str:
    lines = [
        f"{lead:<4} {e['rmse_before_mv']:.3f} mV -> {e['rmse_after_mv']:.3f} mV expected"
        for lead, e in d["expected"].items()
    ]
    return "\n".join([*lines, f"written {d['out']}"])
