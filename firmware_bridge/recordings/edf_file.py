"""EDF, EDF+C, EDF+D and BDF: Kemp et al. 1992, Kemp and Olivan 2003 (edfplus.info), BioSemi's 24-bit variant."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ecg_edge.firmware_bridge.array_types import FloatArray
from ecg_edge.firmware_bridge.errors import RecordingError
from ecg_edge.firmware_bridge.recordings.recording import MAX_SIGNALS, Person, Recording, Signal
from ecg_edge.firmware_bridge.recordings.text import calendar_date, clock_time, decode, number, unreadable
from ecg_edge.firmware_bridge.recordings.values.plain_facts import STARTED, fact_of, person_of
from ecg_edge.firmware_bridge.recordings.values.sentinels import mark_missing

OWN = "ecg-edge"
OWN_INVALID = -32768
"""Our own files hold this digital value where there is no sample; EDF itself has none."""
END = "end of recording"
UTC = "clock_UTC"
"""In the recording field of our own files: their start is UTC, which EDF cannot state otherwise."""
_HEAD = 256
_FIELDS = (("label", 16), ("transducer", 80), ("unit", 8), ("physical minimum", 8), ("physical maximum", 8),
           ("digital minimum", 8), ("digital maximum", 8), ("prefilter", 80), ("samples per record", 8),
           ("reserved", 32))  # fmt: skip
_PROVENANCE = ("measured", "derived", "reconstructed")
_MAX_DAYS = 60
_MAX_NOTES = 100_000
_LOOKED_AT = 256
"""Data records, spread over the file, in which numbers that stand for missing samples are looked for."""


def is_edf(head: bytes) -> bool:
    """Whether a file begins like EDF or BDF."""
    return head[:8] in (b"0       ", b"\xffBIOSEMI")


@dataclass(frozen=True)
class _Line:
    """A signal's part of the header; `at` is its first byte in a data record."""

    label: str
    transducer: str
    unit: str
    lsb: float
    zero: float
    samples: int
    at: int
    annotations: bool


def open_edf(path: Path) -> Recording:
    """Open an EDF or BDF file.

    Raises
    ------
    RecordingError
        A field of the header makes no sense (it is named), or the file ends within its header.
    """
    return _File(path).recording()


