"""Where on the unbroken sample axis does a frame belong? Loss, duplicates, wraps, restarts.

A frame fits when its index lies ahead and its ticks say the same; it is then placed at once. One that does not fit is
held until the next frame follows it or follows the old stream. In the first case the device restarted; in the second
noise passed the CRC. One frame never moves the axis alone.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from ecg_edge.firmware_bridge.ecglink.frames import SampleFrame, SampleRun
from ecg_edge.firmware_bridge.events import Gap
from ecg_edge.firmware_bridge.tally import Tally

_MODULUS = 2**32
_HALF = 2**31
_SLACK_S = 0.25  # jitter allowed between index and ticks
_BACKWARD_S = 0.02  # ticks further behind than this have started anew
_SLACK_SHARE = 0.02  # a converter on an RC oscillator beside ticks from a crystal
_MAX_GAP_S = 3600.0  # a longer gap is a restart: its rows would fill memory and disk
_EARLY_S = 10.0  # frames may have waited so long in a stalled link
_RECENT = 64


@dataclass(frozen=True)
class PlacedFrame:
    """A frame with its place: index of its first row, and device ticks unwrapped."""

    frame: SampleFrame
    index: int
    ticks: int | None
    arrival: float


@dataclass(frozen=True)
class _Held:
    frame: SampleFrame
    arrival: float


@dataclass(frozen=True)
class _Here:
    """What the next frame should say: its index, and ticks (unwrapped, may be fractional)."""

    index: int
    ticks: float


class Sequence:
    """Place the sample frames of one device on one axis.

    Parameters
    ----------
    tally : Tally
        Samples, losses and duplicates are counted here.

    Attributes
    ----------
    refused : int
        Frames that were held and that the next frame did not confirm.
    """

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self.refused = 0
        self._next = 0
        self._fs = 1.0
        self._ticks_per_sample: float | None = None
        self._here: _Here | None = None
        self._held: _Held | None = None
        self._renewed = False
        self._arrival = 0.0
        self._recent: deque[SampleFrame | SampleRun] = deque(maxlen=_RECENT)

    def describe(self, fs: Fraction, tick_hz: Fraction | None, renewed: bool) -> None:
        """Take over a description; `renewed` says that index and ticks start anew (boot, other rate)."""
        self._fs = float(fs)
        self._ticks_per_sample = float(tick_hz / fs) if tick_hz else None
        self._renewed = self._here is not None and (self._renewed or renewed)
        self._drop_held()

    def place(self, frame: SampleFrame, arrival: float) -> list[Gap | PlacedFrame]:
        """Return the gap before the frame, if any, and the frame; or nothing while it is held."""
        here, held = self._here, self._held
        if here is None:
            return [self._accept(frame, arrival)]
        if self._renewed:
            return self._restart(here, frame, arrival)
        if self._fits(here, frame, self._most_s(arrival)):
            self._drop_held()
            return self._continue(here, frame, arrival)
        if self._is_duplicate(frame):
            self._tally.duplicates += len(frame.counts)
            return []
        after = self._after(held.frame) if held else here
        if held is not None and self._fits(after, frame, _MAX_GAP_S):
            self._held = None
            first = self._restart(here, held.frame, held.arrival)
            return [*first, *self._continue(after, frame, arrival)]
        self._drop_held()
        self._held = _Held(frame, arrival)
        return []

    def place_run(self, run: SampleRun, arrival: float) -> tuple[PlacedFrame, int] | None:
        """Place the frames of a run up to the first that does not follow the one before, as one.

        The same as `place` of each frame, in one pass: a hop's frames arrive together and nearly always follow.

        Returns
        -------
        PlacedFrame, int
            All of them as one frame, and their number; None where the first one wants a look of its own.
        """
        here, n = self._here, run.per_frame
        if self._renewed or self._held is not None:
            return None
        if here is not None and (run.index[0] != here.index or not self._fits(here, run.frame(0), _MAX_GAP_S)):
            return None
        follows = np.diff(run.index) % _MODULUS == n
        error = np.zeros(len(follows), np.int64)
        if self._ticks_per_sample is not None:
            error = (np.diff(run.ticks) - round(n * self._ticks_per_sample) + _HALF) % _MODULUS - _HALF
            follows &= abs(error) <= self._slack(n, 0.0)
        count = len(run.index) if follows.all() else 1 + int(np.argmin(follows))
        return self._accept_run(run.head(count), error[: count - 1], arrival), count

    def _accept_run(self, run: SampleRun, error: npt.NDArray[np.int64], arrival: float) -> PlacedFrame:
        """Accept frames that follow each other; `error` is what their ticks differ by from what the index says."""
        placed, n, more = self._accept(run.frame(0), arrival), run.per_frame, len(run.index) - 1
        if more == 0:
            return placed
        self._next += n * more
        self._tally.samples += n * more
        self._recent[-1] = run
        last = run.frame(more)
        ticks = float(last.ticks)
        if self._here is not None and self._ticks_per_sample is not None:
            ticks = self._here.ticks + round(n * self._ticks_per_sample) * more + int(error.sum())
        self._here = _Here((last.index + n) % _MODULUS, ticks)
        return replace(placed, frame=replace(placed.frame, counts=run.counts))

    def close(self) -> None:
        """End of stream: a frame still held is refused."""
        self._drop_held()

    def _drop_held(self) -> None:
        self.refused += self._held is not None
        self._held = None

    def _is_duplicate(self, frame: SampleFrame) -> bool:
        # Content counts too: a device that reboots at once may well repeat index and ticks.
        if self._held is not None and _same(frame, self._held.frame):
            return True
        left = _RECENT
        for seen in reversed(self._recent):
            if isinstance(seen, SampleRun):
                there = np.flatnonzero((seen.index == frame.index) & (seen.ticks == frame.ticks))
                if any(_same(frame, seen.frame(int(k))) for k in there if k >= len(seen.index) - left):
                    return True
                left -= len(seen.index)
            else:
                if _same(frame, seen):
                    return True
                left -= 1
            if left <= 0:
                break
        return False

    def _fits(self, here: _Here, frame: SampleFrame, most_s: float) -> bool:
        ahead = (frame.index - here.index) % _MODULUS
        seconds = ahead / self._fs
        if ahead >= _HALF or seconds > most_s:
            return False
        if self._ticks_per_sample is None:
            return True
        error = _signed(frame.ticks - round(here.ticks + ahead * self._ticks_per_sample))
        return abs(error) <= self._slack(len(frame.counts), seconds)

    def _slack(self, n: int, seconds: float) -> float:
        """Ticks by which a frame of `n` samples, so many seconds after the last one, may miss what its index says."""
        slack_s = _SLACK_S + _SLACK_SHARE * (seconds + n / self._fs)
        return slack_s * (self._ticks_per_sample or 0.0) * self._fs

    def _after(self, frame: SampleFrame) -> _Here:
        n = len(frame.counts)
        return _Here((frame.index + n) % _MODULUS, frame.ticks + n * (self._ticks_per_sample or 0.0))

    def _continue(self, here: _Here, frame: SampleFrame, arrival: float) -> list[Gap | PlacedFrame]:
        ahead = (frame.index - here.index) % _MODULUS
        gap = self._lose(ahead, "lost") if ahead else []
        return [*gap, self._accept(frame, arrival, skipped=ahead)]

    def _most_s(self, arrival: float) -> float:
        """Longest gap that time allows for a frame that arrives now; without times of arrival an hour.

        A device that states its own time needs no arrival: a host that did not read gets all of it at once.
        """
        if self._ticks_per_sample is not None:
            return _MAX_GAP_S
        waited = arrival - self._arrival
        return min(_MAX_GAP_S, waited * (1 + _SLACK_SHARE) + _EARLY_S) if waited > 0 else _MAX_GAP_S

    def _restart(self, here: _Here, frame: SampleFrame, arrival: float) -> list[Gap | PlacedFrame]:
        lost = None if self._renewed else self._lost_by_ticks(here, frame, arrival)
        self._renewed = False
        if lost is None:
            self._tally.loss_known = False
            self._here = None
            gap = [Gap(self._next, self._next, "restart", known=False)]
        else:
            gap = self._lose(lost, "restart")
        return [*gap, self._accept(frame, arrival, skipped=lost or 0)]

    def _lost_by_ticks(self, here: _Here, frame: SampleFrame, arrival: float) -> int | None:
        """Return the samples that fit between, where the ticks ran on over the restart."""
        # Ticks wrap: where they agree with a leap too long to be believed they prove nothing.
        if self._ticks_per_sample is None or self._fits(here, frame, float("inf")):
            return None
        forward = _signed(frame.ticks - round(here.ticks))
        lost = round(forward / self._ticks_per_sample)
        if lost > self._most_s(arrival) * self._fs:
            return None
        return max(lost, 0) if lost >= -_BACKWARD_S * self._fs else None

    def _lose(self, n: int, reason: str) -> list[Gap]:
        start, self._next = self._next, self._next + n
        self._tally.lose(start, self._next)
        return [Gap(start, self._next, reason)]

    def _accept(self, frame: SampleFrame, arrival: float, skipped: int = 0) -> PlacedFrame:
        n, per_sample = len(frame.counts), self._ticks_per_sample
        ticks = float(frame.ticks)
        if self._here is not None and per_sample is not None:
            expected = round(self._here.ticks + skipped * per_sample)
            ticks = expected + _signed(frame.ticks - expected)
        self._arrival = arrival
        self._here = _Here((frame.index + n) % _MODULUS, ticks + n * (per_sample or 0.0))
        self._recent.append(frame)
        placed = PlacedFrame(frame, self._next, None if per_sample is None else int(ticks), arrival)
        self._next += n
        self._tally.samples += n
        return placed


def _same(a: SampleFrame, b: SampleFrame) -> bool:
    return a.index == b.index and a.ticks == b.ticks and np.array_equal(a.counts, b.counts)


def _signed(difference: int) -> int:
    """Read a difference of two 32-bit counters as the nearest one to zero."""
    return (difference + _HALF) % _MODULUS - _HALF
