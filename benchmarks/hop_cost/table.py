"""Rows of the latency table: which are wanted, measured each in a process of its own, or the reason why not."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ecg_edge.device.inference.shipped import resolve, shipped_files
from ecg_edge.firmware_bridge.errors import UsageError
from ecg_edge.firmware_bridge.progress import Progress

_PATIENCE_S = 300.0
Row = dict[str, Any]
RUNTIMES = {".onnx": ("onnxruntime", "onnxruntime"), ".tflite": ("LiteRT", "ai_edge_litert")}


def wanted(models: Iterable[str]) -> list[str]:
    """Files to measure: those named, with what belongs to them; else all shipped.

    A shipped name brings the file in the other format, a training run the files exported from it.

    Raises
    ------
    UsageError
        A name is neither a model nor a run.
    """
    out: list[str] = []
    for name in models:
        path = resolve(name)
        if (path / "config.json").is_file():
            out += [str(path), *map(str, sorted(f for f in (path / "export").glob("*") if f.suffix in RUNTIMES))]
        elif path.suffix in RUNTIMES and path.is_file():
            out.append(str(path))
            twin = path.with_suffix(".tflite" if path.suffix == ".onnx" else ".onnx")
            if twin.is_file() and Path(name).suffix == "":
                out.append(str(twin))
        else:
            raise UsageError(f"{name} is no model file, shipped model or run", "ecg-edge info lists the shipped ones")
    return out or [str(p) for p in shipped_files()]


def wishes(models: Iterable[str], threads: Iterable[int], hops: int, seconds: float, metered: bool) -> list[Row]:
    """What to measure of named files: each with each number of threads."""
    how = {"hops": hops, "seconds": seconds, "metered": metered}
    return [{"model": m, "threads": t, **how} for m in models for t in threads]


def family_wishes(
    files: Mapping[int, Iterable[str]], threads: Iterable[int], hops: int, seconds: float, metered: bool
) -> list[Row]:
    """What to measure of `every_format.write`: every kind at every hop on one thread, and at the first on more."""
    first, how = min(files), {"hops": hops, "seconds": seconds, "metered": metered}
    return [
        {"model": m, "threads": t, "hop": hop if Path(m).is_dir() else None, **how}
        for hop, models in files.items()
        for t in ((1, *(t for t in threads if t > 1)) if hop == first else (1,))
        for m in models
    ]


def measure(wishes: Sequence[Row], run: Callable[[Row], Row] | None = None, label: str = "models") -> list[Row]:
    """One row for each wish."""
    run, rows = run or in_child, []
    with Progress(label, len(wishes)) as progress:
        for wish in wishes:
            rows.append(run(wish))
            progress.step()
    return rows


def in_child(wish: Row) -> Row:
    """Measure in a new process; a row that says why where that is impossible."""
    command = [sys.executable, "-m", "ecg_edge.benchmarks.hop_cost.probe", json.dumps(wish)]
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


LATENCY = ("model", "backend", "precision", "weights", "hop ms", "threads", "p50 ms", "p95", "p99", "max", "jitter",
           "paced p50", "paced p99", "paced jitter", "misses", "% core", "x real time", "mJ/s")  # fmt: skip
FOOTPRINT = ("model", "backend", "weights", "start s", "RSS MB", "file KB", "state KB", "MMAC/s")


def latency_cells(row: Row) -> list[str]:
    """One row of the table of durations as text."""
    if why := row.get("why_not"):
        return [row["model"], row["backend"], "–", "–", "–", str(row["threads"]), why, *[""] * (len(LATENCY) - 7)]
    full, late, joules = row["full_speed_ms"], row.get("paced_ms"), row.get("mj_per_s_of_signal")
    return [
        row["model"], row["backend"], row["precision"], row["weights"], f"{row['hop_ms']:g}", str(row["threads"]),
        *(f"{full[k]:.3f}" for k in ("p50", "p95", "p99", "max", "jitter")),
        *(f"{late[k]:.3f}" if late else "" for k in ("p50", "p99", "jitter")),
        f"{row['deadline_misses']} of {late['n']}" if late else "",
        f"{row['core_percent']:.2f}", f"{row['real_time_factor']:.0f}", "–" if joules is None else f"{joules:.2f}",
    ]  # fmt: skip


def footprint_cells(row: Row) -> list[str]:
    """One row of the table of sizes as text."""
    if why := row.get("why_not"):
        return [row["model"], row["backend"], "–", why, *[""] * (len(FOOTPRINT) - 4)]
    return [
        row["model"], row["backend"], row["weights"], f"{row['start_s']:.2f}", f"{row['rss_mb']:.0f}",
        f"{row['bytes'] / 1000:.0f}", f"{row['state_bytes'] / 1000:.1f}", f"{row['macs_per_s'] / 1e6:.2f}",
    ]  # fmt: skip


def footprints(rows: Iterable[Row]) -> list[Row]:
    """The rows that say something new of size: a file once, with its fewest threads."""
    seen: dict[tuple[Any, ...], Row] = {}
    for row in rows:
        key = (row["model"], row["backend"], row.get("weights"), row.get("hop_ms"), row.get("why_not"))
        seen.setdefault(key, row)
    return list(seen.values())
