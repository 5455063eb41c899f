"""One progress line on stderr for anything that takes longer than a moment."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TextIO


class Progress:
    """A line like ``training  [#####.....]  52 %  0:31 left  loss 0.12``.

    On a terminal the line is redrawn at most ten times a second. Elsewhere, as in a log file, one line is written per
    tenth of the work.

    Parameters
    ----------
    label : str
        What is being done.
    total : int
        Number of steps.
    stream : file, optional
        Where to write; stderr by default.
    """

    def __init__(self, label: str, total: int, stream: TextIO | None = None) -> None:
        self._label, self._total = label, max(1, total)
        self._out = stream or sys.stderr
        self._tty = self._out.isatty()
        self._start = time.monotonic()
        self._drawn_at = 0.0
        self._tenth = -1
        self._done = 0

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        if self._tty and self._done:
            self._out.write("\n")
            self._out.flush()

    def step(self, n: int = 1, note: str = "") -> None:
        """Count `n` further steps done and show `note` at the end of the line."""
        self._done += n
        now = time.monotonic()
        if self._tty:
            if now - self._drawn_at < 0.1 and self._done < self._total:
                return
            self._drawn_at = now
            self._out.write("\r" + self._line(now, note) + "\x1b[K")
        else:
            tenth = 10 * self._done // self._total
            if tenth == self._tenth:
                return
            self._tenth = tenth
            self._out.write(self._line(now, note) + "\n")
        self._out.flush()

    def to(self, done: int, note: str = "") -> None:
        """Say that `done` steps are done, which may be fewer than before."""
        if done != self._done:
            self.step(done - self._done, note)

    def _line(self, now: float, note: str) -> str:
        part = min(1.0, self._done / self._total)
        bar = ("#" * round(20 * part)).ljust(20, ".")
        left = (now - self._start) * (1 - part) / part if part else 0.0
        return f"{self._label}  [{bar}] {100 * part:3.0f} %  {int(left // 60)}:{int(left % 60):02d} left  {note}"
