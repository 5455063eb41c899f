"""PTB-XL as PhysioNet distributes it (Wagner et al. 2020, 2022), 100 Hz, official folds."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ecg_edge.firmware_bridge.array_types import FloatArray
from ecg_edge.firmware_bridge.errors import DataFolderError, RecordingError
from ecg_edge.firmware_bridge.lead_names import LEADS
from ecg_edge.firmware_bridge.recordings.wfdb_record import open_wfdb

FS = 100
TRAIN_FOLDS, VALIDATION_FOLD, TEST_FOLD = tuple(range(1, 9)), 9, 10
EINTHOVEN_TOLERANCE_MV = 0.01
_COLUMNS = ("ecg_id", "strat_fold", "filename_lr")


@dataclass(frozen=True)
class RecordEntry:
    """One row of ``ptbxl_database.csv``."""

    ecg_id: int
    fold: int
    path: Path
    patient: str
    superclass: str


def read_database(root: Path) -> list[RecordEntry]:
    """List the records of a PTB-XL folder.

    Parameters
    ----------
    root : Path
        The folder that holds ``ptbxl_database.csv`` and ``records100/``.

    Returns
    -------
    list of RecordEntry
        In the order of the table. `patient` is empty where unknown.

    Raises
    ------
    DataFolderError
        The folder is missing, is not PTB-XL, or its table lacks a column.
    """
    table = root / "ptbxl_database.csv"
    if not table.is_file():
        raise DataFolderError(
            f"{root} is not a PTB-XL folder: no ptbxl_database.csv in it",
            "give --data the folder that holds ptbxl_database.csv and records100/ "
            "(https://physionet.org/content/ptb-xl/)",
        )
    with table.open(newline="", encoding="utf-8") as f:
        reader = csv.DictReader(f)
        if missing := [c for c in _COLUMNS if c not in (reader.fieldnames or ())]:
            raise DataFolderError(
                f"{table} has no column {', '.join(missing)}",
                "use the table as distributed with PTB-XL 1.0.3",
            )
        return [_entry(root, table, row) for row in reader]


def _entry(root: Path, table: Path, row: dict[str, str]) -> RecordEntry:
    try:
        return RecordEntry(
            int(row["ecg_id"]),
            int(float(row["strat_fold"])),
            root / row["filename_lr"],
            row.get("patient_id", "") or "",
            row.get("diagnostic_superclass", "") or "",
        )
    except ValueError as e:
        raise DataFolderError(f"{table}: bad row for ecg_id {row['ecg_id']!r}: {e}", "restore the table") from e


def select(entries: Iterable[RecordEntry], folds: Iterable[int], limit: int | None = None) -> list[RecordEntry]:
    """Records of the given folds that lie on disk, at most `limit` of them.

    Raises
    ------
    DataFolderError
        None of them is there.
    """
    wanted = set(folds)
    chosen = []
    for e in entries:
        if e.fold in wanted and e.path.with_suffix(".hea").is_file():
            chosen.append(e)
            if limit is not None and len(chosen) == limit:
                break
    if not chosen:
        raise DataFolderError(
            f"no record of fold {', '.join(map(str, sorted(wanted)))} found below the data folder",
            "download records100/ as well as the table",
        )
    return chosen


def read_record(path: Path, fs: int = FS) -> FloatArray:
    """Read one twelve-lead record.

    Parameters
    ----------
    path : Path
        Without suffix.
    fs : int
        The rate it must have, in Hz.

    Returns
    -------
    ndarray of shape (n_samples, 12)
        In mV, columns as `LEADS`.

    Raises
    ------
    DataFolderError
        The record is unreadable, has another rate, lacks a lead, or holds NaN.
    """
    try:
        recording = open_wfdb(path.with_name(path.name + ".hea"))
        if cut := [r for r in recording.remarks if r.startswith("cut short")]:
            raise DataFolderError(f"{path.name} is {cut[0]}", "restore the file as distributed")
        columns = recording.leads()
        if missing := [lead for lead in LEADS if lead not in columns]:
            raise DataFolderError(f"{path} lacks lead {', '.join(missing)}", "twelve leads are needed")
        picked = [columns[lead] for lead in LEADS]
        if recording.one_rate(picked) != fs:
            raise DataFolderError(
                f"{path} has {float(recording.one_rate(picked)):g} Hz, not {fs}", f"use the {fs} Hz records"
            )
        x = recording.mv(picked)
    except RecordingError as e:
        raise DataFolderError(f"cannot read record {path}: {e.message}", "restore the file as distributed") from e
    if not np.isfinite(x).all():
        raise DataFolderError(f"{path} holds missing samples", "leave the record out")
    return x


def screen(x: FloatArray) -> str:
    """Say why a record cannot serve as truth, or return an empty string.

    Parameters
    ----------
    x : ndarray of shape (n_samples, 12)
        In mV, columns as `LEADS`.

    Returns
    -------
    str
        ``"flat lead V3"``, ``"limb leads break Einthoven's law by 0.034 mV"``, or ``""``.
    """
    for k, lead in enumerate(LEADS):
        if np.ptp(x[:, k]) == 0:
            return f"flat lead {lead}"
    i, ii, iii, avr, avl, avf = x[:, :6].T
    worst = max(
        float(np.abs(r).max()) for r in (ii - i - iii, avr + (i + ii) / 2, avl - (i - ii / 2), avf - (ii - i / 2))
    )
    if worst > EINTHOVEN_TOLERANCE_MV:
        return f"limb leads break Einthoven's law by {worst:.3f} mV"
    return ""


def iter_records(
    entries: Iterable[RecordEntry],
) -> Iterator[tuple[RecordEntry, FloatArray, str]]:
    """Yield each record with its signal (empty where unreadable) and the reason to leave it out, if any."""
    for e in entries:
        try:
            x = read_record(e.path)
        except DataFolderError as err:
            yield e, np.empty((0, 12)), err.message
            continue
        yield e, x, screen(x)
