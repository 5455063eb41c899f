"""WFDB records in all their forms, and what the CinC challenges made of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timezone
from fractions import Fraction
from functools import lru_cache
from pathlib import Path, PurePosixPath

import numpy as np

from ecg_edge.firmware_bridge.array_types import FloatArray
from ecg_edge.firmware_bridge.errors import RecordingError
from ecg_edge.firmware_bridge.recordings.recording import Person, Recording, Signal
from ecg_edge.firmware_bridge.recordings.values.ages import AGE, age_of
from ecg_edge.firmware_bridge.recordings.values.plain_facts import person_of
from ecg_edge.firmware_bridge.recordings.wfdb_annotations import read_notes
from ecg_edge.firmware_bridge.recordings.wfdb_header import Header, SignalLine, read_header
from ecg_edge.firmware_bridge.recordings.wfdb_storage import SignalFile

UTC = "clock: UTC"
"""Comment of our own records: the header's time is UTC, which WFDB cannot state otherwise."""
_OWN_NAME = re.compile(r"\d{8}T\d{6}Z(_\d+)?(_measured)?")
_SUFFIXES = (".hea", ".dat", ".mat", ".atr")


def header_of(path: Path) -> Path | None:
    """Header of a record named with or without a suffix, if there is one."""
    if not path.name:  # "." and "/" are folders
        return None
    names = [path.name, *(path.name.removesuffix(s) for s in _SUFFIXES if path.name.endswith(s))]
    found = [path.with_name(name + ".hea") for name in reversed(names)]
    return next((f for f in found if f.is_file()), None)


def open_wfdb(header_file: Path) -> Recording:
    """Open the record of a ``.hea`` file.

    Raises
    ------
    RecordingError
        The header, or a signal file it names, cannot be read.
    """
    header = read_header(header_file)
    parts = _Joined(header) if header.segments else _Plain(header)
    started = header.started
    if started is not None and (UTC in header.comments or _OWN_NAME.fullmatch(header_file.stem)):
        started = started.replace(tzinfo=timezone.utc)
    notes = read_notes(header_file.with_suffix(".atr"))
    remarks = (*header.remarks, *parts.remarks, *dict.fromkeys(f"{s.label}: {s.note}" for s in parts.signals if s.note))
    return Recording(
        header_file.stem, "WFDB", parts.signals, parts.read, started, _person(header.comments), header.comments,
        tuple((at / header.fs, text) for at, text in notes), remarks,
    )  # fmt: skip


@dataclass(frozen=True)
class _Place:
    """Where a signal's samples lie: which file, and which columns of its frames."""

    file: int
    column: int
    line: SignalLine


class _Plain:
    """A record of one segment."""

    def __init__(self, header: Header) -> None:
        self.header = header
        self.remarks: list[str] = []
        groups: dict[tuple[str, int], list[SignalLine]] = {}
        for line in header.signals:
            groups.setdefault((line.file, line.fmt), []).append(line)
        self._files: list[SignalFile | None] = []
        places: dict[int, _Place] = {}
        for (name, fmt), lines in groups.items():
            column = 0
            for line in lines:
                places[id(line)] = _Place(len(self._files), column, line)
                column += line.per_frame
            self._files.append(None if fmt == 0 else self._open(name, lines))
        self._places = [places[id(line)] for line in header.signals]
        self.frames = self._length(header.length)
        self.signals = tuple(_signal(p.line, header.fs, self.frames, self._files[p.file]) for p in self._places)

    def _open(self, name: str, lines: Sequence[SignalLine]) -> SignalFile:
        path = _beside(self.header.path, name)
        if not path.is_file():
            others = [self.header.path.with_suffix(s) for s in (".dat", ".mat", PurePosixPath(name).suffix)]
            other = next((p for p in others if p.is_file() and p != self.header.path), None)
            if other is None:
                raise RecordingError(f"{self.header.path} names {name}, which is missing", f"put {name} beside it")
            self.remarks.append(f"{name} is missing, {other.name} was read")
            path = other
        per, initial = tuple(s.per_frame for s in lines), tuple(s.initial for s in lines)
        return SignalFile(path, lines[0].fmt, lines[0].offset, per, initial)

    def _length(self, stated: int | None) -> int:
        there = [f.frames for f in self._files if f is not None]
        longest = max(there, default=0)
        if not there or not longest:
            raise RecordingError(f"{self.header.path} names signal files without a sample", "restore the signal files")
        if stated is None:
            return longest
        fs = float(self.header.fs)
        if longest < stated:
            self.remarks.append(f"cut short: the header says {stated / fs:g} s, the files hold {longest / fs:g} s")
        return min(stated, longest)

    def read(self, columns: Sequence[int], start: int, stop: int) -> FloatArray:
        """Values in the signals' units; see `Recording.values`."""
        per = self._places[columns[0]].line.per_frame
        out = np.full((stop - start, len(columns)), np.nan)
        for k, column in enumerate(columns):
            place = self._places[column]
            file, line = self._files[place.file], place.line
            if file is None:
                continue
            # A skewed signal's sample of frame f lies `skew` frames later in the file.
            first, last = start // per + line.skew, -(-stop // per) + line.skew
            end = min(last, file.frames)
            if end <= first:
                continue
            counts = file.read(first, end)[:, place.column : place.column + per].ravel()
            at = (first - line.skew) * per
            counts = counts[start - at : stop - at]
            values = (counts - line.baseline) / line.gain
            if file.storage.invalid is not None:
                values[counts == file.storage.invalid] = np.nan
            out[: len(values), k] = values
        return out


