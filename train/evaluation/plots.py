"""Figures of an evaluation or a study as PNG files (extra `plot`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ecg_edge.device.lead_algebra import BASIS
from ecg_edge.firmware_bridge.errors import MissingExtraError


def _axes(width: float, height: float, n: int = 1) -> tuple[Any, Any]:
    """A figure drawn without a display, and its `n` axes side by side."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("matplotlib", "plot") from None
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(1, n, squeeze=False)[0]


def information_matrix(docs: list[dict[str, Any]], path: Path) -> None:
    """Draw r of each hidden lead, one matrix of configurations × leads per design.

    Parameters
    ----------
    docs : list of dict
        Each with ``configuration``, ``design`` and ``figures.leads``; a missing lead (measured or algebra) stays white.
    path : Path
        PNG to write.
    """
    designs = list(dict.fromkeys(d["design"] for d in docs))
    names = list(dict.fromkeys(d["configuration"] for d in docs))
    figure, axes = _axes(1.5 + 4.5 * len(designs), 1.5 + 0.35 * len(names), len(designs))
    for ax, design in zip(axes, designs, strict=True):
        r = np.full((len(names), len(BASIS)), np.nan)
        for d in (d for d in docs if d["design"] == design):
            for lead, row in d["figures"]["leads"].items():
                r[names.index(d["configuration"]), BASIS.index(lead)] = row["r"]
        ax.imshow(r, vmin=0.6, vmax=1.0, cmap="viridis", aspect="auto")
        for y, x in np.argwhere(np.isfinite(r)):
            ax.text(x, y, f"{r[y, x]:.2f}".removeprefix("0"), ha="center", va="center", fontsize=7, color="w")
        ax.set_xticks(range(len(BASIS)), BASIS)
        ax.set_yticks(range(len(names)), names)
        ax.set_title(f"{design}: Pearson r")
    figure.savefig(path, dpi=110)


def amplitude_scatter(pairs: dict[str, Any], path: Path) -> None:
    """Bland–Altman plots of the R amplitude: estimate minus truth over their mean, one panel per lead.

    Parameters
    ----------
    pairs : dict of str to ndarray of shape (n, 2)
        True and estimated amplitude of each record in mV.
    path : Path
        PNG to write.
    """
    figure, axes = _axes(2.6 * len(pairs), 2.8, max(1, len(pairs)))
    for ax, (lead, p) in zip(axes, pairs.items(), strict=False):
        ax.scatter(p.mean(axis=1), p[:, 1] - p[:, 0], s=2, alpha=0.3)
        ax.axhline(0, color="k", lw=0.5)
        ax.set(title=lead, xlabel="mean of both, mV", ylabel="estimate − truth, mV")
    figure.savefig(path, dpi=110)


def bars(groups: dict[str, dict[str, float]], ylabel: str, path: Path, line: float | None = None) -> None:
    """Grouped bars.

    Parameters
    ----------
    groups : dict of str to dict of str to float
        Series, and in each a value per place on the x axis.
    ylabel : str
        Label of the y axis.
    path : Path
        PNG to write.
    line : float, optional
        Height of a dashed line: the value aimed at.
    """
    figure, (ax,) = _axes(8, 3.5)
    places = list(dict.fromkeys(k for g in groups.values() for k in g))
    for k, (name, values) in enumerate(groups.items()):
        at = np.arange(len(places)) + (k + 0.5) * 0.8 / len(groups) - 0.4
        ax.bar(at, [values.get(p, np.nan) for p in places], 0.8 / len(groups), label=name)
    if line is not None:
        ax.axhline(line, color="k", ls="--", lw=0.8)
    ax.set_xticks(range(len(places)), places)
    ax.set_ylabel(ylabel)
    ax.legend(fontsize=7)
    figure.savefig(path, dpi=110)


def training_curves(rows: list[dict[str, Any]], path: Path) -> None:
    """Draw loss, and r and RMSE on the validation records, over the epochs.

    Parameters
    ----------
    rows : list of dict
        Lines of ``history.jsonl``.
    path : Path
        PNG to write.
    """
    figure, axes = _axes(11, 3.2, 3)
    epochs = [r["epoch"] for r in rows]
    curves = (
        ("training loss", [r["loss"] for r in rows]),
        ("validation RMSE, mV", [r["mean"]["rmse_mv"] for r in rows]),
        ("validation r", [r["mean"]["r"] for r in rows]),
    )
    for ax, (name, values) in zip(axes, curves, strict=True):
        ax.plot(epochs, values, marker="o", markersize=3)
        ax.set(title=name, xlabel="epoch")
        ax.grid(alpha=0.3)
    figure.savefig(path, dpi=110)
