"""The supervisor: which worker runs which bed, and what happens when a worker dies."""

from __future__ import annotations

import queue
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any, Protocol

from ecg_edge.device.gateway.link import Document, Samples
from ecg_edge.device.gateway.patch_document import to_document
from ecg_edge.device.gateway.worker_process import Take, WorkerEnd
from ecg_edge.device.live.options import Options
from ecg_edge.firmware_bridge.clock import Clock

HANGS_S = 15.0
"""A worker that has not been heard for so long is ended and started again."""
BEGINS_S = 120.0
"""Time for a worker's first word: a busy board takes its time to load the libraries."""
_SETTLED_S = 10.0
"""A worker that lived this long is started again at once when it dies; one that did not waits longer each time."""
_WAITS_S = (0.0, 0.0, 0.5, 1.0, 2.0, 5.0)
_CLOSE_S = 15.0
_NOWHERE = -1
_LIMITS: dict[str, Any] = {"rate_low": None, "rate_high": None, "silence": None}


class Board(Protocol):
    """Shows the beds; called in the supervisor's thread."""

    def place(self, options: Options, /) -> None:
        """A bed is there, or its settings have changed."""
        ...

    def remove(self, bed: str, /) -> None:
        """A bed has gone."""
        ...

    def state(self, bed: str, state: str, text: str, /) -> None:
        """State of a bed's run: ``starting``, ``running``, ``restarting`` or ``ended``, and why."""
        ...

    def hear(self, bed: str, kind: str, text: str, /) -> None:
        """Take a header, note or status, as `messages` writes them."""
        ...

    def show(self, bed: str, frame: bytes, /) -> None:
        """Take a frame of its leads."""
        ...


@dataclass
class _Bed:
    options: Options
    slot: int
    run: int = 0
    state: str = "waiting"
    due: float = 0.0
    follows: Options | None = None
    gone: bool = False
    opening: list[str] = field(default_factory=list)
    heard: datetime | None = None
    status: str = ""
    outcome: Document | None = None


@dataclass
class _Route:
    """Where a worker's messages belong; a spare one gets its place later."""

    slot: int
    life: int = 0


@dataclass
class _Slot:
    end: WorkerEnd | None = None
    life: int = 0
    born: float = 0.0
    heard: float = 0.0
    spoke: bool = False
    deaths: int = 0
    early: int = 0
    due: float = 0.0