def _signal(line: SignalLine, fs: Fraction, frames: int, file: SignalFile | None) -> Signal:
    bits = file.storage.bits if file is not None else 0
    return Signal(line.label, line.unit, fs * line.per_frame, frames * line.per_frame, 1 / line.gain,
                  float(line.baseline), bits, note=line.note)  # fmt: skip


class _Joined:
    """A record of several segments: every signal that any of them holds, by its label."""

    def __init__(self, header: Header) -> None:
        self.header = header
        self.remarks: list[str] = []
        self._edges = [0]
        self._names: list[str] = []
        layout: list[Signal] = []
        for segment in header.segments:
            if segment.length == 0:
                layout = self._layout(segment.name)
                continue
            self._names.append(segment.name)
            self._edges.append(self._edges[-1] + segment.length)
        if not self._names or self._edges[-1] > 2**50:
            raise RecordingError(f"{header.path} lists no segment with samples", "restore the header's lines")
        self._part = lru_cache(maxsize=16)(self._opened)
        self.signals = tuple(self._whole(layout or self._union()))

    def _layout(self, name: str) -> list[Signal]:
        """Signals as the layout segment lists them; their scale is that of the segments."""
        header = read_header(_beside(self.header.path, name + ".hea"))
        return [_signal(line, self.header.fs, 0, None) for line in header.signals]

    def _union(self) -> list[Signal]:
        found: dict[str, Signal] = {}
        for k in range(len(self._names)):
            part = self._part(k)
            for s in part.signals if part else ():
                found.setdefault(s.label, s)
        return list(found.values())

    def _whole(self, signals: Sequence[Signal]) -> list[Signal]:
        """Signals with the record's length, and the finest scale of the segments that hold them."""
        out = []
        for s in signals:
            per = s.fs / self.header.fs
            held = [x for k in range(min(len(self._names), 64)) if (p := self._part(k)) for x in p.signals
                    if x.label == s.label]  # fmt: skip
            best = min(held, key=lambda x: abs(x.lsb), default=s)
            units = {x.unit for x in held}
            if len(units) > 1:
                raise RecordingError(
                    f"{self.header.path}: {s.label!r} is in {' and '.join(sorted(units))}", "convert the segments first"
                )
            bits = max((x.bits for x in held), default=s.bits)
            out.append(Signal(s.label, best.unit, s.fs, int(self._edges[-1] * per), best.lsb, best.zero, bits))
        return out

    def _opened(self, k: int) -> _Plain | None:
        name = self._names[k]
        if name == "~":
            return None
        part = _Plain(read_header(_beside(self.header.path, name + ".hea")))
        if part.header.fs != self.header.fs:
            raise RecordingError(
                f"segment {name} has {float(part.header.fs):g} Hz, the record {float(self.header.fs):g} Hz",
                "restore the segment's header",
            )
        return part

    def read(self, columns: Sequence[int], start: int, stop: int) -> FloatArray:
        """Values in the signals' units; NaN in the gaps, and where a segment lacks a signal."""
        per = int(self.signals[columns[0]].fs / self.header.fs)
        out = np.full((stop - start, len(columns)), np.nan)
        for k, (a, b) in enumerate(zip(self._edges, self._edges[1:], strict=False)):
            low, high = max(start, a * per), min(stop, b * per)
            part = self._part(k) if low < high else None
            if part is None:
                continue
            labels = [s.label for s in part.signals]
            for j, column in enumerate(columns):
                label = self.signals[column].label
                if label not in labels:
                    continue
                source = labels.index(label)
                if part.signals[source].fs != self.signals[column].fs:
                    raise RecordingError(
                        f"segment {self._names[k]}: {label!r} has another rate", "convert the segments"
                    )
                rows = part.read([source], low - a * per, min(high - a * per, part.signals[source].length))
                out[low - start : low - start + len(rows), j] = rows[:, 0]
        return out


def _beside(header: Path, name: str) -> Path:
    """A file that a header names: beside it or below, nowhere else."""
    pure = PurePosixPath(name)
    if pure.is_absolute() or ".." in pure.parts or ":" in name or "\\" in name or "\0" in name:
        raise RecordingError(f"{header} names {name!r}, which is not beside it", "name files beside the header")
    return header.parent / pure


_SEX = {"m": "male", "male": "male", "f": "female", "female": "female"}


def _person(comments: Sequence[str]) -> Person:
    """Age, sex and patient, as ``age: 60 sex: F`` (PhysioNet), ``Age: 60`` (CinC) or ``patient: P`` (our records)."""
    said: dict[str, str] = {}
    for comment in comments:
        for key in ("age", "sex", "patient"):
            mark = f"<{key}>:" if f"<{key}>:" in comment.lower() else f"{key}:"
            at = comment.lower().find(mark)
            if at == 0 or (at > 0 and key != "patient" and not comment[at - 1].isalnum()):
                rest = comment[at + len(mark) :].strip()
                first = (rest.split() or [""])[0].strip("<>")
                stated = AGE.match(rest) if key == "age" else None
                said.setdefault(key, rest if key == "patient" else stated[0].strip("<( ") if stated else first)
    age = said.get("age", "")
    plain = age if age_of(age) else ""
    sex = said.get("sex", "")
    known = Person(
        said.get("patient", ""), "", _SEX.get(sex.lower(), sex if sex not in ("?", "NaN") else ""), None, plain
    )
    pairs = [(key, rest.strip()) for key, _, rest in (c.partition(":") for c in comments)]
    return person_of([(key, text) for key, text in pairs if key in ("name", "born")], known)
