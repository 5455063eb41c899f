"""A small WFDB writer that appends: at any moment the record on disk can be read.

Formats: header(5), signal(5) and annot(5) of the WFDB Applications Guide (G. B. Moody, physionet.org).
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ecg_edge.device.recording.safe_files import AppendFile, disk_errors, replace_file
from ecg_edge.firmware_bridge.console import at_words, one_line, one_word
from ecg_edge.firmware_bridge.errors import RecordingError

_SKIP, _AUX, _QUALITY = 59, 63, 14
# Signal quality ("~"): every note is of that kind; plain notes at sample 0 are taken for definitions.
_DURABLE_EVERY = 10
_SKIP_ROWS = 65536
_NOTE_BYTES = 255
OWN = "recorded by ecg-edge"
"""Comment of our own headers."""


@dataclass(frozen=True)
class WfdbColumn:
    """One column: ``value = (count - baseline) / gain``, in mV or another unit."""

    description: str
    gain: float
    baseline: int = 0
    bits: int = 16
    unit: str = "mV"


class WfdbWriter:
    """Writes one record: ``name.dat``, ``name.hea`` and ``name.atr``.

    The header on disk never counts more samples than the file holds, also after the process was
    killed; `sync` brings it up to date. What a killed process wrote after its last `sync` is in the
    file, beyond the header's count (`recover_record` brings it back).

    Parameters
    ----------
    folder : Path
        Exists.
    name : str
        Letters, digits and underscores.
    fs : Fraction
        Rate in Hz.
    signals : sequence of WfdbColumn
        At least one.
    fmt : int
        WFDB format: 16, 24 or 32 (two's complement, little-endian).
    started : datetime
        Time of the first sample.
    comments : sequence of str
        For the end of the header.

    Attributes
    ----------
    n_samples : int
        Samples per signal taken so far.
    invalid : int
        The count that stands for "no sample" in this format.

    Raises
    ------
    DiskFullError, RecordingError
        From every method, when the files cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        fs: Fraction,
        signals: Sequence[WfdbColumn],
        fmt: int,
        started: datetime,
        comments: Sequence[str] = (),
    ) -> None:
        self._signals, self._fmt = tuple(signals), fmt
        self._name, self._started = name, started
        self._fs = float(fs)
        self._comments = [one_line(c) for c in comments if c != OWN]
        self.invalid = -(1 << (fmt - 1))
        self.n_samples = 0
        self._first = np.zeros(len(signals), np.int64)
        self._sum = np.zeros(len(signals), np.int64)
        self._header = folder / f"{name}.hea"
        self._noted_at = self._syncs = 0
        self._closed = False
        with contextlib.ExitStack() as undo:
            self._data = AppendFile(folder / f"{name}.dat")
            undo.callback(self._data.discard)
            self._notes = AppendFile(folder / f"{name}.atr")
            undo.callback(self._notes.discard)
            self._notes.write(b"\0\0")
            self.sync()
            undo.pop_all()

    @property
    def path(self) -> Path:
        """The record's path without extension, as WFDB tools want it."""
        return self._header.with_suffix("")

    def append(self, counts: npt.NDArray[np.integer], valid: npt.NDArray[np.bool_]) -> None:
        """Append samples.

        Parameters
        ----------
        counts : ndarray of int, shape (n_samples, n_signals)
            A valid one below the format's range is written as the nearest count that is not `invalid`;
            one beyond it is written as `invalid`.
        valid : ndarray of bool, same shape
            Where False, `invalid` is written.
        """
        if not len(counts):
            return
        x = counts.astype(np.int64)
        top = -self.invalid
        x = np.where(x == self.invalid, self.invalid + 1, x)
        x = np.where(valid & (np.abs(x) < top), x, self.invalid)
        if not self.n_samples:
            self._first = x[0]
        self._data.write(_pack(x, self._fmt))
        self._sum += x.sum(axis=0)
        self.n_samples += len(x)

    def skip(self, n: int) -> None:
        """Append `n` invalid samples, so that the time axis stays true."""
        while n > 0:
            rows = np.zeros((min(n, _SKIP_ROWS), len(self._signals)), np.int64)
            self.append(rows, rows > 0)
            n -= len(rows)

    def annotate(self, sample: int, text: str) -> None:
        """Add a note at a sample of this record; notes come in order of time."""
        sample = max(sample, self._noted_at)
        body = _note_text(text)
        aux = struct.pack("<BB", len(body), _AUX << 2) + body + b"\0" * (len(body) % 2)
        step = sample - self._noted_at
        note = _word(_QUALITY, step) if step < 1024 else _skip(step) + _word(_QUALITY, 0)
        self._notes.write(note + aux + b"\0\0", back=2)  # the two zeros end the file; the next note goes over them
        self._noted_at = sample

    def redate(self, started: datetime) -> None:
        """Mend the time of the first sample, in the header on disk as well."""
        self._started = started
        self.sync()

    def sync(self) -> None:
        """Bring the header up to date; every tenth time wait for the disk."""
        if self._syncs % _DURABLE_EVERY == 0:
            self._data.durable()
        self._syncs += 1
        replace_file(self._header, self._header_text())

    def close(self) -> None:
        """End the record; a second time does nothing."""
        if self._closed:
            return
        self._closed, self._syncs = True, 0
        try:
            self.sync()
        finally:
            self._data.close()
            self._notes.close()

    def discard(self) -> None:
        """End a record that nothing was written to, and remove its files."""
        self._closed = True
        self._data.discard()
        self._notes.discard()
        with contextlib.suppress(OSError):
            self._header.unlink(missing_ok=True)

    def _header_text(self) -> str:
        t = self._started
        lines = [
            f"{self._name} {len(self._signals)} {self._fs!r} {self.n_samples} {t:%H:%M:%S.%f} {t:%d/%m}/{t.year:04}"
        ]
        for k, s in enumerate(self._signals):
            checksum = int(self._sum[k] + 0x8000) % 0x10000 - 0x8000
            lines.append(
                f"{self._name}.dat {self._fmt} {s.gain!r}({s.baseline})/{one_word(s.unit)} {s.bits} 0 "
                f"{self._first[k]} {checksum} 0 {one_line(s.description)}"
            )
        return "\n".join(lines + [f"# {c}" for c in (OWN, *self._comments)]) + "\n"


