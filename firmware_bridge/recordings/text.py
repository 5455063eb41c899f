"""Text, dates and numbers as strangers' files write them."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from fractions import Fraction
from pathlib import Path

from ecg_edge.firmware_bridge.errors import RecordingError

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_RATE_DENOMINATOR = 100_000
_ORDERS = ("dmy", "mdy", "ymd")
_HALF_DAY = re.compile(r"(?<!\d)(\d{1,2})(:\d\d(?::\d\d(?:[.,]\d+)?)?)\s*([ap])\.?m\b\.?", re.IGNORECASE)
_STATES_TIME = re.compile(r"\dT\d\d|\d:\d\d|^\d{10}")


def read_bytes(path: Path, limit: int) -> bytes:
    """Read a whole file of at most `limit` bytes.

    Raises
    ------
    RecordingError
        It cannot be read, or is larger.
    """
    try:
        with path.open("rb") as f:
            data = f.read(limit + 1)
    except (OSError, ValueError) as e:
        raise unreadable(path, e) from e
    if len(data) > limit:
        raise RecordingError(f"{path} is larger than {limit // 1_000_000} MB", "cut out the part that is of interest")
    return data


def unreadable(path: Path, error: Exception) -> RecordingError:
    """Return the error that names a file and why it cannot be read."""
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return RecordingError(f"cannot read {path}: {reason}", "check the path and your right to read it")


def decode(data: bytes) -> str:
    """Text of a header: UTF-8 (with or without a mark, or UTF-16 with one), else Latin-1, in which any byte is one."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") and b"\0" in data:
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def number(text: str) -> float | None:
    """A finite number with a decimal point or comma, or None."""
    try:
        value = float(text.strip().replace(",", ".", 1))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def rate(text: str) -> Fraction | None:
    """A positive rate in Hz, exact: ``511.422`` is 255711/500; None where the text is none."""
    plain = text.strip().replace(",", ".", 1)
    if len(plain) > 40 or re.search(r"e[+-]?\d{3,}$", plain.lower()):
        return None
    try:
        found = Fraction(plain)
    except (ValueError, ZeroDivisionError):
        return None
    return found.limit_denominator(_RATE_DENOMINATOR) if found > 0 else None


def rate_of(value: float) -> Fraction:
    """The rate that a computed number stands for: a short decimal if one is within a millionth, else a fraction."""
    for denominator in (1, 2, 10, 100, 1000):
        near = Fraction(round(value * denominator), denominator)
        if near > 0 and abs(float(near) - value) <= 1e-6 * value:
            return near
    return Fraction(value).limit_denominator(_RATE_DENOMINATOR)


def whole_day(text: str) -> str:
    """Text with ``2:05:00 PM`` as ``14:05:00``."""

    def hour(m: re.Match[str]) -> str:
        of_day = int(m[1]) % 12 + (12 if m[3] in "pP" else 0)
        return f"{of_day if 1 <= int(m[1]) <= 12 else int(m[1]):02d}{m[2]}"

    return _HALF_DAY.sub(hour, text)


def clock_time(text: str) -> tuple[time, int] | None:
    """``HH:MM:SS.fff``, ``MM:SS`` or ``SS`` as a time and days to add (``24:00:00`` is the next day's midnight)."""
    parts = whole_day(text).strip("[] ").split(":")
    if not 1 <= len(parts) <= 3 or not all(re.fullmatch(r"\d{1,6}(\.\d*)?", p) for p in parts):
        return None
    hours, minutes, seconds = (float(p) for p in ["0"] * (3 - len(parts)) + parts)
    if minutes >= 60 and len(parts) > 2:
        return None
    total = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    if total > timedelta(days=2):
        return None
    return (datetime.min + total % timedelta(days=1)).time(), total.days


