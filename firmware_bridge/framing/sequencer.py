"""Place packets on the unbroken sample axis: counters, device time and arrival time say what is missing."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from ecg_edge.firmware_bridge.events import Gap
from ecg_edge.firmware_bridge.framing.steady_delay import SteadyDelay
from ecg_edge.firmware_bridge.tally import Tally

Frames = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]
Seconds = npt.NDArray[np.float64]

_NONE: Ints = np.empty(0, np.int64)
_RESTART_MODULUS = 1 << 16
"""From this modulus on, a counter that seems to leap over half its range has restarted."""
_MOST_HELD = 4096
"""Batches held at most, whatever the arrival times say."""
_FEW = 16
"""Up to this modulus a repeated counter is as often a wrap less one packet as a packet sent twice."""
_LEAK = 0.06
"""How fast the earliest arrival may drift later, in s/s: bounds the error of the device's clock."""
_MOST_LEAK = 0.25
"""Counter wraps that it may drift at most between two reads: an outage is no drift."""
_CATCHES_UP = 0.2
"""Seconds per second by which packets of a stalled link are less and less late; those behind a loss are not."""
_MOST_HOLD_S = 1.5
"""So long a link may take to catch up."""
_MAX_GAP_S = 3600.0
"""Over a longer loss the device has hardly gone on counting: its length is not known."""


@dataclass(frozen=True)
class PacketRun:
    """Packets without a gap between them.

    Attributes
    ----------
    frames : ndarray of uint8, shape (n_packets, length)
        The packets.
    index : int
        Index of the first sample of the first packet.
    arrival : float
        Host time of the batch.
    """

    frames: Frames
    index: int
    arrival: float


@dataclass(frozen=True)
class _Batch:
    frames: Frames
    counters: Ints
    seconds: Seconds | None
    arrival: float
    bad: int
    skipped: int
    restarted: bool


@dataclass
class _Held:
    """A batch that waits, the counter steps to its packets, their sum, and how many seconds late it is.

    `late` is against the earliest arrival, `delay` against the nominal rate since the first sample.
    """

    batch: _Batch
    deltas: Ints
    packets: int
    late: float
    delay: float


_Numbers = TypeVar("_Numbers", Ints, Seconds)


def differences(values: _Numbers, before: float) -> _Numbers:
    """``np.diff(values, prepend=before)`` without its overhead: this runs for every few packets."""
    out: _Numbers = values.copy()
    out[1:] -= values[:-1]
    out[0] -= before
    return out


