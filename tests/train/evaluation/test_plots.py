"""Figures of an evaluation: drawn from the figures they show."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from ecg_edge.device.lead_algebra import BASIS
from ecg_edge.firmware_bridge.errors import MissingExtraError
from ecg_edge.train.evaluation import plots


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Every figure that is saved, with what it shows."""
    kept: list[Figure] = []
    save = Figure.savefig

    def keep(figure: Figure, *where: Any, **how: Any) -> None:
        kept.append(figure)
        save(figure, *where, **how)

    monkeypatch.setattr(Figure, "savefig", keep)
    return kept


def test_the_matrix_shows_each_r_in_its_place(drawn: list[Figure], tmp_path: Path) -> None:
    def row(configuration: str, design: str, **r: float) -> dict[str, Any]:
        leads = {lead: {"r": value} for lead, value in r.items()}
        return {"configuration": configuration, "design": design, "figures": {"leads": leads}}

    docs = [row("I", "ours", V1=0.7, V6=0.9), row("I+II", "ours", V1=0.8), row("I", "offline U-Net", V1=0.6)]
    plots.information_matrix(docs, tmp_path / "m.png")
    ours, other = drawn[0].axes
    shown = np.asarray(ours.images[0].get_array())
    assert shown.shape == (2, len(BASIS))
    assert (shown[0, BASIS.index("V6")], shown[1, BASIS.index("V1")]) == (0.9, 0.8)
    assert np.ma.getmaskarray(np.ma.masked_invalid(ours.images[0].get_array()))[0, BASIS.index("I")]
    assert sorted(text.get_text() for text in ours.texts) == [".70", ".80", ".90"]
    assert other.get_title() == "offline U-Net: Pearson r"
    assert (tmp_path / "m.png").read_bytes().startswith(b"\x89PNG")


def test_amplitudes_are_differences_over_their_means(drawn: list[Figure], tmp_path: Path) -> None:
    pairs = {"V1": np.array([[1.0, 0.8], [2.0, 1.5]]), "V2": np.array([[0.5, 0.5]])}
    plots.amplitude_scatter(pairs, tmp_path / "a.png")
    first, second = drawn[0].axes
    np.testing.assert_allclose(np.asarray(first.collections[0].get_offsets()), [[0.9, -0.2], [1.75, -0.5]])
    assert [axes.get_title() for axes in (first, second)] == ["V1", "V2"]


def test_bars_of_each_series_stand_beside_each_other(drawn: list[Figure], tmp_path: Path) -> None:
    groups = {"ours": {"V1": 0.9, "V2": 0.8}, "ridge": {"V2": 0.7}}
    plots.bars(groups, "r", tmp_path / "b.png", line=0.9)
    (axes,) = drawn[0].axes
    heights = [bar.get_height() for bar in axes.patches]
    assert heights[:2] == [0.9, 0.8] and np.isnan(heights[2]) and heights[3] == 0.7
    edges = sorted((bar.get_x(), bar.get_x() + bar.get_width()) for bar in axes.patches)
    assert all(a[1] <= b[0] + 1e-9 for a, b in pairwise(edges)), "bars overlap"
    assert list(axes.lines[0].get_ydata()) == [0.9, 0.9]


def test_curves_run_over_the_epochs(drawn: list[Figure], tmp_path: Path) -> None:
    rows = [{"epoch": k, "loss": 1 / k, "mean": {"rmse_mv": 0.2 / k, "r": 1 - 0.3 / k}} for k in (1, 2, 4)]
    plots.training_curves(rows, tmp_path / "c.png")
    curves = {axes.get_title(): axes.lines[0] for axes in drawn[0].axes}
    assert list(curves) == ["training loss", "validation RMSE, mV", "validation r"]
    assert all(list(line.get_xdata()) == [1, 2, 4] for line in curves.values())
    assert list(curves["training loss"].get_ydata()) == [1, 0.5, 0.25]


def test_without_matplotlib_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match="matplotlib") as caught:
        plots.bars({"a": {"V1": 1.0}}, "r", tmp_path / "b.png")
    assert "plot" in caught.value.fix and not list(tmp_path.iterdir())
