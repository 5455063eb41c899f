"""A sink behind a bounded queue and a thread of its own, so that a slow one delays no other."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence

from ecg_edge.device.lead_block import LeadBlock, Note
from ecg_edge.device.sinks.sink import RunHeader, Sink, Status
from ecg_edge.firmware_bridge.errors import EcgEdgeError, PluginError, as_error, owner_of
from ecg_edge.firmware_bridge.events import SampleBlock

Item = SampleBlock | LeadBlock | Note | Status | RunHeader
_SAMPLES = (SampleBlock, LeadBlock)
_STUCK_S = 30.0
"""A sink of others that has finished nothing for so long is left behind, so that the run can end."""


class SinkThread:
    """Runs one sink in a thread, as the sink's own traits say.

    Parameters
    ----------
    sink : Sink
        Opened by the caller's thread, then called from this one's only.
    warn : callable
        Called with the error that ended a sink that is not lossless, mostly in this sink's thread.
    stuck_s : float
        Seconds without progress after which a sink of others is left behind where the run waits for it.
    """

    def __init__(self, sink: Sink, *, warn: Callable[[str], None] = lambda _: None, stuck_s: float = _STUCK_S) -> None:
        self._sink, self._warn = sink, warn
        self._owner = owner_of(sink)
        self._stuck_s = stuck_s if self._owner else None  # one of ours waits for its reader: `| less`
        self._steps, self._left = 0, False
        self._lossless, self._capacity = sink.lossless, sink.capacity
        self._batch = min(sink.batch, sink.capacity)
        self._refused = tuple(kind for kind in _SAMPLES if kind not in sink.takes)
        self._items: deque[Item] = deque()
        self._changed = threading.Condition()
        self._closing = self._ended = self._due = False
        self._error: EcgEdgeError | None = None
        self._thread: threading.Thread | None = None
        self._dropped = 0

    @property
    def dropped_blocks(self) -> int:
        """Items dropped because the sink was too slow, and those it could not pass on."""
        return self._dropped + int(getattr(self._sink, "lost", 0))

    @property
    def outlet(self) -> bool:
        """Whether a run is worth its while for this sink alone."""
        return bool(getattr(self._sink, "outlet", True))

    @property
    def ended(self) -> bool:
        """Whether the sink takes no more."""
        return self._ended

    @property
    def error(self) -> EcgEdgeError | None:
        """What ended a sink that is not lossless; None for a reader that has left, as ``| head`` does."""
        left = self._error is not None and isinstance(self._error.__cause__, BrokenPipeError)
        return None if self._lossless or left else self._error

    @property
    def trouble(self) -> str:
        """What is wrong with the sink now, in words; empty: nothing."""
        if self._error is not None:
            return f"{self.name} stopped: {self._error.message}"
        said = str(getattr(self._sink, "trouble", ""))
        return f"{self.name}: {said}" if said else ""

    @property
    def name(self) -> str:
        """The sink's name."""
        return self._sink.name

    @property
    def where(self) -> str:
        """Where the sink can be found once it is open; see `Sink`."""
        return self._sink.where

    def open(self, header: RunHeader) -> None:
        """Open the sink and start its thread; the sink's errors are raised here, lossless or not.

        A reader that has left already, or a stream that cannot be written to, ends the sink before it began.
        """
        try:
            self._sink.open(header)
        except EcgEdgeError:
            raise
        except Exception as e:
            self._error = as_error(e, self.name, self._owner)
            self._ended = isinstance(e, OSError) and not self._lossless
            if self._ended:
                if self.error is not None:
                    self._warn(f"{self.name} stopped: {self._error}")
                return
            raise self._error from e
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self._thread.start()

    def put(self, item: Item) -> None:
        """Hand over one item.

        Raises
        ------
        EcgEdgeError
            The sink is lossless and has failed.
        """
        if isinstance(item, self._refused):
            return
        with self._changed:
            if self._lossless:
                self._wait(lambda: len(self._items) < self._capacity or self._ended)
            elif len(self._items) >= self._capacity:
                self._items.popleft()
                self._dropped += 1
            if not self._ended:
                self._items.append(item)
                self._due = self._due or len(self._items) >= self._batch or not isinstance(item, _SAMPLES)
                if self._due:
                    self._changed.notify_all()
                return
        self._raise()

    def ease(self) -> None:
        """Wait until half the queue is free, where nothing may be lost: `put` then need not wait while others do."""
        with self._changed:
            half = self._capacity // 2
            if self._lossless:
                self._wait(lambda: len(self._items) <= half or self._ended or not self._due)

    def close(self, patience_s: float | None = None) -> None:
        """Let the sink take what waits, close it and wait for its thread; one that is stuck is left behind.

        Parameters
        ----------
        patience_s : float, optional
            A sink that is not lossless is left behind after so long; None: it is waited for.

        Raises
        ------
        EcgEdgeError
            As in `put`.
        """
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread is not None:
            self._join(None if self._lossless else patience_s)
            self._raise()

    def _wait(self, until: Callable[[], bool]) -> None:
        """Wait, with the lock held, as long as the sink gets on."""
        steps = -1
        while steps != self._steps:
            steps = self._steps
            if self._changed.wait_for(until, self._stuck_s):
                return
        self._leave_behind()

    def _join(self, patience_s: float | None) -> None:
        """Wait for the thread: so long, or as long as the sink gets on."""
        if patience_s is None:
            with self._changed:
                self._wait(lambda: self._ended)
        if self._thread is not None and not self._left:
            self._thread.join(patience_s)

    def _leave_behind(self) -> None:
        """Give a stuck sink up; its thread, a daemon, may sleep on."""
        self._error = PluginError(
            f"{self.name}: {self._owner} has finished nothing for {self._stuck_s:g} s",
            "let none of its methods wait without a limit; what it was given last is lost",
        )
        self._ended = self._left = True
        self._items.clear()
        if not self._lossless:
            self._warn(f"{self.name} stopped: {self._error}")

    def _raise(self) -> None:
        if self._lossless and self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            try:
                while items := self._take():
                    for item in items:
                        self._pass_on(item)
                        self._steps += 1
            finally:
                self._sink.close()
        except BaseException as e:  # noqa: BLE001 -- a sink's fault is the sink's end, whosever it is, KeyboardInterrupt too
            self._error = self._error or as_error(e, self.name, self._owner)
            if self.error is not None:
                self._warn(f"{self.name} stopped: {self.error}")
        finally:
            with self._changed:
                self._ended = True
                self._items.clear()
                self._changed.notify_all()

    def _take(self) -> list[Item]:
        """Wait for what is due, and return a few items at most; returned items free their place in the queue."""
        with self._changed:
            self._changed.wait_for(lambda: (self._items and self._due) or self._closing)
            before = len(self._items)
            taken = [self._items.popleft() for _ in range(min(before, self._batch))]
            after = len(self._items)
            self._due = bool(after)
            if before >= self._capacity or after <= self._capacity // 2 < before:
                self._changed.notify_all()
            return taken

    def _pass_on(self, item: Item) -> None:
        if isinstance(item, SampleBlock):
            self._sink.native(item)
        elif isinstance(item, LeadBlock):
            self._sink.leads(item)
        elif isinstance(item, Note):
            self._sink.note(item)
        elif isinstance(item, RunHeader):
            if redated := getattr(self._sink, "redated", None):  # sinks of others may not know it
                redated(item)
        else:
            self._sink.status(item)


def put_to_all(sinks: Sequence[SinkThread], item: Item) -> None:
    """Hand one item to every sink; one that is lossless and has failed ends the run only where no outlet is left.

    Raises
    ------
    EcgEdgeError
        As `SinkThread.put`.
    """
    for sink in sinks:
        try:
            sink.put(item)
        except EcgEdgeError:  # `close` raises it again at the end
            if all(other.ended for other in sinks if other.outlet):
                raise
