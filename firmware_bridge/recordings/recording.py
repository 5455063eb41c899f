"""One recording, whatever file it lies in: its signals, when and of whom it was taken, and its samples."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timezone
from fractions import Fraction

import numpy as np

from ecg_edge.firmware_bridge.array_types import FloatArray
from ecg_edge.firmware_bridge.errors import RecordingError
from ecg_edge.firmware_bridge.lead_names import LeadLabel, known_channels, read_labels
from ecg_edge.firmware_bridge.recordings.values.claims import contradictions, obeyed
from ecg_edge.firmware_bridge.units import UNSTATED, is_other_quantity, mv_per

MAX_SIGNALS = 1024
MIN_ECG_FS = 50
"""Hz below which there is no ECG to work with."""
MIN_FS, MAX_FS = Fraction(1, 1000), 10_000_000


@dataclass(frozen=True)
class Signal:
    """One signal of a recording.

    Attributes
    ----------
    label : str
        As the file writes it.
    unit : str
        As the file writes it; empty where it states none.
    fs : Fraction
        Rate in Hz.
    length : int
        Number of samples.
    lsb, zero : float
        ``value = (count - zero) * lsb`` in `unit`, where the file holds counts; `lsb` is 0 where it holds values.
    bits : int
        Width of the words the counts are stored in: the rails. 0 where there are none.
    lead : LeadLabel
        What the label names; `Recording` fills it in.
    provenance : str
        ``measured``, ``derived``, ``reconstructed``, or empty where the file does not say.
    note : str
        What was assumed: ``uncalibrated: 200 counts/mV assumed``.
    """

    label: str
    unit: str
    fs: Fraction
    length: int
    lsb: float = 0.0
    zero: float = 0.0
    bits: int = 0
    lead: LeadLabel = field(default_factory=LeadLabel)
    provenance: str = ""
    note: str = ""

    @property
    def mv_per_unit(self) -> float | None:
        """Millivolts in one `unit`; None where the signal is no voltage."""
        return mv_per(self.unit)

    @property
    def name(self) -> str:
        """The lead, or the label where it names none."""
        return self.lead.lead or self.label


@dataclass(frozen=True)
class Person:
    """Of whom a recording was taken; every field is empty or None where the file does not say it.

    Attributes
    ----------
    identifier, name : str
        Letter by letter.
    sex : str
        ``male``, ``female``, or as the file writes it.
    birth : date or None
    age : str
        As the file writes it: ``60``, ``60Y``.
    """

    identifier: str = ""
    name: str = ""
    sex: str = ""
    birth: date | None = None
    age: str = ""


Read = Callable[[Sequence[int], int, int], FloatArray]
"""Reads rows ``[start, stop)`` of some signals of one rate, in their units, NaN where there is no sample."""


UNIT_FIX = "give the unit, or what one count is: unit=0.38uV (--unit 0.38uV)"
DELAY = "delay_s: "
"""Begins the comment, or the note at the start, that states a delay."""


def stated_delay(comments: Sequence[str], notes: Sequence[tuple[object, str]] = ()) -> float | None:
    """Seconds by which the rows of a recording are late, as its comments or notes state; None where they do not."""
    for text in (*comments, *(text for _, text in notes)):
        if text.startswith(DELAY):
            with contextlib.suppress(ValueError):
                return float(text.removeprefix(DELAY))
    return None


@dataclass(frozen=True)
class Recording:
    """A recording, opened; its samples are read when they are asked for.

    Attributes
    ----------
    name : str
        Of the record or file, without folder and suffix.
    source : str
        Format of the file: ``WFDB``, ``EDF+D``, ``DICOM`` …
    signals : tuple of Signal
        At least one.
    reader : callable
        See `Read`; use `values` and `mv`.
    started : datetime or None
        Of the first sample. With a time zone where the file states one, else local time of an unknown place.
    person : Person
    comments : tuple of str
        Free text of the file.
    notes : tuple of (Fraction, str)
        Seconds from the start, and text.
    remarks : tuple of str
        What is not as it should be and was read all the same: ``cut short: …``.
    """

    name: str
    source: str
    signals: tuple[Signal, ...]
    reader: Read
    started: datetime | None = None
    person: Person = field(default_factory=Person)
    comments: tuple[str, ...] = ()
    notes: tuple[tuple[Fraction, str], ...] = ()
    remarks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.signals:
            raise RecordingError(f"{self.name} holds no signals", "choose a recording with ECG leads")
        if len(self.signals) > MAX_SIGNALS:
            raise RecordingError(f"{self.name} claims {len(self.signals)} signals", "check the file")
        for s in self.signals:
            if not MIN_FS <= s.fs <= MAX_FS:
                raise RecordingError(f"{self.name}: {s.label!r} claims {float(s.fs):g} Hz", "check the file's header")
        leads = read_labels([s.label for s in self.signals])
        leads = tuple(self._placed(lead) for lead in leads)
        left = [
            (s, lead) for s, lead in zip(self.signals, leads, strict=True) if lead.lead and is_other_quantity(s.unit)
        ]
        leads = tuple(LeadLabel(interval=x.interval) if is_other_quantity(s.unit) else x
                      for s, x in zip(self.signals, leads, strict=True))  # fmt: skip
        said = tuple(f"{s.label}: in {s.unit}, which is no voltage: not taken for lead {x.lead}" for s, x in left)
        own = [s.provenance or lead.provenance for s, lead in zip(self.signals, leads, strict=True)]
        origins, against = obeyed(leads, own, self.comments)
        object.__setattr__(
            self, "remarks", tuple(dict.fromkeys([*self.remarks, *said, *against, *contradictions(self.comments)]))
        )
        named = (replace(s, lead=lead, provenance=p) for s, lead, p in zip(self.signals, leads, origins, strict=True))
        object.__setattr__(self, "signals", tuple(named))

    def _placed(self, label: LeadLabel) -> LeadLabel:
        """Read a pair of electrodes as a channel where its order is known: in WFDB, and where we wrote the label."""
        ours = self.source == "WFDB" or bool(label.provenance)
        name = "-".join(label.pair)
        return replace(label, lead=name) if ours and known_channels([name]) else label

    @property
    def assumed(self) -> tuple[str, ...]:
        """What every verb reports, each once: `remarks`, and what was assumed of single signals."""
        return tuple(dict.fromkeys([*self.remarks, *(f"{s.name}: {s.note}" for s in self.signals if s.note)]))

    @property
    def seconds(self) -> Fraction:
        """Length of the longest signal."""
        return max(s.length / s.fs for s in self.signals)

    @property
    def started_utc(self) -> datetime | None:
        """Start in UTC, where the zone is known."""
        return None if self.started is None or self.started.tzinfo is None else self.started.astimezone(timezone.utc)

    @property
    def delay_s(self) -> float | None:
        """Seconds by which its rows are late against the measured record; None where the file does not state it."""
        return stated_delay(self.comments, self.notes)

    def one_rate(self, columns: Sequence[int]) -> Fraction:
        """Return the rate of these signals.

        Raises
        ------
        RecordingError
            They have different rates: all are named.
        """
        rates: dict[Fraction, list[str]] = {}
        for k in columns:
            rates.setdefault(self.signals[k].fs, []).append(self.signals[k].name)
        if len(rates) > 1:
            said = "; ".join(f"{', '.join(names)} at {float(fs):g} Hz" for fs, names in rates.items())
            raise RecordingError(f"{self.name} has signals at different rates: {said}", "choose leads of one rate")
        return next(iter(rates))

    def values(self, columns: Sequence[int], start: int = 0, stop: int | None = None) -> FloatArray:
        """Read rows of some signals in their own units.

        Parameters
        ----------
        columns : sequence of int
            Signals of one rate.
        start, stop : int
            Rows; to the end by default.

        Returns
        -------
        ndarray of float64, shape (n_samples, n_columns)
            NaN where the recording holds no sample.

        Raises
        ------
        RecordingError
            The signals have different rates, or the file cannot be read.
        """
        self.one_rate(columns)
        end = max(self.signals[k].length for k in columns)
        stop = end if stop is None else min(stop, end)
        if not 0 <= start < stop:
            raise RecordingError(f"{self.name} has {end} samples, none from {start} to {stop}", "choose a part of it")
        x = self.reader(columns, start, stop)
        x[~np.isfinite(x)] = np.nan
        return x

    def mv(self, columns: Sequence[int], start: int = 0, stop: int | None = None) -> FloatArray:
        """Read rows of some leads in mV, the right way up; like `values`.

        Raises
        ------
        RecordingError
            Also: a signal is no voltage.
        """
        scale = [self.scale(k) for k in columns]
        return np.asarray(self.values(columns, start, stop) * np.array(scale))

    def scale(self, column: int) -> float:
        """Millivolts in one unit of a signal, negative where its label says that it is upside down.

        Raises
        ------
        RecordingError
            The signal is no voltage, by its unit.
        """
        s = self.signals[column]
        if s.mv_per_unit is None:
            said = f"in {s.unit!r}, which is no unit of voltage" if s.unit else "without a unit"
            given = "" if is_other_quantity(s.unit) else f", or {UNIT_FIX}"
            fix = f"choose leads in V, mV, µV or nV{given}"
            raise RecordingError(f"{self.name}: {s.label!r} is {said}", fix)
        return s.mv_per_unit * s.lead.sign

    def column(self, name: str) -> int | None:
        """Column of a lead or label in any case, or None; a label that is written so goes before a lead.

        Raises
        ------
        RecordingError
            Two signals have that name.
        """
        plain = name.strip().lower()
        labelled = [k for k, s in enumerate(self.signals) if s.label.strip().lower() == plain]
        found = labelled or [k for k, s in enumerate(self.signals) if s.lead.lead.lower() == plain]
        if len(found) > 1:
            raise self._twice(name, found[0], found[1])
        return found[0] if found else None

    def _twice(self, name: str, a: int, b: int) -> RecordingError:
        return RecordingError(
            f"{self.name} holds {name} twice: signals {a + 1} and {b + 1}",
            "remove one, or rename it; run and replay name all channels by --leads",
        )

    def leads(self) -> dict[str, int]:
        """Column of every one of the twelve leads that is here and is no estimate.

        Raises
        ------
        RecordingError
            A lead is here twice with the same provenance; where one is measured and one derived, the first is taken.
        """
        found: dict[str, int] = {}
        for provenance in ("measured", "derived", ""):
            here = {s.lead.lead: k for k, s in reversed(list(enumerate(self.signals))) if s.provenance == provenance}
            found = {lead: k for lead, k in here.items() if lead} | found
        seen: dict[tuple[str, str], int] = {}
        for k, s in enumerate(self.signals):
            if s.lead.lead and (first := seen.setdefault((s.lead.lead, s.provenance), k)) != k:
                raise self._twice(s.name, first, k)
        return found

    def with_unit(self, unit: str) -> Recording:
        """Return the recording with a unit for the signals that state none, or one unknown; see `mv_per`.

        A unit with a number is what one count of the file is, whatever gain the file states.

        Raises
        ------
        RecordingError
            It is no unit of voltage.
        """
        if mv_per(unit) is None:
            raise RecordingError(f"{unit!r} is no unit of voltage", "give mV, uV, V, or what a count is: 0.38uV")
        silent = [
            s.unit != UNSTATED
            and (s.note.startswith("no unit") or (s.mv_per_unit is None and not is_other_quantity(s.unit)))
            for s in self.signals
        ]
        counted = unit.strip()[:1].isdigit()
        silent = [
            q or (counted and s.note.startswith("uncalibrated")) for q, s in zip(silent, self.signals, strict=True)
        ]
        unused = [] if any(silent) else [f"unit {unit} as given not used: the file states its units"]
        per_count = np.array(
            [1 / s.lsb if counted and q and s.lsb else 1.0 for q, s in zip(silent, self.signals, strict=True)]
        )
        signals = tuple(
            replace(s, unit=unit, lsb=s.lsb * n, note=f"no unit: {unit} as given") if quiet else s
            for s, quiet, n in zip(self.signals, silent, per_count.tolist(), strict=True)
        )
        return replace(
            self,
            signals=signals,
            remarks=(*self.remarks, *unused),
            reader=lambda columns, start, stop: self.reader(columns, start, stop) * per_count[list(columns)],
        )

    def measured(self) -> Recording:
        """Return the recording without the signals that it calls estimates or algebra; nothing of it is changed.

        Raises
        ------
        RecordingError
            Nothing remains.
        """
        kept = [k for k, s in enumerate(self.signals) if s.provenance in ("measured", "") and not s.lead.interval]
        if len(kept) == len(self.signals):
            return self
        if not kept:
            raise RecordingError(
                f"{self.name} holds no measured lead", "choose the record beside it that ends in _measured"
            )
        left = ", ".join(dict.fromkeys(s.name for k, s in enumerate(self.signals) if k not in kept))
        return replace(
            self,
            signals=tuple(self.signals[k] for k in kept),
            reader=lambda columns, start, stop: self.reader([kept[k] for k in columns], start, stop),
            remarks=(*self.remarks, f"left out, for they are not measured: {left}"),
        )
