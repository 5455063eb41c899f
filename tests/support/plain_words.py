"""How long the sentences of the pages are: ``python -m tests.support.plain_words [PAGE ...]`` prints the worst ten.

A page is Markdown, or a Python file: then its docstrings are read, without the headings and names of numpydoc, and
without examples, tables and literal blocks.

A sentence is prose: code blocks, tables, headings and pictures are left out. An item of a list is a paragraph. What has
fewer than five words is no sentence, and the address of a link is no word. A colon ends no sentence.
"""

from __future__ import annotations

import ast
import re
import sys
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import numpy as np

_NO_PROSE = (
    re.compile(r"^[\w ]+\n-{3,}$", re.MULTILINE),  # a heading of numpydoc
    re.compile(r"^[\w, *.]+ : .*$", re.MULTILINE),  # names and their kind
    re.compile(r"^ *>>> .*?(?:\n *\n|\Z)", re.MULTILINE | re.DOTALL),  # an example
    re.compile(r"^(?P<rule>=+(?: +=+)+)\n.*\n(?P=rule)$", re.MULTILINE | re.DOTALL),  # a table
    re.compile(r"(?<=::)\n\n(?:(?:    .*)?\n)+", re.MULTILINE),  # a literal block
)
ROOT = Path(__file__).resolve().parents[2]
HELD = ("README.md", "docs/tutorials/*.md", "docs/how-to/*.md")
MORE = (
    "CONTRIBUTING.md", "SECURITY.md", "docs/index.md", "docs/devices.md", "docs/python.md",
    "docs/explanation/*.md", "docs/decisions/*.md", "docs/notes/*.md", "docs/reference/*.md",
    "firmware_bridge/PROTOCOL.md", "firmware_bridge/c/README.md",
)  # fmt: skip
"""Written by hand, and not made from figures."""
SHORT = 5
SAYING = ("hint", "say", "warn", "Note", "note")
_END = re.compile(r"(?<=[.!?])[\"')*]*\s+(?=[\"'(*`\[A-Z0-9])")
_WORD = re.compile(r"[^\W_][\w.,'’/%+−-]*")


@dataclass(frozen=True)
class Sentence:
    """One sentence of a page and its number of words."""

    page: str
    text: str
    words: int


def prose(markdown: str, tables: bool = False) -> list[str]:
    """Return the pieces of a page that are read: paragraphs, items of lists and, if asked for, cells of tables."""
    text = re.sub(r"^```.*?^```$|<!--.*?-->", "\n\n", markdown, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"!\[[^\]]*\]\([^)]*\)|^#.*$|^!!!.*$", "", text, flags=re.MULTILINE)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"<[^>\n]*>", "", text)
    text = re.sub(r"`[^`\n]*`", "X", text)
    text = re.sub(r"^ *(?:[-*>]|\d+\.) ", "\n\n", text, flags=re.MULTILINE)
    text = re.sub(
        r"^\|.*\|$", "\n" if not tables else lambda row: row[0].replace("|", "\n\n"), text, flags=re.MULTILINE
    )
    return [" ".join(piece.split()) for piece in re.split(r"\n\s*\n", text) if piece.strip()]


def sentences(markdown: str, page: str = "") -> list[Sentence]:
    """Return the sentences of a page."""
    pieces = [s for piece in prose(markdown) for s in _END.split(piece)]
    counted = [Sentence(page, s, len(_WORD.findall(s))) for s in pieces]
    return [s for s in counted if s.words >= SHORT]


def words(markdown: str) -> int:
    """Return how many words of a page are read, tables included, code left out."""
    return sum(len(_WORD.findall(piece)) for piece in prose(markdown, tables=True))


def pages(patterns: tuple[str, ...] = HELD) -> list[Path]:
    """Return the pages whose sentences are held short."""
    return [path for pattern in patterns for path in sorted(ROOT.glob(pattern))]


def docstrings(source: str) -> str:
    """Return the docstrings of a Python file as paragraphs."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    found = [ast.get_docstring(node) for node in ast.walk(ast.parse(source)) if isinstance(node, kinds)]
    return "\n\n".join(reduce(lambda text, shape: shape.sub("\n\n", text), _NO_PROSE, f"{d}\n") for d in found if d)


def messages(source: str) -> list[str]:
    """Return the texts that calls of errors, hints and notes are given; a value in a text counts as a word."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    names = [getattr(c.func, "id", getattr(c.func, "attr", "")) for c in calls]
    said = [c.args for c, name in zip(calls, names, strict=True) if name.endswith("Error") or name in SAYING]
    return [_text(argument) for arguments in said for argument in arguments]


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(str(v.value) if isinstance(v, ast.Constant) else "X" for v in node.values)
    return ""


def measured(paths: list[Path]) -> list[Sentence]:
    """Return every sentence of these pages."""
    texts = {p: p.read_text(encoding="utf-8") for p in paths}
    return [s for p, t in texts.items() for s in sentences(docstrings(t) if p.suffix == ".py" else t, p.name)]


def main(arguments: list[str]) -> None:
    """Print mean, 90th percentile and the worst ten."""
    found = measured([Path(a) for a in arguments] or pages())
    lengths = [s.words for s in found]
    out = [
        f"{len(found)} sentences: mean {np.mean(lengths):.1f}, 90th percentile {np.percentile(lengths, 90):.0f} words"
    ]
    out += [f"{s.words:4d}  {s.page}: {s.text}" for s in sorted(found, key=lambda s: -s.words)[:10]]
    sys.stdout.write("\n".join(out) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
