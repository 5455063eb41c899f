"""The twelve leads in a terminal: strips of braille dots, over SSH as well."""

from __future__ import annotations

import shutil
import sys
from typing import TextIO

import numpy as np
import numpy.typing as npt

from ecg_edge.device.lead_algebra import Provenance
from ecg_edge.device.lead_block import LeadBlock, Note
from ecg_edge.device.sinks.sink import RunHeader, SinkBase, Status
from ecg_edge.device.sinks.status_line import status_text
from ecg_edge.firmware_bridge.console import at_words, one_line
from ecg_edge.firmware_bridge.errors import UsageError
from ecg_edge.firmware_bridge.lead_names import LEADS

_DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
"""Bits of a braille cell, row by row (Unicode 2800-28FF)."""
_DRAWN_S = 0.1
_WINDOW_MV = (-1.2, 1.8)
_STRIP_S = 4
_CUT = ("\N{BLACK UP-POINTING TRIANGLE}", "\N{BLACK DOWN-POINTING TRIANGLE}")
"""In place of a cell whose trace goes on above, or below."""
_SCALE = f"{_STRIP_S} s a strip, {_WINDOW_MV[0]:g} to {_WINDOW_MV[1]:g} mV, {_CUT[0]}{_CUT[1]} cut; Ctrl-C ends"
_MIN_COLUMNS, _MIN_ROWS = 60, 20
_STYLES = {Provenance.MEASURED: "\x1b[1;32m", Provenance.DERIVED: "\x1b[36m", Provenance.RECONSTRUCTED: "\x1b[33m"}
_WORDS = {Provenance.MEASURED: "", Provenance.DERIVED: "der.", Provenance.RECONSTRUCTED: "recon."}
_WARNING = "Reconstructed leads are estimates, not for diagnosis"


def braille(mv: npt.NDArray[np.floating], columns: int, rows: int, dots_per_sample: float) -> list[str]:
    """Draw a strip that ends at the right edge.

    Parameters
    ----------
    mv : ndarray of shape (n_samples,)
        NaN where there is nothing to draw.
    columns, rows : int
        Of characters; each has two by four dots.
    dots_per_sample : float
        Along time.

    Returns
    -------
    list of str
        `rows` strings of `columns` characters. A triangle in the first or last says where the trace is cut.
    """
    width, height = 2 * columns, 4 * rows
    grid = np.zeros((height, width), np.bool_)
    x = width - 1 - np.floor((len(mv) - 1 - np.arange(len(mv))) * dots_per_sample).astype(int)
    low, high = _WINDOW_MV
    with np.errstate(invalid="ignore"):
        y = np.clip(np.rint((high - mv) / (high - low) * (height - 1)), 0, height - 1)
    for k in np.flatnonzero((x >= 0) & np.isfinite(y)):
        before = y[k - 1] if k and np.isfinite(y[k - 1]) else y[k]
        a, b = sorted((int(before), int(y[k])))
        grid[a : b + 1, x[k]] = True
    cells = grid.reshape(rows, 4, columns, 2).transpose(0, 2, 1, 3)
    codes = (cells * _DOTS).sum(axis=(2, 3))
    lines = [[chr(0x2800 + int(c)) for c in row] for row in codes]
    shown = (x >= 0) & np.isfinite(mv)
    for row, mark, beyond in ((0, _CUT[0], mv > high), (-1, _CUT[1], mv < low)):
        for column in np.unique(x[shown & beyond] // 2):
            lines[row][column] = mark
    return ["".join(line) for line in lines]


class TerminalScreen(SinkBase):
    """A sink that redraws the terminal ten times per second of signal.

    Parameters
    ----------
    stream : file, optional
        stderr by default, so that results on stdout stay clean.
    size : tuple of int, optional
        Columns and rows; the terminal's own by default.

    Raises
    ------
    UsageError
        From `open`: no terminal, or one that is too small.
    """

    name = "terminal"
    capacity = 32

    def __init__(self, stream: TextIO | None = None, size: tuple[int, int] | None = None) -> None:
        self._out = stream or sys.stderr
        self._size = size
        self._status = self._note = ""
        self._fresh = 0

    def open(self, header: RunHeader) -> None:
        """Take the screen."""
        columns, rows = self._terminal()
        if not self._out.isatty():
            raise UsageError("--tui needs a terminal", "leave it out, or use --monitor")
        if columns < _MIN_COLUMNS or rows < _MIN_ROWS:
            fix = "make the window larger, or use --monitor"
            raise UsageError(f"--tui needs {_MIN_COLUMNS} x {_MIN_ROWS} characters, there are {columns} x {rows}", fix)
        self._fs = header.spec.fs
        self._title = one_line(f"{header.info.device}  {header.model_name}  {header.calibration}")
        self._mv = np.full((20 * self._fs, len(LEADS)), np.nan)
        self._provenance = header.provenance
        self._out.write("\x1b[?1049h\x1b[?25l\x1b[2J")

    def leads(self, block: LeadBlock) -> None:
        """Take rows; draw when a tenth of a second has come together."""
        fresh = np.where(block.valid, block.mv, np.nan)
        self._mv = np.concatenate([self._mv, fresh])[-len(self._mv) :]
        self._provenance = block.provenance
        self._fresh += len(block)
        if self._fresh >= _DRAWN_S * self._fs:
            self._fresh = 0
            self._draw()

    def note(self, note: Note) -> None:
        """Show the newest."""
        self._note = one_line(f"{note.kind}: {note.text}")

    def status(self, status: Status) -> None:
        """Show the figures."""
        self._status = status_text(status)

    def close(self) -> None:
        """Give the screen back."""
        self._out.write("\x1b[?25h\x1b[?1049l")
        self._out.flush()

    def _terminal(self) -> tuple[int, int]:
        size = shutil.get_terminal_size()
        return self._size or (size.columns, size.lines)

    def _draw(self) -> None:
        columns, rows = self._terminal()
        height = max(2, (rows - 4) // 6)
        width = columns // 2 - 1
        dots = 2 * (width - 1) / (_STRIP_S * self._fs)
        out = ["\x1b[H", self._line(self._title, columns)]
        for row in range(6):
            left, right = (self._strip(k, width, height, dots) for k in (row, row + 6))
            out += [f"{a} {b}\x1b[K\r\n" for a, b in zip(left, right, strict=True)]
        warning = at_words(_WARNING, columns)
        scale = at_words(_SCALE, columns - len(warning) - 2)
        below = at_words(self._note, columns)
        out += [self._line(self._status, columns), f"\x1b[33m{warning}\x1b[0m  {scale}\x1b[K\r\n", below, "\x1b[J"]
        self._out.write("".join(out))
        self._out.flush()

    def _strip(self, k: int, width: int, height: int, dots: float) -> list[str]:
        kind = self._provenance[k]
        lines = braille(self._mv[:, k], width, height, dots)
        label = f"{LEADS[k]} {_WORDS[kind]}".strip()
        lines[0] = label + lines[0][len(label) :]
        return [f"{_STYLES[kind]}{line}\x1b[0m" for line in lines]

    def _line(self, text: str, columns: int) -> str:
        return f"{at_words(text, columns)}\x1b[K\r\n"
