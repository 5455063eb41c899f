"""Text for people, and results on stdout."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any


def say(text: str) -> None:
    """Write a result to stdout; hints go to stderr by `firmware_bridge.console.hint`."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def one_line(text: str) -> str:
    """Text from outside made fit for a terminal or a header: printable, on one line, bounded."""
    return "".join(c if c.isprintable() else " " for c in text)[:400]


def one_word(text: str) -> str:
    """Text from outside as one word of a header: no blanks in it, never empty."""
    return "_".join(one_line(text).split()) or "-"


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows of equal length as aligned columns; the first row is the head."""
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows)


def hint(text: str) -> None:
    """Write a line for the human (progress, "next: …") to stderr; stdout carries results only."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def emit_json(document: dict[str, Any]) -> None:
    """Write the one JSON document that ends a ``--json`` run."""
    sys.stdout.write(json.dumps(document, allow_nan=False) + "\n")
    sys.stdout.flush()
