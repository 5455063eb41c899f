"""Prepared records in pieces small enough to carry to a machine that trains.

A sample is a 16-bit count of 4 µV. Second differences, low and high bytes apart, compress to a third: PTB-XL's folds
1 to 9 need 97 MB. Every piece brings index and covariance, so that any one of them can be tried alone.
"""

from __future__ import annotations

import bz2
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ecg_edge.device.lead_algebra import BASIS
from ecg_edge.firmware_bridge.array_types import AnyFloatArray, BoolArray, Float32Array, FloatArray
from ecg_edge.firmware_bridge.errors import DataFolderError
from ecg_edge.train.data.prepare import Prepared
from ecg_edge.train.diagnosis.labels import labels
from ecg_edge.train.network.placement_draw import covariance_of

STEP_MV = 0.004
_CHUNK = 250
_SETTLED = 200
Counts = npt.NDArray[np.int16]
Job = tuple[Path, int, int, int, int]


@dataclass(frozen=True)
class Rows:
    """What all the pieces hold together.

    Attributes
    ----------
    x : ndarray of int16, shape (n_records, 8, n_samples)
        In counts of `STEP_MV`; records of pieces that are not there are zero.
    there : ndarray of bool, shape (n_records,)
        Records whose piece was joined.
    validation, field : ndarray of bool, shape (n_records,)
        Records that only judge; records of other recorders.
    labels : ndarray of float32, shape (n_records, 5)
        See `labels.labels`; zeros where nothing is known.
    covariance : ndarray of float64, shape (8, 8)
        Of the training records, in mV².
    """

    x: Counts
    there: BoolArray
    validation: BoolArray
    field: BoolArray
    labels: Float32Array
    covariance: FloatArray


def counts(record: AnyFloatArray) -> Counts:
    """A record of shape (n_samples, 8) in mV as counts of shape (8, n_samples)."""
    limit = np.iinfo(np.int16).max
    return np.asarray(np.clip(np.rint(record.T / STEP_MV), -limit, limit), np.int16)


def squeeze(x: Counts) -> tuple[bytes, bytes]:
    """Low and high bytes of the second differences, each compressed."""
    wide = np.pad(x, ((0, 0), (0, 0), (2, 0))).astype(np.int32)
    bent = _wrapped(wide[..., 2:] - 2 * wide[..., 1:-1] + wide[..., :-2]) + 128
    return bz2.compress((bent & 255).astype(np.uint8).tobytes()), bz2.compress((bent >> 8).astype(np.int8).tobytes())


def expand(low: bytes, high: bytes, shape: tuple[int, int, int]) -> Counts:
    """Undo `squeeze`."""
    bent = np.frombuffer(bz2.decompress(low), np.uint8).astype(np.int32) - 128
    bent += 256 * np.frombuffer(bz2.decompress(high), np.int8).astype(np.int32)
    return np.cumsum(np.cumsum(bent.reshape(shape), -1), -1).astype(np.int16)


