"""The front of accuracy, latency and size, from made-up results."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from ecg_edge.benchmarks.hop_cost import trade_off as front
from ecg_edge.device.inference.load import load_model


def test_the_front_comes_from_committed_results(tmp_path: Path) -> None:
    (tmp_path / "i-ii-int8.fold10.json").write_text(json.dumps({"mean": {"r": 0.5, "rmse_mv": 0.2}}))
    net = load_model("i-ii-int8").spec.training["network"]
    half = net | {"channels": [c // 2 for c in net["channels"]]}
    figures = {"mean": {"r": 0.4, "rmse_mv": 0.3}}
    rows = [
        {"configuration": name, "design": "ours", "figures": figures, "settings": {"net": shape}}
        for name, shape in (("x1", net), ("x0.5", half))
    ]
    (tmp_path / "width.json").write_text(json.dumps({"rows": rows}))
    found = front.points(tmp_path)
    shipped, one, thin = (
        next(p for p in found["points"] if p["name"] == n) for n in ("i-ii-int8", "width x1", "width x0.5")
    )
    assert (shipped["latency_ms"], shipped["r"]) == (pytest.approx(190), 0.5)
    assert (one["default"], thin["default"], thin["width"]) == (True, False, 0.5)
    assert thin["kb"] < one["kb"] and one["int8_kb"] < one["kb"] / 2
    assert {p["precision"] for p in found["points"] if p["group"] == "precision"} == {"fp32", "int8"}
    assert found["missing"] == ["lookahead"]
    assert "no results" in front.points(tmp_path / "empty")["why_not"]


def test_an_offline_design_and_a_rival_are_no_points_of_the_front(tmp_path: Path) -> None:
    net = load_model("i-ii-int8").spec.training["network"] | {"lookahead": 24}
    figures = {"mean": {"r": 0.4, "rmse_mv": 0.3}}
    rows = [
        {"configuration": "240 ms", "design": design, "figures": figures, "settings": {"net": net}}
        for design in ("ours", "offline U-Net")
    ]
    (tmp_path / "lookahead.json").write_text(json.dumps({"rows": rows}))
    found = front.points(tmp_path, sizes=False)
    (point,) = (p for p in found["points"] if p["group"] == "look-ahead")
    assert point["name"] == "look-ahead 240 ms" and not point["default"]
    assert point["latency_ms"] == pytest.approx(10 * (8 + 24 - 1))
    assert point["kb"] == point["int8_kb"] == 0.0
    assert found["missing"] == ["width"]


def test_without_torch_a_size_is_unknown_and_not_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ecg_edge.benchmarks.hop_cost.random_weights", None)
    assert front._kb({"input_leads": ["I"]}, "fp32") == 0.0


def test_settings_that_a_later_version_added_do_not_hide_a_size() -> None:
    net = {"input_leads": ["I", "II"], "channels": [4, 6], "kernels": [5, 4], "dilations": [1], "n_features": 4}
    assert front._kb(net | {"wings": 2}, "fp32") == pytest.approx(front._kb(net, "fp32"))
    assert front._kb(net, "fp32") > 1