class Unwrap:
    """Unwrap a device time of `modulus` ticks into one that only grows."""

    def __init__(self, modulus: int) -> None:
        self._modulus = modulus
        self._last: int | None = None

    def __call__(self, ticks: Ints) -> Ints:
        """Return `ticks` with the wraps added; a step of over half the range is a step back."""
        if not ticks.size:
            return ticks
        base = int(ticks[0]) if self._last is None else self._last
        steps = np.diff(ticks, prepend=base % self._modulus) % self._modulus
        steps = np.where(steps > self._modulus // 2, steps - self._modulus, steps)
        out = base + np.cumsum(steps)
        self._last = int(out[-1])
        return out.astype(np.int64)


class Sequencer:
    """Counter (and time) of each packet -> index of its samples, gaps, duplicates.

    Parameters
    ----------
    tally : Tally
        `lost`, `lost_ranges`, `loss_known` and `duplicates` are counted here.
    fs : Fraction
        Samples per second of one channel.
    samples_per_packet : int
        Samples of one channel in a packet.
    modulus : int
        Modulus of the packet counter; 0 where there is none.
    shared : bool
        The counter also counts packets of other kinds: device time decides how many of ours are missing.
    timed : bool
        `place` will be given device time.
    hold_s : float
        How long packets wait when they arrive so late that whole counter wraps may be lost. A stalled link catches up
        within that time; after a loss nothing does. 0: arrival times are not used.

    Notes
    -----
    Loss between two packets is ``(step - 1) * samples_per_packet`` with
    ``step = delta + k * modulus``: delta from the counter, k >= 0 from the time. Packets that arrive later and later,
    evenly, are those of a slow device: k is 0. The loss is not known then, since it may hide whole wraps.
    """

    def __init__(
        self,
        tally: Tally,
        fs: Fraction,
        samples_per_packet: int = 1,
        modulus: int = 0,
        *,
        shared: bool = False,
        timed: bool = False,
        hold_s: float = 0.2,
    ) -> None:
        self._tally, self._spp, self._modulus = tally, samples_per_packet, modulus
        self._period = float(samples_per_packet / fs)
        self._shared, self._timed = shared, timed
        self._hold_s = hold_s if modulus and not timed else 0.0
        self._index = 0
        self._started = self._restarted = False
        self._counter, self._frame = 0, np.empty(0, np.uint8)
        self._second: float | None = None
        self._held: list[_Held] = []
        self._wrap = modulus * self._period
        self._earliest: float | None = None
        self._heard = 0.0
        self._ahead = 0
        self._delays = SteadyDelay()
        if not modulus and not timed:
            tally.loss_known = False

    def place(
        self,
        frames: Frames,
        counters: Ints,
        seconds: Seconds | None = None,
        arrival: float = 0.0,
        bad: int = 0,
        skipped: int = 0,
    ) -> list[PacketRun | Gap]:
        """Place a run of packets.

        Parameters
        ----------
        frames : ndarray of uint8, shape (n, length)
            The packets, in order of arrival.
        counters : ndarray of int64, shape (n,)
            Their counters, or empty.
        seconds : ndarray of float64, shape (n,), optional
            Their device time in seconds, unwrapped.
        arrival : float
            Host time at which the last of them was complete.
        bad, skipped : int
            Frames judged bad and bytes skipped just before them (`frame_formats.Run`).
        """
        if not len(frames):
            return []
        batch = _Batch(frames, counters, seconds, arrival, bad, skipped, self._restarted)
        self._restarted = False
        if not self._hold_s:
            return self._settle(batch, 0)
        if not batch.restarted:
            return self._weigh(batch)
        out = self._flush()
        self._earliest = None
        self._delays.reset()
        return out + self._weigh(batch)

    def restart(self) -> None:
        """The device said that it restarted: the loss up to the next packet is unknown."""
        self._restarted = self._started

    def close(self) -> list[PacketRun | Gap]:
        """Release what was held."""
        return self._flush()

    def _weigh(self, batch: _Batch) -> list[PacketRun | Gap]:
        """Hold packets that arrive later than half a counter wrap explains."""
        before = int(self._held[-1].batch.counters[-1]) if self._held else self._counter
        last = self._held[-1].batch.frames[-1] if self._held else self._frame
        deltas = self._deltas(batch, before, last)
        packets = int(deltas.sum())
        self._ahead += packets
        offset = batch.arrival - (self._index / self._spp + self._ahead) * self._period
        if self._earliest is None:
            self._earliest, self._heard = offset, batch.arrival
        leak = _LEAK * max(0.0, batch.arrival - self._heard)
        envelope = self._earliest + min(leak, _MOST_LEAK * self._wrap)
        late = offset - envelope
        self._held.append(_Held(batch, deltas, packets, late, offset))
        if late <= self._wrap / 2:
            self._earliest, self._heard = min(envelope, offset), batch.arrival
            return self._release(len(self._held))
        if self._delays.growth > _LEAK and self._is_slow():
            return self._forgive(batch.arrival)
        out: list[PacketRun | Gap] = []
        while self._held and self._waited(batch.arrival):
            if self._is_slow():
                return out + self._forgive(batch.arrival)
            self._earliest, self._heard = envelope, batch.arrival
            out += self._believe(0.5)
        return out

    def _waited(self, now: float) -> bool:
        first, waited = self._held[0], now - self._held[0].batch.arrival
        if len(self._held) >= _MOST_HELD or waited >= _MOST_HOLD_S:
            return True
        return waited >= self._hold_s and first.late - self._held[-1].late < _CATCHES_UP * waited

    def _is_slow(self) -> bool:
        """Whether what is held is late as what was before it grew late: no silence of a whole wrap lies between."""
        return self._delays.explains([(h.batch.arrival - h.delay, h.delay) for h in self._held], self._wrap / 2)

    def _forgive(self, now: float) -> list[PacketRun | Gap]:
        """Take what is held for packets of a slow device; whole wraps may hide in them."""
        self._tally.loss_known = False
        self._earliest, self._heard = min(held.delay for held in self._held), now
        return self._release(len(self._held))

    def _believe(self, rounding: float) -> list[PacketRun | Gap]:
        """Nothing held was in time: place whole wraps before it, and release what then is.

        `rounding` is what is added to the number of wraps before it is cut to a whole one.
        """
        wraps = int(min(held.late for held in self._held) / self._wrap + rounding)
        for held in self._held:
            held.late -= wraps * self._wrap
            held.delay -= wraps * self._wrap
        timely = [k for k, held in enumerate(self._held) if held.late <= self._wrap / 2]
        return self._release(timely[-1] + 1 if timely else 1, wraps)

    def _flush(self) -> list[PacketRun | Gap]:
        """Release everything; what is late at the end may as well have been about to catch up."""
        out: list[PacketRun | Gap] = []
        while self._held:
            slow = self._delays.growth > _LEAK or self._is_slow()
            out += self._forgive(self._heard) if slow else self._believe(0.25)
        return out

    def _release(self, n: int, wraps: int = 0) -> list[PacketRun | Gap]:
        """Settle the first `n` held batches, with whole wraps lost before them or within their first read."""
        out: list[PacketRun | Gap] = []
        at = self._jump(n) if wraps else 0
        if wraps:
            self._delays.reset()
        for k, held in enumerate(self._held[:n]):
            self._ahead -= held.packets
            self._delays.add(held.batch.arrival - held.delay, held.delay)
            out += self._settle(held.batch, wraps if k == at else 0, held.deltas)
        del self._held[:n]
        return out

    def _jump(self, n: int) -> int:
        """Which of the first `n` that arrived together follows the loss: the one that jumps, or the first."""
        for k, held in enumerate(self._held[:n]):
            if held.batch.arrival != self._held[0].batch.arrival:
                break
            if (held.deltas > 1).any():
                return k
        return 0

    def _deltas(self, batch: _Batch, before: int, last: Frames) -> Ints:
        """Counter steps, the first from `before`; the first packet after a (re)start follows nothing."""
        deltas: Ints = differences(batch.counters, before) % self._modulus
        if self._modulus <= _FEW and not deltas.all():
            for k in np.flatnonzero(deltas == 0):
                if not np.array_equal(batch.frames[k], batch.frames[k - 1] if k else last):
                    deltas[k] = self._modulus
        return self._first_is_one(batch, deltas)

    def _settle(self, batch: _Batch, wraps: int, deltas: Ints | None = None) -> list[PacketRun | Gap]:
        out: list[PacketRun | Gap] = []
        steps, unknown = self._steps(batch, wraps, deltas)
        if unknown.size or batch.restarted:
            self._tally.loss_known = False
        marks = {0, len(steps), *(steps != 1).nonzero()[0].tolist(), *unknown.tolist()}
        edges = sorted(marks)
        for start, stop in itertools.pairwise(edges):
            if start in unknown or (start == 0 and batch.restarted):
                out.append(Gap(self._index, self._index, "unknown", known=False))
            out += self._segment(batch, start, stop, int(steps[start]))
        self._started = True
        if batch.counters.size:
            self._counter, self._frame = int(batch.counters[-1]), batch.frames[-1]
        self._second = None if batch.seconds is None else float(batch.seconds[-1])
        return out

    def _segment(self, batch: _Batch, start: int, stop: int, step: int) -> list[PacketRun | Gap]:
        out: list[PacketRun | Gap] = []
        if (step - 1) * self._period > _MAX_GAP_S:
            self._tally.loss_known = False
            self._earliest = None  # the axis does not follow time over this gap
            self._delays.reset()
            for held in self._held:
                held.late -= (step - 1) * self._period
                held.delay -= (step - 1) * self._period
            out.append(Gap(self._index, self._index, "unknown", known=False))
        elif step > 1:
            gap = Gap(self._index, self._index + (step - 1) * self._spp)
            self._tally.lose(gap.start, gap.stop)
            self._index = gap.stop
            out.append(gap)
        elif step == 0:
            self._tally.duplicates += self._spp
            start += 1
        if stop > start:
            out.append(PacketRun(batch.frames[start:stop], self._index, batch.arrival))
            self._index += (stop - start) * self._spp
        return out

    def _steps(self, batch: _Batch, wraps: int, deltas: Ints | None) -> tuple[Ints, Ints]:
        """Packets from each packet's predecessor to it, and where that number is unknown."""
        elapsed = None
        if batch.seconds is not None:
            # without a time before it the first packet's step is the counter's alone
            before = batch.seconds[0] if self._second is None else self._second
            elapsed = np.rint(differences(batch.seconds, before) / self._period).astype(np.int64)
        if self._modulus:
            return self._counted(batch, elapsed, wraps, deltas)
        if elapsed is not None:
            return self._first_is_one(batch, np.maximum(elapsed, 0)), _NONE
        steps = np.ones(len(batch.frames), np.int64)
        if not self._started:
            return steps, _NONE
        steps[0] += batch.bad
        return steps, np.zeros(int(batch.skipped > 0 and not batch.bad), np.int64)

    def _counted(self, batch: _Batch, elapsed: Ints | None, wraps: int, deltas: Ints | None) -> tuple[Ints, Ints]:
        if deltas is None:
            deltas = self._deltas(batch, self._counter, self._frame)
        if elapsed is None and not wraps and (deltas == 1).all():
            return deltas, _NONE
        back = np.zeros(len(deltas), bool)
        if self._modulus >= _RESTART_MODULUS:
            back = deltas > self._modulus // 2
        if elapsed is None:
            steps = np.where(back, 1, deltas)
            # whole wraps went where the counter jumps; where it does not, they may as well lie before the batch
            steps[int((steps > 1).argmax())] += wraps * self._modulus
            return self._first_is_one(batch, steps), back.nonzero()[0]
        if self._shared:
            steps = np.where(deltas == 0, 0, np.clip(elapsed, 1, np.maximum(deltas, 1)))
        else:
            k = np.maximum(0, np.rint((elapsed - deltas) / self._modulus).astype(np.int64))
            steps = deltas + k * self._modulus
        told = back & (elapsed > 0)
        steps = np.where(told, elapsed, np.where(back, 1, steps))
        return self._first_is_one(batch, steps), (back & ~told).nonzero()[0]

    def _first_is_one(self, batch: _Batch, steps: Ints) -> Ints:
        if batch.restarted or not self._started:
            steps[0] = 1
        return steps