def _wrapped(difference: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Differences modulo 2^16, so that +128 still fits: sums in 16 bits come out the same."""
    return (difference + 32768 + 128 & 65535) - 32768 - 128


def pack(
    train: Prepared, validation: Prepared, field: Prepared | None, out: Path, piece_mb: float, processes: int = 2
) -> list[Path]:
    """Write records into as few pieces as hold them.

    Parameters
    ----------
    train, validation : Prepared
        Conditioned records of an archive.
    field : Prepared, optional
        Training records of other recorders.
    out : Path
        Pieces are ``out/1``, ``out/2`` …
    piece_mb : float
        What the records of one piece may take, in millions of bytes.
    processes : int
        That compress.

    Returns
    -------
    list of Path
        The pieces.
    """
    parts = [train, validation, *([field] if field is not None else [])]
    sizes = [len(p) for p in parts]
    origin = np.repeat(np.arange(len(parts)), sizes)
    said = np.concatenate([labels(p.superclasses) if k < 2 else np.zeros((len(p), 5)) for k, p in enumerate(parts)])
    index = {
        "validation": origin == 1,
        "field": origin == 2,
        "labels": np.asarray(said, np.float32),
        "covariance": covariance_of(train.x, _SETTLED),
        "shape": np.array([len(origin), len(BASIS), train.x.shape[1]]),
    }
    pieces = _written(_mixed_chunks(parts), out, piece_mb * 1e6, processes)
    for piece in pieces:
        np.savez(piece / "index.npz", **index)
    return pieces


def _mixed_chunks(parts: Sequence[Prepared]) -> Iterator[tuple[list[int], Counts]]:
    """Chunks of records in an order that gives every piece its share of every part."""
    order = np.random.default_rng(0).permutation(sum(map(len, parts)))
    starts = np.cumsum([0, *map(len, parts)])
    for at in range(0, len(order), _CHUNK):
        rows = sorted(int(k) for k in order[at : at + _CHUNK])
        where = [int(np.searchsorted(starts, k, "right")) - 1 for k in rows]
        yield rows, np.stack([counts(parts[p].x[k - starts[p]]) for k, p in zip(rows, where, strict=True)])


def _written(chunks: Iterator[tuple[list[int], Counts]], out: Path, most: float, processes: int) -> list[Path]:
    pieces: list[Path] = []
    found: list[tuple[list[int], int, int, int]] = []
    size = most
    with ProcessPoolExecutor(processes) as pool:
        for rows, (low, high) in _squeezed(pool, chunks, 2 * processes):
            if size + len(low) + len(high) > most:
                pieces.append(out / str(len(pieces) + 1))
                pieces[-1].mkdir(parents=True, exist_ok=True)
                (pieces[-1] / "records.bin").write_bytes(b"")
                found, size = [], 0
            with (pieces[-1] / "records.bin").open("ab") as f:
                found.append((rows, f.tell(), len(low), len(high)))
                f.write(low + high)
            size += len(low) + len(high)
            (pieces[-1] / "records.json").write_text(json.dumps(found))
    return pieces


def _squeezed(
    pool: ProcessPoolExecutor, chunks: Iterator[tuple[list[int], Counts]], ahead: int
) -> Iterator[tuple[list[int], tuple[bytes, bytes]]]:
    """Chunks compressed in their order, a few at a time: all of them at once would fill the memory."""
    while some := [chunk for _, chunk in zip(range(ahead), chunks, strict=False)]:
        yield from zip([rows for rows, _ in some], pool.map(squeeze, [x for _, x in some]), strict=True)


def join(piece: Path, work: Path, processes: int, say: Callable[[str], None]) -> None:
    """Unpack one piece beside those that were unpacked before; a piece twice does no harm.

    Raises
    ------
    DataFolderError
        The piece is damaged or not there.
    """
    try:
        chunks = json.loads((piece / "records.json").read_text())
        with np.load(piece / "index.npz") as index:
            shape = tuple(int(k) for k in index["shape"])
    except (OSError, ValueError, KeyError) as e:
        raise DataFolderError(f"{piece} is no piece of records: {e}", "make it: ecg-edge data pack") from e
    work.mkdir(parents=True, exist_ok=True)
    file, known = work / "x.npy", work / "there.npy"
    x = np.lib.format.open_memmap(file, "r+" if file.exists() else "w+", np.int16, shape)
    there = np.load(known) if known.exists() else np.zeros(shape[0], np.bool_)
    jobs = [(piece / "records.bin", at, low, high, len(rows)) for rows, at, low, high in chunks]
    with ProcessPoolExecutor(processes) as pool:
        for (rows, *_), part in zip(chunks, pool.map(_expanded, jobs, repeat(shape[1:])), strict=True):
            x[rows], there[rows] = part, True
    x.flush()
    np.save(known, there)
    (work / "index.npz").write_bytes((piece / "index.npz").read_bytes())
    say(f"{piece}: {sum(len(rows) for rows, *_ in chunks)} records, {int(there.sum())} of {len(there)} are there")


def _expanded(job: Job, shape: tuple[int, int]) -> Counts:
    path, at, low, high, n = job
    with path.open("rb") as f:
        f.seek(at)
        return expand(f.read(low), f.read(high), (n, *shape))


def read(work: Path) -> Rows:
    """Everything joined so far.

    Raises
    ------
    DataFolderError
        Nothing was.
    """
    if not (work / "there.npy").is_file():
        raise DataFolderError(f"no records in {work}", "give a piece: --data PIECE")
    with np.load(work / "index.npz") as z:
        return Rows(
            np.load(work / "x.npy", mmap_mode="r"), np.load(work / "there.npy"),
            z["validation"], z["field"], z["labels"], z["covariance"],
        )  # fmt: skip
