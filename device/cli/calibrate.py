"""The verb ``calibrate``: twelve-lead references to a person's calibration file."""

from __future__ import annotations

import argparse
import shlex
from datetime import datetime, timezone
from fractions import Fraction
from pathlib import Path
from typing import Any

from ecg_edge.device.inference.any_lead import for_leads
from ecg_edge.device.inference.load import Model, load_model
from ecg_edge.device.live.live_reference import record_reference
from ecg_edge.device.personal_calibration.file import Calibration, read_calibration, write_calibration
from ecg_edge.device.personal_calibration.fit import HALF_LIFE_DAYS, fit
from ecg_edge.device.personal_calibration.fitted_place import (
    FittedPlace,
    fit_places,
    read_channels,
    read_places,
    write_places,
)
from ecg_edge.device.personal_calibration.make import make, make_design, refuse_harm
from ecg_edge.device.personal_calibration.reference import Reference, read_reference
from ecg_edge.device.personal_calibration.reference_checks import MIN_S, unlike, worse
from ecg_edge.device.personal_calibration.same_person import contradicting, refuse_blank
from ecg_edge.device.recording.safe_files import refuse_replacing
from ecg_edge.device.sources.open_source import open_source, read_rate
from ecg_edge.firmware_bridge.clock import SystemClock
from ecg_edge.firmware_bridge.console import emit_json, hint, say
from ecg_edge.firmware_bridge.errors import CalibrationError, EcgEdgeError, UsageError
from ecg_edge.firmware_bridge.flags.idle import refuse_idle
from ecg_edge.firmware_bridge.lead_names import SKIN, parse_channels

_UNLIKE = "another person, or electrodes elsewhere? It does not resemble"


_DOUBT_FIX = "check electrodes, order of the leads and whose references they are, or say --force"


def calibrate(arguments: argparse.Namespace) -> int:
    """Do what ``ecg-edge calibrate`` says; return the exit status."""
    try:
        _refuse_idle(arguments)
        refuse_blank(arguments.patient)
        if arguments.patch:
            return _place(arguments)
        if not arguments.model:
            raise UsageError(
                "calibrate needs --model", "name the model whose head is fitted, or --patch to find a place"
            )
        document = _calibrate(arguments)
    except EcgEdgeError as e:
        if arguments.json:
            emit_json({"error": e.message, "fix": e.fix, "exit": e.exit_code})
        raise
    for flag in document["flags"]:
        hint(f"doubtful: {flag}")
    for note in document["notes"]:
        hint(note)
    if arguments.json:
        emit_json(document)
    else:
        say(_text(document))
    hint(
        "gain and interval hold while the electrodes stay where they are (run --placement same).\n"
        "Once they are put on again, the run uses a more careful head, which gains less: take a new reference then."
    )
    source = shlex.quote(arguments.live) if arguments.live else "SOURCE"
    words = f"{source} --model {shlex.quote(arguments.model)} --calibration {shlex.quote(arguments.out)}"
    words += f" --patient {shlex.quote(arguments.patient)}" if arguments.patient else ""
    hint(f"next: ecg-edge run {words} --placement same")
    return 0


def _refuse_idle(a: argparse.Namespace) -> None:
    """Refuse what has no effect beside the rest."""
    of_live = "give --live SOURCE, or leave it out"
    idle = {
        flag: (value is not None and not a.live, of_live)
        for flag, value in (("--channels", a.channels), ("--as", a.device), ("--gain", a.gain), ("--baud", a.baud))
    }
    idle["--patch-channels"] = (a.patch_channels and not a.patch, "give --patch REC, or leave it out")
    for flag, value in (("--model", a.model), ("--leads", a.leads), ("--age", a.age), ("--live", a.live)):
        idle[flag] = (value and a.patch, "leave it out: --patch finds a place, and fits no model")
    refuse_idle(idle)


def _place(a: argparse.Namespace) -> int:
    """Find where the channels of a patch sit."""
    refuse_replacing([Path(a.out)], True, a.patch, *a.reference)
    if len(a.reference) != 1:
        raise UsageError("--patch needs one --reference", "give the twelve leads recorded at the same time")
    labels = [label.strip() for label in (a.patch_channels or "").split(",") if label.strip()]
    fs = None if a.fs is None else _rate(a.fs)
    reference = read_reference(a.reference[0], fs, a.unit)
    if not a.force and (others := contradicting(a.patient, [(reference.name, reference.patient)])):
        raise CalibrationError(f"doubtful, nothing written: {others[0]}", _DOUBT_FIX)
    places = fit_places(reference, *read_channels(a.patch, labels, fs, a.unit))
    out = Path(a.out)
    if out.exists() and not a.force and not read_places(out):
        raise CalibrationError(f"{out} is there and holds no place", "choose another --out, or say --force")
    write_places(out, places, a.patient, reference.name, datetime.now(timezone.utc).isoformat(timespec="seconds"))
    if a.json:
        emit_json(
            {"out": a.out, "patient": a.patient, "reference": reference.name, "channels": [vars(p) for p in places]}
        )
    else:
        say("\n".join(_said(p) for p in places))
    hint(f"next: ecg-edge run SOURCE --model any-electrode-int8 --calibration {shlex.quote(a.out)}")
    return 0


