"""Attackers of nine sorts, in a process of their own."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from typing import Any

from ecg_edge.benchmarks.live_path.siege.places import HOSTILE, SHARED, TOKEN, address

_THREADS = 16
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
    addresses : int
        They come from; 0: from the honest clients' own.
    """

    def __init__(self, ports: dict[str, int], clients: int, per_second: float, addresses: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.tried: Counter[str] = Counter()
        self.seconds = 0.0
        self._stop, self._found = context.Event(), context.Queue()
        words = (ports, clients, per_second, addresses, self._stop, self._found)
        self._process = context.Process(target=attack_all, args=words, daemon=True)

    def __enter__(self) -> Siege:
        self._process.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self.tried, self.seconds = self._found.get(timeout=60)
        self._process.join(10)


def attack_all(
    ports: dict[str, int], clients: int, per_second: float, addresses: int, stop: Event, found: Queue[Any]
) -> None:
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
                s.bind((address(HOSTILE, choose.randrange(addresses)) if addresses else SHARED, 0))
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
