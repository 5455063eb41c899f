"""A recording under siege: hostile clients of nine sorts on every listener while honest ones watch.

``python -m ecg_edge.benchmarks.live_path.siege --clients 2000 --seconds 3600`` runs ``ecg-edge run`` twice, once
quiet and once besieged, on the loopback only. It ends by itself, and prints one JSON document: attacks tried, samples
lost, latency of both runs, memory, what the honest clients got.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Callable
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

TOKEN = "siege-0123456789abcdef"
_MOST_CLIENTS, _MOST_S, _MOST_PER_S = 4000, 7200, 5000
_THREADS = 16
_HONEST = {"serve": 3, "monitor": 2}
_MAGIC_AND_SEQUENCE = struct.Struct("<BBHI")
Attack = Callable[[socket.socket, str], None]


def _silent(s: socket.socket, face: str) -> None:
    """Connect and say nothing."""


def _half_a_request(s: socket.socket, face: str) -> None:
    s.sendall(b"GET /metrics HTTP/1.1\r\nHost: local")


def _drip(s: socket.socket, face: str) -> None:
    for byte in b"GET / HT":
        s.sendall(bytes([byte]))
        time.sleep(0.01)


def _wrong_token(s: socket.socket, face: str) -> None:
    for k in range(20):
        s.sendall(f"guess-{k}\nGET /login HTTP/1.1\r\nAuthorization: Bearer guess-{k}\r\n\r\n".encode())


def _long_line(s: socket.socket, face: str) -> None:
    s.sendall(b"x" * 100_000)


def _noise(s: socket.socket, face: str) -> None:
    s.sendall(random.Random(face).randbytes(4096))


def _tls_hello(s: socket.socket, face: str) -> None:
    s.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500))


def _rebinding(s: socket.socket, face: str) -> None:
    s.sendall(b"GET /ws HTTP/1.1\r\nHost: evil.example\r\nOrigin: http://evil.example\r\nUpgrade: websocket\r\n\r\n")


def _never_reads(s: socket.socket, face: str) -> None:
    """Knows the token, and does not read: the worst neighbour inside."""
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    s.sendall(f"{TOKEN}\n".encode())


ATTACKS: dict[str, Attack] = {
    "silent": _silent,
    "half a request": _half_a_request,
    "one byte at a time": _drip,
    "wrong tokens": _wrong_token,
    "a line without end": _long_line,
    "noise": _noise,
    "TLS hello": _tls_hello,
    "foreign Host": _rebinding,
    "never reads": _never_reads,
}


class Siege:
    """Attackers in a process of their own, behind everybody else on the machine, at a stated rate.

    What is measured is the product, not a machine whose cores the attackers have taken.

    Parameters
    ----------
    ports : dict of str to int
        The listeners.
    clients : int
        Connections kept open; the oldest is renewed.
    per_second : float
        Attacks begun a second, all listeners together.
    """

    def __init__(self, ports: dict[str, int], clients: int, per_second: float) -> None:
        context = multiprocessing.get_context("spawn")
        self.tried: Counter[str] = Counter()
        self.seconds = 0.0
        self._stop, self._found = context.Event(), context.Queue()
        words = (ports, clients, per_second, self._stop, self._found)
        self._process = context.Process(target=_attack_all, args=words, daemon=True)

    def __enter__(self) -> Siege:
        self._process.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self.tried, self.seconds = self._found.get(timeout=60)
        self._process.join(10)


def _attack_all(ports: dict[str, int], clients: int, per_second: float, stop: Event, found: Queue[Any]) -> None:
    """Attack from a few threads until told to stop; report what was tried, and for how long."""
    os.nice(19)
    tried: Counter[str] = Counter()
    lock = threading.Lock()
    share, pause = max(1, clients // _THREADS), _THREADS / per_second

    def attack(seed: int) -> None:
        choose, held = random.Random(seed), list[socket.socket]()
        names, faces = sorted(ATTACKS), sorted(ports)
        due = time.monotonic() + choose.random() * pause
        while not stop.wait(max(0.0, due - time.monotonic())):
            due = max(due + pause, time.monotonic() - 1)  # who is late does not make up for more than a second
            name, face = choose.choice(names), choose.choice(faces)
            s = socket.socket()
            s.settimeout(0.2)
            held.append(s)
            with contextlib.suppress(OSError):
                s.connect(("127.0.0.1", ports[face]))
                ATTACKS[name](s, face)
            with lock:
                tried[f"{name} at {face}"] += 1
            if len(held) > share:
                held.pop(0).close()
        for s in held:
            s.close()

    began = time.monotonic()
    threads = [threading.Thread(target=attack, args=(k,), daemon=True) for k in range(_THREADS)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    found.put((tried, time.monotonic() - began))


class Honest(threading.Thread):
    """A client that knows the token, reads everything and counts the rows that are missing."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self._port = port
        self.rows = self.missing = 0
        self.error = ""


