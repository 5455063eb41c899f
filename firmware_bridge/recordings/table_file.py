"""Tables of samples in text (CSV, TSV, TXT) of any program: what the columns are, their units and their rate.

Exports of Apple Health, Polar Sensor Logger, Movesense, PhysioNet's rdsamp and most logging programs are such tables.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta, timezone
from fractions import Fraction
from pathlib import Path

import numpy as np

from ecg_edge.firmware_bridge.array_types import BoolArray, FloatArray
from ecg_edge.firmware_bridge.errors import RateUnknownError, RecordingError
from ecg_edge.firmware_bridge.lead_names import PROVENANCE, read_label
from ecg_edge.firmware_bridge.recordings.recording import Person, Recording, Signal
from ecg_edge.firmware_bridge.recordings.table_text import Table, read_table
from ecg_edge.firmware_bridge.recordings.text import (
    calendar_date,
    clock_time,
    date_orders,
    moment,
    rate,
    rate_of,
    start,
)
from ecg_edge.firmware_bridge.recordings.values.claims import contradictions
from ecg_edge.firmware_bridge.recordings.values.plain_facts import STARTED, note_of, person_of
from ecg_edge.firmware_bridge.recordings.values.sentinels import mark_missing
from ecg_edge.firmware_bridge.recordings.values.silent_units import names_lead, silent_unit
from ecg_edge.firmware_bridge.units import mv_per, split_unit

_TIMES = {"s": 1.0, "sec": 1.0, "secs": 1.0, "second": 1.0, "seconds": 1.0, "ms": 1e-3, "msec": 1e-3, "us": 1e-6,
          "μs": 1e-6, "usec": 1e-6, "ns": 1e-9, "min": 60.0}  # fmt: skip
_TIME = re.compile(
    r"^(.*[\s_])?(time|t|times|timestamp|zeit|zeitstempel|temps|tempo|tiempo|elapsed|seconds|millis|epoch)$"
)
_INDEX = re.compile(
    r"^(|#|n|no|nr|index|idx|row|sample|samples|sample #|sample number|sample index|frame|counter|count)$"
)
_BIRTH = re.compile(r"birth|geburt|naissance|nacimiento|nascita|dob", re.IGNORECASE)
_NAME = re.compile(r"^(name|nom|nombre|nome|patient|patient name)$", re.IGNORECASE)
_ORIGIN = re.compile(rf"\s*\(({'|'.join(PROVENANCE)})\)", re.IGNORECASE)
_EPOCHS_S = (631_152_000.0, 4_102_444_800.0)
"""A clock that stands between them, 1990 and 2100, counts from 1970."""
_JITTER, _OVER, _AROUND, _DOUBT = 0.1, 50, 12, 0.15
_FS_FIX = "give fs=HZ (--fs; reconstruct: --in-fs), or a column of evenly spaced times in s (time [s])"


def open_table(path: Path, fs: Fraction | None = None) -> Recording:
    """Open a table of samples.

    Parameters
    ----------
    path : Path
    fs : Fraction, optional
        Rate in Hz, for a table that states none; it overrules what a table states.

    Raises
    ------
    RecordingError
        It holds no table, a cell is no number, times are uneven, or no rate or unit can be found.
    """
    return _Meaning(path, read_table(path), fs).recording()


def is_clock(head: str) -> bool:
    """Whether a column's head names a time: ``time [ms]``, ``Timestamp``, ``t``."""
    column = _Column(head, "")
    return bool(_TIME.match(column.name.lower())) and not mv_per(column.unit)


class _Column:
    """A column's name and unit, from its own head, a line of units below it, or what stands above the table."""

    def __init__(self, name: str, unit: str) -> None:
        origin = _ORIGIN.search(name)  # no unit, though it stands in brackets: I (reconstructed) [mV]
        name = _ORIGIN.sub("", name, count=1)
        name, _, rest = re.sub(r"\s*[\[({]", "[", name, count=1).partition("[")
        unit = unit or rest.strip(" ])}")
        if not unit:
            name, unit = split_unit(name)
        if not unit and (m := re.fullmatch(r"(.+?)[\s_/]+([A-Za-zµμ]{1,5})", name)) and _is_unit(m[2]):
            name, unit = m[1], m[2]
        self.name = name.strip() + (f" ({origin[1].lower()})" if origin else "")
        self.unit = unit.strip()


def _is_unit(text: str) -> bool:
    return mv_per(text) is not None or _time_unit(text) is not None


