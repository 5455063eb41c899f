"""The README's one table: a row for each shipped model, from the committed result documents."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ecg_edge.train.pages.marked_page import renewed

BEGIN, END = "<!-- models: begin -->", "<!-- models: end -->"
_HEAD = "| model | measured | r | RMSE mV | ridge: r | ridge: RMSE mV | kB |\n|---|---|---:|---:|---:|---:|---:|\n"


def models_table(docs: Sequence[dict[str, Any]], files: dict[str, Path]) -> str:
    """Return the table in Markdown.

    Parameters
    ----------
    docs : sequence of dict
        Evaluations on fold 10 (`results_page.load`).
    files : dict of str to Path
        Model files by name: their size is the last column.
    """
    return _HEAD + "".join(_row(doc, files) for doc in docs)


def paged(page: str, table: str) -> str:
    """Return a page with the table between its two marks; raises as `marked_page.renewed`."""
    return renewed(page, BEGIN, END, table)


def _row(doc: dict[str, Any], files: dict[str, Path]) -> str:
    name = Path(doc["model"]).stem
    card = f"[`{name}`](device/models/{name.rsplit('-', 1)[0]}.md)"
    ridge = doc["baselines"]["ridge 31"]["mean"]
    size = f"{files[name].stat().st_size / 1000:.0f}" if name in files else "–"
    cells = (card, ", ".join(doc["inputs"]), *_figures(doc["mean"]), *_figures(ridge), size)
    return f"| {' | '.join(cells)} |\n"


def _figures(mean: dict[str, float]) -> tuple[str, str]:
    return f"{mean['r']:.3f}", f"{mean['rmse_mv']:.4f}"
