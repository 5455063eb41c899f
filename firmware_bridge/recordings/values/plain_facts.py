"""Person, start and notes as lines of text, where a format has no place of its own for them: CSV, comments of WFDB."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date
from fractions import Fraction

from ecg_edge.firmware_bridge.recordings.recording import Person
from ecg_edge.firmware_bridge.recordings.values.ages import AGE

STARTED = "started"
_NOTE = re.compile(r"note at (-?\d{1,12}(?:\.\d{1,9})?) s")
_PERSON = ("patient", "name", "sex", "born", "age")
_SEX = {"m": "male", "male": "male", "f": "female", "female": "female"}


def note_line(seconds: Fraction, text: str) -> str:
    """Return a note as a line: ``note at 8.000000 s: lead I …``."""
    return f"note at {float(seconds):.6f} s: {text}"


def note_of(key: str, text: str) -> tuple[Fraction, str] | None:
    """Seconds and text of a line of `note_line`, split at its colon; None for another one."""
    found = _NOTE.fullmatch(key)
    return (Fraction(found[1]), text) if found else None


def person_lines(person: Person, comments: Sequence[str]) -> list[str]:
    """Return what is known of a person as lines, those left out that comments say already."""
    born = person.birth.isoformat() if person.birth else ""
    facts = zip(_PERSON, (person.identifier, person.name, person.sex, born, person.age), strict=True)
    plain = " ".join(comments).lower()
    return [f"{key}: {text}" for key, text in facts if text and not re.search(rf"(^|\W){key}>?:", plain)]


def fact_of(line: str) -> tuple[str, str] | None:
    """Key and text of a line of `person_lines`; None for another one: ``age: 60 sex: F`` states two things."""
    key, _, text = line.partition(": ")
    age = key == "age" and AGE.fullmatch(text.strip())
    short = key in ("patient", "name") or " " not in text.strip() or age
    return (key, text.strip()) if key in _PERSON and text.strip() and short else None


def person_of(lines: Iterable[tuple[str, str]], known: Person) -> Person:
    """Return a person with what lines of `person_lines`, split at their colons, say and the person lacks."""
    said: dict[str, str] = {}
    for key, text in lines:
        if fact_of(f"{key}: {text}"):
            said.setdefault(key, text)
    sex = said.get("sex", "")
    return Person(
        known.identifier or said.get("patient", ""),
        known.name or said.get("name", ""),
        known.sex or _SEX.get(sex.lower(), sex),
        known.birth or _day(said.get("born", "")),
        known.age or said.get("age", ""),
    )


def _day(text: str) -> date | None:
    """A day as `person_lines` writes it; another form may have two readings."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
