"""Finds frames by their mark."""

from __future__ import annotations

import math

import numpy as np

from ecg_edge.firmware_bridge.framing.frame_formats import (
    FrameFormat,
    Ints,
    Run,
)
from ecg_edge.firmware_bridge.tally import Tally

_PIECE = 1 << 15
"""Bytes taken at a time: bounds the buffer whatever `feed` is given."""


_FREEZE = 3
"""Repeats of one counter value after which the alignment is taken for false."""


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

        A counter that stands still too long is payload taken for a frame. One that leaps is believed when its successor
        goes on from there. Otherwise a damaged counter byte would read as the loss of nearly a whole wrap.
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
