"""The verb of the benchmarks: bench."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ecg_edge.firmware_bridge.errors import BudgetError, EcgEdgeError, MissingExtraError, UsageError
from ecg_edge.firmware_bridge.verb import Verb, emit_json, hint

_FLOORS = ("p50", "p95", "p99", "max", "core", "rss")


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("models", nargs="*", metavar="MODEL", help="file, shipped name or run (default: all shipped)")
    parser.add_argument("--threads", default="1", help="threads of the session: 1 or 1,2,4 (default 1)")
    parser.add_argument("--hops", type=int, default=500, metavar="N", help="hops timed at full speed (default 500)")
    parser.add_argument("--seconds", type=float, default=4.0, help="length of the run at the real pace (default 4)")
    parser.add_argument("--suite", action="store_true", help="alternatives, stages, growth and the live run as well")
    parser.add_argument(
        "--only", action="append", default=[], choices=("models", "rivals", "live", "growth", "front"),
        help="with --suite and --out: measure this section again, keep the others as they are there",
    )  # fmt: skip
    parser.add_argument("--live-seconds", type=float, default=20.0, help="length of the suite's live run (default 20)")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="write benchmarks.md, benchmarks.json and figures there"
    )
    parser.add_argument(
        "--results", type=Path, default=Path("docs/results"), help="accuracy files (default %(default)s)"
    )
    parser.add_argument("--meter", type=Path, metavar="CSV", help="an external meter's record: time_s,power_w")
    parser.add_argument(
        "--floor",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="fail (exit 3) above it: p99=20 (ms), core=2 (%%)",
    )
    parser.add_argument("--json", action="store_true", help="end with one JSON document on stdout")


def _bench(args: argparse.Namespace) -> int:
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    import time

    from ecg_edge.benchmarks import machine, report, table

    floors = _floors(args.floor)
    threads = _threads(args.threads)
    if args.hops < 10 or args.seconds < 0:
        raise UsageError("too little to time", "--hops 500 --seconds 4")
    models = table.wanted(args.models)
    begun = time.time()
    doc: dict[str, Any] = {"machine": machine.facts(), "command": "ecg-edge bench" + " --suite" * args.suite}
    before = _before(args)
    if not args.only or "models" in args.only:
        doc["models"] = [*table.measure(models, threads, args.hops, args.seconds), *table.absent(models)]
    else:
        doc |= {k: before[k] for k in ("machine", "command", "models")}
    if args.suite:
        doc = {**before, **doc, **_suite(args)}
    if args.meter:
        doc["external_meter_j"] = machine.external_meter(args.meter, begun, time.time())
    sys.stdout.write(report.plain(doc) + "\n")
    if args.out:
        _write(args.out, doc)
    if args.json or args.suite:
        emit_json(doc)
    if broken := _broken(doc["models"], floors):
        raise BudgetError(broken, "see the table; another file, fewer threads or a quieter machine may help")
    hint("next: ecg-edge bench --suite --out report/" if not args.suite else f"next: read {args.out or 'the table'}")
    return 0


def _suite(args: argparse.Namespace) -> dict[str, Any]:
    """Every section; one that cannot be measured says why."""
    from ecg_edge.benchmarks import front, growth, rivals, stages
    from ecg_edge.device.model import load_model

    model = load_model("i-ii-int8")

    def live() -> dict[str, Any]:
        hint("the live path")
        found = stages.measure(model)
        if args.live_seconds > 0 and Path("/proc/self/stat").exists():
            found["run"] = stages.live("i-ii-int8", args.live_seconds)
            found["screen"] = _screen(args.live_seconds)
        return found

    def grown() -> dict[str, Any]:
        return {**growth.measure(), "gateway": growth.gateway(model)}

    sections: dict[str, Callable[[], dict[str, Any]]] = {
        "rivals": lambda: rivals.measure(model),
        "live": live,
        "growth": grown,
        "front": lambda: front.points(args.results),
    }
    out = {}
    for name, measure in sections.items():
        if args.only and name not in args.only:
            continue
        try:
            out[name] = measure()
        except ImportError as e:
            out[name] = {"why_not": f'{e.name} is not installed (pip install "ecg-edge[export]")'}
        except MissingExtraError as e:
            out[name] = {"why_not": e.message}
    return out


def _screen(seconds: float) -> dict[str, Any]:
    from ecg_edge.benchmarks import screen

    try:
        return screen.measure(seconds=seconds)
    except EcgEdgeError as e:
        return {"why_not": e.message}


def _before(args: argparse.Namespace) -> dict[str, Any]:
    """The document whose other sections are kept."""
    if not args.only:
        return {}
    if not (args.suite and args.out):
        raise UsageError("--only is for --suite with --out", "ecg-edge bench --suite --only live --out docs")
    try:
        return dict(json.loads((args.out / "benchmarks.json").read_text()))
    except (OSError, ValueError) as e:
        raise UsageError(f"no earlier benchmarks.json in {args.out}: {e}", "leave --only out") from e


def _write(folder: Path, doc: dict[str, Any]) -> None:
    from ecg_edge.benchmarks import report

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "benchmarks.json").write_text(json.dumps(doc, indent=1) + "\n")
    (folder / "benchmarks.md").write_text(report.markdown(doc))
    try:
        report.plots(doc, folder)
    except EcgEdgeError as e:
        hint(f"no figures: {e}")


def _threads(text: str) -> list[int]:
    try:
        found = [int(t) for t in text.split(",")]
    except ValueError:
        found = []
    if not found or not all(1 <= t <= 64 for t in found):
        raise UsageError(f"--threads {text!r} is no list of numbers", "--threads 1,2")
    return found


def _floors(texts: list[str]) -> dict[str, float]:
    found = {}
    for text in texts:
        key, _, value = text.partition("=")
        try:
            found[key] = float(value)
        except ValueError:
            key = ""
        if key not in _FLOORS:
            raise UsageError(f"bad floor {text!r}", f"write --floor p99=20; keys: {', '.join(_FLOORS)}")
    return found


def _broken(rows: list[dict[str, Any]], floors: dict[str, float]) -> str:
    """The first row that breaks a floor, in words; a row without figures breaks none."""
    for row in rows:
        if "why_not" in row:
            continue
        have = {**row["full_speed_ms"], "core": row["core_percent"], "rss": row["rss_mb"]}
        for key, limit in floors.items():
            if have[key] > limit:
                return f"{row['model']}: {key} is {have[key]:.3f}, the floor is {limit:g}"
    return ""


BENCH = Verb("bench", "latency, cost and memory of models on this machine, beside the alternatives", _configure, _bench)