def _said(place: FittedPlace) -> str:
    parts = zip(SKIN, place.weights, place.deviations, strict=True)
    weights = "  ".join(f"{name} {w:+.2f}±{sd:.2f}" for name, w, sd in parts)
    return f"{place.label}: r {place.r:.3f}, most like {place.nearest}, {place.shift_s:+.2f} s late\n  {weights}"


def _calibrate(a: argparse.Namespace) -> dict[str, Any]:
    out = Path(a.out)
    refuse_replacing([out], True, *a.reference)
    model = _model(a)
    earlier = _earlier(out, a.patient, a.force)
    fs = None if a.fs is None else _rate(a.fs)
    if not a.reference and not a.live:
        raise UsageError("nothing to calibrate with", "give --reference REC12, or --live SOURCE")
    ages = a.age or [0.0] * len(a.reference)
    if len(ages) != len(a.reference) or not all(0 <= age < 1e5 for age in ages):
        raise UsageError("--age needs a number of days for each --reference", "give as many as references")
    mains = None if a.mains == "off" else float(a.mains)
    designs, names, flags = [], [], []
    newest = 0.0 if a.live else min(ages)
    taken = [(read_reference(path, fs, a.unit), 0.5 ** ((age - newest) / HALF_LIFE_DAYS))
             for path, age in zip(a.reference, ages, strict=True)]  # fmt: skip
    if a.live:
        taken.append((_live(a), 1.0))
    for reference, weight in taken:
        d, doubts = make_design(model, reference, mains, weight)
        designs.append(d)
        names.append(reference.name)
        flags += [f"{reference.name}: {doubt}" for doubt in doubts]
    flags += contradicting(a.patient, [(r.name, r.patient) for r, _ in taken])
    flags += [
        f"{names[k]}: {_UNLIKE} the other references" for k in range(len(designs)) if unlike(model.spec, designs, k)
    ]
    if earlier is not None and earlier.fits(model):
        unlike_it = [worse(model.spec, earlier.again, d) for d in designs]
        flags += [f"{name}: {_UNLIKE} what {out} held" for name, is_so in zip(names, unlike_it, strict=True) if is_so]
    found = fit(model.spec, designs)
    refuse_harm(model, found)
    if flags and not a.force:
        raise CalibrationError(f"doubtful, nothing written: {'; '.join(flags)}", _DOUBT_FIX)
    c = make(model, found, a.patient, [reference for reference, _ in taken], datetime.now(timezone.utc))
    write_calibration(out, c)
    return {
        "out": a.out, "patient": c.patient, "references": names, "model_id": c.model_id, "strength": c.strength,
        "expected": {k: dict(v) for k, v in c.expected.items()}, "flags": flags,
        "notes": list(c.notes),
    }  # fmt: skip


def _model(a: argparse.Namespace) -> Model:
    model = load_model(a.model)
    if not model.spec.any_lead:
        return model
    if not a.leads:
        raise UsageError(f"{a.model} takes many lead sets", "say with --leads which one is measured: --leads I,II")
    model = for_leads(model, parse_channels(a.leads))
    if not model.spec.head.moments.size:
        raise CalibrationError(
            f"{a.model} knows no moments for {', '.join(model.spec.input_leads)}",
            "choose a lead set the file lists: ecg-edge info " + a.model,
        )
    return model


def _earlier(out: Path, patient: str, force: bool) -> Calibration | None:
    """The calibration that is to be replaced, if there is one; what is no calibration is replaced by force alone."""
    if not out.exists():
        return None
    try:
        found = read_calibration(out)
    except CalibrationError as e:
        if not force:
            raise CalibrationError(
                f"{out} is there and is no calibration: {e.message}", "choose another --out, or say --force"
            ) from e
        hint(f"{out} is replaced unread: {e.message}")
        return None
    if found.patient != patient:
        raise CalibrationError(f"{out} is of patient {found.patient}, not {patient}", "choose another --out")
    return found


def _live(a: argparse.Namespace) -> Reference:
    if not MIN_S <= a.seconds <= 600:
        raise UsageError(f"--seconds {a.seconds:g} is out of range", f"give {MIN_S:g} to 600")
    clock = SystemClock()
    fs = None if a.fs is None else read_rate(a.fs)
    source = open_source(a.live, clock, reconnect=False, device=a.device, gain=a.gain, fs=fs, baud=a.baud, report=hint)
    return record_reference(source, clock, a.seconds, parse_channels(a.channels, skip=True) if a.channels else None)


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