class Viewer(Honest):
    """A browser at the monitor; frames left out count as missing."""

    def run(self) -> None:
        """Read until the end."""
        from websockets.exceptions import WebSocketException
        from websockets.sync.client import connect
        from websockets.typing import Origin

        place, headers, expected = f"127.0.0.1:{self._port}", {"Authorization": f"Bearer {TOKEN}"}, None
        try:
            with connect(f"ws://{place}/ws", origin=Origin(f"http://{place}"), additional_headers=headers) as s:
                for message in s:
                    if isinstance(message, str):
                        continue
                    _, _, n, sequence = _MAGIC_AND_SEQUENCE.unpack_from(message)
                    self.missing += sequence - expected if expected is not None else 0
                    expected = sequence + 1
                    self.rows += n
        except (OSError, WebSocketException) as e:
            self.error = str(e)


class Listener(Honest):
    """A client of ``--serve``."""

    def run(self) -> None:
        """Read until the end."""
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=30) as s:
                s.sendall(f"{TOKEN}\n".encode())
                expected = None
                for line in s.makefile():
                    doc = json.loads(line)
                    if doc["type"] != "leads":
                        continue
                    n = len(doc["uv"]["I"])
                    self.missing += doc["index"] - expected if expected is not None else 0
                    expected = doc["index"] + n
                    self.rows += n
        except OSError as e:
            self.error = str(e)


def besiege(clients: int, seconds: float, per_second: float = 0.0) -> dict[str, Any]:
    """Run once; no clients: the quiet run."""
    with tempfile.TemporaryDirectory() as folder:
        ports = {face: _free_port() for face in ("monitor", "serve", "metrics")}
        child = _start(Path(folder), ports, seconds)
        try:
            return _watch(child, ports, clients, seconds, per_second)
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
    child: subprocess.Popen[str], ports: dict[str, int], clients: int, seconds: float, per_second: float
) -> dict[str, Any]:
    for port in ports.values():
        _wait_for(port)
    kinds = {"serve": Listener, "monitor": Viewer}
    honest = [kinds[face](ports[face]) for face, n in _HONEST.items() for _ in range(n)]
    for h in honest:
        h.start()
    time.sleep(1)  # they are in before the others come
    siege = Siege(ports, clients, max(1.0, per_second))
    memory: list[int] = []
    scraped = Counter[str]()
    worked: dict[str, float] = {}
    with siege if clients else contextlib.nullcontext():
        until = time.monotonic() + seconds + 60
        while child.poll() is None and time.monotonic() < until:
            memory.append(_memory_kb(child.pid))
            worked = _seconds_of_threads(child.pid) or worked
            scraped[_scrape(ports["metrics"])] += 1
            time.sleep(2)
    child.send_signal(signal.SIGINT) if child.poll() is None else None
    out, _ = child.communicate(timeout=60)
    for h in honest:
        h.join(10)
    return _result(json.loads(out.splitlines()[-1]), honest, siege, memory, scraped) | {"cpu_s": worked}


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


def _scrape(port: int) -> str:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return "answered" if b"ecg_samples_total" in answer.read() else "empty"
    except OSError as e:
        return "must wait" if getattr(e, "code", 0) == 429 else "no answer"


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
    parser.add_argument("--per-second", type=float, default=600.0, help="attacks begun a second (default 600)")
    a = parser.parse_args()
    if not (0 < a.clients <= _MOST_CLIENTS and 0 < a.seconds <= _MOST_S and 0 < a.per_second <= _MOST_PER_S):
        parser.error(f"at most {_MOST_CLIENTS} clients, {_MOST_S} seconds and {_MOST_PER_S} attacks a second")
    import resource

    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 2 * _MOST_CLIENTS), most))
    found = {"quiet": besiege(0, a.seconds), "besieged": besiege(a.clients, a.seconds, a.per_second)}
    sys.stdout.write(json.dumps(found, indent=1) + "\n")
    held = found["besieged"]["samples_lost"] == 0 == found["besieged"]["exit"]
    return 0 if held and not any(found["besieged"]["honest"]["missing"]) else 1


if __name__ == "__main__":
    sys.exit(main())
