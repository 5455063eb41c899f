"""The verb ``reconstruct``: stored recordings to twelve leads in files."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import Any

from ecg_edge.device.inference.load import Model
from ecg_edge.device.lead_algebra import Provenance
from ecg_edge.device.offline.twelve_leads import Wanted, reconstruct_recording
from ecg_edge.device.offline.write_recording import SUFFIXES, format_of, write_recording
from ecg_edge.device.personal_calibration.file import Calibration, read_calibration
from ecg_edge.device.reconstruction.array_input import exact_rate
from ecg_edge.firmware_bridge.console import emit_json, hint, say
from ecg_edge.firmware_bridge.errors import EcgEdgeError, UsageError
from ecg_edge.firmware_bridge.lead_names import LEADS, parse_channels
from ecg_edge.firmware_bridge.recordings.open_recording import SUFFIXES as READ
from ecg_edge.firmware_bridge.recordings.text import rate

Document = dict[str, Any]
_DICOM_HZ = "500"
"""A 12-lead ECG object holds 200 to 1000 Hz."""


class _Personal:
    """A person's head, for electrodes that were left alone or put on again."""

    def __init__(self, calibration: Calibration, patient: str | None, placement: str) -> None:
        self._calibration, self._how, self.label = calibration, (patient, placement), calibration.label

    def apply(self, model: Model) -> Model:
        return self._calibration.apply(model, *self._how)


def reconstruct(arguments: argparse.Namespace) -> int:
    """Do what ``ecg-edge reconstruct`` says; return the exit status."""
    try:
        jobs, kind = _jobs(arguments)
        wanted = _wanted(arguments, kind)
        done = [_one(arguments, wanted, source, out, kind) for source, out in jobs]
    except EcgEdgeError as e:
        if arguments.json:
            emit_json({"error": e.message, "fix": e.fix, "exit": e.exit_code})
        raise
    return _summary(arguments, done)


def _wanted(a: argparse.Namespace, kind: str) -> Wanted:
    calibration = _Personal(read_calibration(a.calibration), a.patient, a.placement) if a.calibration else None
    asked = a.out_fs or (_DICOM_HZ if kind == "dicom" else None)
    out_fs = asked if asked in (None, "input") else exact_rate(_rate("--fs", asked))
    mains = None if a.mains == "off" else float(a.mains)
    in_fs = None if a.in_fs is None else _rate("--in-fs", a.in_fs)
    return Wanted(parse_channels(a.leads) if a.leads else (), a.model, calibration, mains, in_fs, out_fs, a.unit)


def _rate(flag: str, text: str) -> Fraction:
    if (found := rate(text)) is None:
        raise UsageError(f"{flag} {text!r} is no rate", f"write {flag} 250")
    return found


def _jobs(a: argparse.Namespace) -> tuple[list[tuple[Path, Path]], str]:
    """Files to read and to write, and the format."""
    source, out = Path(a.record).expanduser(), Path(a.out).expanduser()
    if not source.is_dir():
        kind = format_of(out, a.format)
        target = out if out.suffix else out.with_name(out.name + SUFFIXES[kind])
        if target.exists() and (target.samefile(source) if source.exists() else False):
            raise UsageError(f"{target} is the recording itself", "choose another --out")
        if target.exists() and not a.force:
            raise UsageError(f"{target} is there already", "choose another --out, or say --force")
        return [(source, target)], kind
    kind = a.format or "wfdb"
    if out.exists() and (not out.is_dir() or out.samefile(source)):
        raise UsageError(f"{out} is no folder of its own", "give --out a new folder")
    found = sorted(p for p in source.rglob("*") if _is_recording(p, out))
    if not found:
        raise UsageError(f"{source} holds no recording", "give a file, or a folder of recordings")
    names = [p.relative_to(source).with_suffix("") for p in found]
    many = Counter(names)
    targets = [n if many[n] == 1 else n.with_name(p.name.replace(".", "_")) for n, p in zip(names, found, strict=True)]
    return [(p, out / f"{t}{SUFFIXES[kind]}") for p, t in zip(found, targets, strict=True)], kind


def _is_recording(path: Path, out: Path) -> bool:
    """By its name; a WFDB record by its header alone."""
    ours = out in path.parents or path.name.startswith(".")
    return not ours and path.suffix.lower() in (".hea", *READ) and path.is_file()


def _one(a: argparse.Namespace, wanted: Wanted, source: Path, out: Path, kind: str) -> Document:
    many = Path(a.record).is_dir()
    if many and out.exists() and not a.force:
        return {"record": str(source), "out": str(out), "state": "there already"}
    try:
        result = reconstruct_recording(str(source), wanted, _progress(source.name))
        write_recording(result.stored, out, kind)
    except EcgEdgeError as e:
        if not many:
            raise
        hint(f"{source}: {e.message}")
        return {"record": str(source), "state": "refused", "error": e.message, "fix": e.fix}
    for remark in result.remarks:
        hint(f"{source.name}: {remark}")
    block = result.block
    leads = {k.value: [x for x, p in zip(LEADS, block.provenance, strict=True) if p is k] for k in Provenance}
    return {
        "record": str(source),
        "out": str(out),
        "state": "done",
        "seconds": len(block) / float(block.fs),
        "fs": float(block.fs),
        "model": result.model.path.name,
        "leads": leads,
        "remarks": list(result.remarks),
    }


def _progress(name: str) -> Any:
    """On a terminal: the share that is done."""
    if not sys.stderr.isatty():
        return lambda share: None

    def show(share: float) -> None:
        sys.stderr.write(f"\r{name}: {share:4.0%}" + ("\n" if share >= 1 else ""))
        sys.stderr.flush()

    return show


def _summary(a: argparse.Namespace, done: list[Document]) -> int:
    states = Counter(d["state"] for d in done)
    code = 1 if states["refused"] else 0
    if a.json:
        folder = {"recordings": done, **states}
        emit_json({**(folder if Path(a.record).is_dir() else done[0]), "exit": code})
    elif len(done) == 1 and states["done"]:
        d = done[0]
        made = ", ".join(d["leads"]["reconstructed"]) or "nothing"
        say(f"{d['out']}: {d['seconds']:.1f} s at {d['fs']:g} Hz by {d['model']}; reconstructed {made}")
    else:
        say(f"{len(done)} recordings: " + ", ".join(f"{n} {state}" for state, n in states.items()))
    written = [d["out"] for d in done if d["state"] == "done"]
    if written and len(done) == 1:
        hint(f"next: ecg-edge report {written[0]}")
    elif states["refused"]:
        hint("next: mend what was refused and run the same again: what is done is not done twice")
    return code
