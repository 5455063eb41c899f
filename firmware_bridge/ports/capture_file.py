"""Decode captured bytes as a whole: arrays, tally, files."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ecg_edge.firmware_bridge.array_types import same_contents
from ecg_edge.firmware_bridge.decoder import Decoder, is_decoder
from ecg_edge.firmware_bridge.decoders.catalogue import find_device
from ecg_edge.firmware_bridge.errors import EcgEdgeError, NotAnEcgStreamError, UsageError
from ecg_edge.firmware_bridge.events import Event, Gap, SampleBlock, StreamInfo
from ecg_edge.firmware_bridge.ports.checked_decoder import checked
from ecg_edge.firmware_bridge.ports.identify import identify
from ecg_edge.firmware_bridge.private_files import private_open
from ecg_edge.firmware_bridge.recordings.known_files import refuse_files
from ecg_edge.firmware_bridge.tally import Tally

_CHUNK = 1 << 16


@dataclass(frozen=True, eq=False)
class Decoded:
    r"""A stream as arrays.

    Attributes
    ----------
    info : StreamInfo
        What the decoder says of the stream.
    index : ndarray of int64, shape (n,)
        Position of each row on the unbroken sample axis.
    counts : ndarray of int32, shape (n, n_channels)
        As the converter gave them.
    mv : ndarray of float32, shape (n, n_channels)
        In millivolts; NaN in channels that carry no voltage.
    valid : ndarray of bool, shape (n, n_channels)
        False where a sample is stale or its electrode is off.
    gaps : tuple of Gap
        What is missing.
    tally : Tally
        The decoder's account.

    Examples
    --------
    >>> import ecg_edge as ee
    >>> decoded = ee.decode_bytes("plotter", b"512 \n" * 300)
    >>> decoded.mv.shape, decoded.gaps
    ((300, 1), ())
    """

    info: StreamInfo
    index: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int32]
    mv: npt.NDArray[np.float32]
    valid: npt.NDArray[np.bool_]
    gaps: tuple[Gap, ...]
    tally: Tally

    def __eq__(self, other: object) -> bool:
        return same_contents(self, other)

    __hash__ = None  # type: ignore[assignment]  # arrays have none


def decode_bytes(decoder: Decoder | str, data: bytes, times: npt.NDArray[np.float64] | None = None) -> Decoded:
    r"""Decode a whole capture.

    Parameters
    ----------
    decoder : Decoder or str
        A fresh one, the name of a device, or ``auto`` to recognise the device by the bytes.
    data : bytes
        The capture.
    times : ndarray of float64, shape (n, 2), optional
        Arrival times (`read_times`).

    Raises
    ------
    NotAnEcgStreamError
        There is no sample in it, the stream changes its channels on the way, or ``auto`` finds a recording's file.
    UsageError
        There is no device of that name, or the arguments are not these.
    PluginError
        The decoder is not of this package, and has failed.

    Examples
    --------
    >>> import ecg_edge as ee
    >>> text = b"".join(b"%d\r\n" % (300 + k % 7) for k in range(500))  # a sketch that prints numbers
    >>> decoded = ee.decode_bytes("plotter", text)
    >>> decoded.counts.shape, decoded.info.leads, decoded.tally.samples
    ((500, 1), ('I',), 500)
    """
    if isinstance(decoder, bytes | bytearray) or not isinstance(data, bytes | bytearray | memoryview):
        raise UsageError(
            f"decode_bytes(decoder={type(decoder).__name__}, data={type(data).__name__}): the bytes come second",
            'name the device first: decode_bytes("auto", Path("capture.bin").read_bytes())',
        )
    times = None if times is None else _exact_times(times, len(data))
    if isinstance(decoder, str):
        if decoder == "auto":
            refuse_files(data)
        decoder = (identify(data).device if decoder == "auto" else find_device(decoder)).decoder()
    if isinstance(decoder, type) or not is_decoder(decoder):
        what = decoder.__name__ if isinstance(decoder, type) else type(decoder).__name__
        raise UsageError(
            f"{what} is a class" if isinstance(decoder, type) else f"{what} is no decoder",
            'pass a fresh object that is a Decoder, or the name of a device: decode_bytes("cyton", data)',
        )
    events: list[Event] = []
    decoder = checked(decoder)
    for piece, arrival in _pieces(data, times):
        events += decoder.feed(piece, arrival)
    events += decoder.close()
    return _collect(decoder, events)


def _exact_times(times: npt.ArrayLike, size: int) -> npt.NDArray[np.float64]:
    """Arrival times as they must be; see `read_times`."""
    fix = "pass rows of byte offset and seconds, both rising, the first offset 0: read_times, or leave times out"
    try:
        rows = np.asarray(times, np.float64)
    except (TypeError, ValueError) as e:
        raise UsageError(f"times={type(times).__name__} is no table of arrival times", fix) from e
    if wrong := _wrong_times(rows, size):
        raise UsageError(f"times of shape {rows.shape}: {wrong}", fix)
    return rows


def _wrong_times(rows: npt.NDArray[np.float64], size: int) -> str:
    """What is wrong with a table of arrival times; empty: nothing."""
    if rows.ndim != 2 or rows.shape[1] != 2 or not len(rows) or not np.isfinite(rows).all():
        return "no table of arrival times"
    if rows[0, 0] != 0 or rows[-1, 0] > size or (np.diff(rows, axis=0) < 0).any():
        return f"offsets or times do not rise from 0 within the {size} bytes"
    return ""


def _pieces(data: bytes, times: npt.NDArray[np.float64] | None) -> Iterator[tuple[bytes, float]]:
    if times is None:
        for start in range(0, len(data), _CHUNK):
            yield data[start : start + _CHUNK], 0.0
        return
    ends = [*times[1:, 0].astype(int).tolist(), len(data)]
    start = 0
    for end, arrival in zip(ends, times[:, 1].tolist(), strict=True):
        yield data[start:end], arrival
        start = end


def _collect(decoder: Decoder, events: list[Event]) -> Decoded:
    infos = [e for e in events if isinstance(e, StreamInfo)]
    blocks = [e for e in events if isinstance(e, SampleBlock)]
    if not infos or not blocks:
        raise NotAnEcgStreamError(
            f"no samples of {decoder.name} in these bytes",
            'let the decoders find the device: decode_bytes("auto", data), or ecg-edge decode --as auto FILE',
        )
    if any(info.leads != infos[0].leads or info.fs != infos[0].fs for info in infos):
        raise NotAnEcgStreamError(
            "the stream changes its channels or its rate on the way",
            "cut the capture at the change and decode each part",
        )
    index = np.concatenate([b.index + np.arange(len(b), dtype=np.int64) for b in blocks])
    gaps = tuple(e for e in events if isinstance(e, Gap))
    counts = np.concatenate([b.counts for b in blocks])
    mv = np.concatenate([b.mv for b in blocks])
    valid = np.concatenate([b.valid for b in blocks])
    return Decoded(infos[0], index, counts, mv, valid, gaps, decoder.tally)


def read_bytes(path: Path) -> bytes:
    """Read a capture.

    Raises
    ------
    UsageError
        It cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as e:
        raise UsageError(f"cannot read {path}: {e.strerror}", "name a file of captured bytes") from e


