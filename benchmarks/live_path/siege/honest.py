"""Honest clients: those who watch from before the siege, newcomers amid it, and a scraper."""

from __future__ import annotations

import contextlib
import http.client
import json
import math
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ecg_edge.benchmarks.live_path.siege.places import TOKEN

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

_PATIENCE_S = 10.0
_MAGIC_AND_SEQUENCE = struct.Struct("<BBHI")


class Honest(threading.Thread):
    """A client that knows the token, reads everything and counts the rows that are missing."""

    def __init__(self, port: int, source: str) -> None:
        super().__init__(daemon=True)
        self._port, self._source = port, source
        self.rows = self.missing = 0
        self.error = ""


class Viewer(Honest):
    """A browser at the monitor; frames left out count as missing."""

    def run(self) -> None:
        """Read until the end."""
        from websockets.exceptions import WebSocketException

        expected = None
        try:
            with open_monitor(self._port, self._source) as s:
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
            with connect(self._port, self._source) as s:
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


class Newcomers(threading.Thread):
    """Every two seconds a new address loads the monitor's page and sees a frame, and another one reads a line.

    Parameters
    ----------
    ports : dict of str to int
        The listeners.
    addresses : iterator of str
        Where they come from.
    """

    def __init__(self, ports: dict[str, int], addresses: Iterator[str]) -> None:
        super().__init__(daemon=True)
        self._ports, self._addresses, self.stop = ports, addresses, threading.Event()
        self.took_s: dict[str, list[float]] = {"monitor": [], "serve": []}
        self.why = Counter[str]()

    def run(self) -> None:
        """Come in, and leave; who has waited too long counts as kept out."""
        while not self.stop.wait(2):
            for face, enter in (("monitor", self._look), ("serve", self._read)):
                began = time.monotonic()
                source = next(self._addresses)
                try:
                    enter(self._ports[face], source)
                    self.took_s[face].append(time.monotonic() - began)
                except Exception as e:  # noqa: BLE001 -- whatever keeps a newcomer out counts
                    self.took_s[face].append(math.inf)
                    self.why[f"{face}: {type(e).__name__}"] += 1

    def found(self) -> dict[str, Any]:
        """Tried, in within the patience of a person, the slowest of these, and why others were not."""
        return {"why not": dict(self.why)} | {face: {"tried": len(took), "in": sum(t <= _PATIENCE_S for t in took),
                       "slowest_s": round(max((t for t in took if t <= _PATIENCE_S), default=0.0), 3)}
                for face, took in self.took_s.items()}  # fmt: skip

    def _look(self, port: int, source: str) -> None:
        from ecg_edge.device.monitor.front_door import FILES

        for path in FILES:
            if _get(port, path, source).status != 200:
                raise OSError("no page")
        with open_monitor(port, source) as s:
            while isinstance(s.recv(timeout=_PATIENCE_S), str):
                pass

    def _read(self, port: int, source: str) -> None:
        with connect(port, source) as s:
            s.sendall(f"{TOKEN}\n".encode())
            if not s.recv(1):
                raise OSError("turned away")


def connect(port: int, source: str) -> socket.socket:
    """Connect from an address of ours."""
    return socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE_S, source_address=(source, 0))


def open_monitor(port: int, source: str) -> ClientConnection:
    """Open the monitor's socket, as its page does."""
    from websockets.sync.client import connect as open_socket
    from websockets.typing import Origin

    place, headers = f"127.0.0.1:{port}", {"Authorization": f"Bearer {TOKEN}"}
    s, origin = connect(port, source), Origin(f"http://{place}")
    return open_socket(f"ws://{place}/ws", sock=s, origin=origin, additional_headers=headers, max_queue=None)


def _get(port: int, path: str, source: str) -> http.client.HTTPResponse:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, _PATIENCE_S, (source, 0))) as c:
        c.request("GET", path, headers={"Authorization": f"Bearer {TOKEN}"})
        answer = c.getresponse()
        answer.read()
        return answer


def scrape(port: int, source: str) -> str:
    """What a scrape of ``/metrics`` gets."""
    try:
        status = _get(port, "/metrics", source).status
    except (OSError, http.client.HTTPException):
        return "no answer"
    return {200: "answered", 429: "must wait"}.get(status, str(status))
