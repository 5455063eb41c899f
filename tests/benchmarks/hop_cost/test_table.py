"""Which rows are wanted, and what stands in them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ecg_edge.benchmarks.hop_cost import table
from ecg_edge.firmware_bridge.errors import UsageError
from tests.support.bench_document import bench_document


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


def test_a_run_brings_the_files_exported_from_it(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "export").mkdir()
    for name in ("b.tflite", "a.onnx", "proof.json"):
        (tmp_path / "export" / name).write_text("")
    found = [Path(p).name for p in table.wanted([str(tmp_path)])]
    assert found == [tmp_path.name, "a.onnx", "b.tflite"]


def test_each_model_is_wished_with_each_number_of_threads() -> None:
    wishes = table.wishes(["a", "b"], [1, 4], 500, 2.0, True)
    assert [(w["model"], w["threads"]) for w in wishes] == [("a", 1), ("a", 4), ("b", 1), ("b", 4)]
    assert all((w["hops"], w["seconds"], w["metered"]) == (500, 2.0, True) for w in wishes)


def test_only_torch_is_asked_for_a_hop(tmp_path: Path) -> None:
    """A file has its own hop; a run folder steps as long as it is asked to."""
    files = {16: [str(tmp_path), "a.onnx"], 32: [str(tmp_path)]}
    wishes = table.family_wishes(files, [2], 10, 0, False)
    assert [(w["hop"], w["threads"]) for w in wishes] == [(16, 1), (None, 1), (16, 2), (None, 2), (32, 1)]


def test_rows_are_measured_in_the_order_of_their_wishes() -> None:
    wishes = table.wishes(["a", "b", "c"], [1], 10, 0, False)
    rows = table.measure(wishes, lambda wish: {"model": wish["model"] + "!"})
    assert [row["model"] for row in rows] == ["a!", "b!", "c!"]


def test_a_child_that_never_ends_is_a_row_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def expire(*_: object, timeout: float, **__: object) -> None:
        raise subprocess.TimeoutExpired("probe", timeout)

    monkeypatch.setattr(subprocess, "run", expire)
    row = table.in_child({"model": "runs/x", "threads": 2})
    assert row == {"model": "x", "backend": "torch", "threads": 2, "why_not": "took more than 300 s"}


@pytest.mark.parametrize(("said", "why"), [("", "ended without a word"), ("Traceback\nMemoryError", "MemoryError")])
def test_a_child_that_fails_is_a_row_with_its_last_words(said: str, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    done = subprocess.CompletedProcess("probe", 1, "", said)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)
    assert table.in_child({"model": "x.onnx", "threads": 1})["why_not"] == why


def test_cells_show_what_was_measured_and_dashes_elsewhere() -> None:
    row = bench_document()["models"][0]
    cells = dict(zip(table.LATENCY, table.latency_cells(row), strict=True))
    assert (cells["p50 ms"], cells["max"], cells["paced p50"], cells["misses"]) == ("1.500", "2.000", "", "")
    assert (cells["% core"], cells["x real time"], cells["mJ/s"]) == ("1.00", "90", "–")
    paced = row | {"paced_ms": row["full_speed_ms"], "deadline_misses": 1, "mj_per_s_of_signal": 0.456}
    cells = dict(zip(table.LATENCY, table.latency_cells(paced), strict=True))
    assert (cells["paced p50"], cells["misses"], cells["mJ/s"]) == ("1.500", "1 of 2", "0.46")
    sizes = dict(zip(table.FOOTPRINT, table.footprint_cells(row), strict=True))
    assert (sizes["file KB"], sizes["state KB"], sizes["MMAC/s"]) == ("400", "8.0", "5.76")


def test_a_file_stands_once_in_the_table_of_sizes_with_its_fewest_threads() -> None:
    row = bench_document()["models"][0]
    rows = [row, row | {"threads": 2, "rss_mb": 999.0}, row | {"hop_ms": 160.0}, row | {"backend": "LiteRT"}]
    found = table.footprints(rows)
    assert [(r["backend"], r["hop_ms"], r["rss_mb"]) for r in found] == [
        ("onnxruntime", 80.0, 100.0), ("onnxruntime", 160.0, 100.0), ("LiteRT", 80.0, 100.0),
    ]  # fmt: skip


def test_nothing_is_absent_where_every_backend_was_measured(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    assert table.absent(["a.onnx", "a.tflite", str(tmp_path)]) == []
    assert [r["backend"] for r in table.absent([])] == ["onnxruntime", "LiteRT", "torch"]
