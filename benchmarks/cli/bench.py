"""The verb of the benchmarks: bench."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from ecg_edge.firmware_bridge.cli.verb import Verb
from ecg_edge.firmware_bridge.console import emit_json, hint
from ecg_edge.firmware_bridge.errors import BudgetError, EcgEdgeError, UsageError
from ecg_edge.firmware_bridge.flags.numbers import MOST_ROWS, MOST_SECONDS, Number, whole

SECTIONS = ("models", "family", "rivals", "live", "gateway", "cold", "growth", "front")
_FLOORS = ("p50", "p95", "p99", "max", "core", "rss")


_NAME = "i-ii-int8"


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("models", nargs="*", metavar="MODEL", help="file, shipped name or run (default: all shipped)")
    parser.add_argument("--threads", help="of the session: 1 or 1,2,4 (default 1; --suite: 1 and 2 for the family)")
    parser.add_argument(
        "--hops",
        type=whole("--hops", 1, MOST_ROWS),
        default=500,
        metavar="N",
        help="hops timed at full speed (default 500)",
    )
    parser.add_argument(
        "--seconds",
        type=Number("--seconds", 0, MOST_SECONDS),
        default=4.0,
        help="length of the run at the real pace (default 4)",
    )
    parser.add_argument("--suite", action="store_true", help="all sections of the page, not the models alone")
    parser.add_argument(
        "--only", action="append", default=[], choices=SECTIONS,
        help="with --suite and --out: measure this section again, keep the others as they are there",
    )  # fmt: skip
    parser.add_argument(
        "--live-seconds",
        type=Number("--live-seconds", 0, MOST_SECONDS),
        default=20.0,
        help="length of the suite's live run (default 20)",
    )
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

    from ecg_edge.benchmarks.hop_cost import table
    from ecg_edge.benchmarks.measuring import machine
    from ecg_edge.benchmarks.measuring.out_folder import made
    from ecg_edge.benchmarks.page import page as report

    floors = _floors(args.floor)
    threads = _threads(args.threads or "1")
    if args.hops < 10 or args.seconds < 0:
        raise UsageError("too little to time", "--hops 500 --seconds 4")
    models = table.wanted(args.models)
    if args.out:
        made(args.out)
    begun, before = time.time(), _before(args)
    doc: dict[str, Any] = {"machine": machine.facts(), "command": _command(args)}
    if not args.only or "models" in args.only:
        wishes = table.wishes(models, threads, args.hops, args.seconds, bool(args.meter))
        doc["models"] = [*table.measure(wishes), *table.absent(models)]
    else:
        doc |= {k: before[k] for k in ("machine", "command", "models")}
    if args.suite:
        doc = {**before, **doc, **_suite(args)}
    doc["machine_after"] = machine.readings()
    if args.meter:
        _metered(args.meter, doc, begun, time.time())
    sys.stdout.write(report.plain(doc) + "\n")
    if args.out:
        _write(args.out, doc)
    if args.json or args.suite:
        emit_json(doc)
    if broken := _broken(doc["models"], floors):
        raise BudgetError(broken, "see the table; another file, fewer threads or a quieter machine may help")
    hint("next: ecg-edge bench --suite --out report/" if not args.suite else f"next: read {args.out or 'the table'}")
    return 0


def _command(args: argparse.Namespace) -> str:
    return " ".join(["ecg-edge bench", *args.models, *["--suite"] * args.suite])


def _suite(args: argparse.Namespace) -> dict[str, Any]:
    """Every section but the models; one that cannot be measured says why."""
    from ecg_edge.device.inference.load import load_model

    model = load_model("i-ii-int8")
    out: dict[str, Any] = {}
    for name, measure in _sections(args, model).items():
        if args.only and name not in args.only:
            continue
        hint(f"section: {name}")
        try:
            out[name] = measure()
        except ImportError as e:
            out[name] = {"why_not": _not_installed(e)}
        except EcgEdgeError as e:
            out[name] = {"why_not": e.message}
    return _joined(out)


def _not_installed(error: ImportError) -> str:
    return f'{error.name} is not installed (pip install "ecg-edge[export]")'


def _sections(args: argparse.Namespace, model: Any) -> dict[str, Callable[[], dict[str, Any]]]:
    """What to call for each section."""
    from ecg_edge.benchmarks.hop_cost import growth
    from ecg_edge.benchmarks.hop_cost import trade_off as front
    from ecg_edge.benchmarks.live_path import cold_start as cold
    from ecg_edge.benchmarks.live_path import gateway, stages
    from ecg_edge.benchmarks.measuring import committed_accuracy as accuracy
    from ecg_edge.benchmarks.rivals import rivals

    alive = args.live_seconds > 0 and Path("/proc/self/stat").exists()

    def live() -> dict[str, Any]:
        found = stages.measure(model)
        if alive:
            found["run"] = stages.live(_NAME, args.live_seconds)
            found |= _in_browser(args.live_seconds)
        return found

    def held() -> dict[str, Any]:
        found = rivals.measure(model, args.results)
        if ours := accuracy.study(args.results).get("ours"):
            found["study"] = ours.to_dict()
        return found

    def grown() -> dict[str, Any]:
        found: dict[str, Any] = {"streams": growth.streams(model)}
        try:
            return found | growth.measure()
        except ImportError as e:  # only networks of other shapes need it
            return found | {"shapes_why_not": _not_installed(e)}

    def paced(measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        return measure() if alive else {"why_not": "no run at the real pace (--live-seconds 0, or not Linux)"}

    return {
        "family": lambda: _family(args),
        "rivals": held,
        "live": live,
        "gateway": lambda: paced(lambda: gateway.measure(_NAME, args.live_seconds / 2)),
        "cold": lambda: paced(lambda: cold.measure(_NAME)),
        "growth": grown,
        "front": lambda: front.points(args.results),
    }


def _family(args: argparse.Namespace) -> dict[str, Any]:
    """Every kind of file of the shipped geometry, and torch."""
    import tempfile

    from ecg_edge.benchmarks.hop_cost import every_format as family
    from ecg_edge.benchmarks.hop_cost import table

    with tempfile.TemporaryDirectory() as folder:
        files = family.write(Path(folder))
        threads = _threads(args.threads or "1,2")
        wishes = table.family_wishes(files, threads, args.hops, args.seconds / 2, bool(args.meter))
        return {"rows": table.measure(wishes, label="family")}


def _joined(out: dict[str, Any]) -> dict[str, Any]:
    """Let the section on growth say where the other paths saturate."""
    if "streams" in out.get("growth", {}):
        out["growth"]["path"] = out.get("live", {}).get("patches_per_core")
        out["growth"]["gateway"] = out.get("gateway", {}).get("patches_per_core")
    return out


def _metered(path: Path, doc: dict[str, Any], begun: float, ended: float) -> None:
    """Put an external meter's joules beside the rows, each by the time it ran at full speed."""
    from ecg_edge.benchmarks.measuring.energy import external_meter

    doc["external_meter_j"] = external_meter(path, begun, ended)
    for row in [*doc["models"], *doc.get("family", {}).get("rows", [])]:
        if when := row.get("metered"):
            joules = external_meter(path, when["from"], when["to"])
            row["mj_per_s_of_signal"] = 1e3 * joules / when["signal_s"]
            row["energy_source"] = "external meter"


