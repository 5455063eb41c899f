"""WFDB headers, read leniently: header(5) of the WFDB Applications Guide (G. B. Moody, physionet.org).

What the guide lets out may be out. What strangers' programs write is read where its meaning is plain: dates before
times, two-digit years, a folder or a suffix in the record's name. The rest is refused by line and field.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path

from ecg_edge.firmware_bridge.errors import RecordingError
from ecg_edge.firmware_bridge.recordings.recording import MAX_FS, MAX_SIGNALS, MIN_FS
from ecg_edge.firmware_bridge.recordings.text import calendar_date, clock_time, decode, rate, read_bytes, whole_day
from ecg_edge.firmware_bridge.recordings.values.silent_units import NO_VOLTAGE, is_no_voltage
from ecg_edge.firmware_bridge.units import UNSTATED

_MAX_BYTES = 16_000_000
_MAX_PER_FRAME = 65_536
_DEFAULT_FS = Fraction(250)
DEFAULT_GAIN = 200.0
"""Counts per mV of a signal that states none."""
_UNCALIBRATED = f"uncalibrated: {DEFAULT_GAIN:g} counts/mV assumed"


@dataclass(frozen=True)
class SignalLine:
    """One signal as its line describes it; see header(5)."""

    file: str
    fmt: int
    per_frame: int
    skew: int
    offset: int
    gain: float
    baseline: int
    unit: str
    initial: int
    label: str
    note: str


@dataclass(frozen=True)
class Segment:
    """One segment of a multi-segment record: ``~`` where there is none; length in frames."""

    name: str
    length: int


@dataclass(frozen=True)
class Header:
    """A header as read.

    Attributes
    ----------
    path : Path
    fs : Fraction
        Frames per second.
    length : int or None
        Frames; None where it is not stated.
    started : datetime or None
        As written, without zone.
    signals : tuple of SignalLine
    segments : tuple of Segment
        Empty for a plain record.
    comments : tuple of str
        Without the leading ``#``.
    remarks : tuple of str
        What was read although it is not as the guide says.
    """

    path: Path
    fs: Fraction
    length: int | None
    started: datetime | None
    signals: tuple[SignalLine, ...]
    segments: tuple[Segment, ...]
    comments: tuple[str, ...]
    remarks: tuple[str, ...]


def read_header(path: Path) -> Header:
    """Read a ``.hea`` file.

    Raises
    ------
    RecordingError
        Missing, or a field makes no sense: file, line and field are named.
    """
    rows, comments = [], []
    for k, line in enumerate(decode(read_bytes(path, _MAX_BYTES)).splitlines(), 1):
        if line.lstrip().startswith("#"):
            comments.append(line.lstrip()[1:].strip())
        elif line.strip():
            rows.append((k, line.strip()))
    if not rows:
        raise RecordingError(f"{path} is empty", "restore the header; the samples cannot be read without it")
    at, first = rows[0]
    words = first.split()
    name, _, segments = words[0].partition("/") if re.fullmatch(r"[^/]+/\d+", words[0]) else (words[0], "", "")
    remarks = [f"the header is of record {name}"] if name.split("/")[-1].split(".")[0] != path.stem else []
    n = _whole(path, at, "number of signals", words[1] if len(words) > 1 else "", 1, MAX_SIGNALS)
    fs = _frequency(path, at, words[2]) if len(words) > 2 else _DEFAULT_FS
    length = None
    rest = words[3:]
    if rest and re.fullmatch(r"\d+", rest[0]):
        length = _whole(path, at, "number of samples", rest.pop(0), 0, 2**62) or None
    started, said = _started(rest)
    remarks += said
    if rest and started is None:
        comments.append(f"first line as written: {' '.join(rest)[:80]}")
    body = rows[1:]
    if segments:
        parts = tuple(_segment(path, *row) for row in body[: int(segments) if len(segments) < 8 else 0])
        if not parts or len(parts) != int(segments):
            raise RecordingError(
                f"{path} announces {segments} segments and lists {len(body)}", "restore the header's lines"
            )
        return Header(path, fs, length, started, (), parts, tuple(comments), tuple(remarks))
    if len(body) < n:
        raise RecordingError(f"{path} announces {n} signals and describes {len(body)}", "restore the header's lines")
    lines = tuple(_signal(path, *row, k) for k, row in enumerate(body[:n], 1))
    return Header(path, fs, length, started, lines, (), tuple(comments), tuple(remarks))


def _bad(path: Path, line: int, field: str, text: str, fix: str) -> RecordingError:
    return RecordingError(f"{path}, line {line}: {field} {text[:40]!r} makes no sense", fix)


def _whole(path: Path, line: int, field: str, text: str, low: int, high: int) -> int:
    if not re.fullmatch(r"[+-]?\d{1,19}", text) or not low <= int(text) <= high:
        raise _bad(path, line, field, text, f"write a whole number from {low} to {high}")
    return int(text)


def _frequency(path: Path, line: int, text: str) -> Fraction:
    """``360``, ``511.422`` or ``500/1000(0)``: the counter frequency behind the stroke is of no use here."""
    fs = rate(re.split(r"[/(]", text)[0])
    if fs is None or not MIN_FS <= fs <= MAX_FS:
        raise _bad(path, line, "sampling frequency", text, "write a number of Hz")
    return fs


def _started(words: list[str]) -> tuple[datetime | None, list[str]]:
    """Base time and date in either order; one without the other tells no start."""
    words = whole_day(" ".join(words)).split()
    days = [(w, d) for w in words if (d := calendar_date(w))]
    times = [t for w in words if not calendar_date(w) and (t := clock_time(w))]
    remarks = [f"date {w!r} read as {d}" for w, d in days if re.search(r"[-/.]\d{1,2}$", w)]
    left = [w for w in words if not calendar_date(w) and not clock_time(w)]
    if left:
        remarks.append(f"of the header's first line not understood: {' '.join(left)[:80]!r}")
    if not days or not times:  # midnight would be as good as any other time
        return None, remarks
    at, later = times[0]
    try:
        return datetime.combine(days[0][1], at) + timedelta(days=later), remarks
    except OverflowError:
        return None, remarks


def _segment(path: Path, line: int, text: str) -> Segment:
    words = text.split()
    length = _whole(path, line, "length of a segment", words[1] if len(words) > 1 else "", 0, 2**62)
    return Segment(words[0], length)


_FORMAT = re.compile(r"(?P<fmt>\d{1,4})(?:x(?P<per>\d+))?(?::(?P<skew>\d+))?(?:\+(?P<offset>\d+))?")
_GAIN = re.compile(
    r"(?P<gain>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?)?(?:\((?P<base>[-+]?\d+)\))?(?:/(?P<unit>\S+))?"
)


def _signal(path: Path, line: int, text: str, k: int) -> SignalLine:
    words = text.split(maxsplit=8)
    found = _FORMAT.fullmatch(words[1]) if len(words) > 1 else None
    if not found:
        fix = "write file, format and gain: r.dat 16 1000/mV …"
        raise _bad(path, line, "format", words[1] if len(words) > 1 else "", fix)
    per = _whole(path, line, "samples per frame", found["per"] or "1", 1, _MAX_PER_FRAME)
    skew = _whole(path, line, "skew", found["skew"] or "0", 0, 2**40)
    offset = _whole(path, line, "byte offset", found["offset"] or "0", 0, 2**40)
    rest = words[2:]
    scale = _GAIN.fullmatch(rest.pop(0)) if rest else _GAIN.fullmatch("")
    if not scale:
        raise _bad(path, line, "gain", words[2], "write counts per unit, for example 1000(0)/mV")
    numbers: list[int] = []
    while rest and len(numbers) < 5 and re.fullmatch(r"[-+]?\d{1,19}", rest[0]):
        numbers.append(int(rest.pop(0)))
    numbers += [0] * (5 - len(numbers))
    gain = float(scale["gain"] or 0)
    if gain and not 1e-12 <= abs(gain) <= 1e15:
        raise _bad(path, line, "gain", words[2], "write counts per unit, for example 1000(0)/mV")
    baseline = _whole(path, line, "baseline", scale["base"] or str(numbers[1]), -(2**40), 2**40)
    label = " ".join(rest).strip() or f"signal {k}"
    note = "" if gain else _UNCALIBRATED
    unit = scale["unit"] or "mV"
    if not scale["unit"] and is_no_voltage(label):
        unit, note = UNSTATED, NO_VOLTAGE
    return SignalLine(
        words[0], int(found["fmt"]), per, skew, offset, gain or DEFAULT_GAIN, baseline, unit,
        numbers[2], label, note,
    )  # fmt: skip