class _File:
    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as f:
                head = f.read(_HEAD)
                n = self._whole("number of signals", head[252:256], 1, MAX_SIGNALS)
                table = f.read(_HEAD * n)
            size = path.stat().st_size
        except OSError as e:
            raise unreadable(path, e) from e
        if len(head) < _HEAD or len(table) < _HEAD * n:
            raise RecordingError(f"{path} ends within its header", "fetch the file again")
        self._head = head
        self.bytes = 3 if head[0] == 0xFF else 2
        kind = decode(head[192:236]).strip()
        self.plus = kind[:5] if kind[:5] in ("EDF+C", "EDF+D", "BDF+C", "BDF+D") else ""
        self.source = self.plus or ("BDF" if self.bytes == 3 else "EDF")
        self.duration = self._duration(decode(head[244:252]).strip())
        self.lines = self._lines(table, n)
        self.width = sum(line.samples for line in self.lines) * self.bytes
        self.remarks: list[str] = []
        self.records = self._records(size - _HEAD * (n + 1))
        if not self.records:
            raise RecordingError(f"{path} holds no data record", "fetch the file again")
        self._map = np.memmap(path, np.uint8, "r", _HEAD * (n + 1), (self.records, self.width))
        self.texts, self.onsets = self._annotations()
        own = OWN in decode(head[88:168])
        self.invalid = OWN_INVALID if own and self.bytes == 2 else None
        self.end = next((at for at, text in reversed(self.texts) if own and text == END), None)

    def recording(self) -> Recording:
        """What the file holds."""
        self.shown = [line for line in self.lines if not line.annotations]
        if not self.shown:
            raise RecordingError(f"{self.path} holds notes and no signals", "choose a recording with ECG leads")
        if not self.duration:
            raise RecordingError(f"{self.path}: data records of 0 s", "write their length in the header")
        self._edges = self._starts()
        seconds = self._edges[-1] + self.duration
        if self.end is not None:
            seconds = min(seconds, self.end)
        signals = tuple(
            Signal(s.label, s.unit, s.samples / self.duration, round(seconds * s.samples / self.duration),
                   s.lsb, s.zero, 8 * self.bytes, provenance=_provenance(s.transducer))
            for s in self.shown
        )  # fmt: skip
        self.missing = [self._sentinels(line) for line in self.shown]
        patient, about = decode(self._head[8:88]).strip(), decode(self._head[88:168]).strip()
        own = OWN in about
        comments: tuple[str, ...] = () if own or re.fullmatch(r"Startdate( X)*", about) or not about else (about,)
        notes = tuple((at, text) for at, text in self.texts if text != END)
        person = _person(patient)
        facts = dict(fact for at, text in notes if own and not at and (fact := fact_of(text)))
        # The header holds ASCII alone.
        who, name = facts.get("patient", person.identifier), facts.get("name", person.name)
        person = replace(person, identifier=who, name=name)
        comments += tuple(f"{key}: {text}" for key, text in facts.items())
        starts = [text for at, text in notes if own and not at and text.startswith(f"{STARTED}: ")]
        started = _exact(starts, self._started(about))
        notes = tuple((at, text) for at, text in notes if at or not own or not (fact_of(text) or text in starts))
        return Recording(self.path.stem, self.source, signals, self.read, started,
                         person_of(facts.items(), person), comments, notes, tuple(self.remarks))  # fmt: skip

    def _records(self, size: int) -> int:
        stated = self._whole("number of data records", self._head[236:244], -1, 2**40)
        there = max(0, size) // self.width if self.width else 0
        if stated > there:
            d = float(self.duration)
            self.remarks.append(f"cut short: the header says {stated * d:g} s, the file holds {there * d:g} s")
        if 0 <= stated < there:
            d = float(self.duration)
            self.remarks.append(
                f"the header says {stated * d:g} s, the file holds {there * d:g} s: what is behind the first "
                f"{stated * d:g} s is not read"
            )
        return there if stated < 0 else min(stated, there)

    def _lines(self, table: bytes, n: int) -> list[_Line]:
        columns: dict[str, list[str]] = {}
        at = 0
        for field, width in _FIELDS:
            columns[field] = [decode(table[at + k * width : at + (k + 1) * width]).strip("\0 ") for k in range(n)]
            at += n * width
        lines, first = [], 0
        for k in range(n):
            samples = self._whole(f"samples per record of signal {k + 1}", columns["samples per record"][k], 0, 10**7)
            label = columns["label"][k]
            notes = bool(self.plus) and label in ("EDF Annotations", "BDF Annotations")
            lsb, zero, unit = (0.0, 0.0, "") if notes else self._scale(columns, k)
            lines.append(
                _Line(label or f"signal {k + 1}", columns["transducer"][k], unit, lsb, zero, samples, first, notes)
            )
            first += samples * self.bytes
        return [line for line in lines if line.samples]

    def _scale(self, columns: dict[str, list[str]], k: int) -> tuple[float, float, str]:
        """Value of a count, the count at zero, and the unit."""
        ends = []
        for field in ("physical minimum", "physical maximum", "digital minimum", "digital maximum"):
            if (value := number(columns[field][k])) is None:
                raise self._bad(f"{field} of signal {k + 1}", columns[field][k])
            ends.append(value)
        low, high, digital_low, digital_high = ends
        if digital_low == digital_high or low == high:
            return 1.0, 0.0, f"{columns['unit'][k]} over an empty range"
        lsb = (high - low) / (digital_high - digital_low)
        return lsb, digital_low - low / lsb, columns["unit"][k]

    def _duration(self, text: str) -> Fraction:
        if re.fullmatch(r"[+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d)?", text.replace(",", ".")):
            return Fraction(text.replace(",", "."))
        raise self._bad("length of a data record", text)

    def _whole(self, field: str, text: bytes | str, low: int, high: int) -> int:
        plain = (decode(text) if isinstance(text, bytes) else text).strip("\0 ")
        if not re.fullmatch(r"[+-]?\d{1,19}", plain) or not low <= int(plain) <= high:
            raise self._bad(field, plain)
        return int(plain)

    def _bad(self, field: str, text: str) -> RecordingError:
        return RecordingError(f"{self.path}: {field} {text[:40]!r} makes no sense", "restore the file's header")

    def _annotations(self) -> tuple[list[tuple[Fraction, str]], list[Fraction]]:
        """Texts with their seconds, and where each data record starts, in seconds."""
        texts: list[tuple[Fraction, str]] = []
        onsets: list[Fraction] = []
        for place, line in enumerate(x for x in self.lines if x.annotations):
            block = self._map[:, line.at : line.at + line.samples * self.bytes]
            for row in block:
                found = list(_tals(row.tobytes()))
                if place == 0 and found and found[0][1] == "":
                    onsets.append(found[0][0])
                texts += [(at, text) for at, text in found if text][: _MAX_NOTES - len(texts)]
        first = onsets[0] if onsets else Fraction(0)
        return sorted((max(Fraction(0), at - first), text) for at, text in texts), onsets

    def _starts(self) -> list[Fraction]:
        """Seconds from the first sample to each data record."""
        if not self.plus.endswith("+D"):
            return [k * self.duration for k in range(self.records)]
        if len(self.onsets) != self.records:
            raise RecordingError(
                f"{self.path} is discontinuous, and {self.records - len(self.onsets)} of its {self.records} "
                "data records do not say when they begin",
                "restore its annotations",
            )
        starts = [at - self.onsets[0] for at in self.onsets]
        # A millisecond of overlap is rounding; more would put two values on one instant.
        early = (k for k, (a, b) in enumerate(pairwise(starts)) if b - a < self.duration - Fraction(1, 1000))
        if (bad := next(early, None)) is not None:
            raise RecordingError(
                f"{self.path}: data record {bad + 2} begins before the one before it ends", "sort them"
            )
        if starts[-1] > _MAX_DAYS * 86400:
            raise RecordingError(f"{self.path} has a gap of over {_MAX_DAYS} days", "cut it into two recordings")
        gaps = [(a + self.duration, b) for a, b in pairwise(starts) if b - a > self.duration + Fraction(1, 1000)]
        self.remarks += [f"nothing from {float(a):g} s to {float(b):g} s" for a, b in gaps[:20]]
        return starts

    def read(self, columns: Sequence[int], start: int, stop: int) -> FloatArray:
        """Values in the signals' units; see `Recording.values`."""
        n = self.shown[columns[0]].samples
        firsts = self._firsts(n)
        a = max(0, int(np.searchsorted(firsts, start, "right")) - 1)
        b = int(np.searchsorted(firsts, stop, "left"))
        out = np.full((stop - start, len(columns)), np.nan)
        for j, column in enumerate(columns):
            line = self.shown[column]
            counts = self._counts(line, a, b)
            values = (counts - line.zero) * line.lsb
            values[np.isin(counts, self.missing[column])] = np.nan
            if self.invalid is not None:
                values[counts == self.invalid] = np.nan
            for k in range(a, b):  # overwritten where rounding makes two records share a row
                at = int(firsts[k]) - start
                low, high = max(0, at), min(stop - start, at + n)
                out[low:high, j] = values[k - a, low - at : high - at]
        return out

    def _sentinels(self, line: _Line) -> npt.NDArray[np.int64]:
        """Counts that stand for missing samples: the lowest of 16 bits, say, where the signal is nowhere near it."""
        records = np.unique(np.linspace(0, self.records - 1, min(self.records, _LOOKED_AT)).astype(np.int64))
        counts = np.concatenate([self._counts(line, k, k + 1)[0] for k in records.tolist()])
        kept = counts[counts != self.invalid] if self.invalid is not None else counts
        values, remarks = mark_missing(((kept - line.zero) * line.lsb)[:, None], [line.label])
        self.remarks += [r.replace(":", ": at least", 1) if len(records) < self.records else r for r in remarks]
        return np.unique(kept[np.isnan(values[:, 0])])

    def _firsts(self, n: int) -> npt.NDArray[np.int64]:
        if not self.plus.endswith("+D"):
            return np.arange(self.records, dtype=np.int64) * n
        return np.array([round(at * n / self.duration) for at in self._edges], np.int64)

    def _counts(self, line: _Line, a: int, b: int) -> npt.NDArray[np.int64]:
        raw = np.ascontiguousarray(self._map[a:b, line.at : line.at + line.samples * self.bytes])
        if self.bytes == 2:
            return raw.view("<i2").astype(np.int64)
        octets = raw.reshape(b - a, -1, 3).astype(np.int64)
        x = octets[..., 0] | octets[..., 1] << 8 | octets[..., 2] << 16
        return np.asarray((x + 0x800000) % 0x1000000 - 0x800000)

    def _started(self, about: str) -> datetime | None:
        """Start by the header's fields; EDF+ states the year in full, and fractions of a second in its first note."""
        day = calendar_date(decode(self._head[168:176]).strip())
        if day is not None and re.fullmatch(r"\d\d?\D\d\d?\D\d\d", decode(self._head[168:176]).strip()):
            year = day.year % 100
            day = day.replace(year=year + (1900 if year >= 85 else 2000))
        words = about.split()
        if words[:1] == ["Startdate"] and len(words) > 1:
            day = None if words[1] == "X" else calendar_date(words[1]) or day
        at = clock_time(decode(self._head[176:184]).strip().replace(".", ":"))
        if day is None or at is None:
            return None
        first = self.onsets[0] if self.onsets else Fraction(0)
        first = first if 0 <= first < 1 else Fraction(0)
        zone = timezone.utc if OWN in about and UTC in about else None
        return datetime.combine(day, at[0], zone) + timedelta(seconds=float(first))


