"""A finished recording: samples, notes and what its header says, for those who make something of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ecg_edge.device.recording.wfdb_reader import import_wfdb, read
from ecg_edge.firmware_bridge.errors import RecordingError

_CHUNK_S = 600


@dataclass(frozen=True)
class Signal:
    """One column of a recording.

    Attributes
    ----------
    lead, provenance : str
        ``V1`` and ``reconstructed``; provenance is empty where the record does not tell.
    gain, baseline : float, int
        ``mV = (count - baseline) / gain``.
    """

    lead: str
    provenance: str
    gain: float
    baseline: int


@dataclass(frozen=True)
class Stored:
    """A stretch of a WFDB record.

    Attributes
    ----------
    name : str
        Of the record, without folder.
    fs : Fraction
        Rate in Hz.
    started : datetime or None
        Of the record's first sample, in UTC, without zone.
    first : int
        Index of the first row.
    signals : tuple of Signal
        One per column.
    counts : ndarray of int32, shape (n_samples, n_signals)
        0 where invalid.
    valid : ndarray of bool, same shape
        False where the record holds no sample.
    notes : tuple of (int, str)
        Index on the record's axis, and text.
    comments : tuple of str
        Of the header.
    """

    name: str
    fs: Fraction
    started: datetime | None
    first: int
    signals: tuple[Signal, ...]
    counts: npt.NDArray[np.int32]
    valid: npt.NDArray[np.bool_]
    notes: tuple[tuple[int, str], ...]
    comments: tuple[str, ...]

    @property
    def patient(self) -> str:
        """Identifier in the header; empty where there is none."""
        return next((c.removeprefix("patient: ") for c in self.comments if c.startswith("patient: ")), "")

    @property
    def mv(self) -> npt.NDArray[np.float64]:
        """In mV, NaN where invalid."""
        gain = np.array([s.gain for s in self.signals])
        baseline = np.array([s.baseline for s in self.signals])
        return np.where(self.valid, (self.counts - baseline) / gain, np.nan)


def record_name(path: str) -> str:
    """A record's path without the suffixes people give with it."""
    return path.removeprefix("replay:").removesuffix(".hea").removesuffix(".dat").removesuffix(".atr")


def length(path: str) -> tuple[Fraction, int]:
    """Rate in Hz and number of samples of a record."""
    header = _header(record_name(path))
    return Fraction(header.fs).limit_denominator(100_000), int(header.sig_len)


def read_stored(path: str, start: int = 0, stop: int | None = None) -> Stored:
    """Read the rows ``[start, stop)`` of a record, all of it by default.

    Raises
    ------
    MissingExtraError
        The package wfdb is not installed.
    RecordingError
        Missing, unreadable, or nothing in that stretch.
    """
    name = record_name(path)
    wfdb, header = import_wfdb(), _header(name)
    stop = min(header.sig_len, header.sig_len if stop is None else stop)
    if not 0 <= start < stop:
        raise RecordingError(
            f"{name} has {header.sig_len} samples, none from {start} to {stop}", "choose a stretch of it"
        )
    parts = []
    step = max(1, round(_CHUNK_S * header.fs))
    gain, baseline = np.array(header.adc_gain, float), np.array(header.baseline)
    for at in range(start, stop, step):
        physical = read(wfdb, name, at, min(at + step, stop)).p_signal
        valid = np.isfinite(physical)
        parts.append((np.rint(np.where(valid, physical, 0.0) * gain + baseline).astype(np.int32), valid))
    counts, valid = (np.concatenate(x) for x in zip(*parts, strict=True))
    signals = tuple(
        Signal(*_said(label), float(g), int(b)) for label, g, b in zip(header.sig_name, gain, baseline, strict=True)
    )
    return Stored(
        Path(name).name, Fraction(header.fs).limit_denominator(100_000), header.base_datetime, start, signals,
        np.where(valid, counts, 0).astype(np.int32), valid, _notes(wfdb, name), tuple(header.comments),
    )  # fmt: skip


def _header(name: str) -> Any:
    if not Path(name + ".hea").is_file():
        raise RecordingError(f"there is no record {name!r}: {name}.hea is missing", "give the path of a WFDB header")
    header: Any = read(import_wfdb(), name)
    if not header.n_sig or not header.fs or not header.sig_len:
        raise RecordingError(f"record {name} holds no signals", "choose a record with ECG leads")
    return header


def _said(label: str) -> tuple[str, str]:
    """``V1 (reconstructed)`` as lead and provenance."""
    lead, _, rest = label.partition(" (")
    return lead.strip(), rest.removesuffix(")")


def _notes(wfdb: Any, name: str) -> tuple[tuple[int, str], ...]:
    if not Path(name + ".atr").is_file():
        return ()
    try:
        read_notes = wfdb.rdann(name, "atr")
    except (OSError, ValueError, IndexError, KeyError):
        return ()  # a killed process may leave a note half written; the samples matter more
    pairs = zip(read_notes.sample.tolist(), read_notes.aux_note, strict=True)
    return tuple((int(s), str(text).rstrip("\0")) for s, text in pairs if str(text).strip("\0 "))
