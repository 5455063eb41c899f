"""Which columns of a text are leads: words say it, and where they do not, what the numbers do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ecg_edge.firmware_bridge.errors import UsageError
from ecg_edge.firmware_bridge.framing.curve_shape import APART, SMOOTH, beats, bend, echo
from ecg_edge.firmware_bridge.framing.text_dialect import Shape
from ecg_edge.firmware_bridge.lead_names import LEADS, lead_name

_MV_OF = {"v": 1000.0, "mv": 1.0, "uv": 0.001}
_UNIT = re.compile(r"[\s_(\[/-]*(?:in[\s_]*)?(?<![a-z])([mu]?v)[)\]]*$")
_BESIDE = re.compile(
    r"(t|ts|time|timestamp|date|datetime|clock|millis|micros|ms|us|s|sec|seconds?)(ms|us|s|sec|formatted)?"
    r"|#|n|k|nr|no|num|idx|index|id|seq|sequence|count|counter|cnt|(sample|packet|frame|line)(no|nr|num|number|index|idx|id|count|counter)?"
    r"|bpm|hr|heartrate|rr|rrms|ibi|spo2|resp|respiration|ppg|ir|red|green|temp|temperature|humidity|bat|battery"
    r"|acc(el|elerometer)?.*|gyro.*|mag[xyz]?|lo|lop|lon|leadoff|leadsoff|beat|peak|rpeak|qrs|marker|event|trigger|other"
)
"""Labels of what stands beside an ECG; compared without case, unit and punctuation."""
_ECG = re.compile(r"(ecg|ekg|lead)[a-z]*\d*")
_FEWEST = 8
"""Lines from which on a column is judged by its numbers."""
_ALIKE, _EVEN = 0.3, 0.7
"""In a column that counts so large a share of the steps is so close to the usual one."""
_WRAPS, _DROP, _MOSTLY = 0.25, 2.5, 0.98
"""At most such a share of the steps goes back, mostly by more than so many usual steps."""
_RISING = 0.25
"""Whole numbers that never fall are a clock if so large a share of them rises."""
_COARSE = 8
"""A column of fewer values than that is one that hardly changes: a temperature, a sensor at rest."""


@dataclass(frozen=True)
class Named:
    """One column.

    Attributes
    ----------
    name : str
        A lead, or what the text calls it.
    volts : bool
        Whether it may carry a voltage; clocks, counters and other quantities do not.
    mv : float
        Millivolts of the number 1.
    """

    name: str
    volts: bool = True
    mv: float = 1.0


def named(
    shape: Shape, header: Sequence[bytes] = (), values: npt.NDArray[np.float64] | None = None, fs: float = 250.0
) -> list[Named]:
    """Name the columns of a text.

    Labels and header decide. Where none is a lead, the only column that can be an ECG is lead I; without
    labels it is the first such one. A column that is smooth or hardly changes is passed over for one with beats. Where
    the first moves otherwise, and not with the heart of another column, no column is called a lead. It may be an
    accelerometer, or a lead whose electrode is off.

    Parameters
    ----------
    shape : Shape
        Labels and units beside the numbers.
    header : sequence of bytes
        Words of the line before them, used where numbers have no label and there are as many.
    values : ndarray, shape (n_lines, n_columns), optional
        The first lines: columns that count or stand still are no leads.
    fs : float
        Rate of the lines in Hz, roughly.
    """
    words = [column.label for column in shape]
    if not any(words) and len(header) == len(shape) and any(map(_says_something, header)):
        words = list(header)
    columns = [_column(k, word, unit) for k, (word, (_, unit)) in enumerate(zip(words, shape, strict=True))]
    labelled = any(words)
    quiet = set() if values is None else {k for k in range(len(columns)) if _still(values[:, k])}
    if not any(c.name in LEADS for c in columns):
        if values is not None and len(columns) > 1:
            columns = [_counting(c, values[:, k]) for k, c in enumerate(columns)]
        columns = _with_a_lead(columns, quiet, labelled, values, fs)
    return _once(columns)


def undecided(shape: Shape, header: Sequence[bytes], values: npt.NDArray[np.float64], fs: float) -> bool:
    """Whether more lines may show which column is the ECG: several could be, and none has had a beat yet.

    Parameters
    ----------
    shape, header, values, fs
        As `named`.
    """
    columns = named(shape, header, values, fs)
    able = [k for k, c in enumerate(columns) if c.volts and not _still(values[:, k])]
    if len(able) < 2 or any(c.label for c in shape):
        return False
    return not any(c.name in LEADS for c in columns) or not any(_beats(values[:, k], fs) for k in able)


def settled(shape: Shape, header: Sequence[bytes] = ()) -> bool:
    """Whether words alone say which column is which lead."""
    return len(shape) == 1 or any(_is_lead(word) for word in (*header, *(c.label for c in shape)))


def counts(column: npt.NDArray[np.float64]) -> bool:
    """Whether a column counts or is a clock.

    Its steps are equal but for wraps and lost lines, or it has whole numbers that never fall. No heart does either
    for a second, and a converter's noise does neither.
    """
    x = column[np.isfinite(column)]
    if len(x) < _FEWEST:
        return False
    steps = np.diff(x)
    if (steps >= 0).all() and (x == np.rint(x)).all():
        return bool((steps > 0).mean() >= _RISING)
    usual = float(np.median(steps))
    if usual == 0:
        return False
    ahead = steps / usual
    back = ahead <= 0
    even = float((np.abs(ahead - 1) <= _ALIKE).mean())
    return even >= _EVEN and float(back.mean()) <= _WRAPS and float((back & (ahead > -_DROP)).mean()) <= 1 - _MOSTLY


def _still(column: npt.NDArray[np.float64]) -> bool:
    """Whether a column always has the same number, or never one."""
    x = column[np.isfinite(column)]
    return len(column) >= _FEWEST and (not len(x) or (len(x) >= _FEWEST and bool((x == x[0]).all())))


def _beats(column: npt.NDArray[np.float64], fs: float) -> bool:
    return beats(column[np.isfinite(column)], fs)


def _is_other(column: npt.NDArray[np.float64], fs: float) -> bool:
    """Whether a column moves as no ECG does: smoothly, or by few steps."""
    x = column[np.isfinite(column)]
    return bend(x, fs) < SMOOTH or len(np.unique(x)) < _COARSE


def _apart(pair: npt.NDArray[np.float64], fs: float) -> bool:
    """Whether the first of two columns moves as if there were no heart, which the second one shows."""
    there = pair[np.isfinite(pair).all(axis=1)]
    return echo(there[:, 0], there[:, 1], fs) < APART


def _counting(column: Named, values: npt.NDArray[np.float64]) -> Named:
    """The column, as none of a voltage where it counts and no word says otherwise."""
    if _ECG.fullmatch(_letters(column.name)) or not counts(values):
        return column
    return Named(column.name, volts=False)


def _column(k: int, word: bytes, unit: bytes) -> Named:
    """Read a column's label and unit."""
    text = word.decode("utf-8", "replace").strip()
    plain = text.lower().replace("µ", "u").replace("μ", "u")
    found = _UNIT.search(plain)
    mv = _MV_OF[_ascii(unit)] if unit else _MV_OF[found[1]] if found else 1.0
    bare = re.sub(r"[^a-z0-9#]", "", plain[: found.start()] if found else plain)
    for name in (bare, re.sub(r"^(ecg|ekg)?(lead|channel|ch)?", "", bare)):
        try:
            return Named(lead_name(name), mv=mv)
        except UsageError:
            continue
    if bare and _BESIDE.fullmatch(bare):
        return Named(text, volts=False)
    return Named(text or f"ch{k + 1}", mv=mv)


