"""What is known of one bed now, and how it is shown on its tile."""

from __future__ import annotations

import json
from collections import Counter, deque
from dataclasses import dataclass, field, fields, replace
from typing import Any

from ecg_edge.device.sinks.sink import Status
from ecg_edge.device.ward.limits import Limits, RateWatch
from ecg_edge.device.ward.strip import Strip

OLD_S = 3.0
"""Figures older than this are not shown."""
POOR = 0.5
_LOSS_OVER_S = 60
_EVENTS = 20
_FIELDS = {f.name for f in fields(Status)}
_AWAY = {"lost": "device lost", "old": "figures are old"}
Document = dict[str, Any]


@dataclass
class Bed:
    """State of one bed; belongs to the event loop of the page.

    Attributes
    ----------
    name : str
    number : int
        In the strips.
    limits : Limits
    placed : float
        When it was added, in seconds of the clock that `tile` is asked with.
    """

    name: str
    number: int
    limits: Limits
    placed: float
    state: str = "starting"
    why: str = ""
    fs: int = 0
    header: Document = field(default_factory=dict)
    figures: Document = field(default_factory=dict)
    figures_at: float = float("-inf")
    samples_at: float = float("-inf")
    events: deque[Document] = field(default_factory=lambda: deque(maxlen=_EVENTS))
    notes: Counter[str] = field(default_factory=Counter)
    waiting: list[Strip] = field(default_factory=list)
    rate: RateWatch = field(default_factory=RateWatch)
    silent: bool = False
    _losses: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=_LOSS_OVER_S))

    def take_header(self, text: str) -> None:
        """A run has begun."""
        self.header = json.loads(text)
        self.fs = int(self.header["fs"])
        self.figures, self.figures_at = {}, float("-inf")
        self.waiting.clear()
        self._losses.clear()

    def take_figures(self, text: str, now: float) -> None:
        """Fresh figures, once a second."""
        self.figures, self.figures_at = json.loads(text), now
        self._losses.append((self.figures["samples_in"], self.figures["samples_lost"]))

    def take_note(self, text: str) -> None:
        """Something has happened."""
        note = json.loads(text)
        self.notes[note["kind"]] += 1
        if note["kind"] != "held":
            self.add_event(note["kind"], note["text"] or note["kind"], note["at"])

    def add_event(self, kind: str, text: str, at: str) -> None:
        """Keep an event for the tile."""
        self.events.append({"kind": kind, "text": text, "at": at})

    def look(self, now: float) -> list[str]:
        """Compare with the limits, once a second; return what has changed, for the log."""
        changed = []
        before = self.rate.outside
        rate = self.shown(now).get("heart_rate_bpm")
        if self.rate.take(rate, self.limits):
            outside = self.rate.outside
            changed.append(f"{outside}: {rate:.0f}/min" if outside and rate else f"no longer {before}")
        silent = now - max(self.samples_at, self.placed) > self.limits.silence_s and self.state != "ended"
        if silent != self.silent:
            self.silent = silent
            changed.append(f"no samples for {self.limits.silence_s:g} s" if silent else "samples arrive again")
        return changed

    def shown(self, now: float) -> Document:
        """The figures that are true now; none where they are old, the device is away, or no run goes on."""
        fresh = self.state == "running" and now - self.figures_at <= OLD_S and self.figures.get("connected")
        return self.figures if fresh else {}

    def status(self, now: float) -> Status | None:
        """The figures for Prometheus: counters always, all else only while it is true."""
        if not self.figures:
            return None
        known = {k: v for k, v in self.figures.items() if k in _FIELDS}
        status = Status(**known)
        if self.shown(now):
            return status
        return replace(
            status, connected=False, heart_rate_bpm=None, lead_off=(), quality={}, battery_percent=None, rate_hz=0.0
        )

    def tile(self, now: float) -> Document:
        """Return what its tile shows."""
        figures = self.shown(now)
        level, words = self._trouble(figures)
        worst = min(figures.get("quality", {}).items(), key=lambda q: q[1]["index"], default=None)
        return {
            "n": self.number,
            "name": self.name,
            "patient": self.header.get("patient", ""),
            "state": self._shown_state(figures),
            "level": level,
            "trouble": words,
            "hr": figures.get("heart_rate_bpm"),
            "off": figures.get("lead_off", []),
            "quality": {"lead": worst[0], **worst[1]} if worst else None,
            "loss": self._loss() if figures else None,
            "battery": figures.get("battery_percent"),
            "event": self.events[-1] if self.events else None,
            "limits": {"low": self.limits.low, "high": self.limits.high, "silence": self.limits.silence_s,
                       "words": self.limits.words},
        }  # fmt: skip

    def _shown_state(self, figures: Document) -> str:
        """State of the run; of one that goes on, why there are no figures."""
        if self.state != "running" or figures:
            return self.state
        if not self.figures:
            return "starting"
        return "old" if self.figures.get("connected") else "lost"

    def _trouble(self, figures: Document) -> tuple[int, list[str]]:
        """How urgent it is, from 0, and why."""
        found: list[tuple[int, str]] = []
        if self.rate.outside and figures:
            found.append((5, self.rate.outside))
        if self.silent:
            found.append((4, f"no samples for {self.limits.silence_s:g} s"))
        if self.state in ("ended", "restarting"):
            found.append((3, self.why or self.state))
        elif self._shown_state(figures) in _AWAY:
            found.append((3, _AWAY[self._shown_state(figures)]))
        if off := figures.get("lead_off"):
            found.append((2, f"off: {', '.join(off)}"))
        poor = [(x, q) for x, q in figures.get("quality", {}).items() if q["index"] < POOR]
        found += [(1, f"{x} {q['reason'] or 'is poor'}") for x, q in poor]
        found += [(1, w) for w in figures.get("warnings", [])]
        if figures and self._loss() >= 1:
            found.append((1, f"{self._loss():.0f} % lost"))
        found.sort(key=lambda f: -f[0])
        return (found[0][0] if found else 0), [text for _, text in found]

    def _loss(self) -> float:
        """Per cent of the last minute's samples that were lost."""
        if not self._losses:
            return 0.0
        (n0, lost0), (n1, lost1) = self._losses[0], self._losses[-1]
        total = (n1 - n0) + (lost1 - lost0)
        return 100 * (lost1 - lost0) / total if total else 0.0
