"""Sheets to PNG (extra `plot`); see `pdf` for paper."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from ecg_edge.device.page.sheet import FAMILY, PAPER, Sheet
from ecg_edge.firmware_bridge.errors import NOT_LOADABLE, MissingExtraError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DPI = 200


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
    for color, width, step in PAPER:
        if right > left:
            ax.vlines(np.arange(left, right + 0.1, step), bottom, top, colors=color, linewidth=width, zorder=1)
            ax.hlines(np.arange(bottom, top + 0.1, step), left, right, colors=color, linewidth=width, zorder=1)
