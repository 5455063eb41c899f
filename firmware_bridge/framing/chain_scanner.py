"""Find frames that have no sync word: by check, counter or time, over several frames in a row.

One frame of such a format proves little: a random window passes BITalino's CRC-4 once in sixteen times. A chain of
frames whose stamps follow one another proves much. So the alignment is taken from a chain and kept while the chain goes
on. After a break the next chain decides what lies before it. Where two frames overlap, one was made from the rests of a
frame cut short, though both passed their check.

As in `framing`, the content decides, never how the stream was cut.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ecg_edge.firmware_bridge.framing.frame_formats import NO_COUNTERS, Bytes2D, Ints, Run
from ecg_edge.firmware_bridge.tally import Tally

Mask = npt.NDArray[np.bool_]
NO_STAMP = -1
_PIECE = 1 << 13
"""Bytes taken at a time: after every break what is left of a piece is searched again."""


class ChainFormat:
    """A format of frames of one length without sync word.

    Parameters
    ----------
    size : int
        Length of a frame in bytes.
    modulus : int
        Modulus of the frame counter that `stamps` returns; 0 where that is no counter.
    lock : int
        Frames in a row that prove an alignment.
    relock : int
        The same after a break; not above `lock`.
    aligned : int
        The same where the frames lie whole frames behind the last good one and `agrees` says
        that their stamps count those between.
    confirm : bool
        Deliver a frame only when its successor, a message or the end proves that it was not cut short. For frames whose
        own check is weak.
    marks : bytes
        How messages between frames (`between`) may begin.
    """

    def __init__(
        self,
        size: int,
        *,
        modulus: int = 0,
        lock: int = 4,
        relock: int = 4,
        aligned: int = 2,
        confirm: bool = True,
        marks: bytes = b"",
    ) -> None:
        self.size, self.modulus = size, modulus
        self.lock, self.relock, self.aligned = lock, relock, aligned
        self.confirm, self.marks = confirm, marks

    def good(self, frames: Bytes2D) -> Mask:
        """``(n, size)`` bytes -> whether each may be a frame."""
        raise TypeError(f"{type(self).__name__} must define good")

    def stamps(self, frames: Bytes2D) -> Ints:
        """Counter or time of each frame, not negative."""
        return np.zeros(len(frames), np.int64)

    def pairs(self, first: Ints, second: Ints) -> Mask:
        """Whether frames of these stamps may follow one another directly."""
        return np.ones(len(second), bool)

    def chain(self, before: int, stamps: Ints) -> tuple[Ints, Mask]:
        """Stamps as they are to be remembered, and whether each follows its predecessor (`before`: the first's)."""
        if not len(stamps):
            return stamps, np.empty(0, bool)
        ok = self.pairs(np.concatenate(([before], stamps[:-1])), stamps)
        ok[0] |= before == NO_STAMP
        return stamps, ok

    def agrees(self, before: int, stamp: int, step: int) -> bool:
        """Whether `stamp` is what the `step`-th frame after one stamped `before` carries."""
        return False

    def unlike(self, first: bytes, second: bytes) -> int:
        """How unlike two frames in a row are: of two that overlap, the one less like its neighbour is false."""
        return 0

    def between(self, buf: bytes, pos: int, *, closing: bool) -> int:
        """Length of the message at `pos` that may lie between frames; 0: none, -1: more bytes are needed."""
        return 0


class ChainScanner:
    """Incremental search for chains of frames; the counterpart of `framing.Scanner`.

    Parameters
    ----------
    fmt : ChainFormat
        The format.
    tally : Tally
        Its `skipped_bytes` and `bad_frames` are counted here.
    """

    def __init__(self, fmt: ChainFormat, tally: Tally) -> None:
        self._fmt, self._tally = fmt, tally
        self._buf = b""
        self._locked = self._ever = False
        self._stamp = NO_STAMP
        self._arrival = 0.0
        self._held: float | None = None  # arrival of the frame at the front, where it waits for its successor
        self._pending = self._before = b""
        self._since = 0.0
        self._gap = 0  # bytes from the end of the last good frame to where the search stands
        self._skipped = self._bad = 0

    @property
    def buffered(self) -> int:
        """Bytes kept for later: bounded by a few frames."""
        return len(self._buf) + len(self._pending)

    def feed(self, data: bytes, arrival: float = 0.0) -> list[Run]:
        """Take bytes, return the frames they complete."""
        runs: list[Run] = []
        self._arrival = arrival
        for start in range(0, len(data), _PIECE):
            self._buf += data[start : start + _PIECE]
            self._advance(runs, closing=False)
        return runs

    def close(self) -> list[Run]:
        """End of stream: judge what is left; a cut-off last frame is skipped, not bad."""
        runs: list[Run] = []
        self._advance(runs, closing=True)
        if self._ever:
            self._tally.bad_frames += max(0, self._gap) // self._fmt.size
        self._release(runs)
        self._gap = 0
        return runs

    def _advance(self, runs: list[Run], *, closing: bool) -> None:
        pos, going = 0, True
        while going:
            step = self._follow if self._locked else self._hunt
            pos, going = step(pos, closing, runs)
        self._buf = self._buf[pos:]

    def _follow(self, pos: int, closing: bool, runs: list[Run]) -> tuple[int, bool]:
        size = self._fmt.size
        whole = (len(self._buf) - pos) // size
        frames = np.frombuffer(self._buf, np.uint8, whole * size, pos).reshape(whole, size)
        raw = self._fmt.stamps(frames)
        stamps, ok = self._fmt.chain(self._stamp, raw)
        ok &= self._fmt.good(frames)
        n = whole if ok.all() else int(ok.argmin())
        end = pos + n * size
        broken = n < whole
        message = self._fmt.between(self._buf, end, closing=closing) if broken or closing else 0
        if message > 0:
            self._deliver(runs, pos, raw[:n], stamps[:n])
            return end + message, True
        if message < 0 or not (broken or closing):
            keep = min(n, int(self._fmt.confirm))
            self._deliver(runs, pos, raw[: n - keep], stamps[: n - keep])
            if keep and self._held is None:
                self._held = self._arrival
            return end - keep * size, False
        keep = min(n, int(self._fmt.confirm and broken))
        self._deliver(runs, pos, raw[: n - keep], stamps[: n - keep])
        return self._break(end, keep, stamps[:n])

    def _break(self, end: int, keep: int, stamps: Ints) -> tuple[int, bool]:
        """The chain ends: search from inside its last frame, if that is in doubt."""
        self._locked, self._gap = False, 0
        if len(stamps):
            self._stamp = int(stamps[-1])
        since, self._held = self._held, None
        if not keep:
            return end, True
        self._since = self._arrival if since is None else since
        self._pending = self._buf[end - self._fmt.size : end]
        self._gap = 1 - self._fmt.size
        return end + self._gap, True

    def _deliver(self, runs: list[Run], pos: int, raw: Ints, stamps: Ints) -> None:
        if not len(raw):
            return
        size = self._fmt.size
        early = int(self._held is not None and self._held != self._arrival)
        if early:
            self._append(runs, self._buf[pos : pos + size], raw[:1], self._held)
        if len(raw) > early:
            self._append(runs, self._buf[pos + early * size : pos + len(raw) * size], raw[early:])
        self._held, self._stamp = None, int(stamps[-1])

    def _append(self, runs: list[Run], data: bytes, raw: Ints, arrival: float | None = None) -> None:
        counters = raw if self._fmt.modulus else NO_COUNTERS
        runs.append(Run(data, [self._fmt.size] * len(raw), counters, self._skipped, self._bad, arrival))
        self._tally.bad_frames += self._bad
        self._skipped = self._bad = 0
        self._ever, self._before = True, data[-self._fmt.size :]

    def _hunt(self, pos: int, closing: bool, runs: list[Run]) -> tuple[int, bool]:
        windows = max(0, len(self._buf) - pos - self._fmt.size + 1)
        if windows:
            for at in self._candidates(pos):
                verdict = self._proved(pos + at, self._gap + at, closing)
                if verdict is None or verdict:
                    self._skip(at)
                    return (self._lock(pos + at, runs), True) if verdict else (pos + at, False)
        rest = len(self._buf) - pos if closing else windows
        self._skip(rest)
        return pos + rest, False

    def _candidates(self, pos: int) -> list[int]:
        """Offsets from `pos` where a frame may begin that a second one, a message or the end follows."""
        size = self._fmt.size
        data = np.frombuffer(self._buf, np.uint8)[pos:]
        windows = np.lib.stride_tricks.sliding_window_view(data, size)
        ok = self._fmt.good(windows)
        least = min(self._fmt.relock, self._fmt.aligned) if self._ever else self._fmt.lock
        if least > 1 and len(ok) > size:
            stamps = self._fmt.stamps(windows)
            paired = ok[size:] & self._fmt.pairs(stamps[:-size], stamps[size:])
            paired |= np.isin(data[size : size + len(paired)], np.frombuffer(self._fmt.marks, np.uint8))
            ok[:-size] &= paired
        at: list[int] = np.flatnonzero(ok).tolist()
        return at

    def _proved(self, pos: int, gap: int, closing: bool) -> bool | None:
        """Whether a chain that proves the alignment begins at `pos`; None: more bytes are needed."""
        size, wanted, before = self._fmt.size, self._fmt.lock, NO_STAMP
        for k in range(wanted):
            if k:
                message = self._fmt.between(self._buf, pos, closing=closing)
                if message < 0:
                    return None
                pos += message
            if pos + size > len(self._buf):
                return False if closing else None
            frame = np.frombuffer(self._buf, np.uint8, size, pos).reshape(1, size)
            stamps = self._fmt.stamps(frame)
            if not self._fmt.good(frame)[0] or (k and not self._fmt.pairs(np.array([before]), stamps)[0]):
                return False
            before, pos = int(stamps[0]), pos + size
            if k == 0:
                wanted = self._wanted(gap, before)
            if k + 1 >= wanted:
                return True
        return True

    def _wanted(self, gap: int, stamp: int) -> int:
        if not self._ever:
            return self._fmt.lock
        whole, rest = divmod(gap, self._fmt.size)
        if gap >= 0 and not rest and self._fmt.agrees(self._stamp, stamp, whole + 1):
            return self._fmt.aligned
        return self._fmt.relock

    def _lock(self, pos: int, runs: list[Run]) -> int:
        """Follow the chain from `pos` on, or from its second frame where the first is false; return which."""
        size = self._fmt.size
        skipped = self._gap
        if skipped < 0:
            # one of the two overlapping frames was made from the rests of a cut one
            first, second = self._buf[pos : pos + size], self._buf[pos + size : pos + 2 * size]
            if self._fmt.unlike(self._before, self._pending) < self._fmt.unlike(first, second):
                self._skip(size)
                skipped, pos = self._gap, pos + size
            else:
                skipped += size
                self._tally.skipped_bytes += skipped
                self._pending = b""
        self._release(runs)
        self._skipped = skipped
        self._bad = max(1, round(skipped / self._fmt.size)) if self._ever and skipped else 0
        self._locked, self._stamp, self._gap = True, NO_STAMP, 0
        return pos

    def _release(self, runs: list[Run]) -> None:
        """Deliver the frame that was in doubt."""
        if self._pending:
            frame = np.frombuffer(self._pending, np.uint8).reshape(1, -1)
            self._append(runs, self._pending, self._fmt.stamps(frame), self._since)
            self._pending = b""

    def _skip(self, n: int) -> None:
        before = max(0, self._gap)
        self._gap += n
        self._tally.skipped_bytes += max(0, self._gap) - before
