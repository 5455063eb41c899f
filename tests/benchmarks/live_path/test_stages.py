"""The sections that start processes of their own: real pseudo-terminals, real runs, short."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecg_edge.benchmarks.cli.bench import _in_browser
from ecg_edge.benchmarks.live_path import browser_frames as frames
from ecg_edge.benchmarks.live_path import cold_start as cold
from ecg_edge.benchmarks.live_path import gateway
from ecg_edge.benchmarks.measuring.chromium import find_browser
from ecg_edge.benchmarks.rivals import memory
from ecg_edge.device.inference.shipped import resolve

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")


def test_a_gateway_reconstructs_what_the_patches_play() -> None:
    found = gateway.measure("i-ii-int8", 1.0, (1, 2))
    assert [r["patches"] for r in found["rows"]] == [1, 2]
    for row in found["rows"]:
        assert row["core_percent"] > 0
        assert row["samples_lost"] == row["dropped_blocks"] == 0
        assert 0 < row["p50_ms"] <= row["p99_ms"]
        assert row["waits_per_s"] > 0
    assert found["path_ms"]["fast"] > 0 and found["path_ms"]["paced"] > 0


@pytest.mark.skipif(find_browser() is None, reason="no Chromium found: apt-get install chromium")
def test_frames_of_twelve_leads_are_counted_in_a_browser() -> None:
    found = frames.measure(1.0)
    assert found["fps"] > 0 and 0 < found["p50_ms"] <= found["p99_ms"] <= found["max_ms"]
    assert (found["fs"], found["layout"]) == (500, "12x1")


def test_without_a_browser_the_page_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ecg_edge.benchmarks.measuring.chromium.find_browser", lambda: None)
    found = _in_browser(1.0)
    assert found.keys() == {"screen", "frames"} and all("Chrom" in f["why_not"] for f in found.values())


def test_a_cold_start_is_the_sum_of_its_steps() -> None:
    found = cold.measure("i-ii-int8", times=1)
    assert tuple(found["steps"]) == cold.STEPS
    assert all(s >= 0 for s in found["steps"].values())
    assert sum(found["steps"].values()) == pytest.approx(found["total_s"])
    assert found["steps"]["first hops of signal, to rows"] > 0.1  # two hops of 80 ms: no machine is faster


def test_memory_counts_the_network_and_not_its_runtime() -> None:
    used = memory.of(resolve("i-ii-int8"))
    assert used is not None
    assert 0.1 < used < 60
    assert memory.of(Path("nothing.onnx")) is None
