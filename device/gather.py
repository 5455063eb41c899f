"""Taking from a source just what completes the next hop: the fixed costs of a block are paid once for it."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from ecg_edge.device.pipeline import Pipeline
from ecg_edge.device.sources import Resting, Source
from ecg_edge.firmware_bridge.backlog import ReaderEvent
from ecg_edge.firmware_bridge.clock import Clock
from ecg_edge.firmware_bridge.samples import SampleBlock

POLL_S = 0.2
"""Longest wait for an event."""
_JITTER_S = 0.02
"""Frames may come so much earlier than the ones before them promise."""


class Gatherer:
    """Waits for a source's events without waking at each.

    No block is later for it: samples are passed on as soon as they complete a hop, and anything
    that is not a sample at once. In between a live source is left alone until shortly before the hop
    can be complete.

    Parameters
    ----------
    source : Source
        Started.
    clock : Clock
        Waits.
    stop : threading.Event
        Ends a wait.

    Attributes
    ----------
    waiting : list of ReaderEvent
        Taken from the source and not yet returned; to be fetched when the source has failed.
    """

    def __init__(self, source: Source, clock: Clock, stop: threading.Event) -> None:
        self._source, self._clock, self._stop = source, clock, stop
        self.waiting: list[ReaderEvent] = []

    def take(self, pipeline: Pipeline | None) -> list[ReaderEvent]:
        """Return the next events; none if none came in 0.2 s. Raises what the source raises."""
        self.waiting += self._source.get(POLL_S)
        while pipeline is not None and self.waiting and not self._source.ended and not self._stop.is_set():
            short = pipeline.missing - _samples(self.waiting)
            if short <= 0:
                break
            more = self._source.get(0) if self._source.live else []
            if not more:
                rest = short / float(pipeline.info.fs) - _JITTER_S
                if self._source.live and rest > 0:
                    if isinstance(self._source, Resting):
                        self._source.rest(rest)
                    self._clock.wait(self._stop, rest)
                more = self._source.get(POLL_S)
            self.waiting += more
            if not more:
                break
        return self.rest()

    def rest(self) -> list[ReaderEvent]:
        """Return what waits."""
        events, self.waiting = self.waiting, []
        return events


def _samples(events: Iterable[ReaderEvent]) -> float:
    """Samples in the events; without end if there is anything else among them."""
    total = 0
    for event in events:
        if not isinstance(event, SampleBlock):
            return float("inf")
        total += len(event)
    return total
