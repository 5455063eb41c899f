"""Ratios of two openings, and how a second run agrees with them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ecg_edge.benchmarks.measuring.committed_accuracy import Accuracy
from ecg_edge.benchmarks.rivals import rivals
from ecg_edge.device.inference.load import load_model


def test_the_spread_covers_both_openings_and_a_second_run_is_held_to_it() -> None:
    first = {"a": [2.0, 2.0, 2.0], "ours": [1.0, 1.0, 1.0]}
    second = {"a": [3.0, 3.0, 3.0], "ours": [1.0, 1.0, 1.0]}
    mid, low, high, apart = rivals.pooled([first, second], "a", "ours")
    assert (mid, low, high, apart) == (2.5, 2.0, 3.0, 0.4)
    before = {"rows": [{"name": "a", "against": "ours", "ratio": 2.5, "ratio_spread": [2.0, 3.0]}]}
    for ratio, within in ((2.1, 1), (3.3, 0)):
        found = rivals.agreement({"rows": [{"name": "a", "against": "ours", "ratio": ratio}]}, before)
        assert (found["of"], found["within"]) == (1, within)
    assert found["outside"] == {"a": pytest.approx(10)}


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("the same net, 10 s window, fp32", "streaming fp32"),
        ("the same net, 10 s window, int8", "streaming int8"),
        ("the same net, 10 s window, LiteRT int8", "streaming LiteRT int8"),
        ("MCMA-like UNet3+, 10.24 s window", "streaming fp32"),
        ("streaming int8", "streaming int8"),
    ],
)
def test_a_row_is_held_against_ours_in_the_same_arithmetic(name: str, ours: str) -> None:
    assert rivals._ours(name) == ours


def test_runs_without_common_rows_agree_about_nothing() -> None:
    row = {"name": "a", "against": "ours", "ratio": 2.5, "ratio_spread": [2.0, 3.0]}
    nothing = {"of": 0, "within": 0, "outside": {}}
    assert rivals.agreement({}, {}) == nothing
    assert rivals.agreement({"rows": [row]}, {"rows": [row | {"name": "b"}]}) == nothing
    own = row | {"name": "ours"}
    assert rivals.agreement({"rows": [own]}, {"rows": [own]}) == nothing  # ours against ours is always 1


def test_a_ratio_below_the_spread_is_outside_by_its_share() -> None:
    before = {"rows": [{"name": "a", "against": "ours", "ratio": 2.5, "ratio_spread": [2.0, 3.0]}]}
    found = rivals.agreement({"rows": [{"name": "a", "against": "ours", "ratio": 1.6}]}, before)
    assert found["outside"] == {"a": pytest.approx(25)}


def test_a_float_file_says_how_far_it_is_from_the_file_that_was_scored() -> None:
    scored = Accuracy(0.9, 0.1, "fold 10, shipped")
    tables = {name: {"mean": {"rmse_mv": rmse}} for name, rmse in (("fp32", 0.100), ("int8", 0.102))}
    model = SimpleNamespace(spec=SimpleNamespace(accuracy=tables))
    same = rivals._as_file(scored, model, "fp32")  # type: ignore[arg-type]
    assert same is not None and (same.r, same.rmse_mv) == (0.9, 0.1)
    assert same.where == "fold 10, in 8 bits (float: -2.00 % RMSE on fold 9)"
    assert rivals._as_file(scored, model, "LiteRT int8") is scored  # type: ignore[arg-type]
    assert rivals._as_file(None, model, "fp32") is None  # type: ignore[arg-type]
    bare = SimpleNamespace(spec=SimpleNamespace(accuracy={}))
    assert rivals._as_file(scored, bare, "fp32") is scored  # type: ignore[arg-type]


def test_every_row_has_its_cost_and_its_ratio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The arithmetic alone: nothing is opened, every hop of ours takes a millisecond and of the others two."""

    def row(name: str, path: Path | None) -> rivals.Rival:
        return rivals.Rival(name, lambda: lambda: None, 2_000_000, 0.19, path, None, Accuracy(0.9, 0.1, "here"))

    ours, other = row("streaming fp32", tmp_path / "a.onnx"), row("ridge, 31 taps", None)
    monkeypatch.setattr(rivals, "_rivals", lambda *_: [ours, other])
    asked: dict[str, int] = {}

    def turns(works: dict[str, Any], rounds: int, calls: dict[str, int]) -> dict[str, list[float]]:
        asked.update(calls)
        return {name: [0.001 if name.startswith("streaming") else 0.002] * rounds for name in works}

    monkeypatch.setattr(rivals, "turns", turns)
    monkeypatch.setattr(rivals.memory, "of", lambda path, shape: 14.0)
    found = rivals.measure(load_model("i-ii-int8"), tmp_path, rounds=3)
    first, second = found["rows"]
    assert (found["hop_ms"], found["rounds"], found["openings_apart_percent"]) == (80, 3, 0)
    assert (first["core_percent"], second["core_percent"]) == pytest.approx((1.25, 2.5))
    assert (first["ratio"], second["ratio"], second["ratio_spread"]) == (1, 2, [2, 2])
    assert (first["memory_mb"], second["memory_mb"]) == (14.0, None)
    assert first["mb"] == 2 and first["latency_ms"] == 190 and second["accuracy"]["where"] == "here"
    assert set(asked.values()) == {80}
    again = rivals.agreement(found, found)
    assert (again["of"], again["within"]) == (1, 1)
