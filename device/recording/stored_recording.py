"""A finished recording: samples, notes and what its header says, for those who make something of it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ecg_edge.firmware_bridge.errors import LeadMismatchError, RecordingError
from ecg_edge.firmware_bridge.lead_names import LEADS, pair_of
from ecg_edge.firmware_bridge.recordings import recording as source
from ecg_edge.firmware_bridge.recordings.open_recording import open_recording
from ecg_edge.firmware_bridge.recordings.recording import UNIT_FIX, Person, Recording, stated_delay
from ecg_edge.firmware_bridge.recordings.resample import resampled_length, values_at
from ecg_edge.firmware_bridge.units import is_other_quantity

_CHUNK_S = 600
_TOP = 2**31
_QUANTITY_FIX = "choose a recording of leads in V, mV, µV or nV"
_UNIT_FIX = f"write V, mV, µV or nV into the file, or {UNIT_FIX}"
_VALUE_LSB = 1e-4
"""Of files that hold values instead of counts: 0.1 µV."""


@dataclass(frozen=True)
class Signal:
    """One column of a recording.

    Attributes
    ----------
    lead, provenance : str
        ``V1`` and ``reconstructed``; provenance is empty where the record does not tell.
    gain, baseline : float, int
        ``value = (count - baseline) / gain``, in mV or `unit`.
    unit : str
        ``mV``, or that of a signal which is no voltage.
    """

    lead: str
    provenance: str
    gain: float
    baseline: int
    unit: str = "mV"


@dataclass(frozen=True)
class Stored:
    """A stretch of a recording, its signals at one rate.

    Attributes
    ----------
    name : str
        Of the record, without folder.
    fs : Fraction
        Rate in Hz.
    started : datetime or None
        Of the recording's first sample; with a time zone where it is known, else local time of an unknown place.
    first : int
        Index of the first row.
    signals : tuple of Signal
        One per column. A lead has several where its provenance changes: each row is valid in one of them at most.
    counts : ndarray of int32, shape (n_samples, n_signals)
        0 where invalid.
    valid : ndarray of bool, same shape
        False where the record holds no sample.
    notes : tuple of (int, str)
        Index on the record's axis, and text.
    comments : tuple of str
        Of the header.
    person : Person
        Of whom it is.
    remarks : tuple of str
        What was assumed when it was read: ``II: uncalibrated: 200 counts/mV assumed``.
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
    person: Person = field(default_factory=Person)
    remarks: tuple[str, ...] = ()

    @property
    def patient(self) -> str:
        """Identifier in the header; empty where there is none."""
        said = next((c.removeprefix("patient: ") for c in self.comments if c.startswith("patient: ")), "")
        return said or self.person.identifier or self.person.name

    @property
    def delay_s(self) -> float | None:
        """Seconds by which its rows are late against the measured record; None where that is not stated."""
        return stated_delay(self.comments, self.notes)

    @property
    def labels(self) -> list[str]:
        """Name of each column: the lead; in a further column of it the provenance too, ``I (reconstructed)``."""
        return [s.lead if self.columns(s.lead)[0] == k else f"{s.lead} ({s.provenance})" if s.provenance else s.lead
                for k, s in enumerate(self.signals)]  # fmt: skip

    @property
    def mv(self) -> npt.NDArray[np.float64]:
        """In mV, NaN where invalid."""
        gain = np.array([s.gain for s in self.signals])
        baseline = np.array([s.baseline for s in self.signals])
        return np.where(self.valid, (self.counts - baseline) / gain, np.nan)

    def rows(self, a: int, b: int) -> Stored:
        """Rows `a` to `b` of this stretch; `first` moves with them."""
        return replace(self, first=self.first + a, counts=self.counts[a:b], valid=self.valid[a:b])

    def columns(self, lead: str) -> list[int]:
        """Columns of a lead, its usual one first."""
        return [k for k, s in enumerate(self.signals) if s.lead == lead]


