"""Find frames in a byte stream: one scanner for every format that has frames.

The scanner decides from the content of the stream alone, never from how it was cut, so any cut gives the same frames.
It hunts for a candidate and wants `lock` good frames in a row whose counter counts. Then it follows the frames as long
as they are good. Frames that were waited for stay in the buffer and are delivered with the lock. A candidate that fails
costs one byte, never a frame.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Bytes2D = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
NO_COUNTERS: Ints = np.empty(0, np.int64)


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