def _time_unit(text: str) -> float | None:
    return _TIMES.get(text.strip().lower().replace("µ", "μ"))


class _Meaning:
    """What a table means."""

    def __init__(self, path: Path, table: Table, fs: Fraction | None) -> None:
        self._path, self._table, self._asked = path, table, fs
        self._remarks = list(table.remarks)
        self._columns = self._named()
        self._clock_s = 0.0
        self._counted = ""

    def recording(self) -> Recording:
        """The table as a recording."""
        times = [*self._time_columns(), *self._table.texts]
        ours = [k for k in range(self._table.values.shape[1])
                if k not in times and k not in self._table.texts and not self._is_index(k)]  # fmt: skip
        if not ours:
            raise RecordingError(f"{self._path} has no column of samples", "name the columns: time [s],I [mV],II [mV]")
        fs, rows = self._rate(times)
        x = self._table.values[:, ours]
        if rows is not None:
            x = _spread(x, rows)
        labels = [self._columns[k].name or f"signal {k + 1}" for k in ours]
        x, missing = mark_missing(x, labels)
        self._remarks += missing
        beside = any(names_lead(label) for label in labels)
        signals = tuple(self._signal(k, fs, x[:, j], beside) for j, k in enumerate(ours))
        comments = tuple(
            ": ".join((row[0], ", ".join(row[1:])) if row[1:] else row)
            for row in self._table.above
            if not row[1:] or not (_NAME.match(row[0]) or _BIRTH.search(row[0]) or self._is_fact(*row[:2]))
        )
        started, person = self._started(), self._person()
        return Recording(self._path.stem, "CSV", signals, lambda columns, a, b: x[a:b][:, list(columns)].copy(),
                         started, person, comments, self._notes(), tuple(self._remarks))  # fmt: skip

    def _named(self) -> list[_Column]:
        width, heads = self._table.values.shape[1], self._table.heads
        names, units = [""] * width, [""] * width
        for head in heads:
            if sum(_is_unit(c.strip("[]()")) for c in head) > width / 2:
                units = [c.strip("[]()") for c in head]
            else:
                names = list(head)
        if all(_is_unit(c) for c in names):  # one column under a line that is its unit
            names, units = [""] * width, names
        said = [cell for row in self._table.above for cell in row[1:]]
        lead = next((cell for cell in said if read_label(cell).lead), "")
        unit = next((cell for cell in said if mv_per(cell) is not None), "")
        if width == 1:
            names, units = [names[0] or lead or "ECG"], [units[0] or unit]
        return [_Column(n, u or (unit if read_label(n).lead else "")) for n, u in zip(names, units, strict=True)]

    def _pairs(self) -> list[tuple[str, str]]:
        return [(row[0], ", ".join(row[1:])) for row in self._table.above if len(row) > 1]

    def _is_index(self, k: int) -> bool:
        """A column that counts: named so, or unnamed and rising by one."""
        x = self._table.values[:, k]
        counts = len(x) > 2 and bool((np.diff(x) == 1).all())
        return bool(_INDEX.match(self._columns[k].name.lower())) and counts and len(self._columns) > 1

    def _time_columns(self) -> list[int]:
        return [k for k, c in enumerate(self._columns) if _TIME.match(c.name.lower()) and not mv_per(c.unit)]

    def _rate(self, times: Sequence[int]) -> tuple[Fraction, FloatArray | None]:
        """Rate, and the row of each sample where some are missing between."""
        tries = [self._seconds(k) for k in times]
        if self._asked is not None:
            return self._asked, None
        readable = [t for t in tries if t is not None and len(t) > 1 and np.isfinite(t).all()]
        if readable:
            # Of several clocks the one with the most even steps is the sensor's.
            best = min(readable, key=lambda t: float(np.std(np.diff(t)) / max(1e-12, abs(float(np.mean(np.diff(t)))))))
            self._clock_s = self._begins(times[next(k for k, t in enumerate(tries) if t is best)], best)
            return self._paced(best)
        for _, text in self._pairs():
            m = re.search(r"([\d.,]+)\s*(hz|hertz|sps|samples/s)", text, re.IGNORECASE)
            if m and (fs := rate(m[1])):
                return fs, None
        for key, text in self._pairs():
            if re.search(r"sampl|rate|freq|\bfs\b", key, re.IGNORECASE) and (fs := rate(text)) and fs >= 50:
                return fs, None
        counted = f": its column {self._counted!r} counts rows" if self._counted else ""
        raise RateUnknownError(f"{self._path} does not state its rate{counted}", _FS_FIX)

    def _seconds(self, k: int) -> FloatArray | None:
        """A column of times in seconds from its first."""
        if k in self._table.texts:
            return self._steady(_clocked(self._table.texts[k]), self._table.texts[k][0])
        t = self._table.values[:, k]
        t = t - t[0] if len(t) else t
        if len(t) < 2 or not np.isfinite(t).all():
            return t
        if (factor := _time_unit(self._columns[k].unit)) is not None:
            return np.asarray(t * factor)
        if (np.diff(t) == 1).all() and self._table.values[0, k] in (0, 1):  # it counts the rows, and is no clock
            self._counted = self._columns[k].name
            return None
        step = float(np.median(np.diff(t)))
        for unit in ("s", "ms", "us", "ns"):
            if step > 0 and 50 <= 1 / (step * _TIMES[unit]) <= 5000:
                if unit != "s":
                    self._remarks.append(f"{self._columns[k].name!r} has no unit: {unit} assumed, which makes it "
                                         f"{1 / (step * _TIMES[unit]):.5g} Hz")  # fmt: skip
                return np.asarray(t * _TIMES[unit])
        return t

    def _steady(self, t: FloatArray | None, first: str) -> FloatArray | None:
        """Seconds of a clock without a zone, less the hour by which it was put forward or back."""
        at = moment(first)
        if t is None or len(t) < 3 or (at is not None and at.tzinfo):
            return t
        steps = np.diff(t)
        usual = float(np.median(steps))
        changed = np.abs(np.abs(steps - usual) - 3600) < 1.5 * max(usual, 0.001)
        if not changed.any() or changed.sum() > 2:
            return t
        self._remarks.append("the clock jumps by exactly one hour: summer time, no samples are missing")
        return np.asarray(np.concatenate([[0.0], np.cumsum(np.where(changed, usual, steps))]))

    def _begins(self, k: int, t: FloatArray) -> float:
        """What a column of times in numbers shows in its first row, in seconds."""
        first = float(self._table.values[0, k])
        span = float(self._table.values[-1, k]) - first
        return first * float(t[-1]) / span if span and np.isfinite(first) else 0.0

    def _paced(self, t: FloatArray) -> tuple[Fraction, FloatArray | None]:
        steps = np.diff(t)
        if not (steps > 0).all():
            line = self._table.line + 1 + int(np.argmin(steps > 0))
            raise RateUnknownError(f"{self._path}, line {line}: time does not rise", _FS_FIX)
        usual = float(np.median(steps))
        grain = float(np.min(np.abs(steps - usual), initial=usual, where=steps != usual))
        long = steps > 1.6 * usual + (grain if grain < usual else 0.0)
        missing = None
        if float(np.median(np.abs(steps - usual))) > _JITTER * usual:  # a clock that wavers: only what lasts is a gap
            usual, missing = _lasting(t, long)
            long = missing > 0
            grain = max(grain, usual)
        fs = rate_of_times(
            t if not long.any() else np.concatenate([[0], np.cumsum(steps[~long])]), max(grain, usual / 4)
        )
        if not long.any():
            if np.abs(t * float(fs) - np.arange(len(t))).max() > max(3.0, 0.2 * float(fs)):
                raise RateUnknownError(f"{self._path}: times are not evenly spaced", _FS_FIX)
            return fs, None
        if long.mean() > 0.05:
            raise RateUnknownError(f"{self._path}: times are not evenly spaced", _FS_FIX)
        ahead = np.maximum(1, np.rint(np.where(long, steps * float(fs), 1))) if missing is None else 1 + missing
        if ahead.sum() > 1e9:
            raise RecordingError(f"{self._path} has a gap of {float(steps.max()):.0f} s", "cut it into two recordings")
        gaps = int(long.sum())
        self._remarks.append(
            f"{gaps} gap{'s' * (gaps > 1)} in the times: {int(ahead.sum() - len(steps))} samples missing"
        )
        return fs, np.concatenate([[0], np.cumsum(ahead)])

    def _signal(self, k: int, fs: Fraction, x: FloatArray, beside_leads: bool) -> Signal:
        column = self._columns[k]
        label = column.name or f"signal {k + 1}"
        if not column.unit:
            unit, note = silent_unit(label, x, beside_leads)
            return Signal(label, unit, fs, len(x), note=note)
        return Signal(label, column.unit, fs, len(x))

    def _started(self) -> datetime | None:
        epoch = _EPOCHS_S[0] < self._clock_s < _EPOCHS_S[1]
        ours = next((m for key, text in self._pairs() if key == STARTED and (m := moment(text))), None)
        if ours:  # of the instant that our times count from
            return ours if epoch else ours + timedelta(seconds=self._clock_s)
        said = [[text] for key, text in self._pairs() if not self._is_fact(key, text)]
        said += [[t[0], t[-1]] for t in self._table.texts.values()]
        found = [(texts[0], *start(texts)) for texts in said if ":" in texts[0] or re.match(r"\d{14}(\.|$)", texts[0])]
        self._remarks += dict.fromkeys(remark for _, _, remark in found if remark)
        stated = next((at for text, at, _ in found if at and _tells_time(text, at)), None)
        return stated or (datetime.fromtimestamp(self._clock_s, timezone.utc) if epoch else None)

    def _notes(self) -> tuple[tuple[Fraction, str], ...]:
        """Notes above our own tables, from the first row on."""
        first = Fraction(self._clock_s).limit_denominator(10**6)
        found = [note for key, text in self._pairs() if (note := note_of(key, text))]
        return tuple(sorted((at - first, text) for at, text in found if at >= first))

    def _is_fact(self, key: str, text: str) -> bool:
        return key == STARTED or note_of(key, text) is not None

    def _person(self) -> Person:
        name = next((text for key, text in self._pairs() if _NAME.match(key) and key != "patient"), "")
        born = next((text for key, text in self._pairs() if _BIRTH.search(key)), "")
        days = list(dict.fromkeys(day.date() for order in date_orders([born]) if (day := moment(born, order))))
        if len(days) > 1:
            self._remarks.append(f"day of birth left out: {born!r} may be {' or '.join(map(str, days))}")
        self._remarks += contradictions([f"{key}: {text}" for key, text in self._pairs()])
        known = Person("", name, "", _day(born) or (days[0] if len(days) == 1 else None))
        return person_of(self._pairs(), known)


