"""The verb ``run``: arguments to a run, its figures to the user."""

from __future__ import annotations

import argparse
import shlex
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ecg_edge.device.live.execute import execute
from ecg_edge.device.live.options import Options, settings
from ecg_edge.device.live.summary import Summary
from ecg_edge.firmware_bridge.clock import SystemClock
from ecg_edge.firmware_bridge.console import emit_json, hint, say
from ecg_edge.firmware_bridge.errors import EcgEdgeError, UsageError
from ecg_edge.firmware_bridge.extras import needing

Document = dict[str, Any]
_HOW = ("fs", "device", "model", "leads", "gain", "baud", "mains", "calibration", "placement", "patient")


def run(arguments: argparse.Namespace) -> int:
    """Do what ``ecg-edge run`` says; return the exit status."""
    a = arguments
    try:
        if _asks_for_a_gateway(a):
            return _gateway(a)
    except EcgEdgeError as e:
        _show_error(e, a.json)
        raise
    options = Options(**{name: getattr(a, name) for name, about, _ in settings() if about.flag})
    work = lambda: execute(options, SystemClock(), threading.Event())  # noqa: E731
    return report(work, a.json, lambda summary: _next(summary, _same(options), options.monitor), quiet=a.jsonl)


def _asks_for_a_gateway(a: argparse.Namespace) -> bool:
    if a.workers is not None and not a.config:
        raise UsageError("--workers would do nothing here", "give --config FILE: its patches share the workers")
    if a.config and (a.source != "auto" or a.tui):
        raise UsageError("--config says what is run", "leave SOURCE and --tui out")
    return bool(a.config)


def replay(arguments: argparse.Namespace) -> int:
    """Do what ``ecg-edge replay`` says; return the exit status."""
    from ecg_edge.device.recording.stored_recording import record_name

    name = record_name(arguments.source)
    measured = f"{name}_measured"
    there = not name.endswith("_measured") and Path(f"{measured}.hea").is_file()
    arguments.source = f"replay:{measured if there else arguments.source.removeprefix('replay:')}"
    return run(arguments)


def report(work: Callable[[], Summary], as_json: bool, follow: Callable[[Summary], str], quiet: bool = False) -> int:
    """Do the work, show its summary on stdout (unless `quiet`) and its error and the next step on stderr."""
    try:
        summary = work()
    except EcgEdgeError as e:
        _show_error(e, as_json)
        raise
    if as_json:
        emit_json(summary.to_dict())
    elif summary.info and not quiet:
        say(_text(summary.to_dict()))
    if summary.error:
        hint(f"ecg-edge: {summary.error}")
    hint(f"next: {follow(summary)}")
    return summary.exit_code


def _show_error(e: EcgEdgeError, as_json: bool) -> None:
    if as_json:
        emit_json({"error": e.message, "fix": e.fix, "exit": e.exit_code})


def _gateway(a: argparse.Namespace) -> int:
    """Run what a file describes."""
    found = _outcomes(Path(a.config), a.workers)
    docs: dict[str, Any] = {}
    for name, outcome in found.items():
        doc = docs[name] = outcome.get("summary", outcome)
        if not a.json and doc.get("device"):
            say(f"{name}\n{_text(doc)}")
        if doc["error"]:
            hint(f"ecg-edge: {name}: {EcgEdgeError(doc['error'], outcome['fix'])}")
    if a.json:
        emit_json({"patches": docs})
    hint(f"next: ecg-edge service -- --config {Path(a.config).absolute()}")
    return max((d["exit"] for d in docs.values()), default=0)


def _outcomes(path: Path, workers: int | None) -> dict[str, Document]:
    """Run the patches in workers, or all in this process: one needs no other, and Windows has no socket pairs."""
    # A run of one patch starts sooner without these.
    from ecg_edge.device.gateway.gateway_file import read_gateway
    from ecg_edge.device.gateway.run_gateway import Gateway
    from ecg_edge.device.live.gateway import run_all

    file = read_gateway(path)
    count = file.workers if workers is None else workers
    alone = count == 0 or (count is None and len(file.patches) == 1) or sys.platform == "win32"
    if not (alone and file.ward is None):
        return Gateway(path, count, SystemClock(), hint).run(threading.Event())
    turn = threading.Lock()
    found = run_all(file.patches, lambda p, load, stop: execute(p, SystemClock(), stop, load, turn), SystemClock())
    return {name: _outcome(found[name]) for name in found}


def _outcome(found: Summary | EcgEdgeError) -> Document:
    if isinstance(found, EcgEdgeError):
        return {"error": found.message, "fix": found.fix, "exit": found.exit_code}
    return {"summary": found.to_dict(), "fix": found.error.fix if found.error else ""}


def _same(options: Options) -> str:
    """Flags that say how the source is read and by which model, for a command that is to do the same."""
    given = [(about.flag, getattr(options, name)) for name, about, default in settings()
             if name in _HOW and getattr(options, name) != default]  # fmt: skip
    return "".join(_flag(flag, str(value)) for flag, value in given)


def _flag(flag: str, value: str) -> str:
    """A flag as argparse reads it: a value that begins with ``-`` would be taken for a flag itself."""
    return f" {flag}{'=' if value.startswith('-') else ' '}{shlex.quote(value)}"


def _next(summary: Summary, same: str, monitor: bool) -> str:
    if isinstance(summary.error, UsageError):
        return "ecg-edge run -h"
    if summary.error:
        return "ecg-edge doctor"
    if summary.recording:
        played = shlex.quote(f"replay:{summary.recording}_measured")
        return needing("web", f"ecg-edge run {played} --monitor{_model_of(same)}")
    return f"ecg-edge run {shlex.quote(summary.source)}{same}{' --monitor' if monitor else ''} --out recordings"


def _model_of(same: str) -> str:
    """Of these flags the model alone: a recording says the rest itself."""
    words = shlex.split(same)
    return f" --model {shlex.quote(words[words.index('--model') + 1])}" if "--model" in words else ""


def _text(d: dict[str, Any]) -> str:
    """Render a summary for people."""
    by: dict[str, list[str]] = {}
    if channels := [c for c in d["channels"] if c not in d["provenance"]]:
        by["measured"] = channels
    for lead, kind in d["provenance"].items():
        by.setdefault(kind, []).append(lead)
    parts = {x: kinds for x, kinds in d["provenance_s"].items() if len(kinds) > 1}
    latency = d["latency_ms"]
    rate = d["heart_rate_bpm"]
    lines = [
        f"samples    {d['samples_in']} in at {d['fs_in']:g} Hz, {d['samples_lost']} lost, "
        f"{d['samples_out']} out at {d['fs_out']} Hz, {d['dropped_blocks']} blocks dropped",
        *(f"{kind:<13} {' '.join(leads)}" for kind, leads in by.items()),
        *(f"in part       {x}: " + ", ".join(f"{k} {s:.1f} s" for k, s in kinds.items()) for x, kinds in parts.items()),
        f"latency    host p50 {latency['p50']:g} ms, p99 {latency['p99']:g} ms, max {latency['max']:g} ms",
        "           " + ", ".join(f"{k} {v:g} ms" for k, v in latency["terms"].items()),
        f"heart      {rate:.0f}/min" if rate is not None else "heart      no rate",
        f"model      {d['model']['name']} ({d['model']['precision']})",
    ]
    if d["recording"]:
        lines.append(f"recording  {d['recording']}")
    return "\n".join(lines)
