"""WFDB files of any maker: headers, and signals as twelve leads in mV."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from ecg_edge.firmware_bridge.array_types import FloatArray
from ecg_edge.firmware_bridge.errors import DataFolderError, RecordingError
from ecg_edge.firmware_bridge.lead_names import LEADS
from ecg_edge.firmware_bridge.recordings.wfdb_record import open_wfdb

LUDB_MV_PER_COUNT = 1e-3
"""LUDB's headers carry per-lead gains that scale each lead to 1.0 peak to peak, so the counts are read.
One count is taken as 1 µV, an assumption: r does not depend on it, figures in mV do. Limb leads in counts
must obey Einthoven's law, which the screening checks for each record."""


@dataclass(frozen=True)
class ReadRecord:
    """A record as read.

    Attributes
    ----------
    x : ndarray of float64, shape (n_samples, 12)
        In mV, columns as `LEADS`.
    fs : Fraction
        Rate in Hz.
    """

    x: FloatArray
    fs: Fraction


@dataclass(frozen=True)
class Header:
    """What a loader needs of a header.

    Attributes
    ----------
    fs : float
        Rate in Hz; 0 where the header cannot be read.
    leads : tuple of str
        As written.
    comments : tuple of str
        Without the leading ``#``.
    """

    fs: float
    leads: tuple[str, ...]
    comments: tuple[str, ...]

    def comment(self, key: str) -> str:
        """Text after ``key:`` in the comments, or an empty string."""
        for line in self.comments:
            name, colon, text = line.partition(":")
            if colon and name.strip().lower() == key.lower():
                return text.strip()
        return ""


def with_suffix(path: Path, suffix: str) -> Path:
    """Append a suffix to a record's path; its name may itself hold dots."""
    return path.with_name(path.name + suffix)


def header_file(path: Path) -> Path:
    """Header of a record given without suffix."""
    return with_suffix(path, ".hea")


def record_paths(root: Path) -> list[Path]:
    """Every record below a folder, without suffix, in order of path (numbers by value)."""
    found = [p.with_name(p.name[: -len(".hea")]) for p in root.rglob("*.hea")]
    return sorted(found, key=lambda p: (str(p.parent), int(p.name) if p.name.isdigit() else -1, p.name))


def read_header(path: Path) -> Header:
    """Read a header leniently: an unreadable one is empty here and is listed when the record is read."""
    try:
        text = header_file(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return Header(0.0, (), ())
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    comments = tuple(line[1:].strip() for line in lines if line.startswith("#"))
    rows = [line.split() for line in lines if not line.startswith("#")]
    try:
        fs = float(rows[0][2].split("/")[0].split("(")[0])
        leads = tuple(row[8] if len(row) > 8 else "" for row in rows[1 : 1 + int(rows[0][1].split("/")[0])])
    except (IndexError, ValueError):
        return Header(0.0, (), comments)
    return Header(fs, leads, comments)


def digest(text: str, otherwise: str) -> str:
    """Short name for a text, or `otherwise` where the text is empty."""
    return hashlib.sha256(text.encode()).hexdigest()[:12] if text else otherwise


def read(path: Path, mv_per_count: float | None = None) -> ReadRecord:
    """Read one record.

    Parameters
    ----------
    path : Path
        Without suffix.
    mv_per_count : float, optional
        Read the counts and scale all leads by this, where the header's gains are not to be trusted.

    Raises
    ------
    DataFolderError
        Unreadable, a lead missing or twice there, an unknown unit, or missing samples.
    """
    try:
        recording = open_wfdb(header_file(path))
        if cut := [r for r in recording.remarks if r.startswith("cut short")]:
            raise DataFolderError(f"{path.name} is {cut[0]}", "restore the file as distributed")
        columns = recording.leads()
        if missing := [lead for lead in LEADS if lead not in columns]:
            raise DataFolderError(f"lacks lead {', '.join(missing)}", "twelve leads are needed")
        picked = [columns[lead] for lead in LEADS]
        if mv_per_count is None:
            x = recording.mv(picked)
        else:
            lines = [recording.signals[k] for k in picked]
            counts = recording.values(picked) / np.array([s.lsb for s in lines]) + np.array([s.zero for s in lines])
            x = np.rint(counts) * mv_per_count
        fs = recording.one_rate(picked)
    except RecordingError as e:
        raise DataFolderError(f"cannot read record {path.name}: {e.message}", "restore the file as distributed") from e
    if not np.isfinite(x).all():
        raise DataFolderError("holds missing samples", "leave the record out")
    return ReadRecord(x, fs)
