"""How sketches write a line of numbers: separators, labels, units, a comma for the point."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

_LABEL = rb"[^\s,;:=\0]+"
_UNIT = rb"(?:[mMuU]|\xc2\xb5|\xce\xbc|\xb5)?[vV]"
_NONE = rb"[+-]?(?:[nN][aA][nN]|[iI][nN][fF](?:[iI][nN][iI][tT][yY])?)|ovf|null|!"
"""What C, Python, JSON and an Arduino print for a number that is none, and the mark of a lead that is off."""
_PLAIN = rb"(?:[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?|" + _NONE + rb")"
_COMMA = rb"(?:[+-]?\d*,\d+|" + _NONE + rb")"
_SAYS = rb"[ \t]*[:=][ \t]*"
_TAG = re.compile(_LABEL + _SAYS)
_IS_DRESSED = re.compile(rb'[\x1b"{\[>$]|\xef\xbb\xbf|\d:\d\d:\d')
_CLOCK = rb"\[?(?:\d{4}-\d\d-\d\d[ T])?\d{1,2}:\d\d:\d\d(?:[.,]\d+)?Z?\]?"
_DRESS = (
    (re.compile(rb"\xef\xbb\xbf|\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07\n]*\x07"), b""),  # byte order mark, colours
    (re.compile(rb'(?m)(^|(?<=[\s,;:{\[]))"([^"\n]*)"(?=[\s,;:}\]])'), rb"\2"),
    (re.compile(rb"(?m)^" + _CLOCK + rb"(?:[ \t]*->[ \t]*|[ \t,;]+)|[ \t,;]+" + _CLOCK + rb"(?=[ \t\0]*$)"), b""),
    (re.compile(rb"(?m)^[ \t]*\{(.*)\}[ \t,]*$"), rb"\1"),
    (re.compile(rb"(?m)(^|(?<=[:\s]))\[([^\[\]\n]*)\](?=[ \t,]*$)"), rb"\2"),
    (re.compile(rb"(?m)^[>$](?=[^\s,;]*[:=]|[+-]?[.\d])"), b""),  # marks of Teleplot and SerialPlot
)
"""Around the numbers of a line: what a log, JSON, a spreadsheet or a terminal adds, each at its place only."""
_MOST = 32
"""Columns of a line, at most."""
_ENOUGH = 8
"""Lines from which on one column with a comma is told from two columns."""


class Column(NamedTuple):
    """What stands beside a number: its label and its unit, both empty where there is none."""

    label: bytes
    unit: bytes


Shape = tuple[Column, ...]


@dataclass(frozen=True)
class Dialect:
    """A way to write numbers.

    Attributes
    ----------
    comma : bool
        The comma is the decimal point; it separates numbers otherwise.
    """

    comma: bool = False

    @property
    def _gap(self) -> bytes:
        return rb"[ \t\0;]" if self.comma else rb"[ \t\0;,]"

    @property
    def _number(self) -> bytes:
        return _COMMA if self.comma else _PLAIN

    def shape(self, line: bytes) -> Shape | None:
        """Label and unit of each number of a line; None where it is no line of numbers."""
        part = re.compile(
            rb"(?:("
            + _LABEL
            + rb")"
            + _SAYS
            + rb")?"
            + self._number
            + rb"(?: ?("
            + _UNIT
            + rb"))?(?:"
            + self._gap
            + rb"+|\Z)"
        )
        line = line.strip(b" \t\0;,\r\n")
        columns: list[Column] = []
        at = 0
        while at < len(line) and len(columns) <= _MOST:
            found = part.match(line, at)
            if found is None or (found[1] or b"").isdigit():
                return None
            columns.append(Column(found[1] or b"", found[2] or b""))
            at = found.end()
        return tuple(columns) if 0 < len(columns) <= _MOST else None

    def lines_of(self, shape: Shape) -> re.Pattern[bytes]:
        """Pattern of a run of lines of one shape, each with its LF."""
        parts = [
            (re.escape(label) + _SAYS if label else b"") + self._number + (b" ?" + re.escape(unit) if unit else b"")
            for label, unit in shape
        ]
        gap, gaps = self._gap, self._gap + rb"+"
        return re.compile(rb"(?:" + gap + rb"*" + gaps.join(parts) + gap + rb"*\n)+")

    def numbers(self, run: bytes, shape: Shape) -> list[bytes]:
        """Every number of a run of lines of that shape."""
        if any(label for label, _ in shape):
            run = _TAG.sub(b"", run)
        if any(unit for _, unit in shape):
            run = re.sub(rb" ?" + _UNIT + rb"(?=[ \t\0;,\n])", b"", run)
        if self.comma:
            return run.replace(b",", b".").translate(_TO_SPACE).split()
        return run.translate(_TO_SPACE_AND_COMMA).split()


_TO_SPACE = bytes.maketrans(b"\0;\t", b"   ")
_TO_SPACE_AND_COMMA = bytes.maketrans(b"\0;\t,", b"    ")


def undressed(text: bytes, longest: int) -> bytes:
    """Whole lines without quotes, JSON's brackets, times of the clock, colours and a byte order mark.

    Parameters
    ----------
    text : bytes
        Lines, each with its LF.
    longest : int
        Longer lines, in bytes, stay as they are.
    """
    if not _IS_DRESSED.search(text):
        return text
    lines = text.splitlines(keepends=True)
    return b"".join(line if len(line) > longest else _without_dress(line) for line in lines)


def _without_dress(line: bytes) -> bytes:
    for what, instead in _DRESS:
        line = what.sub(instead, line)
    return line


def dialect_of(lines: Sequence[bytes]) -> Dialect:
    """Find out whether the comma of these lines is a decimal point.

    It is where every number has one and something else separates them. One number with a comma could be two whole
    numbers. It is one where the digits behind the comma are always as many, two at least, and begin with 0 or follow
    ``-0`` somewhere.
    """
    comma = Dialect(comma=True)
    if any(b"." in line or b"," not in line for line in lines):
        return Dialect()
    shapes = {comma.shape(line) for line in lines}
    if len(shapes) != 1 or None in shapes:
        return Dialect()
    (shape,) = shapes
    if shape is not None and len(shape) > 1:
        return comma
    return comma if len(lines) >= _ENOUGH and _fractions(lines) else Dialect()


def _fractions(lines: Sequence[bytes]) -> bool:
    pairs = [_TAG.sub(b"", line).strip(b" \t\0;\r\n").split(b",") for line in lines]
    behind = {len(pair[-1]) for pair in pairs}
    return behind != {1} and len(behind) == 1 and any(p[-1][:1] == b"0" or p[0] == b"-0" for p in pairs)
