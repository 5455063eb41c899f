"""What one network adds to a process."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ecg_edge.benchmarks.rivals import memory
from ecg_edge.device.inference.shipped import resolve


@pytest.mark.parametrize(
    ("code", "said", "mb"), [(0, "14.25\n", 14.25), (1, "", None), (0, " \n", None), (-9, "3", None)]
)
def test_what_the_child_says_counts_where_it_ends_well(
    code: int, said: str, mb: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        seen.append(command)
        return subprocess.CompletedProcess(command, code, said, "")

    monkeypatch.setattr(subprocess, "run", run)
    assert memory.of(Path("x.onnx"), (1, 12, 1024)) == mb
    assert seen[0][2:] == ["ecg_edge.benchmarks.rivals.memory", "x.onnx", "[1, 12, 1024]"]


@pytest.mark.skipif(not memory.STATUS_FILE.exists(), reason="reads /proc")
def test_memory_counts_the_network_and_not_its_runtime() -> None:
    used = memory.of(resolve("i-ii-int8"))
    assert used is not None
    assert 0.1 < used < 60
    assert memory.of(Path("nothing.onnx")) is None
