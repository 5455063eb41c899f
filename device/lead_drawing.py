"""How twelve leads are drawn: a line per provenance, and the strip a notebook shows."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ecg_edge.firmware_bridge.errors import NOT_LOADABLE, MissingExtraError
from ecg_edge.firmware_bridge.lead_names import LEADS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STYLES: dict[str, dict[str, Any]] = {
    "measured": {"color": "#111111", "linewidth": 0.9, "linestyle": "-"},
    "derived": {"color": "#1f4e9c", "linewidth": 0.6, "linestyle": "-"},
    "reconstructed": {"color": "#b35900", "linewidth": 0.8, "linestyle": (0, (4, 1.6))},
    "": {"color": "#555555", "linewidth": 0.8, "linestyle": (0, (1, 1))},
}
"""Empty: the recording does not say."""
PAPER = {"minor": "#f6d5d5", "major": "#e8a5a5"}
WARNING = "Reconstructed leads are estimates, not for diagnosis."
SHOWN_S = 10.0
_ROW_MV, _LARGEST_MV = 1.0, 4.0
_DPI = 80


def draw_strip(
    seconds: npt.NDArray[np.float64],
    mv: npt.NDArray[np.float32],
    interval: npt.NDArray[np.float32],
    warmup: npt.NDArray[np.bool_],
    provenance: Sequence[str],
) -> Figure:
    """Draw the twelve leads below each other.

    Parameters
    ----------
    seconds : ndarray of float64, shape (n_samples,)
        Time of each row; the first ten seconds are drawn.
    mv, interval : ndarray of float32, shape (n_samples, 12)
        Values, NaN where invalid; half-width of the stated interval, NaN where there is none.
    warmup : ndarray of bool, shape (n_samples,)
        Rows that are not settled.
    provenance : sequence of str
        Of each lead: a key of `STYLES`.

    Raises
    ------
    MissingExtraError
        matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except NOT_LOADABLE:
        raise MissingExtraError("matplotlib", "plot") from None
    shown = slice(0, int(np.searchsorted(seconds, seconds[0] + SHOWN_S)) if len(seconds) else 0)
    figure = Figure(figsize=(11, 7.6), layout="constrained")
    FigureCanvasAgg(figure)
    ax = figure.add_subplot()
    t, values, widths = seconds[shown], mv[shown].astype(np.float64), interval[shown].astype(np.float64)
    base = -_ladder(values)
    _paper(ax, t, base)
    ax.fill_between(t, *ax.get_ylim(), where=warmup[shown].tolist(), color="#00000014", linewidth=0)
    for k, kind in enumerate(provenance):
        line, style = base[k] + values[:, k], STYLES[kind]
        ax.fill_between(t, line - widths[:, k], line + widths[:, k], color=style["color"], alpha=0.14, linewidth=0)
        ax.plot(t, line, **style)
    _words(ax, base, provenance, len(mv) > len(t))
    ax.set_xlabel("seconds; squares of 0.2 s and 0.5 mV" + ("; grey: not settled yet" if warmup[shown].any() else ""))
    return figure


def picture(figure: Figure, kind: str) -> str | bytes:
    """Return a figure as ``svg`` text or ``png`` bytes; the same figure gives the same."""
    from matplotlib import rc_context

    out = io.BytesIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "ecg-edge"}):
        figure.savefig(out, format=kind, dpi=_DPI, metadata={"Date": None} if kind == "svg" else None)
    return out.getvalue().decode() if kind == "svg" else out.getvalue()


def _ladder(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """How far below the first lead each lies, in mV: no closer than their waves need."""
    tops, bottoms = (_extreme(values, share) for share in (0.999, 0.001))
    steps = np.clip(tops[1:] - bottoms[:-1], _ROW_MV, _LARGEST_MV)
    return np.concatenate([[0.0], np.cumsum(steps)])


def _extreme(values: npt.NDArray[np.float64], share: float) -> npt.NDArray[np.float64]:
    known = [c[np.isfinite(c)] for c in values.T]
    return np.array([np.quantile(c, share) if c.size else 0.0 for c in known])


def _paper(ax: Axes, t: npt.NDArray[np.float64], base: npt.NDArray[np.float64]) -> None:
    """Squares of 0.2 s and 0.5 mV, in rows of the strip's own scale."""
    left, right = (float(t[0]), max(float(t[-1]), float(t[0]) + 1.0)) if len(t) else (0.0, 1.0)
    ax.set(xlim=(left, right), ylim=(base[-1] - 1.0, 1.2))
    low, high = ax.get_ylim()
    ax.vlines(np.arange(np.ceil(left * 5), right * 5 + 1e-9) / 5, low, high, colors=PAPER["minor"], linewidth=0.4)
    ax.vlines(np.arange(np.ceil(left), right + 1e-9), low, high, colors=PAPER["major"], linewidth=0.6)
    ax.hlines(np.arange(np.ceil(low * 2), high * 2) / 2, left, right, colors=PAPER["minor"], linewidth=0.4)
    ax.set_yticks([])
    for side in ("left", "top", "right"):
        ax.spines[side].set_visible(False)


def _words(ax: Axes, base: npt.NDArray[np.float64], provenance: Sequence[str], cut: bool) -> None:
    for lead, y, kind in zip(LEADS, base, provenance, strict=True):
        ax.text(-0.008, y, lead, transform=ax.get_yaxis_transform(), ha="right", va="center", weight="bold",
                color=STYLES[kind]["color"])  # fmt: skip
    for kind, style in STYLES.items():
        if kind in provenance:
            ax.plot([], [], label=kind, **style)
    ax.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, frameon=False, fontsize=9)
    title = f"the first {SHOWN_S:g} s. " if cut else ""
    warning = WARNING if "reconstructed" in provenance else ""
    ax.set_title(title + warning, loc="left", fontsize=9, color=STYLES["reconstructed"]["color"])
