"""Ctrl-C ends a run whatever goes on; how soon is a figure of the benchmark, a loaded machine needs longer."""

import pytest

from ecg_edge.benchmarks.live_path.ctrl_c import SCENES, ended_after

GENEROUS_S = 30


@pytest.mark.parametrize("name", [name for name in SCENES if name != "quiet"])
def test_a_run_ends(name):
    if "broker" in name:
        pytest.importorskip("paho.mqtt")
    assert ended_after(SCENES[name]) < GENEROUS_S
