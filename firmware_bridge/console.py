"""Text for people, and results on stdout."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
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
    """Write a line for the human (progress, "next: …") to stderr; stdout carries results only.

    A stderr that nobody reads, or a full disk behind it, ends nothing.
    """
    clean = "\n".join("".join(c if c.isprintable() or c == "\t" else " " for c in line) for line in text.split("\n"))
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(clean + "\n")
        sys.stderr.flush()


def write_through(text: str) -> None:
    """Write to stdout past its buffer: a thread that waits for a reader must not hold the buffer's lock at exit."""
    try:
        number = sys.stdout.fileno()
    except (OSError, ValueError):  # a test's, or an embedding program's
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    sys.stdout.flush()
    left = memoryview(text.encode())
    while left:
        left = left[os.write(number, left) :]


@contextlib.contextmanager
def stdout_elsewhere() -> Iterator[None]:
    """Send to standard error what libraries write to standard output, from Python or C: it is for data alone."""
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
    try:
        kept = os.dup(1)
    except OSError:  # closed
        yield
        return
    try:
        with contextlib.suppress(OSError):
            os.dup2(2, 1)
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def silence_stdout() -> None:
    """Let nothing fail again at exit: whoever read our output has left, or its disk is full."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def open_standard_streams() -> None:
    """Give a process that was started without them a stdout that ends it quietly, and a stderr.

    A file opened later must never get their numbers: a library's chatter would end in a recording.
    """
    while (nowhere := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(nowhere)
    if sys.stdout is None:
        read, write = os.pipe()
        os.close(read)
        sys.stdout = os.fdopen(write, "w")
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115 -- as long as the process lives


def emit_json(document: dict[str, Any]) -> None:
    """Write the one JSON document that ends a ``--json`` run."""
    import json  # the help starts sooner without

    sys.stdout.write(json.dumps(document, allow_nan=False) + "\n")
    sys.stdout.flush()


def at_words(text: str, width: int) -> str:
    """Text of at most `width` characters: what does not fit is left out from a word on, with an ellipsis."""
    if len(text) <= width:
        return text
    kept = text[: max(0, width - 1)]
    if not text[len(kept) : len(kept) + 1].isspace():
        kept = kept.rpartition(" ")[0]
    return f"{kept.rstrip(' ,;')}…" if width > 0 else ""
