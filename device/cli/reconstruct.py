"""The verb ``reconstruct``: stored recordings to twelve leads in files."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import Any

from ecg_edge.device.offline.many_records import Document, RecordPlan, convert_record, wanted
from ecg_edge.device.offline.spread_records import over_cluster, over_cores, usual_processes
from ecg_edge.device.offline.write_recording import SUFFIXES, check_name, files_of, format_of, plain_name
from ecg_edge.device.reconstruction.array_input import exact_rate
from ecg_edge.device.recording.safe_files import refuse_replacing
from ecg_edge.device.recording.stored_recording import command_on
from ecg_edge.firmware_bridge.console import emit_json, hint, say
from ecg_edge.firmware_bridge.errors import EcgEdgeError, UsageError
from ecg_edge.firmware_bridge.flags.idle import refuse_idle
from ecg_edge.firmware_bridge.lead_names import parse_channels
from ecg_edge.firmware_bridge.progress import Progress
from ecg_edge.firmware_bridge.recordings.open_recording import SUFFIXES as READ
from ecg_edge.firmware_bridge.recordings.text import rate

_DICOM_HZ = "500"
"""A 12-lead ECG object holds 200 to 1000 Hz."""
_NOT_READ = (".json",)
"""Written, but not read again: `report` cannot print it."""


def reconstruct(arguments: argparse.Namespace) -> int:
    """Do what ``ecg-edge reconstruct`` says; return the exit status."""
    try:
        _refuse_idle(arguments)
        jobs, kind = _jobs(arguments)
        plan = _plan(arguments, kind)
        many = Path(arguments.record).expanduser().is_dir()
        done = _many(arguments, plan, jobs) if many else [_one(plan, *jobs[0])]
    except EcgEdgeError as e:
        if arguments.json:
            emit_json({"error": e.message, "fix": e.fix, "exit": e.exit_code})
        raise
    return _summary(arguments, done)


def _refuse_idle(a: argparse.Namespace) -> None:
    """Refuse what has no effect beside the rest."""
    folder = Path(a.record).expanduser().is_dir()
    idle = {
        "--patient": (a.patient and not a.calibration, "give --calibration FILE: it must be this person's"),
        "--placement": (a.placement == "same" and not a.calibration, "give --calibration FILE"),
        "--workers": (a.workers and (not folder or a.scheduler), "leave it out: it is for a folder on this machine"),
        "--scheduler": (a.scheduler and not folder, "leave it out: it is for a folder"),
    }
    refuse_idle(idle)


def _plan(a: argparse.Namespace, kind: str) -> RecordPlan:
    asked = a.out_fs or (_DICOM_HZ if kind == "dicom" else None)
    out_fs = asked if asked in (None, "input") else exact_rate(_rate("--fs", asked))
    plan = RecordPlan(
        leads=parse_channels(a.leads) if a.leads else (),
        model=a.model,
        mains_hz=None if a.mains == "off" else float(a.mains),
        in_fs=None if a.in_fs is None else _rate("--in-fs", a.in_fs),
        out_fs=out_fs,
        calibration=a.calibration and str(Path(a.calibration).expanduser().absolute()),
        patient=a.patient,
        placement=a.placement,
        kind=kind,
        force=a.force,
        unit=a.unit,
    )
    wanted.cache_clear()  # the calibration may be another one than last time
    wanted(plan)  # what cannot be read is reported before any work
    return plan


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
        check_name(target, kind)
        refuse_replacing(files_of(target, kind), a.force, str(source))
        return [(source, target)], kind
    kind = a.format or "wfdb"
    if out.exists() and (not out.is_dir() or out.samefile(source)):
        raise UsageError(f"{out} is no folder of its own", "give --out a new folder")
    found = _of_runs_once(sorted(p for p in source.rglob("*") if _is_recording(p, out)))
    if not found:
        raise UsageError(f"{source} holds no recording", "give a file, or a folder of recordings")
    return list(zip(found, _targets(found, source, out, kind), strict=True)), kind


def _targets(found: list[Path], source: Path, out: Path, kind: str) -> list[Path]:
    """A file for each recording: of its name, as the format allows it; with its suffix where two are alike."""
    names = [p.relative_to(source).with_suffix("") for p in found]
    names = [n.with_name(plain_name(n.name)) for n in names] if kind == "wfdb" else names
    many, taken, targets = Counter(names), set(), []
    for name, path in zip(names, found, strict=True):
        wanted = name if many[name] == 1 else name.with_name(plain_name(path.name))
        target, k = wanted, 2
        while target in taken:
            target, k = wanted.with_name(f"{wanted.name}_{k}"), k + 1
        taken.add(target)
        targets.append(out / f"{target}{SUFFIXES[kind]}")
    return targets


def _of_runs_once(found: list[Path]) -> list[Path]:
    """Of a run what was measured alone: its twelve leads, and files made of them, are estimates already."""
    there = {p.with_suffix("") for p in found}
    twelve = [p for p in found if p.with_name(f"{p.stem}_measured") in there]
    if twelve:
        hint(f"left out, as the measured record beside it is read: {', '.join(p.name for p in twelve)}")
    return [p for p in found if p not in twelve]


def _is_recording(path: Path, out: Path) -> bool:
    """By its name; a WFDB record by its header alone."""
    ours = out in path.parents or path.name.startswith(".")
    return not ours and path.suffix.lower() in (".hea", *READ) and path.is_file()


def _one(plan: RecordPlan, source: Path, out: Path) -> Document:
    document = convert_record(plan, str(source), str(out), _progress(source.name))
    for remark in document["remarks"]:
        hint(f"{source.name}: {remark}")
    return document


def _many(a: argparse.Namespace, plan: RecordPlan, jobs: list[tuple[Path, Path]]) -> list[Document]:
    """All records, on as many cores or machines as wanted; what became of each, in their order."""
    words = [(str(source), str(out)) for source, out in jobs]
    if a.scheduler:
        words = [(str(source.absolute()), str(out.absolute())) for source, out in jobs]
        spread = over_cluster(plan, words, a.scheduler)
    else:
        spread = over_cores(plan, words, a.workers or usual_processes(len(words)))
    done: dict[str, Document] = {}
    with Progress("reconstruct", len(words)) as progress:
        for document in spread:
            done[document["record"]] = document
            name = Path(document["record"]).name
            for remark in [document["error"]] if "error" in document else document.get("remarks", []):
                hint(f"{document['record'] if 'error' in document else name}: {remark}")
            progress.step(note=name)
    return [done[source] for source, _ in words]


def _progress(name: str) -> Any:
    """On a terminal: the share that is done."""
    if not sys.stderr.isatty():
        return lambda share: None

    def show(share: float) -> None:
        sys.stderr.write(f"\r{name}: {share:4.0%}" + ("\n" if share >= 1 else ""))
        sys.stderr.flush()

    return show


def _next(d: Document) -> str:
    """The page of what was written; what cannot be read again is measured at its source."""
    if Path(d["out"]).suffix in _NOT_READ:
        return f"ecg-edge measure {shlex.quote(d['record'])}"
    return command_on("report", d["out"], ".pdf")


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
    if states["refused"]:
        hint("next: mend what was refused and run the same again: what is done is not done twice")
    elif written := [d for d in done if d["state"] == "done"]:
        hint(f"next: {_next(written[0])}")
    return code
