"""An age as strangers write it: ``60``, ``47y``, ``3 months``, ``003M``, ``>89``, and 300 for 90 and over (PTB-XL)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ecg_edge.firmware_bridge.recordings.text import number

AGE = re.compile(
    r"[<(]?\s*(?P<over>>=?\s*|over\s+)?(?P<n>\d{1,3}(?:[.,]\d{1,3})?)(?P<plus>\+)?\s*"
    r"(?P<unit>years?( old)?|yrs?|y\.?o\.?|y|a|months?|mos?|m|weeks?|wks?|w|days?|d)?(?=$|[\s,;>)])"
    r"(?P<more> or over)?", re.IGNORECASE,
)  # fmt: skip
_WORDS = {"y": "years", "a": "years", "m": "months", "w": "weeks", "d": "days"}
_MOST = {"y": 130.0, "m": 999.0, "w": 999.0, "d": 999.0}
_CODE = 300
"""PTB-XL's age of a person of 90 or over."""
_HIDDEN = 89
"""The highest age that records without names state (HIPAA)."""


@dataclass(frozen=True)
class Age:
    """An age, or the one it is above.

    Attributes
    ----------
    n : float
    unit : str
        ``y``, ``m``, ``w`` or ``d``.
    over : bool
        Whether it is `n` or more.
    """

    n: float
    unit: str = "y"
    over: bool = False

    @property
    def dicom(self) -> str:
        """As DICOM writes it, ``003M``; empty where it has no number for it."""
        if self.over:
            return ""
        n, unit = (self.n, self.unit) if self.n == int(self.n) or self.unit != "y" else (12 * self.n, "m")
        return f"{round(n):03d}{unit.upper()}"

    def __str__(self) -> str:
        """As people write it: ``60``, ``3 months``, ``90 or over``."""
        if self.over:
            return f"{self.n:g} or over"
        word = _WORDS[self.unit]
        return f"{self.n:g}" if self.unit == "y" else f"{self.n:g} {word[:-1] if self.n == 1 else word}"


def age_of(text: str) -> Age | None:
    """Read the age that a text begins with; None where it is none."""
    found = AGE.match(text.strip())
    n = number(found["n"]) if found else None
    if found is None or n is None:
        return None
    unit = (found["unit"] or "y")[0].lower()
    unit = "y" if unit == "a" else unit
    above, least = bool((found["over"] or "").strip(" =").lower()), bool(found["plus"] or found["more"])
    if unit == "y" and (n == _CODE or (above and n == _HIDDEN)):
        return Age(90, "y", True)
    if n > _MOST[unit]:
        return None
    return Age(n + (1 if above and "=" not in (found["over"] or "") and unit == "y" else 0), unit, above or least)


def written_age(text: str) -> str:
    """An age as people write it; the text itself where it cannot be read."""
    return str(found) if (found := age_of(text)) else text.strip()
