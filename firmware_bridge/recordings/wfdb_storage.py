"""WFDB signal files: counts from every storage format of signal(5) of the WFDB Applications Guide."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ecg_edge.firmware_bridge.errors import NOT_LOADABLE, MissingExtraError, RecordingError
from ecg_edge.firmware_bridge.recordings.text import unreadable

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Storage:
    """How samples lie in a file.

    Attributes
    ----------
    bits : int
        Width of a sample: its rails.
    pack, size : int
        So many samples share so many bytes.
    invalid : int or None
        The count that says "no sample".
    """

    bits: int
    pack: int
    size: int
    invalid: int | None


_WHOLE = {8: 1, 80: 1, 16: 2, 61: 2, 160: 2, 24: 3, 32: 4}
STORAGE: dict[int, Storage] = {
    8: Storage(0, 1, 1, None),
    16: Storage(16, 1, 2, -(1 << 15)),
    24: Storage(24, 1, 3, -(1 << 23)),
    32: Storage(32, 1, 4, -(1 << 31)),
    61: Storage(16, 1, 2, -(1 << 15)),
    80: Storage(8, 1, 1, -128),
    160: Storage(16, 1, 2, -(1 << 15)),
    212: Storage(12, 2, 3, -(1 << 11)),
    310: Storage(10, 3, 4, -(1 << 9)),
    311: Storage(10, 3, 4, -(1 << 9)),
}
FLAC = {508: Storage(8, 1, 1, -128), 516: Storage(16, 1, 2, -(1 << 15)), 524: Storage(24, 1, 3, -(1 << 23))}


def find_storage(fmt: int, where: str) -> Storage:
    """Storage of a format number; a typed error lists those there are."""
    if found := STORAGE.get(fmt) or FLAC.get(fmt):
        return found
    known = ", ".join(map(str, sorted({*STORAGE, *FLAC})))
    raise RecordingError(f"{where}: storage format {fmt} is not known", f"the formats are {known}")


def unpack(data: bytes, fmt: int) -> Counts:
    """Samples of whole packs of bytes, in the order of the file; differences in format 8."""
    octets = np.frombuffer(data, np.uint8)
    if fmt == 8:
        return octets.view(np.int8).astype(np.int64)
    if fmt == 80:
        return octets.astype(np.int64) - 128
    if fmt == 16:
        return octets.view("<i2").astype(np.int64)
    if fmt == 61:
        return octets.view(">i2").astype(np.int64)
    if fmt == 160:
        return octets.view("<u2").astype(np.int64) - 32768
    if fmt == 32:
        return octets.view("<i4").astype(np.int64)
    if fmt == 24:
        b = octets.reshape(-1, 3).astype(np.int64)
        return _signed(b[:, 0] | b[:, 1] << 8 | b[:, 2] << 16, 24)
    if fmt == 212:
        b = octets.reshape(-1, 3).astype(np.int64)
        return _signed(np.stack([b[:, 0] | (b[:, 1] & 0x0F) << 8, b[:, 2] | (b[:, 1] & 0xF0) << 4], 1).ravel(), 12)
    if fmt == 310:
        low, high = octets.view("<u2").reshape(-1, 2).astype(np.int64).T
        third = (low >> 11) | (high >> 11) << 5
        return _signed(np.stack([low >> 1 & 0x3FF, high >> 1 & 0x3FF, third], 1).ravel(), 10)
    word = octets.view("<u4").astype(np.int64)
    return _signed(np.stack([word & 0x3FF, word >> 10 & 0x3FF, word >> 20 & 0x3FF], 1).ravel(), 10)


def _signed(x: Counts, bits: int) -> Counts:
    half = 1 << (bits - 1)
    return np.asarray((x + half) % (1 << bits) - half)


class SignalFile:
    """The samples of one signal file, which may hold several signals in frames.

    Parameters
    ----------
    path : Path
    fmt : int
        One for all its signals.
    offset : int
        Bytes before the first sample.
    per_frame : sequence of int
        Samples per frame of each signal, in the file's order.
    initial : sequence of int
        First sample of each, for format 8.
    """

    def __init__(self, path: Path, fmt: int, offset: int, per_frame: tuple[int, ...], initial: tuple[int, ...]) -> None:
        self._path, self._fmt, self._offset = path, fmt, offset
        self._per_frame, self._initial = per_frame, initial
        self.storage = find_storage(fmt, str(path))
        self._width = sum(per_frame)
        self._whole: Counts | None = self._load() if fmt == 8 or fmt in FLAC else None
        self.frames = self._count()

    def _count(self) -> int:
        if self._whole is not None:
            return len(self._whole)
        try:
            size = self._path.stat().st_size
        except OSError as e:
            raise unreadable(self._path, e) from e
        # The last pack may be cut: of 212's three bytes the first two hold a sample.
        packs, left = divmod(max(0, size - self._offset), self.storage.size)
        return (packs * self.storage.pack + left * 8 // max(8, self.storage.bits)) // self._width

    def read(self, start: int, stop: int) -> Counts:
        """Counts of the frames ``[start, stop)``, shape (n_frames, samples per frame of all signals)."""
        if self._whole is not None:
            return self._whole[start:stop]
        s = self.storage
        first, last = start * self._width, stop * self._width
        pack = first // s.pack
        data = self._bytes(pack * s.size, -(-last // s.pack) * s.size - pack * s.size)
        data += b"\0" * (-len(data) % s.size)
        x = unpack(data, self._fmt)[first - pack * s.pack :][: last - first]
        if len(x) < last - first:
            raise RecordingError(f"{self._path} ends while it is read", "is another program writing it?")
        return x.reshape(-1, self._width)

    def _bytes(self, at: int, n: int) -> bytes:
        try:
            with self._path.open("rb") as f:
                f.seek(self._offset + at)
                return f.read(n)
        except OSError as e:
            raise unreadable(self._path, e) from e

    def _load(self) -> Counts:
        """The whole file: sums of differences have no other beginning, and compressed samples no place."""
        if self._fmt in FLAC:
            return self._flac()
        x = unpack(self._bytes(0, self._path.stat().st_size), 8)
        x = x[: len(x) // self._width * self._width].reshape(-1, self._width)
        out, at = np.empty_like(x), 0
        for n, first in zip(self._per_frame, self._initial, strict=True):
            out[:, at : at + n] = first + np.cumsum(x[:, at : at + n].ravel()).reshape(-1, n)
            at += n
        return out

    def _flac(self) -> Counts:
        try:
            import soundfile
        except NOT_LOADABLE as e:
            raise MissingExtraError("soundfile", "wfdb") from e
        sound: Any = soundfile
        try:
            with sound.SoundFile(io.BytesIO(self._bytes(0, self._path.stat().st_size))) as f:
                bits = {"PCM_S8": 8, "PCM_16": 16, "PCM_24": 24}.get(f.subtype, 0)
                # One call for more than 2**24 samples fails in libsndfile (its issue 431).
                parts = list(f.blocks(1 << 16, dtype="int32", always_2d=True))
        except (RuntimeError, OSError, ValueError, TypeError) as e:
            raise RecordingError(f"cannot read {self._path}: {e}", "restore the signal file") from e
        x = np.concatenate(parts) if parts else np.zeros((0, len(self._per_frame)), np.int32)
        if not bits or x.shape[1] != len(self._per_frame) or len(set(self._per_frame)) != 1:
            raise RecordingError(f"{self._path} does not hold what its header says", "restore header and signal file")
        n = self._per_frame[0]
        counts = x[: len(x) // n * n].astype(np.int64) >> (32 - bits)
        return np.asarray(counts.reshape(-1, n, x.shape[1]).transpose(0, 2, 1).reshape(-1, n * x.shape[1]))
