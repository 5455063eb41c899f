"""Intervals and axes of the last ten seconds, measured beside the run: the thread that takes samples never waits."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

from ecg_edge.device.conditioning.spec import ConditioningSpec
from ecg_edge.device.lead_block import LeadBlock, Note
from ecg_edge.device.measurements.figures import INTERVALS, Measurements
from ecg_edge.device.measurements.measure import measure_block

EVERY_S = 10.0
KIND = "measurements"


class LiveMeasurements:
    """Measures what it is fed every ten seconds, in a thread of its own.

    Parameters
    ----------
    fs : int
        Rate of the rows in Hz.
    conditioning : ConditioningSpec, optional
        What the rows went through: its high-pass widens a P wave and lowers ST, which is undone first.

    Attributes
    ----------
    latest : dict of str to dict or None
        The last figures by name, as in `Measurements.document`, without the amplitudes; empty where none are known.
    """

    def __init__(self, fs: int, conditioning: ConditioningSpec | None = None) -> None:
        self._conditioning = conditioning
        self._rows = round(EVERY_S * fs)
        self._worker: ThreadPoolExecutor | None = None
        self._running: Future[Measurements | None] | None
        self._stop = 0
        self.latest: dict[str, object] = {}
        self.reset()

    def reset(self) -> None:
        """Begin anew: what was before says nothing of now."""
        self._blocks: deque[LeadBlock] = deque()
        self._kept = 0
        self._running = None  # what is being measured is of before
        self.latest = {}

    def feed(self, block: LeadBlock) -> None:
        """Take rows; a leap, or another provenance, begins anew."""
        last = self._blocks[-1] if self._blocks else None
        if last and (block.index != last.index + len(last) or block.provenance != last.provenance):
            self.reset()
        self._blocks.append(block)
        self._kept += len(block)
        while self._kept - len(self._blocks[0]) >= self._rows:
            self._kept -= len(self._blocks.popleft())
        if self._kept >= self._rows and self._running is None:
            blocks, self._blocks, self._kept = list(self._blocks), deque(), 0
            self._stop = block.index + len(block)
            self._worker = self._worker or ThreadPoolExecutor(1, "measure")
            self._running = self._worker.submit(_measured, blocks, self._conditioning)

    def notes(self, ratio: float) -> Iterator[Note]:
        """Yield a note where figures have become known since; `ratio` is native samples for each row."""
        if self._running is None or not self._running.done():
            return
        running, self._running = self._running, None
        found = running.result()
        self.latest = {name: found.document()[name] for name, _ in INTERVALS} if found else {}
        if found:
            at = round(self._stop * ratio)
            leads = " ".join(found.heart_rate.leads) if found.heart_rate else ""
            yield Note(KIND, at, at, f"{found.line()}; from {leads}, {found.beats} beats")


def _measured(blocks: list[LeadBlock], conditioning: ConditioningSpec | None) -> Measurements | None:
    block = LeadBlock.join([replace(b, channel_mv=None, channel_valid=None, channels=()) for b in blocks])
    return measure_block(block, conditioning)
