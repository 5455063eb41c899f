"""A table that prints for people and as Markdown, and how numbers are written in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ecg_edge.firmware_bridge import console

NONE = "–"


@dataclass(frozen=True)
class Table:
    """Title, head, rows, and what must be said beside them.

    Attributes
    ----------
    title : str
        One line.
    head : sequence of str
        Names of the columns.
    rows : sequence of sequence of str
        As wide as the head.
    note : str
        Definitions and caveats; may be empty.
    """

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""

    def plain(self) -> str:
        """Aligned columns for a terminal."""
        parts = [self.title, console.table([list(self.head), *map(list, self.rows)]), self.note]
        return "\n".join(p for p in parts if p) + "\n"

    def markdown(self, level: int = 2) -> str:
        """Heading of the given level, table, note."""
        lines = [f"{'#' * level} {self.title}", "", _line(self.head), "|" + "---|" * len(self.head)]
        lines += [_line(row) for row in self.rows]
        return "\n".join([*lines, *(["", self.note] if self.note else [])]) + "\n"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |"


def number(x: float | None, digits: int = 3, scale: float = 1.0) -> str:
    """Return a number with a fixed count of decimals, a dash where there is none."""
    return NONE if x is None else f"{scale * x:.{digits}f}"


def with_interval(row: dict[str, Any], name: str, digits: int = 3, scale: float = 1.0) -> str:
    """``0.878 [0.874, 0.882]``: a figure with its bootstrap interval, where it has one."""
    text = number(row.get(name), digits, scale)
    ci = (row.get("ci") or {}).get(name)
    if text == NONE or not ci:
        return text
    return f"{text} [{number(ci[0], digits, scale)}, {number(ci[1], digits, scale)}]"


def percent(x: float | None, digits: int = 1) -> str:
    """A share in percent."""
    return number(x, digits, 100.0)


def counted(row: dict[str, Any]) -> int:
    """Windows behind a row of figures; a document of before it counted them calls them records."""
    return int(row["windows"] if "windows" in row else row["records"])
