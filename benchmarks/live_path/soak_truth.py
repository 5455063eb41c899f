"""What a recording of a soak must hold, by what the patch says it sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ecg_edge.device.recording.stored_recording import Stored, length, read_stored
from ecg_edge.firmware_bridge.array_types import BoolArray
from ecg_edge.firmware_bridge.synthetic_heart.heart import SyntheticHeart

FS, LEADS, LSB_MV = 250, ("I", "II"), 0.0005
FRAME = 10
"""Samples of each lead in a frame."""
_CHUNK_S = 600
_IN_CABLE = 3200
"""Rows that a pseudo-terminal may hold: 4 KiB at the reader and 20 KiB on their way, in 7.7 bytes a row.

The kernel lets more wait, to 64 KiB; on a loaded machine at twentyfold speed 1,760 rows were seen.
"""
_SURE_ROWS = 50
"""So many rows alike are the same stretch of the heart's signal."""


def hold_against(recording: str, logs: list[dict[str, Any]]) -> dict[str, int]:
    """Compare the measured record with what the patch sent, sample by sample.

    Returns
    -------
    dict
        ``rows`` of the record. ``marked``: rows with a missing sample. ``wrong``: samples that differ from those
        sent, or are present though they were lost. ``misplaced``: samples that were sent and are missing.
        ``in_cable``: rows sent just before a plug was pulled, which no reader could get.
    """
    name = recording + "_measured"
    _, n = length(name)
    truth, cable = _Truth(logs, lambda at: read_stored(name, at, min(n, at + _SURE_ROWS))), Cable()
    marked = wrong = misplaced = 0
    step = _CHUNK_S * FS
    for at in range(0, n, step):
        stop = min(n, at + step)
        stored = read_stored(name, at, stop)
        counts, there, sure = truth.read(stop - at)
        wrong += int(((stored.counts != counts) & stored.valid).sum()) + int((stored.valid & ~there).sum())
        misplaced += int((~stored.valid & there & sure[:, None]).sum())
        cable.feed(sure, np.asarray(there.any(axis=1)), np.asarray((there & ~stored.valid).any(axis=1)))
        marked += int((~stored.valid).any(axis=1).sum())
    misplaced += cable.misplaced
    return {"rows": n, "marked": marked, "wrong": wrong, "misplaced": misplaced, "in_cable": cable.unread}


class Cable:
    """Counts what was unread when a plug was pulled: the last rows before it, without one among them that arrived.

    Attributes
    ----------
    unread : int
        Rows that went with the plug.
    misplaced : int
        Rows missing before one that arrived: the cable is no excuse for them.
    """

    def __init__(self) -> None:
        self.unread = self.misplaced = self._pending = 0

    def feed(self, sure: BoolArray, sent: BoolArray, missing: BoolArray) -> None:
        """Take rows: whether they lie far from any plug, were sent, and are missing though they were."""
        edges = np.flatnonzero(np.diff(sure.astype(np.int8))) + 1
        for part in np.split(np.arange(len(sure)), edges):
            if not len(part):
                continue
            if sure[part[0]]:
                self.unread, self._pending = self.unread + self._pending, 0
                continue
            arrived = np.flatnonzero(sent[part] & ~missing[part])
            last = int(arrived[-1]) if len(arrived) else -1
            before, after = int(missing[part[: last + 1]].sum()), int(missing[part[last + 1 :]].sum())
            if last >= 0:
                self.misplaced, self._pending = self.misplaced + self._pending, 0
            self.misplaced += before
            self._pending += after


class _Truth:
    """What every row of the record must hold: boot after boot, from the first sample that arrived."""

    def __init__(self, logs: list[dict[str, Any]], recorded: Callable[[int], Stored]) -> None:
        self._logs, self._recorded = list(logs), recorded
        self._boot: _Boot | None = None
        self._at = 0

    def read(self, n: int) -> tuple[npt.NDArray[np.int32], BoolArray, BoolArray]:
        counts, there, sure = [], [], []
        while n > 0 and (self._boot or self._logs):
            if self._boot is None:
                self._boot = _Boot.as_heard(self._logs.pop(0), self._recorded(self._at))
            c, t, s = self._boot.read(n)
            if not len(c):
                self._boot = None
                continue
            counts.append(c)
            there.append(t)
            sure.append(s)
            n -= len(c)
            self._at += len(c)
        empty = np.zeros((n, len(LEADS)), np.int32)
        none = np.zeros((n, len(LEADS)), np.bool_)
        return np.concatenate([*counts, empty]), np.concatenate([*there, none]), np.concatenate([*sure, none[:, 0]])


class _Boot:
    """One boot of the patch: the heart again, and what became of each sample."""

    def __init__(self, log: dict[str, Any]) -> None:
        self._heart = SyntheticHeart(FS, LEADS, seed=0)
        self._lost = [tuple(r) for r in log["lost"]]
        self._stopped = [(e["start"], e["stop"]) for e in log["events"] if e["kind"] == "stopped"]
        # A pseudo-terminal that hangs up drops what has not been read: at most its buffers.
        self._cable = [(e["start"] - _IN_CABLE, e["start"]) for e in log["events"] if e["kind"] == "unplug"]
        self._off = [(e["start"], e["stop"]) for e in log["events"] if e["kind"] == "leadoff"]
        self._end = log["taken"] + sum(b - a for a, b in self._stopped)
        self._at = 0
        if self._lost and self._lost[0][0] == 0:
            self._skip(self._lost[0][1])
        while self._lost and self._lost[-1][1] >= self._end:
            self._end = self._lost.pop()[0]  # nobody can know of samples lost behind the last that came

    def _skip(self, n: int) -> None:
        self.read(n)

    @classmethod
    def as_heard(cls, log: dict[str, Any], recorded: Stored) -> _Boot:
        """The boot from the frame on with which the record goes on.

        Whoever opens a port throws away what waits there, and how much a device that was switched on had sent by
        then nobody can know.
        """
        n = len(recorded.counts)
        for missed in range(0, _IN_CABLE, FRAME):
            boot, probe = cls(log), cls(log)
            boot._skip(missed)
            probe._skip(missed)
            counts, there, _ = probe.read(n)
            same = (counts == recorded.counts[: len(counts)]) | ~recorded.valid[: len(counts)]
            if len(counts) and there[0].any() and recorded.valid.any() and same.all():
                return boot
        return cls(log)

    def read(self, n: int) -> tuple[npt.NDArray[np.int32], BoolArray, BoolArray]:
        n = max(0, min(n, self._end - self._at))
        index = slice(self._at, self._at + n)
        measured = np.ones(n, np.bool_)
        _mark(measured, self._stopped, index, False)  # the source waits while the patch is stopped
        counts = np.zeros((n, len(LEADS)), np.int32)
        fresh = self._heart.read(int(measured.sum())) if n else np.zeros((0, len(LEADS)))
        counts[measured] = np.rint(fresh / LSB_MV).astype(np.int32)
        there = np.ones((n, len(LEADS)), np.bool_)
        _mark(there, self._lost, index, False)
        _mark(there[:, :1], self._off, index, False)  # LA is in lead I alone
        sure = np.ones(n, np.bool_)
        _mark(sure, self._cable, index, False)
        self._at += n
        return counts, there, sure


def _mark(flags: BoolArray, ranges: list[tuple[int, int]], index: slice, value: bool) -> None:
    for a, b in ranges:
        flags[max(0, a - index.start) : max(0, min(b, index.stop) - index.start)] = value
