"""Conditioned records in a memory-mapped cache, keyed by what went in."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ecg_edge.device.conditioning.conditioner import Conditioner
from ecg_edge.device.conditioning.fingerprint import fingerprint
from ecg_edge.device.conditioning.spec import ConditioningSpec
from ecg_edge.device.lead_algebra import BASIS
from ecg_edge.firmware_bridge.array_types import Float32Array, FloatArray
from ecg_edge.firmware_bridge.errors import DataFolderError, DiskFullError
from ecg_edge.firmware_bridge.lead_names import LEADS
from ecg_edge.firmware_bridge.progress import Progress
from ecg_edge.train.data import ptbxl
from ecg_edge.train.data.datasets import KINDS, Dataset, Record
from ecg_edge.train.data.wfdb_files import with_suffix

PIECE_S = 10
SCORED_FROM_S = 2.0
"""Rows of a record before this are not scored: filters and network settle."""
_BASIS_COLUMNS = [LEADS.index(lead) for lead in BASIS]


@dataclass(frozen=True)
class Prepared:
    """Conditioned basis leads of many records.

    Attributes
    ----------
    x : ndarray of float32, shape (n_records, n_samples, 8)
        In mV, columns as ``leads.BASIS``; possibly memory-mapped, read only.
    ids : list of int
        ``ecg_id`` of each record; elsewhere its number in the data set, the same for all its pieces.
    patients, superclasses : list of str
        Empty where unknown.
    excluded : dict of int to str
        Records left out, with the reason.
    names : list of str
        Name of each record, with ``@20s`` behind it for the piece from 20 s on.
    taught : ndarray of float32, shape (n_records, n_samples, n_targets), or None
        What a student shall learn in place of its missing leads, see `teachers`.
    """

    x: Float32Array
    ids: list[int]
    patients: list[str]
    superclasses: list[str]
    excluded: dict[int, str]
    names: list[str] = field(default_factory=list)
    taught: Float32Array | None = None

    def __len__(self) -> int:
        return len(self.ids)


def cache_folder() -> Path:
    """``$ECG_EDGE_CACHE``, or ``ecg-edge`` in the user's cache folder."""
    if own := os.environ.get("ECG_EDGE_CACHE"):
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ecg-edge"


def condition(
    x: FloatArray, spec: ConditioningSpec, fs: Fraction | int = ptbxl.FS, fs_out: int | None = None
) -> Float32Array:
    """Pass a record, shape (n_samples, n_leads) in mV, through the device's own chain from a cold start."""
    return Conditioner(fs, fs if fs_out is None else fs_out, x.shape[1], spec).feed(x)


def prepare(
    source: Path | Dataset,
    folds: tuple[int, ...],
    spec: ConditioningSpec,
    limit: int | None = None,
    label: str = "preparing",
    fs: int = ptbxl.FS,
) -> Prepared:
    """Load, screen and condition the records of some folds, or map the result of an earlier call.

    A record is conditioned as a whole, from one cold start, and then cut into pieces of 10 s. The rest at its end is
    dropped. A record below 10 s is left out and listed.

    Parameters
    ----------
    source : Path or Dataset
        PTB-XL folder, or any data set.
    folds : tuple of int
        Official folds; a data set without folds is taken whole as the test fold.
    spec : ConditioningSpec
        The chain to apply.
    limit : int, optional
        Take only the first so many records on disk.
    label : str
        Shown by the progress line.
    fs : int
        Model rate in Hz.

    Raises
    ------
    DataFolderError
        The folder is not what it should be, or no usable record is in it.
    DiskFullError
        No space left for the cache.
    """
    data = source if isinstance(source, Dataset) else Dataset("ptb-xl", source, KINDS["ptb-xl"](source))
    records = data.select(folds, limit)
    folder = cache_folder() / _key(data, records, spec, fs)
    if not (folder / "index.json").is_file():
        try:
            _build(data, records, spec, fs, folder, label)
        except OSError as e:
            if e.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise DiskFullError(f"no space left in {folder}", "make room, or set ECG_EDGE_CACHE to another disk") from e
    index = json.loads((folder / "index.json").read_text())
    if not index["ids"]:
        first = next(iter(index["excluded"].values()), "")
        raise DataFolderError(
            f"every record of fold {folds} was screened out (the first: {first})",
            f"see the reasons: {folder}/index.json",
        )
    by_number = {r.number: r.name for r in records}
    return Prepared(
        np.load(folder / "x.npy", mmap_mode="r"),
        index["ids"],
        index["patients"],
        index["superclasses"],
        {int(k): v for k, v in index["excluded"].items()},
        index.get("names") or [by_number[k] for k in index["ids"]],
    )