def calendar_date(text: str, order: str = "dmy") -> date | None:
    """``05/03/2019``, ``3/5/89``, ``05-May-2020``, ``2019-03-05``, ``05.03.2019``; `order` is one of `date_orders`.

    A year of four digits, and a month in letters, go before `order`.
    """
    parts = re.split(r"[-/.]", text.strip("[] "))
    if len(parts) != 3:
        return None
    named = [k for k, p in enumerate(parts) if p[:3].lower() in _MONTHS]
    parts = [str(_MONTHS.index(p[:3].lower()) + 1) if k in named else p for k, p in enumerate(parts)]
    if not all(p.isascii() and p.isdigit() and len(p) <= 4 for p in parts):
        return None
    order = "ymd" if len(parts[0]) == 4 else "mdy" if named == [0] else "dmy" if "." in text or named else order
    if named not in ([], [order.index("m")]) or (order == "ymd" and len(parts[2]) > 2):
        return None
    found = {field: int(part) for field, part in zip(order, parts, strict=True)}
    if len(parts[order.index("y")]) <= 2:
        found["y"] += 1900 if found["y"] >= 69 else 2000
    try:
        return date(found["y"], found["m"], found["d"])
    except ValueError:
        return None


def date_orders(texts: Sequence[str]) -> list[str]:
    """Orders in which all of some dates of one writer can be read; those in which they are nearest to each other.

    Returns
    -------
    list of str
        One where there is no doubt: ``["dmy"]``. ``03/04/2024`` alone has two; of the first and the last line of a
        night, ``03/04/2024`` and ``03/05/2024``, the month stands first.
    """
    read = {order: [at.replace(tzinfo=None) for text in texts if (at := moment(text, order))] for order in _ORDERS}
    spans = {order: max(found) - min(found) for order, found in read.items() if found and len(found) == len(texts)}
    near = [order for order, span in spans.items() if span == min(spans.values())]
    distinct = {tuple(read[order]): order for order in reversed(near)}
    return list(distinct.values())[::-1]


def moment(text: str, order: str = "dmy") -> datetime | None:
    """Date and time in one text, in any of the forms above or as ISO 8601, with a zone where one is written."""
    text = whole_day(text.strip())
    if iso := _iso(text):
        return iso
    words = text.replace("T", " ").split()
    days = [d for w in words if (d := calendar_date(w, order))]
    times = [t for w in words if ":" in w and (t := clock_time(w))]
    if not days:
        return None
    at, later = times[0] if times else (time(), 0)
    return datetime.combine(days[0], at) + timedelta(days=later)


def start(texts: Sequence[str]) -> tuple[datetime | None, str]:
    """Return the first of some moments of one writer, and what is said where it cannot be known.

    A date without a time of day is no start: midnight would be as good as any other time.
    """
    orders = date_orders(texts)
    if not orders:
        return None, ""
    found = [at for order in orders if (at := moment(texts[0], order))]
    if not _STATES_TIME.search(texts[0].strip()):
        return None, f"start left out: {texts[0].strip()!r} states no time of day"
    if len(found) > 1:
        days = " or ".join(str(at.date()) for at in found)
        return None, f"start left out: {texts[0].strip()!r} may be {days}"
    return found[0], ""


def _iso(text: str) -> datetime | None:
    """ISO 8601, also with a blank before the zone, and as DICOM and HL7 write it: ``20190305100000.000+0100``."""
    text = re.sub(r"\s+(?=[+-]\d\d:?\d\d$)", "", text)
    text = re.sub(r"([+-]\d\d)(\d\d)$", r"\1:\2", text) if re.search(r"\d{2}:?\d{2}.*[+-]\d{4}$", text) else text
    m = re.fullmatch(r"(\d{4})(\d\d)(\d\d)(?:(\d\d)(\d\d)(\d\d)?(?:\.(\d{1,9}))?)?(Z|[+-]\d\d:\d\d)?", text)
    if m:
        y, mo, d, h, mi, s, frac, zone = m.groups()
        text = f"{y}-{mo}-{d}T{h or '00'}:{mi or '00'}:{s or '00'}.{(frac or '0')[:6]:0<6}{zone or ''}"
    text = re.sub(r"(\.\d{6})\d+", r"\1", text.replace("Z", "+00:00"))
    text = re.sub(r"\.(\d{1,5})(?=$|[+-])", lambda f: f".{f[1]:0<6}", text)
    if not re.match(r"\d{4}-\d\d-\d\d", text):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
