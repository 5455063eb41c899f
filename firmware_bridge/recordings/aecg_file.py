"""HL7 annotated ECG (aECG, HL7 V3 R1): the XML that the FDA asks for. Every lead of every series is a signal."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from ecg_edge.firmware_bridge.array_types import FloatArray
from ecg_edge.firmware_bridge.errors import RecordingError
from ecg_edge.firmware_bridge.recordings.recording import MAX_FS, MIN_FS, Person, Recording, Signal
from ecg_edge.firmware_bridge.recordings.text import moment, number, read_bytes, start

_MAX_BYTES = 200_000_000
_SECONDS = {"s": Fraction(1), "ms": Fraction(1, 1000), "us": Fraction(1, 10**6)}
_SEX = {"M": "male", "F": "female"}
Element = ElementTree.Element


def open_aecg(path: Path) -> Recording:
    """Open an aECG file.

    Raises
    ------
    RecordingError
        It is no such file, or a field of it makes no sense.
    """
    root = _parse(path, read_bytes(path, _MAX_BYTES))
    series = [e for e in root.iter("series") if e.find(".//sequenceSet") is not None]
    if not series:
        raise RecordingError(f"{path} holds no series of samples", "choose an annotated ECG (AnnotatedECG)")
    remarks = [f"{len(series)} series: the first is read"] if len(series) > 1 else []
    signals, columns = [], []
    for sequences in series[0].iter("sequenceSet"):
        fs = _rate(path, sequences)
        for label, unit, scale, origin, digits in _leads(path, sequences):
            signals.append(Signal(label, unit, fs, len(digits), scale, -origin / scale))
            columns.append(digits * scale + origin)
        break

    started, unsure = _started(root, series[0])

    def read(wanted: Sequence[int], a: int, b: int) -> FloatArray:
        out = np.full((b - a, len(wanted)), np.nan)
        for j, k in enumerate(wanted):
            part = columns[k][a:b]
            out[: len(part), j] = part
        return out

    return Recording(path.stem, "HL7 aECG", tuple(signals), read, started, _person(root),
                     remarks=(*remarks, *unsure))  # fmt: skip


def _parse(path: Path, data: bytes) -> Element:
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise RecordingError(f"{path} declares entities, which no ECG needs", "write it without <!DOCTYPE>")
    try:
        root = ElementTree.fromstring(data)
    except (ElementTree.ParseError, ValueError, LookupError) as e:
        raise RecordingError(f"cannot read {path}: {e}", "restore the file") from e
    for element in root.iter():
        element.tag = str(element.tag).rpartition("}")[2]
    if root.tag != "AnnotatedECG":
        raise RecordingError(f"{path} is XML of {root.tag[:40]!r}, not an annotated ECG", "export it as HL7 aECG")
    return root


def _rate(path: Path, sequences: Element) -> Fraction:
    for sequence in sequences.iter("sequence"):
        code, increment = sequence.find("code"), sequence.find(".//increment")
        if code is not None and increment is not None and str(code.get("code", "")).startswith("TIME_"):
            step, unit = increment.get("value", ""), increment.get("unit", "")
            if number(step) and len(step) < 30 and unit in _SECONDS and Fraction(step) > 0:
                fs = 1 / (Fraction(step) * _SECONDS[unit])
                if MIN_FS <= fs <= MAX_FS:
                    return fs
            raise RecordingError(f"{path}: increment {step[:20]!r} {unit[:10]!r} makes no sense", "restore the file")
    raise RecordingError(f"{path} does not state its rate", "restore the sequence TIME_ABSOLUTE or TIME_RELATIVE")


def _leads(path: Path, sequences: Element) -> list[tuple[str, str, float, float, FloatArray]]:
    """Label, unit, scale, origin and digits of every lead."""
    found = []
    for sequence in sequences.iter("sequence"):
        code, digits = sequence.find("code"), sequence.find(".//digits")
        label = str(code.get("code", "")) if code is not None else ""
        if label.startswith("TIME_") or digits is None:
            continue
        scale, origin = sequence.find(".//scale"), sequence.find(".//origin")
        if scale is None or not (per := number(scale.get("value", ""))) or not 1e-12 < abs(per) < 1e12:
            raise RecordingError(f"{path}: the scale of {label[:30]!r} makes no sense", "restore the file")
        unit = scale.get("unit", "")
        zero = number(origin.get("value", "0")) if origin is not None else 0.0
        if zero is None or (origin is not None and zero and origin.get("unit", unit) != unit):
            raise RecordingError(f"{path}: the origin of {label[:30]!r} makes no sense", "restore the file")
        words = (digits.text or "").split()
        bad = next((w for w in words if not re.fullmatch(r"[-+]?\d{1,15}(\.\d*)?", w)), None)
        if bad is not None:
            raise RecordingError(f"{path}: {bad[:20]!r} among the digits of {label[:30]!r}", "restore the file")
        found.append((label, unit, per, zero, np.array(words, np.float64)))
    return found


def _started(root: Element, series: Element) -> tuple[datetime | None, list[str]]:
    places = (series.find("effectiveTime/low"), series.find("effectiveTime"), root.find("effectiveTime/low"))
    found = [start([place.get("value", "")]) for place in places if place is not None]
    return next(((at, []) for at, _ in found if at), (None, [remark for _, remark in found if remark][:1]))


def _person(root: Element) -> Person:
    subject = root.find(".//trialSubject")
    if subject is None:
        return Person()
    number_ = subject.find("id")
    who = subject.find("subjectDemographicPerson")
    who = who if who is not None else Element("none")
    name, sex, birth = who.find("name"), who.find("administrativeGenderCode"), who.find("birthTime")
    born = moment(birth.get("value", "")) if birth is not None else None
    return Person(
        str(number_.get("extension", "")) if number_ is not None else "",
        " ".join(" ".join(name.itertext()).split()) if name is not None else "",
        _SEX.get(sex.get("code", ""), "") if sex is not None else "",
        born.date() if born else None,
    )