def _in_browser(seconds: float) -> dict[str, Any]:
    """What is seen on a screen: the way to the pixels, and how many frames a second."""
    from ecg_edge.benchmarks.live_path import browser_frames as frames
    from ecg_edge.benchmarks.live_path import to_the_screen as screen

    ways: dict[str, Callable[[], dict[str, Any]]] = {
        "screen": partial(screen.measure, seconds=seconds),
        "frames": partial(frames.measure, seconds / 2),
    }
    found: dict[str, Any] = {}
    for name, measure in ways.items():
        try:
            found[name] = measure()
        except EcgEdgeError as e:
            found[name] = {"why_not": e.message}
    return found


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
    """Page, document and figures; where the folder holds an earlier run, say how the ratios agree."""
    from ecg_edge.benchmarks.page import figures
    from ecg_edge.benchmarks.page import page as report
    from ecg_edge.benchmarks.rivals import rivals

    with contextlib.suppress(OSError, ValueError, AttributeError):
        before = json.loads((folder / "benchmarks.json").read_text())
        again = rivals.agreement(doc.get("rivals", {}), before.get("rivals", {}))
        if again["of"] and doc["rivals"] != before["rivals"]:
            doc["agreement"] = again
            beyond = "".join(f"; {name}: {by:g} % beyond" for name, by in again["outside"].items())
            hint(f"of {again['of']} ratios {again['within']} lie within the spread of the run before{beyond}")
    (folder / "benchmarks.json").write_text(json.dumps(doc, indent=1) + "\n")
    (folder / "benchmarks.md").write_text(report.markdown(doc))
    try:
        figures.plots(doc, folder)
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