def _tells_time(text: str, found: datetime) -> bool:
    """Whether a midnight is written, and not what stands for a time that is missing or cannot be read."""
    return found.time() != time() or any(clock_time(w[:8]) for w in text.replace("T", " ").split() if ":" in w)


def _day(text: str) -> date | None:
    """``1. Jan 1980`` and ``Jan 1, 1980``."""
    words = re.findall(r"[A-Za-z]+|\d+", text)
    return calendar_date("-".join(words)) if len(words) == 3 and any(map(str.isalpha, words)) else None


def _lasting(t: FloatArray, long: BoolArray) -> tuple[float, FloatArray]:
    """Period of a wavering clock, and by how many samples each long step sets it ahead of those around it."""
    over = min(_OVER, len(t) - 1)
    period = float(np.median(t[over:] - t[:-over])) / over
    ahead = t / period - np.arange(len(t))
    missing = np.zeros(len(long))
    for k in np.flatnonzero(long).tolist():
        before, after = ahead[max(0, k + 1 - _AROUND) : k + 1], ahead[k + 1 : k + 1 + _AROUND]
        missing[k] = max(0.0, float(np.rint(np.median(after) - np.median(before) - _DOUBT)))
    return period, missing


def rate_of_times(t: FloatArray, grain: float) -> Fraction:
    """The roundest rate that fits times in seconds to within their grain."""
    n, span = len(t) - 1, float(t[-1] - t[0])
    exact = n / span
    for denominator in (1, 2, 10, 100):
        near = Fraction(round(exact * denominator), denominator)
        if near > 0 and abs(n / float(near) - span) <= grain:
            return near
    return rate_of(exact)


def _spread(x: FloatArray, rows: FloatArray) -> FloatArray:
    """Put samples on their rows; NaN between."""
    out = np.full((int(rows[-1]) + 1, x.shape[1]), np.nan)
    out[rows.astype(np.int64)] = x
    return out


def _clocked(cells: Sequence[str]) -> FloatArray | None:
    """Seconds from the first of cells such as ``0:00.004`` or ``2024-03-05T10:00:00.004``; None if one is neither."""
    if orders := date_orders([cells[0], cells[-1]]):
        days = [moment(c, orders[0]) for c in cells]
        return None if None in days else np.array([(d - days[0]).total_seconds() for d in days])  # type: ignore[operator]
    times = [clock_time(c) for c in cells]
    if any(t is None for t in times):
        return None
    seconds = [later * 86400 + t.hour * 3600 + t.minute * 60 + t.second + t.microsecond / 1e6 for t, later in times]  # type: ignore[misc]
    return np.array(seconds) - seconds[0]
