"""A worker process: runs the patches that the supervisor gives it; ``python -m`` starts it with a socket as stdin."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
from typing import Any

from ecg_edge.device.gateway.link import Document, Link
from ecg_edge.device.gateway.link_sink import LinkSink
from ecg_edge.device.gateway.patch_document import from_document
from ecg_edge.device.live.execute import execute
from ecg_edge.device.live.gateway import SharedModels
from ecg_edge.device.live.options import Options
from ecg_edge.firmware_bridge.clock import Clock, SystemClock
from ecg_edge.firmware_bridge.errors import as_error

ALIVE_EVERY_S = 1.0


class Worker:
    """Runs patches, one thread each, until the supervisor says so or has gone.

    Parameters
    ----------
    link : Link
        To the supervisor.
    clock : Clock
        For the runs.
    """

    def __init__(self, link: Link, clock: Clock) -> None:
        self._link, self._clock = link, clock
        self._models, self._turn = SharedModels(), threading.Lock()
        self._stops: dict[str, threading.Event] = {}
        self._threads: list[threading.Thread] = []
        self._end = threading.Event()

    def run(self) -> None:
        """Take orders until the end; every recording is whole when this returns."""
        reader = threading.Thread(target=self._read, name="orders", daemon=True)
        reader.start()
        while not self._clock.wait(self._end, ALIVE_EVERY_S):
            self._link.send({"kind": "alive"})
        for stop in self._stops.values():
            stop.set()
        for thread in self._threads:
            thread.join()
        self._link.close()

    def _read(self) -> None:
        for order in self._link.receive():
            if isinstance(order, dict):
                self._obey(order)
        self._end.set()

    def _obey(self, order: Document) -> None:
        if order["do"] == "end":
            self._end.set()
        elif order["do"] == "warm":
            for name in order["models"]:
                with contextlib.suppress(Exception):  # whose run needs it reports what is wrong with it
                    self._models(name)
        elif order["do"] == "stop" and order["bed"] in self._stops:
            self._stops[order["bed"]].set()
        elif order["do"] == "start" and not self._end.is_set():
            options = from_document(order["patch"])
            stop = self._stops[options.name] = threading.Event()
            thread = threading.Thread(target=self._work, args=(order, options, stop), name=options.name, daemon=True)
            self._threads = [t for t in self._threads if t.is_alive()] + [thread]
            thread.start()

    def _work(self, order: Document, options: Options, stop: threading.Event) -> None:
        sink = LinkSink(self._link, options.name, order["run"], self._clock, order["leads"])
        outcome: dict[str, Any]
        try:
            summary = execute(
                options, self._clock, stop, self._models, self._turn,
                more=[sink], opening=tuple(order["opening"]), screen=False,
            )  # fmt: skip
            outcome = {"summary": summary.to_dict(), "fix": summary.error.fix if summary.error else ""}
        except BaseException as e:  # noqa: BLE001 -- one patch's fault is not the others'
            error = as_error(e) if isinstance(e, Exception) else as_error(RuntimeError(repr(e)))
            outcome = {"error": error.message, "fix": error.fix, "exit": error.exit_code}
        self._link.send({"kind": "ended", "bed": options.name, "run": order["run"], "outcome": outcome})


def main() -> int:
    """Run on the socket that is this process's stdin."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is the supervisor's affair
    own = socket.socket(fileno=os.dup(0))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    Worker(Link(own), SystemClock()).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
