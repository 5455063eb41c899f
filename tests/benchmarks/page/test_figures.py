"""Pictures of the page: one for each section that has figures, drawn from them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from ecg_edge.benchmarks.page import figures
from ecg_edge.firmware_bridge.errors import MissingExtraError

RIVALS = {"rows": [{"name": "streaming fp32", "core_percent": 0.1}, {"name": "MCMA", "core_percent": 32.0}]}
GROWTH = {
    "hop": {"80 ms": 0.2, "160 ms": 0.15},
    "fs": {"100 Hz": 0.2, "500 Hz": 1.1},
    "streams": {"rows": [{"streams": 1, "core_percent": 0.2}, {"streams": 64, "core_percent": 12.0}]},
}


def point(name: str, group: str, latency_ms: float, rmse_mv: float, default: bool = False) -> dict[str, Any]:
    shape = {"precision": "int8", "width": 1.0, "kb": 400.0}
    return {"name": name, "group": group, "latency_ms": latency_ms, "rmse_mv": rmse_mv, "default": default, **shape}


FRONT = {"points": [point("i-ii-int8", "shipped", 190, 0.1089, True), point("x 2", "width", 190, 0.107)]}


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures as they are when they are saved."""
    kept: list[Figure] = []
    monkeypatch.setattr(plt, "close", kept.append)
    return kept


def test_each_section_with_figures_has_a_picture(tmp_path: Path) -> None:
    paths = figures.plots({"rivals": RIVALS, "growth": GROWTH, "front": FRONT}, tmp_path)
    assert [p.name for p in paths] == ["benchmarks-rivals.png", "benchmarks-growth.png", "benchmarks-front.png"]
    assert all(p.read_bytes().startswith(b"\x89PNG") for p in paths)


@pytest.mark.parametrize(
    "doc",
    [
        {},
        {"rivals": {"why_not": "torch is not installed"}, "front": {"why_not": "no results"}},
        {"growth": {"why_not": "torch is not installed"}, "rivals": None, "front": {"points": []}},
    ],
)
def test_what_was_not_measured_has_no_picture(doc: dict[str, Any], tmp_path: Path) -> None:
    assert figures.plots(doc, tmp_path) == []
    assert not list(tmp_path.iterdir())


def test_bars_are_the_costs_the_first_on_top(drawn: list[Figure], tmp_path: Path) -> None:
    figures.plots({"rivals": RIVALS}, tmp_path)
    (axes,) = drawn[0].axes
    assert axes.get_xscale() == "log"
    assert [bar.get_width() for bar in axes.patches] == [32.0, 0.1]  # drawn from the bottom
    assert [label.get_text() for label in axes.get_yticklabels()] == ["MCMA", "streaming fp32"]


def test_growth_has_a_panel_for_each_property_measured(drawn: list[Figure], tmp_path: Path) -> None:
    figures.plots({"growth": GROWTH}, tmp_path)
    panels = {axes.get_title(): axes.lines[0].get_ydata() for axes in drawn[0].axes}
    assert list(panels) == ["hop", "fs", "streams (all together)"]
    np.testing.assert_array_equal(panels["hop"], [0.2, 0.15])
    np.testing.assert_array_equal(panels["streams (all together)"], [0.2, 12.0])


def test_the_front_marks_the_shape_that_is_shipped(drawn: list[Figure], tmp_path: Path) -> None:
    figures.plots({"front": FRONT}, tmp_path)
    (axes,) = drawn[0].axes
    places = [tuple(np.asarray(c.get_offsets())[0]) for c in axes.collections]
    assert places == [(190, 0.1089), (190, 0.107)]
    assert [bool(len(c.get_edgecolor())) for c in axes.collections] == [True, False]
    legend = axes.get_legend()
    assert legend is not None
    said = [text.get_text() for text in legend.get_texts()]
    assert said == ["shipped", "width", "fp32", "int8", "the shape that is shipped"]


def test_without_matplotlib_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match="matplotlib") as caught:
        figures.plots({"rivals": RIVALS}, tmp_path)
    assert "plot" in caught.value.fix