def _exact(starts: Sequence[str], known: datetime | None) -> datetime | None:
    """The start with its fraction of a second, as our own files note it; else as the header has it."""
    with contextlib.suppress(ValueError, IndexError, TypeError):
        exact = datetime.fromisoformat(starts[0].partition(": ")[2])
        if known is not None and timedelta(0) <= exact - known < timedelta(seconds=1):
            return exact
    return known


def _tals(data: bytes) -> list[tuple[Fraction, str]]:
    """Time-stamped annotation lists of one data record: onset in seconds and text."""
    found = []
    for tal in data.split(b"\0"):
        head, mark, rest = tal.partition(b"\x14")
        m = re.fullmatch(rb"([+-]\d{1,12}(?:\.\d{1,9})?)(?:\x15[\d.]*)?", head)
        if not mark or not m:
            continue
        onset = Fraction(m[1].decode())
        found += [(onset, decode(text).strip()) for text in rest.split(b"\x14")[:-1] or [b""]]
    return found


def _provenance(transducer: str) -> str:
    word = transducer.split(":")[0].strip()
    return word if word in _PROVENANCE else ""


def _person(text: str) -> Person:
    """Subfields of EDF+ (code, sex, date of birth, name), where they are such; else the text is the identifier."""
    words = text.split()
    if len(words) >= 4 and words[1] in ("M", "F", "X"):
        code, sex, birth, name = ("" if w == "X" else w.replace("_", " ") for w in words[:4])
        return Person(code, name, {"M": "male", "F": "female"}.get(sex, ""), calendar_date(birth) if birth else None)
    return Person("" if text in ("X", "X X X X") else text)
