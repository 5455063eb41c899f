"""Taking from a source just what completes the next hop: the fixed costs of a block are paid once for it."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable

from ecg_edge.device.reconstruction.pipeline import Pipeline
from ecg_edge.device.sources.source import Source, can_hold
from ecg_edge.firmware_bridge.clock import Clock
from ecg_edge.firmware_bridge.events import ReaderEvent, SampleBlock

POLL_S = 0.2
"""Longest wait for an event."""
_JITTER_S = 0.02
"""Seconds by which frames may arrive earlier than expected from those before."""


class Gatherer:
    """Waits for a source's events without waking at each.

    No block is later for it. Samples are passed on as soon as they complete a hop, and anything that is not a sample at
    once. A source that can keep samples back gets the counts it needs. Another live one is left alone until shortly
    before the hop can be complete.

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
        self._holding = source if can_hold(source) else None
        self.waiting: list[ReaderEvent] = []

    def take(self, pipeline: Pipeline | None) -> list[ReaderEvent]:
        """Return the next events; none if none came in 0.2 s. Raises what the source raises."""
        self._expect(pipeline)
        self.waiting += self._source.get(POLL_S)
        while pipeline is not None and self.waiting and not self._source.ended and not self._stop.is_set():
            short = pipeline.missing - _samples(self.waiting)
            if short <= 0:
                break
            more = self._sooner(short, pipeline) or self._source.get(POLL_S)
            self.waiting += more
            if not more:
                break
        # The reader must know before the hop is computed: by then it would wait for the next frame.
        self._expect(pipeline)
        return self.rest()

    def _expect(self, pipeline: Pipeline | None) -> None:
        """Tell the source when the next hop can be complete."""
        if pipeline is None or self._holding is None:
            return
        short = pipeline.missing - _samples(self.waiting)
        if short > -math.inf:
            self._holding.expect(short if short > 0 else short + pipeline.hop, pipeline.hop)

    def _sooner(self, short: float, pipeline: Pipeline) -> list[ReaderEvent]:
        """Leave a live source that cannot wait by itself alone for a while; what it has already."""
        if not self._source.live or self._holding:
            return []
        more = self._source.get(0)
        if not more and (rest := short / float(pipeline.info.fs) - _JITTER_S) > 0:
            self._clock.wait(self._stop, rest)
        return more

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
