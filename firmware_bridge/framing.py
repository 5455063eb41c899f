"""Find frames in a byte stream: one scanner for every format that has frames.

The scanner decides from the content of the stream alone, never from how it was
cut, so any cut gives the same frames. It hunts for a candidate, wants `lock`
good frames in a row whose counter counts, and then follows the frames as long
as they are good. Frames that were waited for stay in the buffer and are
delivered with the lock. A candidate that fails costs one byte, never a frame.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ecg_edge.firmware_bridge.samples import Tally

Bytes2D = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
NO_COUNTERS: Ints = np.empty(0, np.int64)

_PIECE = 1 << 15
"""Bytes taken at a time: bounds the buffer whatever `feed` is given."""
_FREEZE = 3
"""Repeats of one counter value after which the alignment is taken for false."""


class FrameFormat(Protocol):
    """What the scanner must know of a format.

    Attributes
    ----------
    nominal : int
        Length of the usual frame in bytes.
    modulus : int
        Modulus of the frame counter; 0 where there is none.
    lock : int
        Good frames in a row needed for the first lock.
    sync : bytes
        How a frame begins; empty where it has no mark.
    """

    @property
    def nominal(self) -> int:
        """Length of the usual frame in bytes."""
        ...

    @property
    def modulus(self) -> int:
        """Modulus of the counter, 0: none."""
        ...

    @property
    def lock(self) -> int:
        """Good frames wanted for the first lock."""
        ...

    @property
    def sync(self) -> bytes:
        """How a frame begins, or nothing."""
        ...

    def run(self, buf: bytes, pos: int, limit: int | None) -> tuple[list[int], bool]:
        """Lengths of the good frames in a row from `pos`, and whether bytes (not goodness) ran out."""
        ...

    def seek(self, buf: bytes, pos: int) -> tuple[int, bool]:
        """First position from `pos` on where a frame may begin, and whether that frame is whole and good."""
        ...

    def counters(self, data: bytes, lengths: Sequence[int]) -> Ints:
        """Counter of each frame (negative: this frame carries none), or an empty array."""
        ...


@dataclass(frozen=True)
class FixedFormat:
    """Frames of one length, judged many at a time.

    Attributes
    ----------
    nominal : int
        Frame length in bytes.
    good : callable
        ``(n, nominal)`` bytes -> n booleans: constant bytes, value ranges, checksum.
    counter : callable or None
        ``(n, nominal)`` bytes -> n counters.
    """

    nominal: int
    good: Callable[[Bytes2D], Mask]
    counter: Callable[[Bytes2D], Ints] | None = None
    modulus: int = 0
    lock: int = 2
    sync: bytes = b""

    def run(self, buf: bytes, pos: int, limit: int | None) -> tuple[list[int], bool]:
        """See `FrameFormat.run`."""
        whole = (len(buf) - pos) // self.nominal
        n = whole if limit is None else min(whole, limit)
        if n <= 0:
            return [], True
        ok = self.good(np.frombuffer(buf, np.uint8, n * self.nominal, pos).reshape(n, self.nominal))
        if ok.all():
            return [self.nominal] * n, n == whole
        return [self.nominal] * int(ok.argmin()), False

    def seek(self, buf: bytes, pos: int) -> tuple[int, bool]:
        """See `FrameFormat.seek`: every offset is judged at once."""
        if len(buf) - pos < self.nominal:
            return pos, False
        windows = np.lib.stride_tricks.sliding_window_view(np.frombuffer(buf, np.uint8)[pos:], self.nominal)
        ok = self.good(windows)
        first = int(ok.argmax())
        return (pos + first, True) if ok[first] else (pos + len(ok), False)

    def counters(self, data: bytes, lengths: Sequence[int]) -> Ints:
        """See `FrameFormat.counters`."""
        if self.counter is None or not lengths:
            return NO_COUNTERS
        return self.counter(np.frombuffer(data, np.uint8).reshape(len(lengths), self.nominal))


@dataclass(frozen=True)
class VariableFormat:
    """Frames that state their own length, judged one at a time.

    Attributes
    ----------
    measure : callable
        ``(buf, pos)`` -> length of the good frame there, 0: none, -1: more bytes are needed.
        It must refuse a length above what it is willing to buffer.
    count : callable or None
        One frame -> its counter.
    """

    nominal: int
    sync: bytes
    measure: Callable[[bytes, int], int]
    count: Callable[[bytes], int] | None = None
    modulus: int = 0
    lock: int = 2

    def run(self, buf: bytes, pos: int, limit: int | None) -> tuple[list[int], bool]:
        """See `FrameFormat.run`."""
        lengths: list[int] = []
        while limit is None or len(lengths) < limit:
            size = self.measure(buf, pos)
            if size <= 0:
                return lengths, size < 0
            lengths.append(size)
            pos += size
        return lengths, True

    def seek(self, buf: bytes, pos: int) -> tuple[int, bool]:
        """See `FrameFormat.seek`."""
        while True:
            at = buf.find(self.sync, pos)
            if at < 0:
                return max(pos, len(buf) - len(self.sync) + 1), False
            size = self.measure(buf, at)
            if size:
                return at, size > 0
            pos = at + 1

    def counters(self, data: bytes, lengths: Sequence[int]) -> Ints:
        """See `FrameFormat.counters`."""
        if self.count is None:
            return NO_COUNTERS
        return np.array([self.count(frame) for frame in split(data, lengths)], np.int64)


def pattern(constants: Mapping[int, int]) -> Callable[[Bytes2D], Mask]:
    """Return a check that frames hold these bytes at these offsets."""
    at = np.array(list(constants), np.intp)
    values = np.array(list(constants.values()), np.uint8)

    def good(frames: Bytes2D) -> Mask:
        return every(frames[:, at] == values)

    return good


def every(condition: npt.NDArray[np.bool_]) -> Mask:
    """Whether a condition on some bytes of each frame, ``(n, k)``, holds for all of them."""
    return np.asarray(condition.all(axis=1), np.bool_)


def split(data: bytes, lengths: Sequence[int]) -> list[bytes]:
    """Cut `data` into pieces of the given lengths."""
    ends = np.cumsum(lengths, dtype=np.int64).tolist()
    return [data[end - size : end] for end, size in zip(ends, lengths, strict=True)]


@dataclass(frozen=True)
class Run:
    """Good frames that follow one another without a byte between.

    Attributes
    ----------
    data : bytes
        The frames, end to end.
    lengths : list of int
        Length of each.
    counters : ndarray of int64
        Counter of each, or empty.
    skipped, bad : int
        Bytes skipped and frames judged bad since the run before (0 and 0: it simply goes on).
        Before the first lock bytes are skipped, but no frame is called bad.
    arrival : float or None
        Host time at which they were complete, where that was before the last bytes came.
    """

    data: bytes
    lengths: list[int]
    counters: Ints
    skipped: int = 0
    bad: int = 0
    arrival: float | None = None

    def rows(self) -> Bytes2D:
        """Return the frames as rows, for formats of one length."""
        return np.frombuffer(self.data, np.uint8).reshape(len(self.lengths), -1)


class Scanner:
    """Incremental search for frames; see the module's text.

    Parameters
    ----------
    fmt : FrameFormat
        The format.
    tally : Tally
        Its `skipped_bytes` and `bad_frames` are counted here.
    """

    def __init__(self, fmt: FrameFormat, tally: Tally) -> None:
        self._fmt, self._tally = fmt, tally
        self._buf = b""
        self._locked = self._fresh = self._ever = self._begun = False
        self._skipped = 0
        self._last, self._repeats = -1, 0

    @property
    def buffered(self) -> int:
        """Bytes kept for later: bounded by a few frames."""
        return len(self._buf)

    def feed(self, data: bytes) -> list[Run]:
        """Take bytes, return the frames they complete."""
        runs: list[Run] = []
        for start in range(0, len(data), _PIECE):
            self._buf += data[start : start + _PIECE]
            runs += self._advance(closing=False)
        return runs

    def close(self) -> list[Run]:
        """End of stream: judge what is left; a cut-off last frame is skipped, not bad."""
        runs = self._advance(closing=True)
        if self._ever and not self._locked:
            self._tally.bad_frames += max(int(self._begun), self._skipped // self._fmt.nominal)
        return runs

    def _advance(self, *, closing: bool) -> list[Run]:
        runs: list[Run] = []
        pos, going = 0, True
        while going:
            if self._locked:
                run, going = self._follow(pos, closing)
                if run is not None:
                    runs.append(run)
                    pos += len(run.data)
            else:
                pos, going = self._hunt(pos, closing)
        self._buf = self._buf[pos:]
        return runs

    def _follow(self, pos: int, closing: bool) -> tuple[Run | None, bool]:
        lengths, starved = self._fmt.run(self._buf, pos, None)
        if not lengths and starved and not closing:
            return None, False
        data = self._buf[pos : pos + sum(lengths)]
        counters = self._fmt.counters(data, lengths)
        keep, broken = self._vet(counters, starved, closing) if counters.size else (len(lengths), False)
        waits = keep < len(lengths) and not broken
        lengths = lengths[:keep]
        run = self._deliver(data[: sum(lengths)], lengths, counters[:keep]) if keep else None
        if waits or (starved and not broken and not closing):
            return run, False
        self._locked, self._skipped = False, 0
        begun = bool(self._fmt.sync) and self._buf.startswith(self._fmt.sync, pos + sum(lengths))
        self._begun = begun and (broken or not starved)
        return run, True

    def _deliver(self, data: bytes, lengths: list[int], counters: Ints) -> Run:
        bad = self._bad(self._skipped) if self._ever and self._skipped else 0
        run = Run(data, lengths, counters, self._skipped, bad)
        self._tally.bad_frames += bad
        self._ever, self._skipped, self._begun, self._fresh = True, 0, False, False
        if counters.size:
            self._last = int(counters[-1])
        return run

    def _bad(self, skipped: int) -> int:
        """Frames' worth of skipped bytes; a frame that had begun is one at least."""
        return max(int(self._begun), round(skipped / self._fmt.nominal))

    def _vet(self, counters: Ints, starved: bool, closing: bool) -> tuple[int, bool]:
        """How many frames to believe, and whether the next one breaks the lock (else it waits for its successor).

        A counter that stands still too long is payload taken for a frame. One that
        leaps is believed when its successor goes on from there: a damaged counter
        byte would otherwise read as the loss of nearly a whole wrap.
        """
        steps = self._steps(counters)
        if (steps == 1).all():
            self._repeats = 0
            return len(counters), False
        vetted = int(self._fresh)  # the first frame after a hunt has been judged
        for k, step in enumerate(steps.tolist()):
            self._repeats = self._repeats + 1 if step == 0 else 0
            if self._repeats >= _FREEZE:
                return k, True
            if step < 2 or k < vetted or self._fmt.lock == 1:  # one frame suffices: its checksum covers the counter
                continue
            if k + 1 < len(steps):
                if (step + steps[k + 1]) % self._fmt.modulus == 2:
                    return k, True
            elif not (starved and closing):
                return k, not starved
        return len(counters), False

    def _steps(self, counters: Ints) -> Ints:
        """Step of each counter from the one before; 1 where a frame carries none."""
        steps: Ints = counters.copy()
        steps[1:] -= counters[:-1]
        steps[0] -= self._last
        steps %= self._fmt.modulus
        if self._last < 0 or (counters < 0).any():
            marked = np.concatenate(([self._last], counters)) < 0
            steps[marked[1:] | marked[:-1]] = 1
        return steps

    def _hunt(self, pos: int, closing: bool) -> tuple[int, bool]:
        at, found = self._fmt.seek(self._buf, pos)
        self._skip(at - pos)
        if not found:
            if not closing or at >= len(self._buf):
                return at, False
            # at the end of the stream an unfinished candidate must not hide a frame behind it
            self._skip(1)
            return at + 1, True
        verdict = self._judge(at, closing)
        if verdict is None:
            return at, False
        if verdict:
            self._locked, self._fresh, self._repeats = True, True, 0
            return at, True
        self._skip(1)
        return at + 1, True

    def _judge(self, pos: int, closing: bool) -> bool | None:
        """Whether to lock on the candidate at `pos`; None: more bytes are needed to say."""
        lengths, starved = self._fmt.run(self._buf, pos, self._fmt.lock)
        counters = self._fmt.counters(self._buf[pos : pos + sum(lengths)], lengths)
        whole = len(lengths) >= self._fmt.lock
        if not whole and starved and not closing:
            return None
        if counters.size:
            steps = np.diff(counters) % self._fmt.modulus
            steps[(counters[1:] < 0) | (counters[:-1] < 0)] = 1
            if (steps == 0).any():
                return False
            whole = whole and bool((steps == 1).all())
        return whole or self._continues(counters)

    def _continues(self, counters: Ints) -> bool:
        """Whether a lone frame among damaged ones carries on where the last good one stopped."""
        if not self._ever or not counters.size or counters[0] < 0:
            return self._ever
        step = (int(counters[0]) - self._last) % self._fmt.modulus
        return 1 <= step <= math.ceil(self._skipped / self._fmt.nominal) + 1

    def _skip(self, n: int) -> None:
        self._skipped += n
        self._tally.skipped_bytes += n
