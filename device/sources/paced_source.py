"""A source that gives samples at the pace of a clock."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from dataclasses import replace

from ecg_edge.firmware_bridge.clock import Clock
from ecg_edge.firmware_bridge.events import ReaderEvent, SampleBlock, StreamInfo
from ecg_edge.firmware_bridge.ports.used_up import used_up

FRAME_S = 0.02
"""Length of the blocks of sources that are not devices."""


_FAST_BLOCKS = 25


class PacedSource:
    """Plays blocks at the pace of their own time.

    Parameters
    ----------
    info : StreamInfo
        The first event.
    blocks : iterator of SampleBlock
        Without arrival times.
    clock : Clock
        Sets the pace and stamps the blocks.
    fast : bool
        As fast as they are taken, without any pace.
    url : str
        How the source is called in headers.
    """

    dropped_blocks = 0
    live = False

    def __init__(
        self, info: StreamInfo, blocks: Iterator[SampleBlock], clock: Clock, fast: bool = False, *, url: str = ""
    ) -> None:
        self.url = url
        self._info, self._blocks, self._clock, self._fast = info, blocks, clock, fast
        self._stop = threading.Event()
        self._begun: float | None = None
        self._started = self.ended = False

    def start(self) -> None:
        """Begin; once."""
        if self._started or self._stop.is_set():
            raise used_up(self.url)
        self._started = True

    def stop(self) -> None:
        """End."""
        self._stop.set()

    def get(self, timeout: float | None = None) -> list[ReaderEvent]:
        """Take the next block once it is due; that may be a little later than `timeout` allows."""
        if self._begun is None:
            self._begun = self._clock.monotonic()
            return [self._info]
        blocks = list(itertools.islice(self._blocks, _FAST_BLOCKS if self._fast else 1))
        self.ended = not blocks
        if blocks and not self._fast:
            due = self._begun + float((blocks[-1].index + len(blocks[-1])) / self._info.fs)
            if (wait := due - self._clock.monotonic()) > 0:
                self._clock.wait(self._stop, wait)
        now = self._clock.monotonic()
        return [replace(block, arrival=now) for block in blocks]