def read_times(path: Path, size: int) -> npt.NDArray[np.float64]:
    """Read arrival times: rows ``byte offset, seconds`` (from that byte on, bytes arrived then).

    Parameters
    ----------
    path : Path
        ``.npy`` of shape (n, 2), or text with two columns (comma or white space, ``#`` comments).
        A single column of `size` numbers is taken as one time per byte.
    size : int
        Length of the capture in bytes.

    Returns
    -------
    ndarray of float64, shape (n, 2)

    Raises
    ------
    UsageError
        The file is not that, or offsets or times run backwards.
    """
    fix = "--times FILE with rows 'byte_offset,seconds' (.npy or text), both rising, the first offset 0"
    try:
        if path.suffix == ".npy":
            rows = np.load(path, mmap_mode="r", allow_pickle=False)  # no more is taken than the file has
        else:
            text = path.read_text(encoding="ascii").replace(",", " ")
            rows = np.loadtxt(text.splitlines(), ndmin=2) if text.strip() else np.empty(0)
        rows = np.asarray(rows, np.float64)
    except (OSError, ValueError) as e:
        raise UsageError(f"cannot read the arrival times in {path}: {e}", fix) from e
    if rows.ndim == 2 and rows.shape[1] == 1:
        rows = rows[:, 0]
    if rows.ndim == 1 and len(rows) == size:
        rows = np.column_stack((np.arange(size), rows))
    if wrong := _wrong_times(rows, size):
        raise UsageError(f"{path}: {wrong}", fix)
    return rows


def document(decoded: Decoded) -> dict[str, Any]:
    """Return the tally as the JSON document of ``ecg-edge decode --json``."""
    tally = decoded.tally
    return {
        "device": decoded.info.device,
        "fs": plain_rate(decoded.info.fs),
        "leads": list(decoded.info.leads),
        "samples": tally.samples,
        "lost": tally.lost,
        "lost_ranges": [list(r) for r in tally.lost_ranges],
        "loss_known": tally.loss_known,
        "duplicates": tally.duplicates,
        "bad_frames": tally.bad_frames,
        "skipped_bytes": tally.skipped_bytes,
        "stale": tally.stale,
    }


def plain_rate(fs: Fraction) -> int | float:
    """Return a rate as an integer where it is one."""
    return fs.numerator if fs.denominator == 1 else float(fs)


def save(decoded: Decoded, path: Path) -> None:
    """Write ``.npz`` (index, counts, mv, leads, fs) or ``.csv`` (index, counts_LEAD …, mv_LEAD …).

    Raises
    ------
    UsageError
        The name ends otherwise.
    EcgEdgeError
        The file cannot be written.
    """
    if path.suffix not in (".npz", ".csv"):
        raise UsageError(f"cannot tell the format of {path}", "--out with a name that ends in .npz or .csv")
    try:
        if path.suffix == ".npz":
            with private_open(path, "wb") as f:
                np.savez_compressed(
                    f,
                    index=decoded.index,
                    counts=decoded.counts,
                    mv=decoded.mv,
                    leads=np.array(decoded.info.leads),
                    fs=np.float64(decoded.info.fs),
                )
        else:
            _save_csv(decoded, path)
    except OSError as e:
        raise EcgEdgeError(f"cannot write {path}: {e.strerror}", "--out in a folder that exists and has room") from e


def _save_csv(decoded: Decoded, path: Path) -> None:
    leads = decoded.info.leads
    with private_open(path, "w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(["index", *(f"counts_{x}" for x in leads), *(f"mv_{x}" for x in leads)])
        for start in range(0, len(decoded.index), _CHUNK):
            rows = slice(start, start + _CHUNK)
            columns = zip(
                decoded.index[rows].tolist(),
                decoded.counts[rows].tolist(),
                np.char.mod("%.9g", decoded.mv[rows]).tolist(),
                strict=True,
            )
            writer.writerows([i, *counts, *mv] for i, counts, mv in columns)
