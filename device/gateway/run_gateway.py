"""A gateway from its file to the outcome of every patch: supervisor, control socket, watched file, page."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from ecg_edge.device.gateway.control import ControlSocket, control_path
from ecg_edge.device.gateway.gateway_file import FileWatch, GatewayFile, read_gateway
from ecg_edge.device.gateway.supervisor import Board, Supervisor
from ecg_edge.device.gateway.worker_process import Take, WorkerEnd, WorkerProcess
from ecg_edge.device.live.options import Options
from ecg_edge.device.live.stop_signals import stop_on_signals
from ecg_edge.device.sinks.systemd import SystemdSink
from ecg_edge.device.ward.ward_server import WardServer
from ecg_edge.firmware_bridge.clock import Clock
from ecg_edge.firmware_bridge.errors import EcgEdgeError, PortBusyError, UsageError

AGAIN_S = 10.0
"""A patch of a ward whose run ended with an error is tried again after so long."""
_MANY = 1 << 16
_TURN_S = 0.2
Document = dict[str, Any]


class NoBoard:
    """Shows nothing."""

    def place(self, options: Options) -> None:
        """Do nothing."""

    def remove(self, bed: str) -> None:
        """Do nothing."""

    def state(self, bed: str, state: str, text: str) -> None:
        """Do nothing."""

    def hear(self, bed: str, kind: str, text: str) -> None:
        """Do nothing."""

    def show(self, bed: str, frame: bytes) -> None:
        """Do nothing."""


class WardBoard:
    """Passes what happens to the page of the ward."""

    def __init__(self, ward: WardServer) -> None:
        self._ward = ward
        self.remove, self.state = ward.remove, ward.state
        self.hear, self.show = ward.hear, ward.show

    def place(self, options: Options) -> None:
        """A bed is there, or its settings have changed."""
        self._ward.place(options.name, options.rate_low, options.rate_high, options.silence)


def usual_workers(patches: int) -> int:
    """Processes where nothing is said: one a core, never more than there are patches."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, patches))


class Gateway:
    """Runs what a file describes, and follows it when it changes.

    Parameters
    ----------
    path : Path
        The file.
    workers : int, optional
        Instead of the file's.
    clock : Clock
        For everything.
    report : callable
        Takes a line for the user.
    spawn : callable
        Starts a worker.

    Raises
    ------
    EcgEdgeError
        The file makes no sense, or an address cannot be had.
    """

    def __init__(
        self,
        path: Path,
        workers: int | None,
        clock: Clock,
        report: Callable[[str], None],
        spawn: Callable[[Take], WorkerEnd] = WorkerProcess,
    ) -> None:
        self._path, self._clock, self._report = path, clock, report
        self._file = read_gateway(path)
        self._watch = FileWatch(path, clock)
        self._added: list[Document] = []
        self._removed: set[str] = set()
        self.url = ""
        self._wake = threading.Event()
        self._ends = ExitStack()
        self._systemd = SystemdSink()
        self._stays = self._file.ward is not None
        with self._ends:
            self._control = self._open_control()
            board = self._open_ward()
            wanted = workers or self._file.workers or usual_workers(_MANY if self._stays else len(self._file.patches))
            self.supervisor = Supervisor(
                spawn, wanted, board, clock, report=report, wake=self._wake.set, leads=self._stays,
                again_s=AGAIN_S if self._stays else None, spare=self._spares,
            )  # fmt: skip
            self._ends = self._ends.pop_all()

    def run(self, stop: threading.Event) -> dict[str, Document]:
        """Run until every patch has ended, or `stop` is set.

        Returns
        -------
        dict of str to dict
            By the name of the patch: ``summary`` and ``fix``, or ``error``, ``fix`` and ``exit``.
        """
        with self._ends, stop_on_signals(stop):
            self.supervisor.set_patches(self._file.patches)
            self.supervisor.step()
            self._systemd.say(f"READY=1\nSTATUS={len(self._file.patches)} patches")
            while not stop.is_set() and (self._stays or not self.supervisor.idle):
                self.turn()
                self._clock.wait(self._wake, _TURN_S)
                self._wake.clear()
            self._systemd.say("STOPPING=1")
            self.supervisor.close(lambda s: self._clock.wait(self._wake, s))
        return self.supervisor.outcomes

    def close(self) -> None:
        """Free the addresses, where `run` was never called."""
        self._ends.close()

    def turn(self) -> None:
        """Do once what is to be done again and again."""
        if self._watch.changed():
            self._follow()
        if self._control is not None:
            self._control.serve(self.answer)
        self.supervisor.step()
        self._systemd.say("WATCHDOG=1")

    def answer(self, request: Document) -> Document:
        """Answer a request of ``ecg-edge gateway``.

        Parameters
        ----------
        request : dict
            ``do`` is ``status``, ``add`` (with ``patch``, a table as in the file) or ``remove`` (with ``name``).

        Raises
        ------
        UsageError
            The request, or what it would lead to, makes no sense.
        """
        do = request.get("do")
        if do == "status":
            return self.supervisor.figures() | {"file": str(self._path)}
        if do == "add" and isinstance(request.get("patch"), dict):
            added = [*self._added, request["patch"]]
            self._use(read_gateway(self._path, added, tuple(self._removed)))
            self._added = added
            return {"added": request["patch"].get("name")}
        if do == "remove" and isinstance(request.get("name"), str):
            return self._remove(request["name"])
        raise UsageError(f"the gateway does not know {do!r}", "ecg-edge gateway status, add or remove")

    def _remove(self, name: str) -> Document:
        if name not in {p.name for p in self._file.patches}:
            raise UsageError(f"there is no patch {name!r}", "ecg-edge gateway status lists them")
        self._added = [t for t in self._added if t.get("name") != name]
        self._removed.add(name)
        left = tuple(p for p in self._file.patches if p.name != name)
        self._use(replace(self._file, patches=left))
        return {"removed": name}

    def _follow(self) -> None:
        """The file has changed: what was removed by hand and stands in it is there again."""
        try:
            found = read_gateway(self._path, self._added)
        except EcgEdgeError as e:
            self._report(f"{self._path} has changed and is not used: {e}")
            return
        if (found.workers, found.control, found.ward) != (self._file.workers, self._file.control, self._file.ward):
            self._report("workers, control and [ward] are used at the next start")
        self._removed.clear()
        self._use(found)
        self._report(f"{self._path} has changed: {len(found.patches)} patches")

    @property
    def _spares(self) -> bool:
        return self._stays if self._file.spare is None else self._file.spare

    def _use(self, found: GatewayFile) -> None:
        self._file = replace(self._file, document=found.document, patches=found.patches)
        self.supervisor.set_patches(found.patches)

    def _open_control(self) -> ControlSocket | None:
        try:
            control = ControlSocket(control_path(self._file.control), self._wake.set)
        except PortBusyError as e:
            if self._file.control:
                raise
            self._report(f"{e.message}; ecg-edge gateway cannot reach this run")
            return None
        self._ends.callback(control.close)
        return control

    def _open_ward(self) -> Board:
        if self._file.ward is None:
            return NoBoard()
        ward = WardServer(self._file.ward, self._clock, self._report)
        self._ends.callback(ward.close)
        self.url = ward.url
        self._report(f"ward: {ward.url}")
        return WardBoard(ward)
