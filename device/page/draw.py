"""Sheets to a PDF with text and vectors, or to PNG (extra `plot`)."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ecg_edge.device.page.sheet import FAMILY, Sheet
from ecg_edge.firmware_bridge.errors import NOT_LOADABLE, MissingExtraError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DPI = 200
_PAPER = {"minor": ("#f4d9d9", 0.2, 1), "major": ("#dd9f9f", 0.45, 5)}


def pdf(sheets: Sequence[Sheet], title: str) -> bytes:
    """Return the sheets as one PDF; its text can be searched and copied.

    Raises
    ------
    MissingExtraError
        matplotlib is not installed.
    """
    try:
        from matplotlib import rc_context
        from matplotlib.backends.backend_pdf import PdfPages
    except NOT_LOADABLE:
        raise MissingExtraError("matplotlib", "plot") from None
    out = io.BytesIO()
    with rc_context({"pdf.fonttype": 42}), PdfPages(out, metadata={"Title": title, "Creator": "ecg-edge"}) as pages:
        for sheet in sheets:
            pages.savefig(_figure(sheet))
    return out.getvalue()


def png(sheet: Sheet, dpi: int = _DPI) -> bytes:
    """Return one sheet as PNG.

    Raises
    ------
    MissingExtraError
        matplotlib is not installed.
    """
    out = io.BytesIO()
    _figure(sheet).savefig(out, format="png", dpi=dpi)
    return out.getvalue()


def _figure(sheet: Sheet) -> Figure:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except NOT_LOADABLE:
        raise MissingExtraError("matplotlib", "plot") from None
    figure = Figure(figsize=(sheet.width / 25.4, sheet.height / 25.4))
    FigureCanvasAgg(figure)
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, sheet.width), ylim=(0, sheet.height))
    ax.axis("off")
    _paper(ax, sheet)
    for area in sheet.areas:
        ax.fill_between(area.x, area.low, area.high, color=area.color, linewidth=0, zorder=2)
    for line in sheet.lines:
        ax.plot(line.x, line.y, color=line.color, linewidth=line.width, solid_joinstyle="round", zorder=3)
    for t in sheet.texts:
        weight = "bold" if t.bold else "normal"
        ax.text(t.x, t.y, t.words, fontsize=t.size, weight=weight, color=t.color, family=FAMILY, zorder=4,
                va="baseline", ha="left", parse_math=False)  # fmt: skip
    return figure


def _paper(ax: Any, sheet: Sheet) -> None:
    left, bottom, right, top = sheet.grid
    for color, width, step in _PAPER.values():
        if right > left:
            ax.vlines(np.arange(left, right + 0.1, step), bottom, top, colors=color, linewidth=width, zorder=1)
            ax.hlines(np.arange(bottom, top + 0.1, step), left, right, colors=color, linewidth=width, zorder=1)