def recover_record(header: Path) -> int:
    """Make a record's header count exactly the whole samples its file holds.

    Works on our own records alone; a header that fits is not touched. What is changed is kept as ``NAME.hea.before``.

    Parameters
    ----------
    header : Path
        The ``.hea`` file of a record of `WfdbWriter` that was cut off (power loss, full disk).

    Returns
    -------
    int
        Samples per signal that can be read now.

    Raises
    ------
    RecordingError
        The files are missing, or not of this writer.
    """
    data = header.with_suffix(".dat")
    for file in (header, data):
        if not file.is_file():
            raise RecordingError(f"there is no recording {header}: {file.name} is missing", "give its .hea file")
    with disk_errors(header):
        before = header.read_text("utf-8", "replace")
        lines = before.splitlines()
        size = data.stat().st_size
    _refuse_foreign(header, lines)
    try:
        record = lines[0].split()
        n_signals, width = int(record[1]), int(lines[1].split()[1]) // 8
        record[3] = str(size // (n_signals * width))
        for k in range(n_signals):
            signal = lines[1 + k].split(maxsplit=8)
            signal[6] = str(_checksum(data, k, n_signals, width, int(record[3])))
            lines[1 + k] = " ".join(signal)
    except (IndexError, ValueError, ZeroDivisionError) as e:
        raise RecordingError(f"{header} is no header written by ecg-edge: {e!r}", "give the .hea file of a run") from e
    fresh = "\n".join([" ".join(record), *lines[1:]]) + "\n"
    if fresh != before:
        _keep(header)
        replace_file(header, fresh)
    return int(record[3])


def _refuse_foreign(header: Path, lines: list[str]) -> None:
    """Refuse a header that `WfdbWriter` did not write: its layout may be another."""
    signals = [line.split() for line in lines[1:] if not line.startswith("#")]
    comments = [line.lstrip("# ") for line in lines if line.startswith("#")]
    name = f"{header.stem}.dat"
    before = any(c.startswith("source: ") for c in comments) and any(
        c.startswith(("device: ", "reconstructed leads are estimates")) for c in comments
    )  # records of earlier versions
    ours = OWN in comments or before
    alike = bool(signals) and all(len(s) > 8 and s[0] == name and s[1] in ("16", "24", "32") for s in signals)
    counted = lines[0].split()[1:2] == [str(len(signals))] if lines else False
    if not (ours and alike and counted and len({s[1] for s in signals}) == 1):
        raise RecordingError(
            f"{header} is no header written by ecg-edge: nothing was changed", "give the .hea file of a run"
        )


def _keep(file: Path) -> None:
    """Copy a file beside itself, under a name that is free."""
    k = 1
    while (copy := file.with_name(f"{file.name}.before{k if k > 1 else ''}")).exists():
        k += 1
    with disk_errors(copy):
        copy.write_bytes(file.read_bytes())


def _pack(x: npt.NDArray[np.int64], fmt: int) -> bytes:
    octets = np.ascontiguousarray(x, "<i4").view(np.uint8).reshape(*x.shape, 4)
    return octets[..., : fmt // 8].tobytes()


def _checksum(data: Path, column: int, n_signals: int, width: int, n: int) -> int:
    """Sixteen-bit sum of one signal's samples: only their lower two bytes count."""
    octets = np.memmap(data, np.uint8, "r", shape=(n, n_signals, width)) if n else np.zeros((0, n_signals, width))
    low, high = (int(octets[:, column, k].sum(dtype=np.int64)) for k in (0, 1))
    return (low + (high << 8) + 0x8000) % 0x10000 - 0x8000


def _note_text(text: str) -> bytes:
    """A note holds 255 bytes; a longer one is cut between words, or within one that is longer by itself."""
    width, line = _NOTE_BYTES, one_line(text)
    while len(body := at_words(line, width).encode()) > _NOTE_BYTES:
        width -= 1
    if body.decode() != "…":
        return body
    return line.encode()[: _NOTE_BYTES - len(body)].decode("utf-8", "ignore").encode() + body


def _word(code: int, step: int) -> bytes:
    return struct.pack("<H", code << 10 | step)


def _skip(step: int) -> bytes:
    """A long step: high half first, each half little-endian (the PDP-11's way)."""
    out = b""
    while step > 0:
        part = min(step, 0x7FFFFFFF)
        out += _word(_SKIP, 0) + struct.pack("<HH", part >> 16, part & 0xFFFF)
        step -= part
    return out
