"""The figures of the benchmark page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ecg_edge.firmware_bridge.errors import MissingExtraError

Doc = dict[str, Any]
_BLUE = "#3b6ea5"
_MARKS = {"shipped": "o", "precision": "s", "look-ahead": "^", "width": "D"}
_COLOURS = {"fp32": _BLUE, "int8": "#c2571a"}


def plots(doc: Doc, folder: Path) -> list[Path]:
    """Figures beside the page.

    Raises
    ------
    MissingExtraError
        matplotlib is not installed.
    """
    try:
        import matplotlib
    except ImportError:
        raise MissingExtraError("matplotlib", "plot") from None
    matplotlib.use("Agg")
    out = []
    if rows := (doc.get("rivals") or {}).get("rows"):
        out.append(_rivals(rows, folder / "benchmarks-rivals.png"))
    if "why_not" not in (growth := doc.get("growth") or {"why_not": ""}):
        out.append(_growth(growth, folder / "benchmarks-growth.png"))
    if points := (doc.get("front") or {}).get("points"):
        out.append(_front(points, folder / "benchmarks-front.png"))
    return out


def _rivals(rows: list[Doc], path: Path) -> Path:
    from matplotlib import pyplot as plt

    fig, ax = plt.subplots(figsize=(8, 4))
    ax.barh([r["name"] for r in rows][::-1], [r["core_percent"] for r in rows][::-1], color=_BLUE)
    ax.set_xscale("log")
    ax.set_xlabel("% of a core, a new output every hop")
    return _save(fig, path)


def _growth(growth: Doc, path: Path) -> Path:
    from matplotlib import pyplot as plt

    series: Doc = {n: growth[n] for n in ("hop", "width", "fs", "outputs") if n in growth}
    if streams := growth.get("streams"):
        series["streams (all together)"] = {f"{r['streams']:g}": r["core_percent"] for r in streams["rows"]}
    fig, axes = plt.subplots(1, max(1, len(series)), figsize=(13, 3), squeeze=False)
    for ax, (name, found) in zip(axes[0], series.items(), strict=False):
        ax.plot(list(found), list(found.values()), "o-", color=_BLUE)
        ax.set_title(name)
        ax.set_ylim(bottom=0)
        ax.tick_params(axis="x", rotation=30)
    axes[0][0].set_ylabel("% of a core")
    return _save(fig, path)


def _front(points: list[Doc], path: Path) -> Path:
    """Error over latency; the mark says what was varied, the colour the precision, the area the size."""
    from matplotlib import pyplot as plt

    fig, ax = plt.subplots(figsize=(9, 5))
    for group, mark in _MARKS.items():
        mine = [p for p in points if p["group"] == group]
        for p in mine:
            ax.scatter(
                p["latency_ms"], p["rmse_mv"], s=20 + p["kb"] / 8, marker=mark, alpha=0.6,
                color=_COLOURS.get(p["precision"], "grey"), edgecolors="black" if p["default"] else "none",
                linewidths=2,
            )  # fmt: skip
            ax.annotate(
                p["name"], (p["latency_ms"], p["rmse_mv"]), fontsize=7, xytext=(6, 3), textcoords="offset points"
            )
        if mine:
            ax.plot([], [], mark, color="grey", label=group)
    for precision, colour in _COLOURS.items():
        ax.plot([], [], "o", color=colour, label=precision)
    ax.plot([], [], "o", color="white", markeredgecolor="black", markeredgewidth=2, label="the shape that is shipped")
    ax.legend(fontsize=7)
    ax.set_xlabel("algorithmic latency, ms")
    ax.set_ylabel("RMSE of hidden leads, mV (area: file size)")
    return _save(fig, path)


def _save(fig: Any, path: Path) -> Path:
    from matplotlib import pyplot as plt

    fig.tight_layout()
    fig.savefig(path, dpi=110)
    plt.close(fig)
    return path
