"""Several patches at the real pace on one gateway; ``python -m ecg_edge.benchmarks.live_path.gateway N`` plays them.

One other process writes frames that were made beforehand, so only the gateway is measured. Its readers, its threads
and their switching count, which a loop at full speed does not show.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ecg_edge.benchmarks.live_path.stages import FRAME_S, path, wire
from ecg_edge.benchmarks.measuring.process import cpu_s, rss_mb
from ecg_edge.device.inference.load import load_model
from ecg_edge.firmware_bridge.errors import EcgEdgeError
from ecg_edge.firmware_bridge.progress import Progress
from ecg_edge.firmware_bridge.virtual_patch.link_pty import PtyLink

PATCHES = (1, 8, 24)
_SETTLE_S, _DESCRIBE_EVERY = 3.0, 100
_LONGEST_S = 120
_LATE_MS = 1000.0
"""A gateway whose rows are this late falls behind."""


def measure(model: str, seconds: float = 10.0, patches: tuple[int, ...] = PATCHES) -> dict[str, Any]:
    """Measure one gateway with several patches, each recorded: processor, memory, latency, losses.

    Linux only: reads ``/proc``.

    Returns
    -------
    dict
        ``rows``: one for each number of patches. ``each_percent`` of a core for every further patch, and
        ``patches_per_core``. ``path_ms``: bytes to rows per hop in one thread, ``fast`` without a pause and ``paced``
        with one before every hop.
    """
    path_ms = {"fast": _path_ms(model, seconds, pause=False), "paced": _path_ms(model, seconds, pause=True)}
    rows = []
    with Progress("gateway", len(patches)) as progress:
        for n in patches:
            rows.append(one(model, n, seconds))
            progress.step()
    return {"seconds": seconds, "rows": rows, **per_core(rows), "path_ms": path_ms}


def per_core(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """What each further patch costs, from the rows that keep up: a gateway that falls behind looks cheap.

    Returns
    -------
    dict
        ``each_percent``, ``patches_per_core``, and ``keeps_up_with``: the most patches that were not late.
    """
    kept = [r for r in rows if r["p99_ms"] < _LATE_MS] or rows[:1]
    first, last = kept[0], kept[-1]
    span = last["patches"] - first["patches"]
    each = (last["core_percent"] - first["core_percent"]) / span if span else first["core_percent"]
    return {"each_percent": each, "patches_per_core": 100 / each, "keeps_up_with": last["patches"]}


def _path_ms(name: str, seconds: float, pause: bool) -> float:
    """Processor time per hop of one stream in one thread, with a pause before each hop or without."""
    model = load_model(name)
    hop_s = model.spec.hop / model.spec.fs
    per_hop = round(hop_s / FRAME_S)
    info, frames = wire(seconds=max(1, round(seconds)))

    def arriving() -> Iterator[bytes]:
        begun = time.monotonic()
        for k, frame in enumerate(frames):
            if pause and k % per_hop == 0 and (wait := begun + k * FRAME_S - time.monotonic()) > 0:
                time.sleep(wait)
            yield frame

    path(model, info, frames)
    before = time.process_time()
    rows = path(model, info, arriving())
    return 1e3 * (time.process_time() - before) / (rows / model.spec.hop)


def one(model: str, n: int, seconds: float) -> dict[str, Any]:
    """One gateway with `n` patches."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as ends:
        play_them = [sys.executable, "-m", "ecg_edge.benchmarks.live_path.gateway", str(n)]
        farm = ends.enter_context(subprocess.Popen(play_them, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        ends.callback(farm.terminate)
        assert farm.stdout is not None and farm.stdin is not None
        ports = [farm.stdout.readline().strip() for _ in range(n)]
        config = Path(folder) / "gateway.toml"
        config.write_text("".join(_patch(k, port, model, folder, seconds) for k, port in enumerate(ports)))
        command = [sys.executable, "-m", "ecg_edge", "run", "--config", str(config), "--workers", "0", "--json"]
        run = ends.enter_context(
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        )
        ends.callback(run.kill)
        farm.stdin.write("go\n")
        farm.stdin.flush()
        _recorded(Path(folder), n)
        time.sleep(_SETTLE_S)
        before, at, woken = cpu_s(run.pid), time.monotonic(), _switches(run.pid)
        time.sleep(seconds)
        used, took, rss = cpu_s(run.pid) - before, time.monotonic() - at, rss_mb(run.pid)
        waits = waits_between(woken, _switches(run.pid))
        out, _ = run.communicate(timeout=_LONGEST_S)
    docs = list(json.loads(out.splitlines()[-1])["patches"].values())
    return {
        "patches": n,
        "core_percent": 100 * used / took,
        "rss_mb": rss,
        "waits_per_s": waits / took / n,
        "p50_ms": max(d["latency_ms"]["p50"] for d in docs),
        "p99_ms": max(d["latency_ms"]["p99"] for d in docs),
        "samples_lost": sum(d["samples_lost"] for d in docs),
        "dropped_blocks": sum(d["dropped_blocks"] for d in docs),
    }


def _switches(pid: int) -> dict[str, int]:
    """How often each thread of a process has waited so far."""
    found = {}
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        with contextlib.suppress(OSError):  # a thread may end meanwhile
            text = status.read_text()
            found[status.parent.name] = int(text.partition("\nvoluntary_ctxt_switches:")[2].split()[0])
    return found


def waits_between(before: dict[str, int], after: dict[str, int]) -> int:
    """Return how often the threads of `after` waited since `before`; a thread that has ended takes nothing away."""
    return sum(n - before.get(thread, 0) for thread, n in after.items())


def _patch(k: int, port: str, model: str, folder: str, seconds: float) -> str:
    length = seconds + 2 * _SETTLE_S
    return (
        f'[[patch]]\nname = "p{k}"\nsource = "{port}"\nmodel = "{model}"\nseconds = {length}\nout = "{folder}/p{k}"\n'
    )


def _recorded(folder: Path, n: int, patience_s: float = 60.0) -> None:
    """Wait until every patch has its recording."""
    end = time.monotonic() + patience_s
    while sum(any(f.stat().st_size for f in (folder / f"p{k}").glob("*Z.dat")) for k in range(n)) < n:
        if time.monotonic() > end:
            raise EcgEdgeError(f"the gateway did not bring up {n} patches", "a quieter machine, or fewer patches")
        time.sleep(0.05)


def play(n: int) -> None:
    """Print `n` ports; after a line on stdin, write frames of 10 ms to all of them until ended."""
    _, (describe, *frames) = wire(seconds=_LONGEST_S)
    links = [PtyLink() for _ in range(n)]
    sys.stdout.write("".join(f"{link.address}\n" for link in links))
    sys.stdout.flush()
    sys.stdin.readline()
    start = time.monotonic()
    for k, frame in enumerate(frames):
        if (wait := start + k * FRAME_S - time.monotonic()) > 0:
            time.sleep(wait)
        blob = describe + frame if k % _DESCRIBE_EVERY == 0 else frame
        for link in links:
            link.poll()
            link.send(blob)


if __name__ == "__main__":
    play(int(sys.argv[1]))
