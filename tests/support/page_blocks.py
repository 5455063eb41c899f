"""The ``sh`` and ``python`` blocks of a page, and how each is tried.

A comment before a block changes that: ``<!-- test: skip, REASON -->`` where it needs hardware, packages or minutes,
``<!-- test: COMMANDS -->`` where shorter commands stand for it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(
    r"(?:<!-- test: (?P<note>[^\n]*?) -->\n+)?^```(?P<kind>sh|python)\n(?P<code>.*?)^```$", re.DOTALL | re.MULTILINE
)


@dataclass(frozen=True)
class Block:
    """One block: `code` is what is run, empty where it is not tried for `reason`."""

    kind: str
    shown: str
    code: str
    reason: str = ""


def blocks_of(page: Path) -> list[Block]:
    """Return the blocks of a page in their order."""
    return [_block(m["kind"], m["code"], m["note"] or "") for m in _BLOCK.finditer(page.read_text(encoding="utf-8"))]


def _block(kind: str, code: str, note: str) -> Block:
    skip, _, reason = note.partition(", ")
    if skip == "skip":
        return Block(kind, code, "", reason)
    return Block("sh" if note else kind, code, note or code)


def script_of(blocks: list[Block]) -> str:
    """Return all blocks of a page as one shell script: they share folder and variables, as for a reader."""
    python = "\n".join(b.code for b in blocks if b.kind == "python")
    lines = ["set -e", *(b.code for b in blocks if b.kind == "sh" and b.code)]
    if python:
        lines.append(f"python - <<'END_OF_PYTHON'\n{python}\nEND_OF_PYTHON")
    return "\n".join(lines) + "\n"