class Supervisor:
    """Spreads beds over workers and keeps both alive; all methods but `wake` belong to one thread.

    Parameters
    ----------
    spawn : callable
        Starts a worker that hands what it sends to a `Take`.
    workers : int
        The most there are.
    board : Board
        Shows the beds.
    clock : Clock
        For everything.
    report : callable
        Takes a line for the user.
    wake : callable
        Called from any thread when `step` has work to do.
    leads : bool
        Whether the board shows the leads.
    spare : bool
        Keep one worker more, which waits with its libraries loaded: it takes the place of one that dies at once.
    again_s : float, optional
        A run that ends with an error is begun again after so long; None: never.
    """

    def __init__(
        self,
        spawn: Callable[[Take], WorkerEnd],
        workers: int,
        board: Board,
        clock: Clock,
        *,
        report: Callable[[str], None] = lambda _: None,
        wake: Callable[[], None] = lambda: None,
        leads: bool = False,
        again_s: float | None = None,
        spare: bool = False,
    ) -> None:
        self._spawn, self._board, self._clock, self._report = spawn, board, clock, report
        self._wake, self._leads, self._again_s = wake, leads, again_s
        self._slots = [_Slot() for _ in range(workers)]
        self._beds: dict[str, _Bed] = {}
        self._inbox: queue.SimpleQueue[tuple[_Route, Document | Samples | None]] = queue.SimpleQueue()
        self._wants_spare, self._way = spare, _Route(_NOWHERE)
        self._spare: WorkerEnd | None = None
        self._began = clock.monotonic()
        self._runs = 0
        self._closing = False
        self.outcomes: dict[str, Document] = {}

    @property
    def idle(self) -> bool:
        """Whether every bed's run has ended."""
        return all(bed.state == "ended" for bed in self._beds.values())

    def set_patches(self, patches: Sequence[Options]) -> None:
        """Make the beds those of the patches: begin, change and end runs; runs that stay the same are not touched."""
        wanted = {p.name: p for p in patches}
        for name, bed in tuple(self._beds.items()):
            if name not in wanted:
                bed.gone = True
                self._stop(bed)
        for name, options in wanted.items():
            self._want(name, options)

    def step(self) -> None:
        """Take what the workers have sent, start those that are missing, end those that hang."""
        while not self._inbox.empty():
            route, message = self._inbox.get()
            if route.slot == _NOWHERE:
                self._take_from_spare(route, message)
            elif route.life == self._slots[route.slot].life:
                self._take(route.slot, message)
        now = self._clock.monotonic()
        for number, slot in enumerate(self._slots):
            patience = HANGS_S if slot.spoke else BEGINS_S
            if slot.end is not None and now - slot.heard > patience:
                slot.heard = now
                self._report(f"worker {number + 1} has said nothing for {patience:.0f} s: it is started again")
                slot.end.kill()
        for bed in tuple(self._beds.values()):
            if bed.state == "waiting" and now >= bed.due:
                self._start(bed, now)
        if self._wants_spare and self._spare is None and not self._closing and now - self._began > _SETTLED_S:
            self._began = now  # one that dies is not replaced at once
            self._way = _Route(_NOWHERE)
            self._spare = self._spawn(partial(self._put, self._way))
            self._spare.send({"do": "warm", "models": sorted({n for b in self._beds.values() for n in _models(b)})})

    def figures(self) -> Document:
        """What runs where, for ``ecg-edge gateway status``."""
        beds = [
            {
                "name": name, "source": bed.options.source, "state": bed.state, "worker": bed.slot + 1,
                "outcome": bed.outcome, "status": bed.status,
            }
            for name, bed in self._beds.items()
        ]  # fmt: skip
        now = self._clock.monotonic()
        workers = [
            {"worker": k + 1, "pid": s.end.pid, "alive_s": round(now - s.born, 1), "deaths": s.deaths}
            for k, s in enumerate(self._slots)
            if s.end is not None
        ]
        return {"beds": beds, "workers": workers}

    def close(self, wait: Callable[[float], object]) -> None:
        """End every run in order; a worker that does not end is killed.

        Parameters
        ----------
        wait : callable
            Waits so many seconds, or until `wake` is called.
        """
        self._closing = True
        if self._spare is not None:
            self._spare.send({"do": "end"})
        for slot in self._slots:
            if slot.end is not None:
                slot.end.send({"do": "end"})
        until = self._clock.monotonic() + _CLOSE_S
        while any(s.end for s in self._slots):
            if self._clock.monotonic() > until:
                for slot in self._slots:
                    if slot.end is not None:
                        slot.end.kill()
                        until += _CLOSE_S
            wait(0.2)
            self.step()
        if self._spare is not None:
            self._spare.died_of()

    # ---- beds -----------------------------------------------------------------------------------

    def _want(self, name: str, options: Options) -> None:
        bed = self._beds.get(name)
        if bed is None:
            bed = self._beds[name] = _Bed(options, self._emptiest())
            self._board.place(options)
            return
        same = replace(options, **_LIMITS) == replace(bed.follows or bed.options, **_LIMITS)
        self._board.place(options)
        if same and not bed.gone:
            bed.options = options if bed.follows is None else bed.options
            return
        bed.gone, bed.follows = False, options
        if bed.state in ("ended", "waiting"):
            self._go_on(bed)
        else:
            self._stop(bed)

    def _emptiest(self) -> int:
        used = [bed.slot for bed in self._beds.values() if bed.state != "ended"]
        return min(range(len(self._slots)), key=used.count)

    def _start(self, bed: _Bed, now: float) -> None:
        slot = self._slots[bed.slot]
        if self._closing or (slot.end is None and now < slot.due):
            return
        if slot.end is None:
            slot.life += 1
            slot.born, slot.heard, slot.spoke = now, now, False
            slot.end = self._worker(_Route(bed.slot, slot.life))
        self._runs += 1
        bed.run, bed.state = self._runs, "running"
        slot.end.send({
            "do": "start", "patch": to_document(bed.options), "run": bed.run, "leads": self._leads,
            "opening": bed.opening,
        })  # fmt: skip
        self._board.state(bed.options.name, "starting", "")

    def _stop(self, bed: _Bed) -> None:
        slot = self._slots[bed.slot]
        if bed.state == "running" and slot.end is not None:
            bed.state = "stopping"
            slot.end.send({"do": "stop", "bed": bed.options.name})
        elif bed.state in ("waiting", "ended"):
            self._go_on(bed)

    def _go_on(self, bed: _Bed) -> None:
        """What follows on a run that has ended: nothing, another with new settings, or no bed."""
        name = bed.options.name
        if bed.gone:
            del self._beds[name]
            self._board.remove(name)
        elif bed.follows is not None:
            bed.options, bed.follows, bed.state, bed.opening = bed.follows, None, "waiting", []
            bed.outcome, bed.due = None, 0.0
            self.outcomes.pop(name, None)
        else:
            bed.state = "ended"

    # ---- workers --------------------------------------------------------------------------------

    def _worker(self, route: _Route) -> WorkerEnd:
        """The spare one, or a new one."""
        if self._spare is None:
            return self._spawn(partial(self._put, route))
        spare, self._spare, self._began = self._spare, None, self._clock.monotonic()
        self._way.slot, self._way.life = route.slot, route.life
        return spare

    def _take_from_spare(self, route: _Route, message: Document | Samples | None) -> None:
        if message is None and route is self._way and self._spare is not None:
            self._spare.died_of()
            self._spare = None

    def _put(self, route: _Route, message: Document | Samples | None) -> None:
        """Called in the threads of the workers' links."""
        self._inbox.put((route, message))
        self._wake()

    def _take(self, number: int, message: Document | Samples | None) -> None:
        slot = self._slots[number]
        slot.heard, slot.spoke = self._clock.monotonic(), True
        if message is None:
            self._died(number)
        elif isinstance(message, Samples):
            if message.bed in self._beds:
                self._beds[message.bed].heard = self._clock.now()
                self._board.show(message.bed, message.frame)
        elif message["kind"] != "alive":
            self._hear(message)

    def _hear(self, message: Document) -> None:
        bed = self._beds.get(message["bed"])
        if bed is None or bed.run != message["run"]:
            return  # of a run that is over
        bed.heard = self._clock.now()
        kind = message["kind"]
        if kind == "ended":
            self._ended(bed, message["outcome"])
            return
        if kind == "status":
            bed.status = message["text"]
        if kind == "header":
            self._board.state(bed.options.name, "running", "")
        self._board.hear(bed.options.name, kind, message["text"])

    def _ended(self, bed: _Bed, outcome: Document) -> None:
        name = bed.options.name
        bed.outcome = self.outcomes[name] = outcome
        error = outcome.get("error") or outcome.get("summary", {}).get("error")
        if error:
            self._report(f"{name}: {error}")
        self._board.state(name, "ended", error or "the run has ended")
        self._go_on(bed)
        if bed.state == "ended" and error and self._again_s is not None and not self._closing:
            bed.state, bed.due, bed.opening = "waiting", self._clock.monotonic() + self._again_s, []

    def _died(self, number: int) -> None:
        slot = self._slots[number]
        why = slot.end.died_of() if slot.end is not None else ""
        now = self._clock.monotonic()
        slot.end = None
        slot.life += 1
        beds = [b for b in self._beds.values() if b.slot == number and b.state in ("running", "stopping")]
        if self._closing or not beds:
            for bed in beds:
                self._ended(bed, {"error": f"its worker ended: {why}", "fix": "", "exit": 1})
            return
        slot.deaths += 1
        slot.early = 0 if now - slot.born > _SETTLED_S else slot.early + 1
        slot.due = now + _WAITS_S[min(slot.early, len(_WAITS_S) - 1)]
        names = ", ".join(b.options.name for b in beds)
        self._report(f"worker {number + 1} ended ({why}) and is started again, with {names}")
        for bed in beds:
            self._orphan(bed, why)

    def _orphan(self, bed: _Bed, why: str) -> None:
        last = f"{bed.heard:%H:%M:%S} UTC" if bed.heard else "its start"
        text = f"the worker process ended ({why}): samples after {last} are missing until here"
        if bed.state == "stopping":
            self._go_on(bed)
            return
        bed.state, bed.opening = "waiting", [text]
        self._board.state(bed.options.name, "restarting", text)


def _models(bed: _Bed) -> tuple[str, ...]:
    """Models of a bed that are known by their names."""
    return tuple(n for n in (bed.options.model, bed.options.fallback) if n and n != "none")
