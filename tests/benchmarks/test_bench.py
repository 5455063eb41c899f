"""The benchmarks' own arithmetic, and that every section has a row or a reason."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ecg_edge.benchmarks import front, growth, machine, probe, report, rival_nets, stages, table, timing
from ecg_edge.benchmarks.cli import BENCH
from ecg_edge.device.model import load_model
from ecg_edge.firmware_bridge.errors import BudgetError, UsageError
from ecg_edge.train.network import NetSpec


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


def test_energy_counters_wrap(tmp_path: Path) -> None:
    zone = {
        "class__powercap__intel_rapl__energy_uj": "900000",
        "class__powercap__intel_rapl__max_energy_range_uj": "1000000",
    }
    sys = fake_sys(tmp_path, **zone)
    energy = machine.Energy(sys)
    before = energy.read()
    (tmp_path / "class/powercap/intel-rapl:0/energy_uj").write_text("200000")
    assert energy.joules(before, energy.read(), 1.0) == pytest.approx(0.3)
    assert energy.source == "RAPL"
    assert machine.Energy(tmp_path / "none").joules((), (), 1.0) is None


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


def test_an_external_meter_is_integrated_over_the_run(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_text("time_s,power_w\n0,2\n10,4\n20,4\n")
    assert machine.external_meter(path, 5, 15) == pytest.approx(5 * 2 + 5 * 4)
    with pytest.raises(UsageError, match="does not cover"):
        machine.external_meter(path, 5, 25)
    path.write_text("t,w\n1,2\n")
    with pytest.raises(UsageError, match="no meter's record"):
        machine.external_meter(path, 0, 1)


@pytest.mark.parametrize("name", ["i-ii-int8.onnx", "i-ii-int8.tflite"])
def test_a_row_is_complete(name: str) -> None:
    row = probe.measure(str(table.resolve(name)), threads=1, hops=12, seconds=0.2)
    row["rss_mb"] = 1.0
    assert row["backend"] == ("onnxruntime" if name.endswith("onnx") else "LiteRT")
    assert row["macs_per_s"] == load_model(name).spec.training["macs_per_hop"] * 100 / 8
    assert len(table.cells(row)) == len(table.HEAD)
    assert row["paced_ms"]["n"] == 2


def test_what_cannot_be_measured_is_a_row_that_says_why(tmp_path: Path) -> None:
    wish = {"model": str(tmp_path / "x.tflite"), "threads": 1, "hops": 10, "seconds": 0}
    row = table.in_child(wish)
    assert "cannot read model" in row["why_not"] or "fix:" in row["why_not"]
    assert row["backend"] == "LiteRT"
    assert len(table.cells(row)) == len(table.HEAD)
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
    from ecg_edge.device import calibration

    net = NetSpec(("I", "II"), channels=(4, 6), kernels=(5, 4), dilations=(1,), n_features=4)
    a = growth._file(net, 2, tmp_path / "a.onnx")
    b = growth._file(net, 8, tmp_path / "b.onnx")
    x = np.random.default_rng(0).normal(size=(64, 2)).astype(np.float32)
    np.testing.assert_allclose(calibration.features(a.backend, x), calibration.features(b.backend, x), atol=1e-5)


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
        "core_percent": 1.0, "real_time_factor": 90.0, "start_s": 1.0, "rss_mb": 100.0, "bytes": 400_000,
        "state_bytes": 8000, "hop_ms": 80.0,
    }  # fmt: skip
    return {"machine": machine.facts(), "command": "ecg-edge bench", "models": [row]}


def test_the_page_says_what_is_missing() -> None:
    doc = fake_doc() | {"rivals": {"why_not": "torch is not installed"}}
    page = report.markdown(doc)
    assert "Not measured: torch is not installed." in page
    assert "## On your Pi or Jetson" in page
    assert "| m.onnx | onnxruntime | int8 |" in page
    assert "m.onnx" in report.plain(doc)


def test_floors_are_a_gate(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    monkeypatch.setattr(table, "measure", lambda *_: fake_doc()["models"])

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


def test_the_front_comes_from_committed_results(tmp_path: Path) -> None:
    (tmp_path / "i-ii-int8.fold10.json").write_text(json.dumps({"mean": {"r": 0.5, "rmse_mv": 0.2}}))
    (point,) = front.points(tmp_path)["points"]
    assert point["latency_ms"] == pytest.approx(190)
    assert point["r"] == 0.5
    assert "no results" in front.points(tmp_path / "empty")["why_not"]
