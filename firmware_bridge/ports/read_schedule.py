"""When a device is read and decoded: about when what its consumer waits for is complete, not at every frame."""

from __future__ import annotations

from collections.abc import Iterable

from ecg_edge.firmware_bridge.events import ReaderEvent, SampleBlock, StreamInfo

_LONGEST_REST_S = 0.1
_UNREAD = 2048
"""Bytes that may come during a rest: the kernel keeps 4 kB for a port."""
_RATE_OVER_S = 1.0
_EARLIEST_S, _LATEST_S = 0.02, 0.002
"""So long before the samples are due the port is read again: at first, and at least."""
_AT_ONCE_S = 0.0005
"""A read that takes no longer found its bytes waiting."""
_EASE = 1 / 64
"""Share of the time waited for nothing by which the next rest is longer: a jitter seen once counts for seconds."""

_NOTHING = 1e-6
"""Of a sample: hops of 28.8 do not add up exactly."""
_ALL = 0.95
"""Share of the bytes expected that is taken for all of them: frames differ a little in length."""


class Pace:
    """Says how long the port can be left alone, and which samples complete what is waited for.

    A read costs much the same whatever it brings, and frames of 10 ms would ask for a hundred in a second. It learns
    how early to return: twice as early when the samples were there before, a little later each time it had to wait.

    Attributes
    ----------
    margin : float
        How early that is now, in seconds.
    """

    def __init__(self) -> None:
        self.margin = _EARLIEST_S
        self._fs = self._every = self._due = 0.0
        self._total = self._taken = 0
        self._arrival = 0.0
        self._woke: float | None = None
        self._first = False
        self._rate: float | None = None
        self._weight = 0.0  # bytes for each sample, lately
        self._mark = (0.0, 0, 0)

    def order(self, short: float, every: float, dropped: int = 0) -> None:
        """Set what the consumer needs: `short` more samples now, then `every` samples each time.

        Parameters
        ----------
        short, every : float
            In samples.
        dropped : int
            Samples so far that it will never get.
        """
        self._due, self._every = self._taken + dropped + short, every

    def take(self, events: Iterable[ReaderEvent]) -> None:
        """Count what the consumer has taken."""
        self._taken += sum(len(e) for e in events if isinstance(e, SampleBlock))

    def came(self, events: Iterable[ReaderEvent], arrival: float, n_bytes: int) -> bool:
        """Count what was read; return True if it must be passed on now: events that are not samples always are."""
        samples, others = 0, False
        for event in events:
            if isinstance(event, SampleBlock):
                samples += len(event)
            else:
                others = True
                self._fs = float(event.fs) if isinstance(event, StreamInfo) else self._fs
        self._total += samples
        self._measure(arrival, n_bytes)
        if samples:
            self._arrival = arrival
        if not self._every:
            return True
        if self._total < self._due - _NOTHING:
            if samples:
                self._learn(arrival, complete=False)
            return others
        self._learn(arrival, complete=True)
        self._due += self._every * ((self._total - self._due + _NOTHING) // self._every + 1)
        return True

    def rest(self, now: float) -> float:
        """Seconds for which the port can be left alone; it will be."""
        if not (self._every and self._fs and self._rate is not None):
            return 0.0
        rest = min((self._due - self._total) / self._fs - self.margin - (now - self._arrival), _LONGEST_REST_S)
        if rest <= 0 or self._rate * rest >= _UNREAD:
            return 0.0
        self._woke, self._first = now + rest, True
        return rest

    def holds(self, arrival: float, n_bytes: int) -> bool:
        """Whether bytes can wait undecoded: fewer than complete the order, and the time for those is not up.

        To decode a frame after a rest costs several times as much alone as with the others of its hop. Without a
        rest, as when a backlog comes in a rush, nothing waits.

        Parameters
        ----------
        arrival : float
            Host time at which the last of them came.
        n_bytes : int
            Read and not yet decoded.
        """
        if self._woke is None or not (self._every and self._fs and self._weight):
            return False
        short = self._due - self._total
        if arrival - self._arrival >= short / self._fs or n_bytes >= _ALL * self._weight * short:
            return False
        self._first = False
        return True

    def silent(self) -> None:
        """Nothing arrived: an average over a silence would expect too little afterwards."""
        self._rate, self._mark = None, (0.0, 0, 0)

    def _learn(self, arrival: float, complete: bool) -> None:
        if self._woke is None:
            return
        waited = arrival - self._woke
        if complete and self._first and waited < _AT_ONCE_S:
            self.margin = min(2 * self.margin, _EARLIEST_S)
        elif complete:
            self.margin = max(self.margin - _EASE * waited, _LATEST_S)
        self._first = False
        if complete:
            self._woke = None

    def _measure(self, now: float, n_bytes: int) -> None:
        """Bytes per second and per sample, over the last whole second."""
        since, before, total = self._mark
        if not since or now - since >= _RATE_OVER_S:
            self._rate = (n_bytes - before) / (now - since) if since else None
            self._weight = (n_bytes - before) / (self._total - total) if since and self._total > total else 0.0
            self._mark = now, n_bytes, self._total