def voltages(stored: Stored) -> Stored:
    """Return the recording's signals in mV; one in another or an unknown unit is left out, whatever its name.

    Raises
    ------
    RecordingError
        None of the twelve leads that are here is in mV.
    """
    kept = [k for k, s in enumerate(stored.signals) if s.unit == "mV"]
    if len(kept) == len(stored.signals):
        return stored
    leads = [s for s in stored.signals if s.lead in LEADS]
    if leads and all(s.unit != "mV" for s in leads):
        known = is_other_quantity(leads[0].unit)
        raise RecordingError(f"{stored.name}: {no_voltage(leads[0])}", _QUANTITY_FIX if known else _UNIT_FIX)
    signals = tuple(stored.signals[k] for k in kept)
    return replace(stored, signals=signals, counts=stored.counts[:, kept], valid=stored.valid[:, kept])


def no_lead(stored: Stored) -> LeadMismatchError:
    """Return the error of a recording none of whose signals is one of the twelve leads."""
    there = ", ".join(dict.fromkeys(s.lead for s in stored.signals[:12]))
    if all(pair_of(s.lead) for s in stored.signals):
        return LeadMismatchError(
            f"{stored.name} holds {there}, between electrodes that form none of the twelve leads",
            "measure lead I or II as well; ecg-edge reconstruct makes twelve estimates of these channels",
        )
    return LeadMismatchError(
        f"{stored.name} holds none of the twelve leads; it holds {there}",
        "rename the signals in the file after their leads (I, II, V1 …), or play it: ecg-edge replay --leads I,II",
    )


def no_voltage(signal: Signal) -> str:
    """Say why a signal cannot be stated in mV."""
    said = f"is in {signal.unit!r}, which is no unit of voltage" if signal.unit else "is without a unit"
    return f"{signal.lead} {said}"


def record_name(path: str) -> str:
    """A recording's path without the suffixes people give with it."""
    file = Path(path.removeprefix("replay:"))
    return str(file.with_suffix("")) if file.suffix.lower() in _SUFFIXES else str(file)


def command_on(verb: str, record: str, suffix: str) -> str:
    """Return the command that makes a file of a recording; under a free name where the usual one is taken."""
    usual, k = f"{record_name(record)}{suffix}", 2
    free = usual
    while Path(free).exists():
        free, k = f"{record_name(record)}-{k}{suffix}", k + 1
    out = "" if free == usual else f" --out {shlex.quote(free)}"
    return f"ecg-edge {verb} {shlex.quote(record)}{out}"


def same_recording(path: str) -> str:
    """Return how a recording is named in another command: WFDB without a suffix, any other file with its own."""
    file = Path(path.removeprefix("replay:"))
    return str(file.with_suffix("")) if file.suffix.lower() in (".hea", ".dat", ".atr") else str(file)


_SUFFIXES = (
    ".hea",
    ".dat",
    ".atr",
    ".mat",
    ".edf",
    ".bdf",
    ".csv",
    ".tsv",
    ".txt",
    ".dcm",
    ".xml",
    ".json",
    ".npz",
    ".parquet",
)


def length(path: str, fs: Fraction | None = None, unit: str = "") -> tuple[Fraction, int]:
    """Rate in Hz of a recording's leads, and their number of samples at it; `fs` is that of a file that states none."""
    recording = open_recording(path.removeprefix("replay:"), fs, unit)
    own = _rate(recording)
    return own, max(resampled_length(s.length, s.fs, own) for s in recording.signals)


def read_stored(
    path: str, start: int = 0, stop: int | None = None, fs: Fraction | None = None, unit: str = ""
) -> Stored:
    """Read the rows ``[start, stop)`` of a recording, all of it by default, at its leads' rate.

    Leads of another rate are resampled to the highest; other signals of another rate are left out (see `read_groups`).

    Parameters
    ----------
    path : str
        Of any format that `open_recording` reads.
    start, stop : int
        Rows.
    fs : Fraction, optional
        Rate in Hz of a file that states none.
    unit : str
        Of a file that states none.

    Raises
    ------
    MissingExtraError
        The format's package is not installed.
    RecordingError
        Missing, unreadable, or nothing in that stretch.
    """
    recording = open_recording(path.removeprefix("replay:"), fs, unit)
    recording.leads()  # refuses a lead that is there twice
    rate = _rate(recording)
    columns = [k for k, s in enumerate(recording.signals) if s.fs == rate or s.lead.lead]
    return _used(_stored(recording, columns, rate, start, stop))


