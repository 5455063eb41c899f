"""Rows of the latency table: which are wanted, measured each in a process of its own, or the reason why not."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ecg_edge.device.model import resolve, shipped_files
from ecg_edge.device.progress import Progress
from ecg_edge.firmware_bridge.errors import UsageError

_PATIENCE_S = 300.0
Row = dict[str, Any]
RUNTIMES = {".onnx": ("onnxruntime", "onnxruntime"), ".tflite": ("LiteRT", "ai_edge_litert")}


def wanted(models: Iterable[str]) -> list[str]:
    """Files to measure: those named, with their twin in the other format where it lies beside; else all shipped.

    Raises
    ------
    UsageError
        A name is neither a model nor a run.
    """
    out: list[str] = []
    for name in models:
        path = resolve(name)
        if (path / "config.json").is_file() or (path.suffix in RUNTIMES and path.is_file()):
            out.append(str(path))
            twin = path.with_suffix(".tflite" if path.suffix == ".onnx" else ".onnx")
            if path.suffix and twin.is_file() and Path(name).suffix == "":
                out.append(str(twin))
        else:
            raise UsageError(f"{name} is no model file, shipped model or run", "ecg-edge info lists the shipped ones")
    return out or [str(p) for p in shipped_files()]


def measure(
    models: Iterable[str],
    threads: Iterable[int],
    hops: int,
    seconds: float,
    run: Callable[[Row], Row] | None = None,
) -> list[Row]:
    """One row for each model and number of threads."""
    run = run or in_child
    wishes = [{"model": m, "threads": t, "hops": hops, "seconds": seconds} for m in models for t in threads]
    rows = []
    with Progress("models", len(wishes)) as progress:
        for wish in wishes:
            rows.append(run(wish))
            progress.step()
    return rows


def in_child(wish: Row) -> Row:
    """Measure in a new process; a row that says why where that is impossible."""
    command = [sys.executable, "-m", "ecg_edge.benchmarks.probe", json.dumps(wish)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_S, check=False)
    except subprocess.TimeoutExpired:
        return missing(wish, f"took more than {_PATIENCE_S:g} s")
    if done.returncode:
        return missing(wish, (done.stderr.strip().splitlines() or ["ended without a word"])[-1])
    return dict(json.loads(done.stdout.splitlines()[-1]))


def missing(wish: Row, why: str) -> Row:
    """A row for what could not be measured."""
    path = Path(wish["model"])
    backend = RUNTIMES.get(path.suffix, ("torch", "torch"))[0]
    return {"model": path.name, "backend": backend, "threads": wish["threads"], "why_not": why}


def absent(measured: Iterable[str]) -> list[Row]:
    """Rows for backends of which nothing was there to measure."""
    suffixes = {Path(m).suffix for m in measured}
    out = [
        {"model": "–", "backend": name, "threads": "–", "why_not": f"no {suffix} file was named or is shipped"}
        for suffix, (name, _) in RUNTIMES.items()
        if suffix not in suffixes
    ]
    if not any((Path(m) / "config.json").is_file() for m in measured):
        out.append(
            {"model": "–", "backend": "torch", "threads": "–", "why_not": "torch runs a training run: bench RUN"}
        )
    return out


HEAD = ("model", "backend", "precision", "threads", "p50 ms", "p95", "p99", "max", "% core", "x real time",
        "start s", "RSS MB", "file KB", "state KB", "paced p99", "misses")  # fmt: skip


def cells(row: Row) -> list[str]:
    """One row of the table as text."""
    if why := row.get("why_not"):
        return [row["model"], row["backend"], "–", str(row["threads"]), why, *[""] * (len(HEAD) - 5)]
    full, late = row["full_speed_ms"], row.get("paced_ms")
    return [
        row["model"], row["backend"], row["precision"], str(row["threads"]),
        *(f"{full[k]:.3f}" for k in ("p50", "p95", "p99", "max")),
        f"{row['core_percent']:.2f}", f"{row['real_time_factor']:.0f}", f"{row['start_s']:.2f}", f"{row['rss_mb']:.0f}",
        f"{row['bytes'] / 1000:.0f}", f"{row['state_bytes'] / 1000:.1f}",
        f"{late['p99']:.3f}" if late else "", str(row["deadline_misses"]) if late else "",
    ]  # fmt: skip