def _key(data: Dataset, records: list[Record], spec: ConditioningSpec, fs: int) -> str:
    """Digest of the record list, each file's size and time, what the chain does now, the screening and the rate."""
    h = hashlib.sha256(json.dumps(spec.to_dict(), sort_keys=True).encode())
    plain = data.kind == "ptb-xl"
    h.update(repr((fingerprint(), PIECE_S, ptbxl.EINTHOVEN_TOLERANCE_MV, data.kind, fs)).encode())
    for r in records:
        marks = [_mark(with_suffix(r.path, s)) for s in ((".dat",) if plain else (".hea", ".dat", ".mat"))]
        row = (str(r.path.relative_to(data.root)), r.fold, r.patient, r.diagnosis, *marks)
        h.update(repr(row).encode())
    return h.hexdigest()[:20]


def _mark(path: Path) -> tuple[int, int] | None:
    return (path.stat().st_size, path.stat().st_mtime_ns) if path.is_file() else None


def _build(data: Dataset, records: list[Record], spec: ConditioningSpec, fs: int, folder: Path, label: str) -> None:
    """Write x.npy first and index.json last, by renaming: a half-built cache is never taken for a whole one."""
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"x.{os.getpid()}.part.npy"
    kept: list[tuple[Record, str]] = []
    excluded: dict[int, str] = {}
    shape = (PIECE_S * fs, len(BASIS))
    try:
        with part.open("wb") as out, Progress(label, len(records)) as progress:
            _write_header(out, 0, shape)
            for record, y, reason in _conditioned(data, records, spec, fs):
                if reason:
                    excluded[record.number] = reason
                pieces = len(y) // shape[0]
                out.write(np.ascontiguousarray(y[: pieces * shape[0]]).tobytes())
                kept += [(record, f"@{PIECE_S * k}s" if k else "") for k in range(pieces)]
                progress.step(note=f"{len(excluded)} left out" if excluded else "")
            _write_header(out, len(kept), shape)
        part.replace(folder / "x.npy")
        _write_index(folder, kept, excluded)
    finally:
        part.unlink(missing_ok=True)


def _write_header(out: BinaryIO, n: int, shape: tuple[int, int]) -> None:
    """Write the .npy header for `n` records; numpy pads it so that the first axis can grow in place."""
    out.seek(0)
    np.lib.format.write_array_header_1_0(
        out, {"descr": np.dtype(np.float32).str, "fortran_order": False, "shape": (n, *shape)}
    )


def _conditioned(
    data: Dataset, records: list[Record], spec: ConditioningSpec, fs: int
) -> Iterator[tuple[Record, Float32Array, str]]:
    """Yield each record's basis leads at the model rate, or nothing and the reason to leave it out."""
    nothing = np.empty((0, len(BASIS)), np.float32)
    for record in records:
        try:
            signal = data.read(record)
        except DataFolderError as e:
            yield record, nothing, e.message
            continue
        reason = ptbxl.screen(signal.x) if len(signal.x) else "no samples"
        n, wanted = len(signal.x), int(PIECE_S * signal.fs)
        if not reason and data.has_folds and n != wanted:
            reason = f"{n} samples instead of {wanted}"
        elif not reason and n < wanted:
            reason = f"{float(n / signal.fs):.1f} s, shorter than {PIECE_S} s"
        yield record, nothing if reason else condition(signal.x[:, _BASIS_COLUMNS], spec, signal.fs, fs), reason


def _write_index(folder: Path, kept: list[tuple[Record, str]], excluded: dict[int, str]) -> None:
    index = {
        "ids": [r.number for r, _ in kept],
        "patients": [r.patient for r, _ in kept],
        "superclasses": [r.diagnosis for r, _ in kept],
        "names": [r.name + piece for r, piece in kept],
        "excluded": excluded,
    }
    done = folder / f"index.{os.getpid()}.part"
    done.write_text(json.dumps(index))
    done.replace(folder / "index.json")
