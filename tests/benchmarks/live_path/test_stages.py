"""The sections that start processes of their own: real pseudo-terminals, real runs, short."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ecg_edge.benchmarks.cli.bench import _in_browser
from ecg_edge.benchmarks.live_path import browser_frames as frames
from ecg_edge.benchmarks.live_path import cold_start as cold
from ecg_edge.benchmarks.live_path import gateway, stages
from ecg_edge.benchmarks.measuring.chromium import find_browser
from ecg_edge.device.inference.load import load_model

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


def test_the_path_gives_every_row() -> None:
    info, sent = stages.wire(seconds=3)
    rows = stages.path(load_model("i-ii-int8"), info, sent)
    assert 3 * 100 - 12 - 8 - 5 <= rows <= 300


def test_stages_add_up_to_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """What no stage explains is a row of its own, whatever its sign."""
    costs = iter(range(1, 100))

    def fake(works: dict[str, Any], rounds: int, calls: dict[str, int]) -> dict[str, float]:
        return {name: float(next(costs)) for name in works}

    monkeypatch.setattr(stages, "compare", fake)
    found = stages.measure(load_model("i-ii-int8"))
    assert sum(found["stages_ms"].values()) == pytest.approx(found["whole_ms"])
    assert any(name.startswith("what is left") for name in found["stages_ms"])
