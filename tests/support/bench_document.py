"""A made-up document of the benchmark page."""

from __future__ import annotations

from typing import Any

from ecg_edge.benchmarks.measuring import machine, timing


def bench_document() -> dict[str, Any]:
    """Return what one model, measured on this machine, leaves in `benchmarks.json`."""
    full = timing.Spread.of([0.001, 0.002]).to_dict()
    row = {
        "model": "m.onnx", "backend": "onnxruntime", "precision": "int8", "threads": 1, "full_speed_ms": full,
        "weights": "trained", "macs_per_s": 5_758_400,
        "core_percent": 1.0, "real_time_factor": 90.0, "start_s": 1.0, "rss_mb": 100.0, "bytes": 400_000,
        "state_bytes": 8000, "hop_ms": 80.0,
    }  # fmt: skip
    return {"machine": machine.facts(), "command": "ecg-edge bench", "models": [row]}
