"""The verb bench: its floors, its words, and a suite without torch."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import pytest

from ecg_edge.benchmarks.cli.bench import BENCH
from ecg_edge.benchmarks.hop_cost import growth, table
from ecg_edge.benchmarks.live_path import stages
from ecg_edge.firmware_bridge.errors import BudgetError, UsageError
from tests.support.bench_document import bench_document


def test_floors_are_a_gate(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    monkeypatch.setattr(table, "measure", lambda *_, **__: bench_document()["models"])

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
    monkeypatch.setattr(table, "measure", lambda *_, **__: bench_document()["models"])
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
