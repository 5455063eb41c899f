"""One row measured, of a file and of torch."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from ecg_edge.benchmarks.hop_cost import every_format as family
from ecg_edge.benchmarks.hop_cost import probe, table
from ecg_edge.device.inference.load import load_model
from ecg_edge.train.runs.checkpoints import load_network


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


def test_the_probe_prints_its_row_as_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    wish = {"model": str(table.resolve("i-int8")), "threads": 1, "hops": 2, "seconds": 0}
    assert probe.main([json.dumps(wish)]) == 0
    row = json.loads(capsys.readouterr().out)
    assert row["rss_mb"] > 10 and row["inputs"] == 1 and row["full_speed_ms"]["n"] == 2
    assert "paced_ms" not in row and row["real_time_factor"] > 1


def test_a_metered_row_says_when_to_look_at_the_meter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "_ENERGY_S", 0.05)
    row = probe.measure(str(table.resolve("i-int8")), 1, 2, 0, metered=True)
    assert row["metered"]["from"] <= row["metered"]["to"]
    hops = row["metered"]["signal_s"] / 0.08
    assert hops >= 1 and hops == pytest.approx(round(hops))


def test_a_machine_that_tells_its_energy_gives_millijoules(monkeypatch: pytest.MonkeyPatch) -> None:
    class Told:
        source = "RAPL"

        def over(self, work: Callable[[], object], seconds: float) -> tuple[float, int]:
            work()
            return 0.6, 25

    monkeypatch.setattr("ecg_edge.benchmarks.measuring.energy.Energy", Told)
    row = probe.measure(str(table.resolve("i-int8")), 1, 2, 0)
    assert row["mj_per_s_of_signal"] == pytest.approx(600 / 2)  # 25 hops are two seconds of signal
    assert row["energy_source"] == "RAPL"


def test_torch_steps_the_network_it_is_given(tmp_path: Path) -> None:
    family.write(tmp_path, ())
    step, fs, n, facts = probe._open(str(tmp_path / family.RUN), 1, None)
    network = load_network(tmp_path / family.RUN)
    assert (fs, n, facts["weights"], facts["inputs"]) == (100, network.spec.hop, "random", 2)
    x = np.random.default_rng(0).normal(size=(3, n, 2)).astype(np.float32)
    got = torch.cat([torch.as_tensor(step(hop)) for hop in x], dim=-1)
    whole = torch.from_numpy(x.reshape(-1, 2).T.copy())[None, :, None]
    with torch.no_grad():
        torch.testing.assert_close(got, network.body(whole), atol=1e-5, rtol=1e-4)