def _is_lead(word: bytes) -> bool:
    return bool(word) and _column(0, word, b"").name in LEADS


def _says_something(word: bytes) -> bool:
    """Whether a word is a header's and not a greeting's."""
    column = _column(0, word, b"")
    return column.name in LEADS or not column.volts or bool(_ECG.fullmatch(_letters(column.name)))


def _letters(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


def _ascii(unit: bytes) -> str:
    return "uv" if unit[0] > 0x7F else unit.decode("ascii").lower()


def _with_a_lead(
    columns: list[Named], quiet: set[int], labelled: bool, values: npt.NDArray[np.float64] | None, fs: float
) -> list[Named]:
    able = [k for k, c in enumerate(columns) if c.volts]
    able = [k for k in able if k not in quiet] or able
    by_word = [k for k in able if _ECG.fullmatch(_letters(columns[k].name))]
    chosen = by_word if len(by_word) == 1 else able
    if values is not None and len(chosen) > 1:
        beating = [k for k in chosen if _beats(values[:, k], fs)]
        if _is_other(values[:, chosen[0]], fs):
            chosen = beating or chosen
        elif beating and not labelled and chosen[0] != beating[0] and _apart(values[:, [chosen[0], beating[0]]], fs):
            return columns
    if chosen and (len(chosen) == 1 or not labelled):
        first = chosen[0]
        columns = [Named("I", True, c.mv) if k == first else c for k, c in enumerate(columns)]
    return columns


def _once(columns: list[Named]) -> list[Named]:
    """Names that are there twice are replaced by the column's number."""
    seen: set[str] = set()
    out = []
    for k, c in enumerate(columns):
        name = f"ch{k + 1}" if c.name in seen else c.name
        seen.add(name)
        out.append(Named(name, c.volts, c.mv))
    return out
