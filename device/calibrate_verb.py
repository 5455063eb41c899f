"""The verb ``calibrate``: twelve-lead references to a person's calibration file."""

from __future__ import annotations

import argparse
from datetime import datetime, timezone
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ecg_edge.device.any_lead import for_leads
from ecg_edge.device.calibration import HALF_LIFE_DAYS, Design, Fit, design, fit
from ecg_edge.device.calibration_file import Calibration, CalibrationError, read_calibration, write_calibration
from ecg_edge.device.console import say
from ecg_edge.device.model import Model, load_model
from ecg_edge.device.reference import Reference, condition_reference, read_reference
from ecg_edge.device.reference_checks import MIN_S, check, unlike, worse
from ecg_edge.device.reference_live import record_reference
from ecg_edge.device.sources import open_source
from ecg_edge.firmware_bridge.clock import SystemClock
from ecg_edge.firmware_bridge.errors import EcgEdgeError, UsageError
from ecg_edge.firmware_bridge.samples import LEADS, parse_leads
from ecg_edge.firmware_bridge.verb import emit_json, hint

_UNLIKE = "another person, or electrodes elsewhere? It does not resemble"


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
    out = Path(a.out)
    model = _model(a)
    earlier = _earlier(out, a.patient)
    fs = None if a.fs is None else _rate(a.fs)
    if not a.reference and not a.live:
        raise UsageError("nothing to calibrate with", "give --reference REC12, or --live SOURCE")
    ages = a.age or [0.0] * len(a.reference)
    if len(ages) != len(a.reference) or not all(0 <= age < 1e5 for age in ages):
        raise UsageError("--age needs a number of days for each --reference", "give as many as references")
    mains = None if a.mains == "off" else float(a.mains)
    designs, names, flags = [], [], []
    newest = 0.0 if a.live else min(ages)
    taken = [(read_reference(path, fs), 0.5 ** ((age - newest) / HALF_LIFE_DAYS))
             for path, age in zip(a.reference, ages, strict=True)]  # fmt: skip
    if a.live:
        taken.append((_live(a), 1.0))
    for reference, weight in taken:
        d, doubts = make_design(model, reference, mains, weight)
        designs.append(d)
        names.append(reference.name)
        flags += [f"{reference.name}: {doubt}" for doubt in doubts]
    flags += [
        f"{names[k]}: {_UNLIKE} the other references" for k in range(len(designs)) if unlike(model.spec, designs, k)
    ]
    if earlier is not None and earlier.fits(model):
        unlike_it = [worse(model.spec, earlier.again, d) for d in designs]
        flags += [f"{name}: {_UNLIKE} what {out} held" for name, is_so in zip(names, unlike_it, strict=True) if is_so]
    found = fit(model.spec, designs)
    refuse_harm(model, found)
    c = make(model, found, a.patient, tuple(names), datetime.now(timezone.utc))
    write_calibration(out, c)
    return {
        "out": a.out, "patient": c.patient, "references": names, "model_id": c.model_id, "strength": c.strength,
        "expected": {k: dict(v) for k, v in c.expected.items()}, "flags": flags,
    }  # fmt: skip


def _model(a: argparse.Namespace) -> Model:
    model = load_model(a.model)
    if not model.spec.any_lead:
        return model
    if not a.leads:
        raise UsageError(f"{a.model} takes many lead sets", "say with --leads which one is measured: --leads I,II")
    model = for_leads(model, parse_leads(a.leads))
    if not model.spec.head.moments.size:
        raise CalibrationError(
            f"{a.model} knows no moments for {', '.join(model.spec.input_leads)}",
            "choose a lead set the file lists: ecg-edge info " + a.model,
        )
    return model


def _earlier(out: Path, patient: str) -> Calibration | None:
    """The calibration that is to be replaced, if there is one that can be read."""
    if not out.exists():
        return None
    try:
        found = read_calibration(out)
    except CalibrationError as e:
        hint(f"{out} is replaced unread: {e.message}")
        return None
    if found.patient != patient:
        raise CalibrationError(f"{out} is of patient {found.patient}, not {patient}", "choose another --out")
    return found


def _live(a: argparse.Namespace) -> Reference:
    if not MIN_S <= a.seconds <= 600:
        raise UsageError(f"--seconds {a.seconds:g} is out of range", f"give {MIN_S:g} to 600")
    clock = SystemClock()
    _, source = open_source(a.live, clock, reconnect=False, device=a.device, gain=a.gain, baud=a.baud)
    return record_reference(source, clock, a.seconds, parse_leads(a.channels) if a.channels else None)


def make_design(
    model: Model, reference: Reference, mains_hz: float | None, weight: float = 1.0
) -> tuple[Design, list[str]]:
    """Check and stream a reference; returns its design and what is doubtful about it."""
    spec = model.spec
    x = condition_reference(reference, spec, mains_hz)
    doubts = check(reference, x, spec.fs)
    inputs = np.ascontiguousarray(x[:, [LEADS.index(lead) for lead in spec.input_leads]])
    truth = x[:, [LEADS.index(lead) for lead in spec.target_leads]].astype(np.float64)
    return design(model.backend, inputs, truth, weight), doubts


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
