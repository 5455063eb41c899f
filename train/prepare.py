"""Conditioned records in a memory-mapped cache, keyed by what went in."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ecg_edge.device.conditioning import Conditioner, ConditioningSpec
from ecg_edge.device.leads import BASIS
from ecg_edge.device.progress import Progress
from ecg_edge.firmware_bridge.errors import DataFolderError
from ecg_edge.firmware_bridge.samples import LEADS
from ecg_edge.train import ptbxl

N_SAMPLES = 1000
_BASIS_COLUMNS = [LEADS.index(lead) for lead in BASIS]


@dataclass(frozen=True)
class Prepared:
    """Conditioned basis leads of many records.

    Attributes
    ----------
    x : ndarray of float32, shape (n_records, n_samples, 8)
        In mV, columns as ``leads.BASIS``; possibly memory-mapped, read only.
    ids : list of int
        ``ecg_id`` of each record.
    patients, superclasses : list of str
        Empty where unknown.
    excluded : dict of int to str
        Records left out, with the reason.
    """

    x: npt.NDArray[np.float32]
    ids: list[int]
    patients: list[str]
    superclasses: list[str]
    excluded: dict[int, str]

    def __len__(self) -> int:
        return len(self.ids)


def cache_folder() -> Path:
    """``$ECG_EDGE_CACHE``, or ``ecg-edge`` in the user's cache folder."""
    if own := os.environ.get("ECG_EDGE_CACHE"):
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ecg-edge"


def condition(x: npt.NDArray[np.float64], spec: ConditioningSpec, fs: int = ptbxl.FS) -> npt.NDArray[np.float32]:
    """Pass a record, shape (n_samples, n_leads) in mV, through the device's own chain from a cold start."""
    return Conditioner(fs, fs, x.shape[1], spec).feed(x)


def prepare(
    root: Path,
    folds: tuple[int, ...],
    spec: ConditioningSpec,
    limit: int | None = None,
    label: str = "preparing",
) -> Prepared:
    """Load, screen and condition the records of some folds, or map the result of an earlier call.

    Parameters
    ----------
    root : Path
        PTB-XL folder.
    folds : tuple of int
        Official folds.
    spec : ConditioningSpec
        The chain to apply.
    limit : int, optional
        Take only the first so many records on disk.
    label : str
        Shown by the progress line.

    Raises
    ------
    DataFolderError
        The folder is not PTB-XL, or no usable record is in it.
    """
    entries = ptbxl.select(ptbxl.read_database(root), folds, limit)
    key = _key(root, entries, spec)
    folder = cache_folder() / key
    if not (folder / "index.json").is_file():
        _build(entries, spec, folder, label)
    index = json.loads((folder / "index.json").read_text())
    if not index["ids"]:
        raise DataFolderError(f"every record of fold {folds} was screened out", "see the reasons: delete the cache")
    return Prepared(
        np.load(folder / "x.npy", mmap_mode="r"),
        index["ids"],
        index["patients"],
        index["superclasses"],
        {int(k): v for k, v in index["excluded"].items()},
    )


def _key(root: Path, entries: list[ptbxl.RecordEntry], spec: ConditioningSpec) -> str:
    """Digest of the record list, each file's size and time, and the conditioning."""
    h = hashlib.sha256(json.dumps(spec.to_dict(), sort_keys=True).encode())
    for e in entries:
        stat = e.path.with_suffix(".dat").stat() if e.path.with_suffix(".dat").is_file() else None
        mark = (stat.st_size, stat.st_mtime_ns) if stat else None
        h.update(repr((str(e.path.relative_to(root)), e.fold, e.patient, e.superclass, mark)).encode())
    return h.hexdigest()[:20]


def _build(entries: list[ptbxl.RecordEntry], spec: ConditioningSpec, folder: Path, label: str) -> None:
    """Write x.npy first and index.json last, by renaming: a half-built cache is never taken for a whole one."""
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"x.{os.getpid()}.part.npy"
    out = np.lib.format.open_memmap(part, "w+", np.float32, (len(entries), N_SAMPLES, len(BASIS)))
    kept: list[ptbxl.RecordEntry] = []
    excluded: dict[int, str] = {}
    try:
        with Progress(label, len(entries)) as progress:
            for entry, x, reason in ptbxl.iter_records(entries):
                if not reason and len(x) != N_SAMPLES:
                    reason = f"{len(x)} samples instead of {N_SAMPLES}"
                if reason:
                    excluded[entry.ecg_id] = reason
                else:
                    out[len(kept)] = condition(x[:, _BASIS_COLUMNS], spec)
                    kept.append(entry)
                progress.step(note=f"{len(excluded)} left out" if excluded else "")
        out.flush()
        _shrink(part, len(kept))
        part.replace(folder / "x.npy")
    finally:
        part.unlink(missing_ok=True)
    index = {
        "ids": [e.ecg_id for e in kept],
        "patients": [e.patient for e in kept],
        "superclasses": [e.superclass for e in kept],
        "excluded": excluded,
    }
    done = folder / f"index.{os.getpid()}.part"
    done.write_text(json.dumps(index))
    done.replace(folder / "index.json")


def _shrink(path: Path, n: int) -> None:
    """Cut the array file to its first `n` records."""
    x = np.load(path, mmap_mode="r")
    if len(x) != n:
        np.save(path, np.array(x[:n]))
