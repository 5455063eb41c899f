"""A recording under siege: hostile clients of nine sorts on every listener while honest ones watch.

``python -m ecg_edge.benchmarks.live_path.siege --clients 2000 --seconds 3600`` runs ``ecg-edge run`` twice, once
quiet and once besieged, on the loopback only. Attackers come from addresses 127.1.0.0 and up, honest clients from
127.2.0.0 and up. ``--addresses 0`` puts all of them behind one, as a reverse proxy does. It ends by itself, and prints
one JSON document: attacks tried, samples lost, latency, memory, what honest clients got, and how newcomers fared.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from ecg_edge.benchmarks.live_path.siege.attackers import ATTACKS, Siege
from ecg_edge.benchmarks.live_path.siege.honest import Honest, Listener, Newcomers, Viewer, scrape
from ecg_edge.benchmarks.live_path.siege.places import FRIENDLY, SHARED, TOKEN, address

_MOST_CLIENTS, _MOST_S, _MOST_PER_S, _MOST_ADDRESSES = 4000, 7200, 5000, 65536
_HONEST = {"serve": 3, "monitor": 2}


def besiege(clients: int, seconds: float, per_second: float = 0.0, addresses: int = 256) -> dict[str, Any]:
    """Run once; no clients: the quiet run."""
    with tempfile.TemporaryDirectory() as folder:
        ports = {face: _free_port() for face in ("monitor", "serve", "metrics")}
        child = _start(Path(folder), ports, seconds)
        try:
            return _watch(child, ports, clients, seconds, per_second, addresses)
        finally:
            if child.poll() is None:
                child.kill()


def _start(folder: Path, ports: dict[str, int], seconds: float) -> subprocess.Popen[str]:
    command = [
        sys.executable, "-m", "ecg_edge", "run", "synthetic:", "--seconds", str(seconds), "--out", str(folder / "r"),
        "--monitor", "--port", str(ports["monitor"]), "--serve", f"tcp://127.0.0.1:{ports['serve']}",
        "--metrics", str(ports["metrics"]), "--json",
    ]  # fmt: skip
    environment = os.environ | {"ECG_EDGE_TOKEN": TOKEN}
    return subprocess.Popen(
        command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, preexec_fn=_few_files
    )


def _few_files() -> None:
    """As systemd starts services."""
    import resource

    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024))


def _watch(
    child: subprocess.Popen[str],
    ports: dict[str, int],
    clients: int,
    seconds: float,
    per_second: float,
    addresses: int,
) -> dict[str, Any]:
    for port in ports.values():
        _wait_for(port)
    kinds = {"serve": Listener, "monitor": Viewer}
    sources = (address(FRIENDLY, k) if addresses else SHARED for k in itertools.count())
    honest = [kinds[face](ports[face], next(sources)) for face, n in _HONEST.items() for _ in range(n)]
    scraper, newcomers = next(sources), Newcomers(ports, sources)
    for h in honest:
        h.start()
    time.sleep(1)  # they are in before the others come
    siege = Siege(ports, clients, max(1.0, per_second), addresses)
    memory: list[int] = []
    scraped = Counter[str]()
    worked: dict[str, float] = {}
    with siege if clients else contextlib.nullcontext():
        until = time.monotonic() + seconds + 60
        last = time.monotonic() + seconds - 15  # nobody comes when the run is about to end
        newcomers.start()
        while child.poll() is None and time.monotonic() < until:
            memory.append(_memory_kb(child.pid))
            worked = _seconds_of_threads(child.pid) or worked
            scraped[scrape(ports["metrics"], scraper)] += 1
            time.sleep(2)
            if time.monotonic() > last:
                newcomers.stop.set()
    child.send_signal(signal.SIGINT) if child.poll() is None else None
    out, _ = child.communicate(timeout=60)
    for h in honest:
        h.join(10)
    result = _result(json.loads(out.splitlines()[-1]), honest, siege, memory, scraped)
    return result | {"newcomers": newcomers.found(), "cpu_s": worked}


def _result(
    summary: dict[str, Any], honest: list[Honest], siege: Siege, memory: list[int], scraped: Counter[str]
) -> dict[str, Any]:
    half = max(1, len(memory) // 2)
    peaks = {"half time": max(memory[:half], default=0) / 1e3, "end": max(memory[half:], default=0) / 1e3}
    return {
        "exit": summary["exit"],
        "samples_in": summary["samples_in"],
        "samples_lost": summary["samples_lost"],
        "dropped_blocks": summary["dropped_blocks"],
        "latency_ms": {k: summary["latency_ms"][k] for k in ("p50", "p99", "max")},
        "memory_mb": peaks,
        "honest": {"rows": [h.rows for h in honest], "missing": [h.missing for h in honest],
                   "errors": [h.error for h in honest if h.error]},
        "scrapes": dict(scraped),
        "attacks": {"tried": sum(siege.tried.values()), "sorts": len(ATTACKS),
                    "per_second": round(sum(siege.tried.values()) / max(1.0, siege.seconds), 1),
                    "by": dict(sorted(siege.tried.items()))},
    }  # fmt: skip


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as s:
        return int(s.getsockname()[1])


def _wait_for(port: int) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise SystemExit("the run has not begun to serve within a minute")


def _seconds_of_threads(pid: int) -> dict[str, float]:
    """CPU time of a process's threads, by their names."""
    seconds: defaultdict[str, float] = defaultdict(float)
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            name, _, fields = (task / "stat").read_text().partition("(")[2].rpartition(")")
            user, system = fields.split()[11:13]
            seconds[name] += (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
    return {name: round(s, 2) for name, s in seconds.items() if s >= 0.1}


def _memory_kb(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    return 0


def main() -> int:
    """Run quietly, then besieged, and print both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--quiet-seconds", type=float, help="length of the quiet run (default: as long)")
    parser.add_argument("--per-second", type=float, default=600.0, help="attacks begun a second (default 600)")
    parser.add_argument("--addresses", type=int, default=256, help="of the attackers; 0: all behind one (default 256)")
    a = parser.parse_args()
    if not (0 < a.clients <= _MOST_CLIENTS and 0 < a.seconds <= _MOST_S and 0 < a.per_second <= _MOST_PER_S):
        parser.error(f"at most {_MOST_CLIENTS} clients, {_MOST_S} seconds and {_MOST_PER_S} attacks a second")
    if not 0 <= a.addresses <= _MOST_ADDRESSES:
        parser.error(f"at most {_MOST_ADDRESSES} addresses")
    import resource

    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 2 * _MOST_CLIENTS), most))
    quiet = besiege(0, a.quiet_seconds or a.seconds)
    found = {"quiet": quiet, "besieged": besiege(a.clients, a.seconds, a.per_second, a.addresses)}
    sys.stdout.write(json.dumps(found, indent=1) + "\n")
    held = found["besieged"]["samples_lost"] == 0 == found["besieged"]["exit"]
    return 0 if held and not any(found["besieged"]["honest"]["missing"]) else 1


if __name__ == "__main__":
    sys.exit(main())
