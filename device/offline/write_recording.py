"""A `Stored` recording as a file of any format. A file is there when it is complete, never before."""

from __future__ import annotations

import csv
import re
import shutil
import tempfile
from collections.abc import Callable
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path

import numpy as np

from ecg_edge.device.hand_on.dicom_writer import write_dicom
from ecg_edge.device.hand_on.fhir import write_fhir
from ecg_edge.device.hand_on.parquet_writer import write_parquet
from ecg_edge.device.recording import wfdb_writer
from ecg_edge.device.recording.edf_writer import write_edf
from ecg_edge.device.recording.safe_files import disk_errors
from ecg_edge.device.recording.stored_recording import Stored
from ecg_edge.firmware_bridge.console import one_line
from ecg_edge.firmware_bridge.errors import RecordingError, UsageError
from ecg_edge.firmware_bridge.lead_names import LEADS
from ecg_edge.firmware_bridge.private_files import private_open
from ecg_edge.firmware_bridge.recordings.values.plain_facts import STARTED, note_line, person_lines
from ecg_edge.firmware_bridge.recordings.wfdb_record import UTC

SUFFIXES = {
    "wfdb": ".hea",
    "edf": ".edf",
    "csv": ".csv",
    "dicom": ".dcm",
    "parquet": ".parquet",
    "fhir": ".json",
}
_UNKNOWN = datetime(1900, 1, 1)
_CHUNK = 4096


def format_of(path: Path, asked: str | None) -> str:
    """Format of a file to write, by its suffix or by name.

    Raises
    ------
    UsageError
        Neither says it, or they disagree.
    """
    by_suffix = next((name for name, suffix in SUFFIXES.items() if path.suffix.lower() == suffix), None)
    if asked and by_suffix and asked != by_suffix:
        raise UsageError(f"{path} is no name for {asked}", f"end it in {SUFFIXES[asked]}")
    if found := asked or by_suffix:
        return found
    raise UsageError(f"{path} does not tell its format", f"end it in {', '.join(SUFFIXES.values())}, or give --format")


def check_name(path: Path, kind: str) -> None:
    """Refuse a file name that the format cannot hold, before any work.

    Raises
    ------
    RecordingError
        A WFDB record's name has something else than letters, digits, ``_`` and ``-``.
    """
    name = path.name.removesuffix(SUFFIXES["wfdb"])
    if kind == "wfdb" and (plain := plain_name(name)) != name:
        fix = f"name it {path.with_name(plain + SUFFIXES[kind])}, or choose another format"
        raise RecordingError(f"{path.name}: a WFDB record's name holds letters, digits, _ and - alone", fix)


def files_of(path: Path, kind: str) -> list[Path]:
    """Return all files that `write_recording` makes; a WFDB header last."""
    if kind != "wfdb":
        return [path]
    stem = path.name.removesuffix(SUFFIXES["wfdb"])
    return [path.with_name(stem + suffix) for suffix in (".dat", ".atr", ".hea")]


def plain_name(name: str) -> str:
    """A name that WFDB allows."""
    return re.sub(r"[^-\w]+", "_", name) or "_"


def held(stored: Stored, kind: str) -> tuple[list[int], int]:
    """Columns and number of notes that a file of this kind holds: DICOM and FHIR hold one column a lead, no notes."""
    if kind not in ("dicom", "fhir"):
        return list(range(len(stored.signals))), len(stored.notes)
    return [found[0] for lead in LEADS if (found := stored.columns(lead))], 0


def write_recording(stored: Stored, path: Path, kind: str) -> None:
    """Write a recording.

    Parameters
    ----------
    stored : Stored
    path : Path
        Replaced if it is there.
    kind : str
        ``wfdb``, ``edf``, ``csv``, ``dicom``, ``parquet`` or ``fhir``.

    Raises
    ------
    RecordingError, DiskFullError
        The file cannot be written, or the format cannot hold it.
    MissingExtraError
        The format's package is not installed.
    """
    check_name(path, kind)
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    _WRITERS[kind](stored, path)


def _edf(stored: Stored, path: Path) -> None:
    write_edf(stored, path, stored.patient)


def _wfdb(stored: Stored, path: Path) -> None:
    name = path.name.removesuffix(".hea")
    signals = [
        wfdb_writer.WfdbColumn(
            f"{s.lead} ({s.provenance})" if s.provenance else s.lead, s.gain, s.baseline, unit=s.unit
        )
        for s in stored.signals
    ]
    comments = [*([UTC] if stored.started and stored.started.tzinfo else []), *stored.comments]
    comments = [*dict.fromkeys([*person_lines(stored.person, stored.comments), *comments])]
    with disk_errors(path), tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{name}.") as folder:
        writer = wfdb_writer.WfdbWriter(
            Path(folder), name, stored.fs, signals, 16, stored.started or _UNKNOWN, [*comments]
        )
        for at in range(0, len(stored.counts), _CHUNK):
            writer.append(stored.counts[at : at + _CHUNK], stored.valid[at : at + _CHUNK])
        for at, text in sorted(stored.notes):
            writer.annotate(at, text)
        writer.close()
        header = Path(folder, f"{name}.hea")
        if stored.started is None:
            first, rest = header.read_text("utf-8").split("\n", 1)
            header.write_text(" ".join(first.split()[:4]) + "\n" + rest, "utf-8")
        for target in files_of(path, "wfdb"):  # the header last: it says that the rest is there
            shutil.move(header.with_suffix(target.suffix), target)


def _seconds(stored: Stored) -> timedelta:
    """From the recording's first sample to this stretch's."""
    return timedelta(seconds=float(stored.first / Fraction(stored.fs)))


def _origins(stored: Stored) -> list[str]:
    """Lines of which leads are measured, derived and reconstructed, where no comment says it."""
    said = {c.partition(":")[0] for c in stored.comments}
    names: dict[str, list[str]] = {}
    for label, s in zip(stored.labels, stored.signals, strict=True):
        if s.provenance and label == s.lead and " " not in label:
            names.setdefault(s.provenance, []).append(label)
    return [f"{kind}: {' '.join(leads)}" for kind, leads in names.items() if kind not in said]


def _csv(stored: Stored, path: Path) -> None:
    mv, fs = stored.mv, Fraction(stored.fs)
    part = path.with_name(f".{path.name}.part")
    with disk_errors(path), private_open(part, "w", newline="", encoding="utf-8") as out:
        if stored.started:
            out.write(f"# {STARTED}: {(stored.started + _seconds(stored)).isoformat()}\n")
        facts = [*person_lines(stored.person, stored.comments), *stored.comments, *_origins(stored)]
        for comment in dict.fromkeys(facts):
            out.write(f"# {one_line(comment)}\n")
        for at, text in stored.notes:
            if at >= stored.first:
                out.write(f"# {note_line((at - stored.first) / fs, one_line(text))}\n")
        writer = csv.writer(out)
        names = (f"{label} [{s.unit}]" for label, s in zip(stored.labels, stored.signals, strict=True))
        writer.writerow(["time [s]", *names])
        for k, row in enumerate(mv):
            cells = ["" if np.isnan(v) else f"{v:.3f}" for v in row]
            writer.writerow([f"{float(k / fs):.6f}", *cells])
    with disk_errors(path):
        part.replace(path)


_WRITERS: dict[str, Callable[[Stored, Path], None]] = {
    "wfdb": _wfdb,
    "edf": _edf,
    "csv": _csv,
    "dicom": write_dicom,
    "parquet": write_parquet,
    "fhir": write_fhir,
}
