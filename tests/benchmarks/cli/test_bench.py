"""The benchmarks' own arithmetic, and that every section has a row or a reason."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ecg_edge.benchmarks.cli.bench import BENCH
from ecg_edge.benchmarks.hop_cost import every_format as family
from ecg_edge.benchmarks.hop_cost import growth, probe, table
from ecg_edge.benchmarks.hop_cost import trade_off as front
from ecg_edge.benchmarks.live_path import gateway, stages
from ecg_edge.benchmarks.measuring import machine, timing
from ecg_edge.benchmarks.page import page as report
from ecg_edge.benchmarks.rivals import rival_nets, rivals
from ecg_edge.device.inference.load import load_model
from ecg_edge.firmware_bridge.errors import BudgetError, UsageError
from ecg_edge.train.network.unet import NetSpec


class Clock:
    """Advances by what it is told, whenever it is read or slept on."""

    def __init__(self, step: float = 0.0) -> None:
        self.now, self.step = 0.0, step

    def __call__(self) -> float:
        self.now += self.step
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_percentiles_are_milliseconds() -> None:
    spread = timing.Spread.of([0.001 * k for k in range(1, 101)])
    assert spread.p50 == pytest.approx(50.5)
    assert spread.max == pytest.approx(100)
    assert spread.p95 < spread.p99 < spread.max
    assert spread.n == 100


def test_warm_up_does_not_count() -> None:
    calls: list[int] = []
    durations = timing.each(lambda: calls.append(1), 10, Clock(0.5), warm=3)
    assert len(calls) == 13
    assert durations == [0.5] * 10


def test_a_hop_that_ends_after_the_next_is_due_is_a_miss() -> None:
    clock = Clock()
    works = iter([0.01, 0.10, 0.01, 0.01])

    def work() -> None:
        clock.now += next(works)

    late, misses = timing.paced(work, 0.08, 4, clock, clock.sleep)
    assert misses == 1
    assert late == pytest.approx([0.01, 0.10, 0.03, 0.01])


def test_turns_alternate_and_the_first_is_left_out() -> None:
    order: list[str] = []
    works = {"a": lambda: order.append("a"), "b": lambda: order.append("b")}
    seen = timing.turns(works, 2, {"a": 2, "b": 1}, Clock(1.0))
    assert order == ["a", "a", "b"] * 3
    assert seen == {"a": [0.5, 0.5], "b": [1.0, 1.0]}
    assert timing.ratio([2.0, 4.0, 9.0], [1.0, 1.0, 1.0]) == (4.0, 3.0, 6.5)


def fake_sys(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("intel_rapl", "intel-rapl:0")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_facts_say_what_the_machine_says(tmp_path: Path) -> None:
    sys = fake_sys(
        tmp_path,
        devices__system__cpu__cpu0__cpufreq__scaling_governor="performance\n",
        class__thermal__thermal_zone0__temp="48250\n",
    )
    facts = machine.facts(sys)
    assert facts["governor"] == "performance"
    assert facts["temperature_c"] == pytest.approx(48.25)
    assert facts["packages"]["numpy"] == np.__version__
    assert "frequency_mhz" not in facts


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("throttled=0x0", "now: none; since start: none"),
        ("throttled=0x50005", "now: under-voltage, throttled; since start: under-voltage, throttled"),
        ("nonsense", "unknown"),
    ],
)
def test_throttling_in_words(text: str, words: str) -> None:
    assert machine.read_throttled(text) == words


@pytest.mark.parametrize("name", ["i-ii-int8.onnx", "i-ii-int8.tflite"])
def test_a_row_is_complete(name: str) -> None:
    row = probe.measure(str(table.resolve(name)), threads=1, hops=12, seconds=0.2)
    row["rss_mb"] = 1.0
    assert row["backend"] == ("onnxruntime" if name.endswith("onnx") else "LiteRT")
    assert row["macs_per_s"] == load_model(name).spec.training["macs_per_hop"] * 100 / 8
    assert row["weights"] == "trained"
    assert len(table.latency_cells(row)) == len(table.LATENCY)
    assert len(table.footprint_cells(row)) == len(table.FOOTPRINT)
    assert row["paced_ms"]["n"] == 2


def test_every_kind_of_file_is_written_and_can_be_measured(tmp_path: Path) -> None:
    """Each at its own hop, and torch at the hop it is told."""
    files = family.write(tmp_path, (16,))[16]
    rows = [probe.measure(f, 1, 10, 0, hop=16 if Path(f).is_dir() else None) for f in files]
    kinds = {(r["backend"], r["precision"]) for r in rows}
    lite = {("LiteRT", p) for p in ("fp32", "fp16", "dynamic", "int8")}
    assert kinds == lite | {("onnxruntime", "fp32"), ("onnxruntime", "int8"), ("torch", "fp32")}
    assert {r["weights"] for r in rows} == {"random"}
    assert {r["hop_ms"] for r in rows} == {160}
    assert all(r["macs_per_s"] > 1e6 for r in rows)


def test_the_family_runs_each_hop_and_more_threads_at_the_shortest() -> None:
    wishes = table.family_wishes({8: ["a.onnx"], 16: ["b.onnx"]}, [1, 2], 10, 0, False)
    assert [(w["model"], w["threads"]) for w in wishes] == [("a.onnx", 1), ("a.onnx", 2), ("b.onnx", 1)]


def test_what_cannot_be_measured_is_a_row_that_says_why(tmp_path: Path) -> None:
    wish = {"model": str(tmp_path / "x.tflite"), "threads": 1, "hops": 10, "seconds": 0}
    row = table.in_child(wish)
    assert "cannot read model" in row["why_not"] or "fix:" in row["why_not"]
    assert row["backend"] == "LiteRT"
    assert len(table.latency_cells(row)) == len(table.LATENCY)
    assert len(table.footprint_cells(row)) == len(table.FOOTPRINT)
    assert [r["backend"] for r in table.absent(["a.onnx"])] == ["LiteRT", "torch"]


def test_names_bring_their_twin() -> None:
    names = [Path(p).name for p in table.wanted(["i-ii-int8"])]
    assert names == ["i-ii-int8.onnx", "i-ii-int8.tflite"]
    assert [Path(p).name for p in table.wanted(["i-ii-int8.tflite"])] == ["i-ii-int8.tflite"]
    assert len(table.wanted([])) > 6
    with pytest.raises(UsageError, match="no model file"):
        table.wanted(["nothing"])


def test_a_longer_hop_is_the_same_network(tmp_path: Path) -> None:
    """What growth times must compute what it says."""
    from ecg_edge.device.inference.head import features

    net = NetSpec(("I", "II"), channels=(4, 6), kernels=(5, 4), dilations=(1,), n_features=4)
    a = growth._file(net, 2, tmp_path / "a")
    b = growth._file(net, 8, tmp_path / "b")
    x = np.random.default_rng(0).normal(size=(64, 2)).astype(np.float32)
    np.testing.assert_allclose(features(a, x), features(b, x), atol=1e-5)


@pytest.mark.parametrize("net", [rival_nets.MaskedAutoencoder, rival_nets.PictureUNet])
def test_other_designs_have_their_shape(net: Any) -> None:
    model = net().eval()
    x = torch.zeros(1, net.CHANNELS, net.WINDOW)
    with torch.no_grad():
        assert model(x).shape == x.shape
    if net is rival_nets.MaskedAutoencoder:
        assert sum(p.numel() for p in model.parameters()) == pytest.approx(18e6, rel=0.35)


def test_the_path_gives_every_row() -> None:
    info, frames = stages.wire(seconds=3)
    rows = stages.path(load_model("i-ii-int8"), info, frames)
    assert 3 * 100 - 12 - 8 - 5 <= rows <= 300


def fake_doc() -> dict[str, Any]:
    full = timing.Spread.of([0.001, 0.002]).to_dict()
    row = {
        "model": "m.onnx", "backend": "onnxruntime", "precision": "int8", "threads": 1, "full_speed_ms": full,
        "weights": "trained", "macs_per_s": 5_758_400,
        "core_percent": 1.0, "real_time_factor": 90.0, "start_s": 1.0, "rss_mb": 100.0, "bytes": 400_000,
        "state_bytes": 8000, "hop_ms": 80.0,
    }  # fmt: skip
    return {"machine": machine.facts(), "command": "ecg-edge bench", "models": [row]}


def test_the_page_says_what_is_missing() -> None:
    doc = fake_doc() | {"rivals": {"why_not": "torch is not installed"}}
    page = report.markdown(doc)
    assert "Not measured: torch is not installed." in page
    assert page.count("Pi or Jetson") == 1
    assert "| m.onnx | onnxruntime | int8 | trained | 80 | 1 |" in page
    assert "| 8.0 | 5.76 |" in page
    assert "m.onnx" in report.plain(doc)


def test_the_page_shows_every_section() -> None:
    row = {
        "name": "streaming fp32", "latency_ms": 190.0, "ms_per_hop": 0.1, "core_percent": 0.1, "mb": 1.0,
        "memory_mb": 14.0, "accuracy": {"r": 0.878, "rmse_mv": 0.1089, "where": "fold 10"}, "against": "streaming fp32",
        "ratio": 1.0, "ratio_spread": [1.0, 1.0],
    }  # fmt: skip
    other = row | {"name": "MCMA", "accuracy": None, "memory_mb": None, "ratio": 324.9, "ratio_spread": [320, 330]}
    patch = {"core_percent": 2.0, "rss_mb": 150.0, "p50_ms": 2.0, "p99_ms": 4.0, "samples_lost": 0, "dropped_blocks": 0}
    terms = {"device filter": 0.0, "frame": 4.0, "resampler": 44.0, "algorithmic": 190.0, "compute": 2.0}
    doc = fake_doc() | {
        "family": {"rows": fake_doc()["models"]},
        "rivals": {"rows": [row, other], "openings": 2, "rounds": 9, "hop_ms": 80.0, "openings_apart_percent": 3.2},
        "live": {
            "stages_ms": {"decoder": 0.1, "what is left": 0.3}, "whole_ms": 0.4, "path_percent": 1.0,
            "patches_per_core": 100.0, "screen": {"p50_ms": 287.0, "p95_ms": 300.0, "max_ms": 310.0, "beats": 20},
            "frames": {"fps": 59.9, "p50_ms": 16.7, "p99_ms": 18.0, "fs": 500, "layout": "12x1", "size": [1600, 900],
                       "dropped": 0},
            "run": {"seconds": 20.0, "core_percent": 5.0, "rss_mb": 150.0,
                    "latency_ms": {"p50": 2.0, "p99": 3.0, "max": 4.0, "terms": terms}},
        },
        "gateway": {
            "rows": [patch | {"patches": 8, "waits_per_s": 40.0}], "seconds": 10.0, "each_percent": 2.0,
            "patches_per_core": 50.0, "keeps_up_with": 8, "path_ms": {"fast": 0.7, "paced": 1.4},
        },
        "cold": {"steps": {"imports": 0.6, "session": 0.2}, "total_s": 0.8, "starts": 3},
        "growth": {
            "hop": {"80 ms": 0.2}, "path": 100.0, "gateway": 50.0,
            "streams": {"rows": [{"streams": 64, "core_percent": 12.0, "each_percent": 0.19}], "saturate": 540.0},
        },
    }  # fmt: skip
    page = report.markdown(doc)
    assert "| MCMA | 190 | 0.100 | 0.10 | – | 1.00 | – | – | random weights | 325 (320–330) |" in page
    assert "| what is left: pseudo-terminal, sink, browser and its smoothing | 60.0 | 20 % |" in page
    assert "Most of it is: imports" in page and "| **total** | 800 | 100 % |" in page
    assert "**540 streams**, bytes to rows with 100, and a gateway at the real pace with 50" in page
    assert "**50 patches per core** at the real pace" in page and "wait 40 times a second in the first row" in page
    assert "59.9 frames per second" in page
    doc["gateway"]["rows"].append(patch | {"patches": 24, "waits_per_s": 800.0})
    assert "with 24 this machine falls behind" in report.markdown(doc)
    assert not {k for k in doc if k not in ("machine", "command", "models")} - set(report._SECTIONS)


def test_a_gateway_that_falls_behind_does_not_look_cheap() -> None:
    rows = [
        {"patches": n, "core_percent": c, "p99_ms": late} for n, c, late in ((1, 8, 5.0), (8, 50, 80.0), (24, 119, 9e3))
    ]
    found = gateway.per_core(rows)
    assert found == {"each_percent": 6.0, "patches_per_core": pytest.approx(100 / 6), "keeps_up_with": 8}
    assert gateway.per_core(rows[2:])["keeps_up_with"] == 24  # nothing better is known


def test_floors_are_a_gate(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    monkeypatch.setattr(table, "measure", lambda *_, **__: fake_doc()["models"])

    def call(*args: str) -> int:
        parser = argparse.ArgumentParser()
        BENCH.configure(parser)
        return BENCH.run(parser.parse_args(["i-ii-int8", *args]))

    assert call("--floor", "p99=3", "--json", "--out", str(tmp_path)) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["models"]
    assert (tmp_path / "benchmarks.md").is_file()
    with pytest.raises(BudgetError, match=r"p99 is 1\.990, the floor is 1") as caught:
        call("--floor", "p99=1")
    assert caught.value.exit_code == 3
    for bad in (["--floor", "speed=1"], ["--floor", "p99"], ["--threads", "0"], ["--hops", "1"]):
        with pytest.raises(UsageError):
            call(*bad)


def test_a_suite_without_torch_says_so_and_measures_the_rest(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setattr(table, "measure", lambda *_, **__: fake_doc()["models"])
    monkeypatch.setattr(stages, "compare", lambda works, *_: dict.fromkeys(works, 1.0))
    monkeypatch.setattr(growth, "STREAMS", (1, 2))
    parser = argparse.ArgumentParser()
    BENCH.configure(parser)
    assert BENCH.run(parser.parse_args(["--suite", "--live-seconds", "0", "--out", str(tmp_path)])) == 0
    page = (tmp_path / "benchmarks.md").read_text()
    assert page.count("torch is not installed") == 3  # family, alternatives, shapes
    assert page.count("no run at the real pace") == 2  # gateway, cold start
    assert "| streams | % core | each |" in page
    assert "**total**" in page


def test_progress_and_hints_leave_stdout_to_the_result(capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    BENCH.configure(parser)
    status = BENCH.run(parser.parse_args(["i-ii-int8.onnx", "--hops", "10", "--seconds", "0", "--json"]))
    said = capsys.readouterr()
    assert status == 0
    assert json.loads(said.out.splitlines()[-1])["models"][0]["model"] == "i-ii-int8.onnx"
    assert "models  [" in said.err and "next: " in said.err
    assert "models  [" not in said.out


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


def test_stages_add_up_to_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """What no stage explains is a row of its own, whatever its sign."""
    costs = iter(range(1, 100))

    def fake(works: dict[str, Any], rounds: int, calls: dict[str, int]) -> dict[str, float]:
        return {name: float(next(costs)) for name in works}

    monkeypatch.setattr(stages, "compare", fake)
    found = stages.measure(load_model("i-ii-int8"))
    assert sum(found["stages_ms"].values()) == pytest.approx(found["whole_ms"])
    assert any(name.startswith("what is left") for name in found["stages_ms"])
