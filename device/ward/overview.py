"""What the beds do, spread to who watches: tiles once a second, strips ten times a second, monitors as they come."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from ecg_edge.device.monitor.frames import frame_rows
from ecg_edge.device.monitor.hub import Client, Hub
from ecg_edge.device.sinks.messages import end_message
from ecg_edge.device.sinks.prometheus import Exposed, exposition
from ecg_edge.device.ward.bed import Bed
from ecg_edge.device.ward.limits import Limits
from ecg_edge.device.ward.strip import encode_strips, strip_of
from ecg_edge.firmware_bridge.clock import Clock
from ecg_edge.firmware_bridge.errors import UsageError
from ecg_edge.firmware_bridge.lead_names import LEADS

HISTORY_S = 60
_QUEUE = 64
_WAITING = 100
"""Strips kept for a bed between two messages; the oldest go first."""
Document = dict[str, Any]


class Overview:
    """The beds and those who watch them; belongs to one event loop's thread.

    Parameters
    ----------
    clock : Clock
        Says how old a figure is, and dates events.
    log : callable
        Takes a line of the log: limits that were set, exceeded and kept again.
    """

    def __init__(self, clock: Clock, log: Callable[[str], None]) -> None:
        self._clock, self._log = clock, log
        self.beds: dict[str, Bed] = {}
        self._hubs: dict[str, Hub] = {}
        self._numbers = 0
        self.clients: set[Client] = set()

    @property
    def watchers(self) -> int:
        """Browsers, those of single beds included."""
        return len(self.clients) + sum(len(hub.clients) for hub in self._hubs.values())

    def place(self, name: str, limits: Limits) -> None:
        """A bed is there, or has other limits."""
        if name in self.beds:
            self.beds[name].limits = limits
            return
        self.beds[name] = Bed(name, self._numbers, limits, self._clock.monotonic())
        self._numbers += 1
        self._hubs[name] = Hub("", 0, _QUEUE)

    def remove(self, name: str) -> None:
        """A bed has gone."""
        if self.beds.pop(name, None) is not None:
            self._hubs.pop(name).end(end_message())

    def state(self, name: str, state: str, why: str) -> None:
        """State of a bed's run."""
        if bed := self.beds.get(name):
            bed.state, bed.why = state, why
            if state in ("ended", "restarting"):
                bed.add_event(state, why, self._clock.now().isoformat())
                self._hubs[name].end(end_message())

    def hear(self, name: str, kind: str, text: str) -> None:
        """Take a header, a note or figures."""
        bed, hub = self.beds.get(name), self._hubs.get(name)
        if bed is None or hub is None:
            return
        if kind == "header":
            bed.take_header(text)
            hub.renew(text, HISTORY_S * bed.fs)
        elif kind == "status":
            bed.take_figures(text, self._clock.monotonic())
            hub.status(text)
        elif kind == "note":
            bed.take_note(text)
            hub.note(text, json.loads(text)["kind"] != "held")

    def show(self, name: str, frame: bytes) -> None:
        """Take a frame of a bed's leads."""
        bed, hub = self.beds.get(name), self._hubs.get(name)
        if bed is None or hub is None:
            return
        bed.samples_at = self._clock.monotonic()
        hub.frame(frame, frame_rows(frame))
        if self.clients and (strip := strip_of(frame)):
            bed.waiting.append(strip)
            del bed.waiting[:-_WAITING]

    def tick_strips(self) -> None:
        """Send what has arrived since the last time; ten times a second."""
        waiting = [(b.number, b.fs, b.waiting) for b in self.beds.values() if b.waiting]
        if waiting:
            message = encode_strips(waiting)
            for bed in self.beds.values():
                bed.waiting = []
            for client in self.clients:
                client.push(message)

    def tick_tiles(self) -> None:
        """Look at the limits and send the tiles; once a second."""
        now = self._clock.monotonic()
        for name, bed in self.beds.items():
            for change in bed.look(now):
                bed.add_event("limit", change, self._clock.now().isoformat())
                self._log(f"{name}: {change}")
        message = self._tiles()
        for client in self.clients:
            client.push(message)

    def set_limits(self, name: str, low: float | None, high: float | None, silence_s: float) -> None:
        """Set a bed's limits until the gateway ends, or its file sets them.

        Raises
        ------
        UsageError
            There is no such bed, or they make no sense.
        """
        bed = self.beds.get(name)
        if bed is None:
            raise UsageError(f"there is no bed {name!r}", "look at the overview")
        bed.limits = Limits(low, high, silence_s)
        text = f"limits set on the page: rate {bed.limits.words or 'none'}, silence {silence_s:g} s"
        bed.add_event("limit", text, self._clock.now().isoformat())
        self._log(f"{name}: {text}")

    def join(self, role: str) -> Client:
        """Add who watches the overview."""
        hello = json.dumps({"type": "hello", "role": role, "leads": list(LEADS)})
        client = Client([hello, self._tiles()], _QUEUE)
        self.clients.add(client)
        return client

    def leave(self, client: Client) -> None:
        """Forget who has left."""
        self.clients.discard(client)

    def hub(self, name: str) -> Hub | None:
        """The hub of one bed's monitor."""
        return self._hubs.get(name)

    def metrics(self) -> str:
        """Return the figures of all beds, each with its label."""
        now = self._clock.monotonic()
        return exposition(self._exposed(bed, now) for bed in self.beds.values())

    def _exposed(self, bed: Bed, now: float) -> Exposed:
        about = {"device": bed.header["device"], "model": bed.header["model"]["name"]} if bed.header else {}
        more = {"ecg_bed_trouble": bed.tile(now)["level"]}
        return Exposed(about, bed.status(now), dict(bed.notes), {"bed": bed.name}, more)

    def _tiles(self) -> str:
        now = self._clock.monotonic()
        at: datetime = self._clock.now()
        tiles = [bed.tile(now) for bed in self.beds.values()]
        return json.dumps({"type": "tiles", "at": at.isoformat(), "beds": tiles}, allow_nan=False)
