"""The verb ``convert``: a recording as EDF+ (extra `edf`), or in another format by the file's name."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from ecg_edge.device.hand_on.dicom_writer import unheld
from ecg_edge.device.offline.write_recording import check_name, files_of, format_of, held, write_recording
from ecg_edge.device.recording.edf_writer import coarse_steps, write_edf
from ecg_edge.device.recording.implausible_leads import annotated, doubted_leads, warnings
from ecg_edge.device.recording.safe_files import refuse_replacing
from ecg_edge.device.recording.stored_recording import (
    Stored,
    command_on,
    read_groups,
    read_stored,
    record_name,
    same_recording,
)
from ecg_edge.device.recording.stretch import file_rate
from ecg_edge.firmware_bridge.console import emit_json, hint, say
from ecg_edge.firmware_bridge.errors import EcgEdgeError, RecordingError
from ecg_edge.firmware_bridge.lead_names import LEADS


def convert(arguments: argparse.Namespace) -> int:
    """Do what ``ecg-edge convert`` says; return the exit status."""
    a = arguments
    out = Path(a.out) if a.out else Path(record_name(a.record) + ".edf")
    try:
        refuse_replacing([out], a.force, a.record)
        kind = format_of(out, None)
        check_name(out, kind)
        refuse_replacing(files_of(out, kind), a.force, a.record)
        stored, *others = parts = _parts(a, kind)
        if not any(part.valid.any() for part in parts):
            raise RecordingError(f"{stored.name} holds no sample: all are missing", "check the columns of the file")
        found = doubted_leads(stored)
        coarse = [text for part in parts for text in coarse_steps(part)] if kind == "edf" else []
        coarse += unheld(stored) if kind == "dicom" else []
        stored = _with_remarks(annotated(stored, found))
        if kind == "edf":
            write_edf(stored, out, a.patient or stored.patient, others)
        else:
            write_recording(_of(stored, a.patient), out, kind)
    except EcgEdgeError as e:
        if a.json:
            emit_json({"error": e.message, "fix": e.fix, "exit": e.exit_code})
        raise
    columns, notes = held(stored, kind)
    signals = [stored.labels[k] for k in columns]
    further = [label for part in others for label in part.labels]
    signals += further if kind == "edf" else []
    left = [label for k, label in enumerate(stored.labels) if k not in columns] + (further if kind != "edf" else [])
    said = [*stored.remarks, *warnings(stored, found), *coarse, *_left(kind, left, len(stored.notes) - notes)]
    seconds = float(len(stored.counts) / stored.fs)
    if a.json:
        emit_json(
            {
                "out": str(out),
                "seconds": seconds,
                "signals": signals,
                "warnings": said,
                "exit": 0,
            }
        )
    else:
        say(f"{out}: {len(signals)} signals, {seconds:.1f} s, {notes} notes")
    for warning in said:
        hint(f"warning: {warning}")
    hint(f"next: {command_on('report', same_recording(a.record), '.pdf')}")
    return 0


def _parts(a: argparse.Namespace, kind: str) -> list[Stored]:
    """The signals of each rate; where the format has one rate, all leads at the highest."""
    first, *others = read_groups(a.record, file_rate(a.fs), a.unit)
    slower = [f"{s.lead} at {float(part.fs):g} Hz" for part in others for s in part.signals if s.lead in LEADS]
    if kind == "edf" or not slower:
        return [first, *others]
    whole = read_stored(a.record, fs=file_rate(a.fs), unit=a.unit)
    said = f"{', '.join(slower)}: written at {float(whole.fs):g} Hz"
    rest = [_without(part, set(whole.labels)) for part in others]
    return [replace(whole, remarks=(*whole.remarks, said)), *(part for part in rest if part.signals)]


def _without(part: Stored, labels: set[str]) -> Stored:
    kept = [k for k, label in enumerate(part.labels) if label not in labels]
    signals = tuple(part.signals[k] for k in kept)
    return replace(part, signals=signals, counts=part.counts[:, kept], valid=part.valid[:, kept])


def _with_remarks(stored: Stored) -> Stored:
    """What was assumed is written into the file too."""
    new = [r for r in stored.remarks if r not in stored.comments]
    return replace(stored, comments=(*stored.comments, *new))


def _left(kind: str, signals: list[str], notes: int) -> list[str]:
    """What of the recording is not in the file, in words."""
    lost = [*([f"signals {', '.join(signals)}"] if signals else []), *([f"{notes} notes"] if notes else [])]
    return [f"left out, {kind} has no place for them here: {'; '.join(lost)}"] if lost else []


def _of(stored: Stored, patient: str) -> Stored:
    """The recording under another identifier, where one is given."""
    if not patient:
        return stored
    comments = tuple(c for c in stored.comments if not c.startswith("patient: "))
    person = replace(stored.person, identifier=patient)
    return replace(stored, comments=(f"patient: {patient}", *comments), person=person)
