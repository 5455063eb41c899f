"""The bounded queue between the reader and its consumer: what it drops, it leaves a gap for."""

from __future__ import annotations

import threading
from collections import deque

from ecg_edge.firmware_bridge.events import BACKLOG, Gap, ReaderEvent, SampleBlock


class Backlog:
    """Lists of events in order of arrival, at most `capacity` of them.

    When it is full, the oldest list goes. Its samples become a `Gap`, joined to the
    gaps about it; of the other events the latest of each kind is kept. So memory is
    bounded, the sample axis stays unbroken and the consumer still learns the
    stream's present shape.

    Parameters
    ----------
    capacity : int
        Number of lists, at least 1.

    Attributes
    ----------
    dropped_blocks, dropped_samples : int
        What went, in blocks and in samples per channel.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = max(1, capacity)
        self._lists: deque[list[ReaderEvent]] = deque()
        self._kept: dict[tuple[type, bool], ReaderEvent] = {}
        self._changed = threading.Condition()
        self._closed = False
        self.dropped_blocks = 0
        self.dropped_samples = 0

    def put(self, events: list[ReaderEvent]) -> None:
        """Append one list; an empty one is ignored. Never blocks."""
        if not events:
            return
        with self._changed:
            while len(self._lists) >= self._capacity:
                for event in self._lists.popleft():
                    self._fold(event)
            self._lists.append(events)
            self._changed.notify()

    def get(self, timeout: float | None = None) -> list[ReaderEvent]:
        """Take the oldest list.

        Parameters
        ----------
        timeout : float, optional
            Longest wait in seconds; by default until something arrives or the backlog is closed.

        Returns
        -------
        list
            Empty when nothing came in time, or nothing will come any more.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._kept or self._lists or self._closed, timeout)
            if self._kept:
                kept, self._kept = list(self._kept.values()), {}
                return kept
            return self._lists.popleft() if self._lists else []

    def close(self) -> None:
        """The end: wake the thread that waits."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def drained(self) -> bool:
        """Whether nothing is left and nothing more will come."""
        with self._changed:
            return self._closed and not self._lists and not self._kept

    def _fold(self, event: ReaderEvent) -> None:
        if isinstance(event, SampleBlock):
            self.dropped_blocks += 1
            self.dropped_samples += len(event)
            event = Gap(event.index, event.index + len(event), BACKLOG)
        # A gap of unknown length has no range to join and is kept beside the others.
        key = (type(event), isinstance(event, Gap) and event.known)
        before = self._kept.pop(key, None)
        if isinstance(event, Gap) and event.known and isinstance(before, Gap):
            reason = BACKLOG if BACKLOG in (before.reason, event.reason) else before.reason
            event = Gap(before.start, event.stop, reason)
        self._kept[key] = event
