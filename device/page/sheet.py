"""A sheet of paper in millimetres: texts, lines and areas, before anything is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from ecg_edge.device.page.font import font
from ecg_edge.firmware_bridge.array_types import FloatArray

MM_PER_PT = 25.4 / 72
FAMILY = ["DejaVu Sans"]
PAPER = (("#f4d9d9", 0.2, 1), ("#dd9f9f", 0.45, 5))
"""ECG paper: colour, width in points and distance in mm of its lines."""
Box = tuple[float, float, float, float]
"""Left, bottom, right, top in mm."""


@dataclass(frozen=True)
class Text:
    """One line of text; `x`, `y` in mm are the left end of its base line, `size` is in points."""

    x: float
    y: float
    words: str
    size: float
    bold: bool = False
    color: str = "#111111"

    @property
    def box(self) -> Box:
        """What it covers in mm."""
        width, height, below = extent(self.words, self.size, self.bold)
        return self.x, self.y - below, self.x + width, self.y - below + height


@dataclass(frozen=True)
class Line:
    """A line through points in mm; NaN lifts the pen. `width` is in points."""

    x: FloatArray
    y: FloatArray
    width: float
    color: str = "#111111"


@dataclass(frozen=True)
class Area:
    """What lies between two curves in mm, in a tint that prints grey."""

    x: FloatArray
    low: FloatArray
    high: FloatArray
    color: str


@dataclass
class Sheet:
    """A page: its size in mm, and what is on it.

    Attributes
    ----------
    width, height : float
    grid : Box
        Where ECG paper lies.
    """

    width: float
    height: float
    grid: Box = (0.0, 0.0, 0.0, 0.0)
    texts: list[Text] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    areas: list[Area] = field(default_factory=list)

    def write(self, x: float, y: float, words: str, size: float, *, bold: bool = False, color: str = "#111111") -> Text:
        """Put a line of text on the sheet."""
        text = Text(x, y, words, size, bold, color)
        if words:
            self.texts.append(text)
        return text

    def paragraph(
        self, x: float, top: float, width: float, words: str, size: float, *, bold: bool = False, color: str = "#111111"
    ) -> float:
        """Put wrapped text below `top`; return where the next line would begin."""
        step = line_height(size)
        for k, line in enumerate(wrapped(words, width, size, bold)):
            self.write(x, top - (k + 0.8) * step, line, size, bold=bold, color=color)
            top_of_next = top - (k + 1) * step
        return top_of_next if words else top

    def frame(self, box: Box, width: float = 0.5) -> None:
        """Put a rectangle on the sheet."""
        import numpy as np

        a, b, c, d = box
        self.lines.append(Line(np.array([a, c, c, a, a]), np.array([b, b, d, d, b]), width))


def line_height(size: float) -> float:
    """Distance of base lines in mm."""
    return 1.25 * size * MM_PER_PT


@lru_cache(maxsize=4096)
def extent(words: str, size: float, bold: bool = False) -> tuple[float, float, float]:
    """Width, height and depth below the base line in mm."""
    return font(bold).extent(words, size * MM_PER_PT)


def wrapped(words: str, width: float, size: float, bold: bool = False) -> list[str]:
    """Cut text into lines of a width in mm: at spaces, and inside a word that is wider than a line."""
    lines: list[str] = []
    for word in words.split():
        tried = f"{lines[-1]} {word}" if lines else word
        if lines and extent(tried, size, bold)[0] <= width:
            lines[-1] = tried
            continue
        if lines and extent(word, size, bold)[0] > width:  # it is cut in any case: no room is left empty before it
            lines[-1:] = _parts(tried, width, size, bold)
        else:
            lines += _parts(word, width, size, bold)
    return lines


def _parts(word: str, width: float, size: float, bold: bool) -> list[str]:
    parts = [""]
    for letter in word:
        if parts[-1] and extent(parts[-1] + letter, size, bold)[0] > width:
            parts.append("")
        parts[-1] += letter
    return parts


def overlapping(texts: Sequence[Text]) -> list[tuple[str, str]]:
    """Pairs of texts that cover the same place, by more than a tenth of a millimetre."""
    found = []
    boxes = [t.box for t in texts]
    for k, (a, one) in enumerate(zip(texts, boxes, strict=True)):
        for b, other in zip(texts[k + 1 :], boxes[k + 1 :], strict=True):
            wide = min(one[2], other[2]) - max(one[0], other[0])
            high = min(one[3], other[3]) - max(one[1], other[1])
            if wide > 0.1 and high > 0.1:
                found.append((a.words, b.words))
    return found
