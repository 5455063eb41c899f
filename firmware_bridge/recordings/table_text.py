"""A table of numbers in a text file of any dialect: separator, decimal mark, lines above the table, quotes."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from ecg_edge.firmware_bridge.array_types import FloatArray
from ecg_edge.firmware_bridge.errors import RecordingError
from ecg_edge.firmware_bridge.recordings.text import decode, read_bytes

_MAX_BYTES = 1_000_000_000
_MAX_COLUMNS = 1000
_HEAD_LINES = 400
_SAMPLE = 60
_TRIES = 12
_EMPTY = frozenset([
    "", "nan", "na", "n/a", "n.a.", "#n/a", "<na>", "nil", "nul", "null", "none", "missing", "undefined", "-", "--",
    "---", ".", "*", "?", "nan(ind)", "-nan(ind)", "1.#qnan", "-1.#ind", "#value!", "#num!", "#div/0!",
])  # fmt: skip
_THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2}[.,]\d{3}")
_COMPACT = re.compile(r"(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])([01]\d|2[0-3])[0-5]\d[0-5]\d(\.\d*)?")
"""``20240304100000.004``: a moment, though it is a number too."""
_MEASURE = re.compile(r"[-+]?[\d.,]+(\s*[A-Za-z%]{1,6})?$")
"""A number, with or without a unit: no name of a column."""
_FIX = "write a column per lead, its name and unit in the first line: time [s],I [mV],II [mV]"


@dataclass(frozen=True)
class Dialect:
    """`separator` is empty where there is one column; ``" "`` stands for any run of blanks."""

    separator: str
    decimal: str

    def split(self, line: str) -> list[str]:
        """Cells of a line, without quotes and blanks around them."""
        if not self.separator:
            return [line.strip().strip("\"'")]
        if self.separator == " ":
            return line.split()
        cells = next(csv.reader([line], delimiter=self.separator, skipinitialspace=True), [])
        return [c.strip().strip("'").strip() for c in cells]

    def value(self, cell: str) -> float | None:
        """A number, NaN for an empty cell, None for text."""
        if cell.lower() in _EMPTY:
            return np.nan
        plain = cell.replace(",", ".") if self.decimal == "," else cell
        # Python takes 1_000 for a number, and no program writes one so.
        try:
            return float(plain) if "_" not in plain else None
        except ValueError:
            return None


_DIALECTS = tuple(Dialect(s, d) for s, d in ((";", ","), (";", "."), ("\t", ","), ("\t", "."), ("|", "."), (",", "."),
                                             (",", ","), (" ", "."), (" ", ","), ("", "."), ("", ",")))  # fmt: skip


@dataclass(frozen=True)
class Table:
    """A table as found.

    Attributes
    ----------
    above : tuple of tuple of str
        Cells of the lines above the table that are not its head: ``("Sample Rate", "512 hertz")``.
    heads : tuple of tuple of str
        Cells of the lines directly above the numbers that have as many: names, and perhaps units.
    values : ndarray of float64, shape (n_rows, n_columns)
        NaN where a cell is empty, and in columns of text.
    texts : dict of int to tuple of str
        Cells of each column that holds dates, times or words.
    line : int
        Number of the first row's line in the file.
    remarks : tuple of str
    decimal : str
        The decimal mark.
    """

    above: tuple[tuple[str, ...], ...]
    heads: tuple[tuple[str, ...], ...]
    values: FloatArray
    texts: dict[int, tuple[str, ...]]
    line: int
    remarks: tuple[str, ...]
    decimal: str


def read_table(path: Path) -> Table:
    """Find the table of numbers in a text file; see `find_table`."""
    return find_table(read_bytes(path, _MAX_BYTES), path)


def find_table(data: bytes, path: Path) -> Table:
    """Find the table of numbers in the text of a file.

    Raises
    ------
    RecordingError
        There is none, or a cell of it is no number: line and cell are named.
    """
    if b"\0" in data[:4096] and data[:2] not in (b"\xff\xfe", b"\xfe\xff"):
        raise RecordingError(f"{path} is no text", _FIX)
    lines = decode(data).splitlines()
    dialect, first, text_columns = _understand(path, lines)
    body = lines[first:]
    while body and not body[-1].strip():
        body.pop()
    width = len(dialect.split(lines[first]))
    remarks = []
    if len(body) > 1 and len(dialect.split(body[-1])) < width:
        body.pop()
        remarks.append("the last line is cut and was left out")
    values = _numbers(path, body, first, dialect, width, text_columns)
    _no_thousands(path, body, first, dialect, values)
    if n := int(np.isinf(values).sum()):
        values = np.where(np.isinf(values), np.nan, values)
        remarks.append(f"{n} infinite {'value is' if n == 1 else 'values are'} taken as missing")
    texts = {k: tuple(_cell(dialect, line, k) for line in body) for k in text_columns}
    heads: list[tuple[str, ...]] = []
    at = first
    while at and lines[at - 1].strip() and len(cells := dialect.split(lines[at - 1])) == width and len(heads) < 3:
        if any(_MEASURE.match(c) and c.lower() not in _EMPTY for c in cells):
            break
        heads.append(tuple(cells))
        at -= 1
    above = tuple(_pair(line) for line in lines[:at] if line.strip(" \t\r,;|\"'"))
    return Table(above, tuple(reversed(heads)), values, texts, first + 1, tuple(remarks), dialect.decimal)


def _no_thousands(path: Path, body: Sequence[str], first: int, dialect: Dialect, values: FloatArray) -> None:
    """Refuse a column in which ``1.148`` may be 1148: its other numbers are whole, and of three digits at most."""
    for k in range(values.shape[1]):
        x = np.abs(values[:, k][np.isfinite(values[:, k])])
        parts = x[x != np.rint(x)]
        if not len(parts) or parts.min() < 1 or x.max() >= 1000 or x.max() < 100:
            continue
        cells = [(j, cell) for j, line in enumerate(body) if (cell := _cell(dialect, line, k))]
        marked = [(j, cell) for j, cell in cells if "." in cell or "," in cell]
        hundreds = any(re.fullmatch(r"[-+]?[1-9]\d\d", cell) for _, cell in cells)
        if hundreds and all(_THOUSANDS.fullmatch(cell) for _, cell in marked):
            j, cell = marked[0]
            raise RecordingError(
                f"{path}, line {first + j + 1}, cell {k + 1}: {cell!r} may be {cell[:-4]}{cell[-3:]} or a fraction",
                "write the numbers without marks between thousands",
            )


def _cell(dialect: Dialect, line: str, k: int) -> str:
    cells = dialect.split(line)
    return cells[k] if k < len(cells) else ""


def _pair(line: str) -> tuple[str, ...]:
    """A line above the table as its cells, whatever separates them: commas, semicolons, tabs, or one colon."""
    remark = line.lstrip().startswith("#")
    line = line.strip().lstrip("#%/ ").strip()
    fact = re.fullmatch(r"([^:;,\t]+):\s+(.+)", line) if remark else None
    if fact:  # what follows is a sentence, commas and all
        return fact[1].strip(), fact[2].strip()
    for mark in (";", "\t", ",") if not remark or re.search(r"[;,\t]\s*\d", line) else ():
        if mark in line:
            return tuple(
                c.strip() for c in next(csv.reader([line], delimiter=mark, skipinitialspace=True)) if c.strip()
            )
    key, colon, rest = line.partition(":")
    return (key.strip(), rest.strip()) if colon and rest.strip() else (line,)


def _understand(path: Path, lines: Sequence[str]) -> tuple[Dialect, int, tuple[int, ...]]:
    """Dialect, index of the first line of numbers, and the columns that hold text."""
    best: tuple[float, Dialect, int, tuple[int, ...]] | None = None
    for dialect in _DIALECTS:
        for first in islice(_starts(lines, dialect), _TRIES):
            if found := _fits(lines, first, dialect):
                if best is None or found[0] > best[0]:
                    best = (found[0], dialect, first, found[1])
                break
    if best is None:
        raise RecordingError(f"{path} holds no table of numbers", _FIX)
    return best[1:]


def _starts(lines: Sequence[str], dialect: Dialect) -> Iterator[int]:
    """Lines from which on a table might begin: two in a row with as many cells, a number among them."""
    before = (0, False)
    for k, line in enumerate(lines[:_HEAD_LINES]):
        cells = dialect.split(line) if line.strip() else []
        values = [dialect.value(c) for c in cells]
        numeric = any(v is not None and v == v for v in values) and not line.lstrip().startswith(("#", "%"))
        here = (len(cells), numeric)
        if numeric and before == here:
            yield k - 1
        before = here
    if len(lines) and before[1] and len(lines) <= _HEAD_LINES:
        yield len(lines) - 1


def _fits(lines: Sequence[str], first: int, dialect: Dialect) -> tuple[float, tuple[int, ...]] | None:
    """How well a dialect fits the lines from `first` on, and the columns of text; None where it does not."""
    body = [line for line in lines[first : first + _SAMPLE] if line.strip()]
    middle = first + max(_SAMPLE, (len(lines) - first) // 2)
    body += [line for line in lines[middle : middle + _SAMPLE] if line.strip()]
    rows = [dialect.split(line) for line in body]
    width = len(rows[0])
    if not 1 <= width <= _MAX_COLUMNS:
        return None
    same = [row for row in rows if len(row) == width]
    if len(same) < 0.9 * len(rows):
        return None
    numeric = [
        sum(dialect.value(row[k]) is not None for row in same) > 0.8 * len(same)
        and not all(_COMPACT.fullmatch(row[k]) for row in same)
        for k in range(width)
    ]
    text = tuple(k for k, ok in enumerate(numeric) if not ok)
    if not any(numeric) or any(
        dialect.value(c) is None for row in rows[:2] for c, ok in zip(row, numeric, strict=False) if ok
    ):
        return None
    score = width - 3.0 * len(text) + 5.0 * (len(same) == len(rows))
    head = dialect.split(lines[first - 1]) if first and lines[first - 1].strip() else []
    named = len(head) == width and not any(dialect.value(c) is not None and c for c in head)
    score += 4.0 if named and (width > 1 or len(lines[first - 1]) < 40) else 0.0
    if dialect.decimal == "," and not any("," in cell for row in same for cell in row):
        return None
    if dialect.separator == "," and dialect.decimal == "." and _decimal_commas(body, named, head):
        return None
    return score, text


def _decimal_commas(body: Sequence[str], named: bool, head: Sequence[str]) -> bool:
    """Whether ``-12,345`` is one number with a decimal comma, not two columns."""
    one = [re.fullmatch(r"\s*[-+]?\d+,(\d+)\s*", line) for line in body]
    if not all(one):
        return False
    # Two whole numbers a line, under a head that names two columns, are two columns.
    return not named or head[-1].strip().lower() in ("µv", "μv", "uv", "mv", "v")


def _numbers(
    path: Path, body: Sequence[str], first: int, dialect: Dialect, width: int, text_columns: Sequence[int]
) -> FloatArray:
    columns = [k for k in range(width) if k not in text_columns]
    out = np.full((len(body), width), np.nan)
    if quick := _quick(body, dialect, columns, width):
        out[:, columns] = quick[0]
        return out
    for k, line in enumerate(body):
        cells = dialect.split(line) if line.strip() else []
        if len(cells) != width:
            if not cells:
                continue
            raise RecordingError(f"{path}, line {first + k + 1}: {len(cells)} cells, not {width}", "mend the line")
        for c in columns:
            value = dialect.value(cells[c])
            if value is None:
                raise RecordingError(
                    f"{path}, line {first + k + 1}, cell {c + 1}: {cells[c][:40]!r} is no number",
                    "mend the cell, or leave it empty where there is no sample",
                )
            out[k, c] = value
    return out


def _quick(body: Sequence[str], dialect: Dialect, columns: Sequence[int], width: int) -> tuple[FloatArray] | None:
    """The numbers by numpy, a hundred times as fast, where no cell is empty or quoted."""
    text = "\n".join(body)
    if '"' in text or "'" in text or "_" in text or (dialect.separator == dialect.decimal):
        return None
    if any(_cells(line, dialect.separator) != width for line in body):  # numpy would leave out what is too much
        return None
    if dialect.decimal == ",":
        text = text.replace(",", ".")
    try:
        delimiter = dialect.separator.strip(" ") or None
        x = np.loadtxt(io.StringIO(text), delimiter=delimiter, usecols=list(columns), ndmin=2, comments=None)
    except (ValueError, IndexError):
        return None
    return (x,) if len(x) == len(body) else None


def _cells(line: str, separator: str) -> int:
    """How many cells a line without quotes has."""
    return len(line.split()) if separator == " " else 1 + (line.count(separator) if separator else 0)
