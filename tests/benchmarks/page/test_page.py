"""The page of benchmarks, from made-up figures."""

from __future__ import annotations

from typing import Any

from ecg_edge.benchmarks.hop_cost import table
from ecg_edge.benchmarks.page import page as report
from tests.support.bench_document import bench_document


def test_the_page_says_what_is_missing() -> None:
    doc = bench_document() | {"rivals": {"why_not": "torch is not installed"}}
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
    doc = bench_document() | {
        "family": {"rows": bench_document()["models"]},
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


def front_point(name: str, group: str, rmse_mv: float, **more: Any) -> dict[str, Any]:
    shape = {"precision": "fp32", "width": 1.0, "kb": 1000.0, "r": 0.88, "latency_ms": 190.0, "default": False}
    return {"name": name, "group": group, "rmse_mv": rmse_mv, **shape, **more}


def test_the_front_says_why_the_defaults_are_where_they_are() -> None:
    points = [
        front_point("70 ms", "look-ahead", 0.1250, latency_ms=70.0),
        front_point("190 ms", "look-ahead", 0.1000, default=True),
        front_point("310 ms", "look-ahead", 0.0990, latency_ms=310.0),
        front_point("x 1", "width", 0.1000, default=True),
        front_point("x 2", "width", 0.0980, width=2.0, kb=3500.0),
        front_point("fp32, fold 9", "precision", 0.1000),
        front_point("int8, fold 9", "precision", 0.1005, precision="int8", kb=280.0),
    ]
    page = report.markdown(bench_document() | {"front": {"points": points, "missing": ["width"]}})
    assert "with 190 ms in all the error is 20.0 % lower than with 70 ms" in page
    assert "Going on to 310 ms brings another 1.0 % lower" in page
    assert "Width x 2: error -2.0 %, file +250 %." in page
    assert "8 bits cost 0.50 % of RMSE in 28 % of the bytes." in page
    assert "The study of the width has not been run (`ecg-edge reproduce width`)." in page
    assert "| **190 ms** | 190 | x 1 | fp32 | 1000 | – | 0.880 | 0.1000 |" in page


def test_a_front_without_studies_or_sizes_claims_nothing_of_them() -> None:
    points = [front_point("i-ii-int8", "shipped", 0.1, default=True, kb=0.0)]
    page = report.markdown(bench_document() | {"front": {"points": points}})
    assert "| **i-ii-int8** | 190 | x 1 | fp32 | – | – | 0.880 | 0.1000 |" in page
    for absent in ("Look-ahead:", "Width x", "8 bits cost", "has not been run"):
        assert absent not in page


def test_what_a_browser_could_not_show_is_said() -> None:
    live = {
        "stages_ms": {"decoder": 0.1}, "whole_ms": 0.1, "path_percent": 1.0, "patches_per_core": 100.0,
        "screen": {"why_not": "no Chromium found"}, "frames": {"why_not": "no Chromium found"},
    }  # fmt: skip
    page = report.markdown(bench_document() | {"live": live})
    assert "The way to the pixels was not measured: no Chromium found." in page
    assert "frames per second" not in page and "At the real pace" not in page


def test_growth_without_torch_shows_the_streams_and_says_why() -> None:
    growth = {
        "shapes_why_not": "torch is not installed",
        "streams": {"rows": [{"streams": 8, "core_percent": 1.6, "each_percent": 0.2}], "saturate": 500.0},
    }
    page = report.markdown(bench_document() | {"growth": growth})
    assert "Networks of other shapes: not measured: torch is not installed." in page
    assert "| 8 | 1.6 | 0.20 |" in page and "**500 streams**." in page


def test_the_head_names_the_machine_and_where_joules_come_from() -> None:
    doc = bench_document()
    doc["machine"] = {"cpu": "Cortex-A76", "cores": 4, "board": "Raspberry Pi 5", "packages": {"numpy": "2.0"}}
    doc["machine_after"] = {"temperature_c": 61.0, "governor": "", "throttling": None}
    page = report.markdown(doc)
    assert "Cortex-A76; cores 4; board Raspberry Pi 5; numpy 2.0. At the end: temperature_c 61.0." in page
    assert "this machine tells none" in page
    doc["models"][0] |= {"energy_source": "PMIC", "mj_per_s_of_signal": 12.5}
    assert "Energy: PMIC." in report.markdown(doc) and "| 12.50 |" in report.markdown(doc)


def test_every_table_of_the_page_is_as_wide_as_its_head() -> None:
    doc = bench_document() | {"family": {"rows": bench_document()["models"] + table.absent([])}}
    page = report.markdown(doc)
    width = 0
    for line in page.splitlines():
        if not line.startswith("|"):
            width = 0
            continue
        width = width or line.count("|")
        assert line.count("|") == width, line
