"""Accuracy read from committed results: what is there, and nothing where it is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ecg_edge.benchmarks.measuring import committed_accuracy as accuracy
from ecg_edge.benchmarks.measuring.committed_accuracy import Accuracy
from ecg_edge.device.inference.shipped import shipped_models


def figures(r: float, rmse_mv: float) -> dict[str, Any]:
    return {"mean": {"r": r, "rmse_mv": rmse_mv}}


def put(folder: Path, name: str, doc: dict[str, Any]) -> None:
    (folder / f"{name}.json").write_text(json.dumps(doc))


def test_a_model_stands_beside_its_ridge_baselines_alone(tmp_path: Path) -> None:
    baselines = {"zero": figures(0, 0.3), "ridge 1": figures(0.7, 0.15), "ridge 31": figures(0.8, 0.14)}
    put(tmp_path, "m.fold10", figures(0.9, 0.1) | {"baselines": baselines})
    found = accuracy.shipped(tmp_path, "m")
    assert found.keys() == {"ours", "ridge 1", "ridge 31"}
    assert found["ours"] == Accuracy(0.9, 0.1, "fold 10, shipped")
    assert found["ridge 31"].rmse_mv == 0.14
    assert found["ours"].to_dict() == {"r": 0.9, "rmse_mv": 0.1, "where": "fold 10, shipped"}


def test_a_study_gives_the_two_designs_of_the_configuration(tmp_path: Path) -> None:
    def row(configuration: str, design: str, r: float) -> dict[str, Any]:
        records = {"records": {"train": 4000}, "epochs": 12}
        return {"configuration": configuration, "design": design, "figures": figures(r, 0.1), **records}

    rows = [
        row("I+II", "ours", 0.8),
        row("I+II", "offline U-Net", 0.7),
        row("I+II", "centred", 0.9),
        row("I", "ours", 0),
    ]
    put(tmp_path, "gradowski2025", {"rows": rows})
    found = accuracy.study(tmp_path)
    assert {name: a.r for name, a in found.items()} == {"ours": 0.8, "offline U-Net": 0.7}
    assert found["ours"].where == "fold 10, a study's: 4000 records, 12 epochs"
    assert accuracy.study(tmp_path, "II") == {}


def test_where_nothing_is_committed_nothing_is_claimed(tmp_path: Path) -> None:
    assert accuracy.shipped(tmp_path, "m") == accuracy.study(tmp_path) == accuracy.load(tmp_path, "m") == {}


@pytest.mark.parametrize("name", sorted({"i-int8", "i-ii-int8", "i-ii-v2-int8"} & shipped_models().keys()))
def test_the_committed_results_show_each_model_better_than_its_ridge(name: str) -> None:
    results = Path(__file__).parents[3] / "docs" / "results"
    found = accuracy.shipped(results, name)
    assert found["ours"].r > found["ridge 31"].r > 0.5
    assert found["ours"].rmse_mv < found["ridge 31"].rmse_mv