def read_groups(path: str, fs: Fraction | None = None, unit: str = "") -> tuple[Stored, ...]:
    """Read a whole recording, the signals of each rate as one `Stored`; the leads' rate first."""
    recording = open_recording(path.removeprefix("replay:"), fs, unit)
    recording.leads()  # refuses a lead that is there twice
    first = _rate(recording)
    rates = [first, *dict.fromkeys(s.fs for s in recording.signals if s.fs != first)]
    groups = ([k for k, s in enumerate(recording.signals) if s.fs == rate] for rate in rates)
    return tuple(
        _used(_stored(recording, columns, rate, 0, None))
        for columns, rate in zip(groups, rates, strict=True)
        if columns
    )


def _rate(recording: Recording) -> Fraction:
    return max([s.fs for s in recording.signals if s.lead.lead] or [s.fs for s in recording.signals])


def _stored(recording: Recording, columns: Sequence[int], fs: Fraction, start: int, stop: int | None) -> Stored:
    picked = [recording.signals[k] for k in columns]
    n = max(resampled_length(s.length, s.fs, fs) for s in picked)
    stop = n if stop is None else min(n, stop)
    if not 0 <= start < stop:
        raise RecordingError(f"{recording.name} has {n} samples, none from {start} to {stop}", "choose a stretch of it")
    signals = tuple(_signal(s) for s in picked)
    counts = np.zeros((stop - start, len(signals)), np.int32)
    valid = np.zeros(counts.shape, np.bool_)
    step = max(1, round(_CHUNK_S * fs))
    for at in range(start, stop, step):
        rows = slice(at - start, min(at + step, stop) - start)
        for j, (k, s, out) in enumerate(zip(columns, picked, signals, strict=True)):
            x = values_at(recording, k, fs, at, min(at + step, stop)) * _scale(s)
            scaled = np.rint(x * out.gain + out.baseline)
            valid[rows, j] = np.abs(scaled) < _TOP  # also false for NaN
            counts[rows, j] = np.where(valid[rows, j], scaled, 0)
    notes = tuple((round(at * fs), text) for at, text in recording.notes)
    return Stored(
        recording.name, fs, recording.started_utc or recording.started, start, signals,
        np.where(valid, counts, 0).astype(np.int32), valid, notes, recording.comments, recording.person,
        recording.assumed,
    )  # fmt: skip


def _used(stored: Stored) -> Stored:
    """Leave out further columns of a lead in which nothing is valid: no electrode was off."""
    seen: set[str] = set()
    kept = []
    for k, s in enumerate(stored.signals):
        if s.lead not in seen or not s.provenance or stored.valid[:, k].any():
            kept.append(k)
        seen.add(s.lead)
    if len(kept) == len(stored.signals):
        return stored
    signals = tuple(stored.signals[k] for k in kept)
    return replace(stored, signals=signals, counts=stored.counts[:, kept], valid=stored.valid[:, kept])


def _scale(s: source.Signal) -> float:
    """From a signal's unit to what is stored: mV, the right way up, or the unit itself."""
    return 1.0 if s.mv_per_unit is None else s.mv_per_unit * s.lead.sign


def _signal(s: source.Signal) -> Signal:
    scale = _scale(s)
    unit = "mV" if s.mv_per_unit is not None else s.unit
    if not s.lsb:
        return Signal(s.name, s.provenance, 1 / _VALUE_LSB, 0, unit)
    sign = -1 if scale * s.lsb < 0 else 1
    return Signal(s.name, s.provenance, sign / (s.lsb * scale), sign * round(s.zero), unit)
