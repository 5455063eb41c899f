"""AD8232 live: its lines, which come 160 to 320 times a second as they are long, on an even grid of 192 Hz.

The sketch has no sample clock; at 9600 baud a line takes as long as its bytes, and these are counted. Between two lines
the signal is taken as straight, as between the samples of any trace. An assumed even rate would be wrong by up to a
sixth wherever the numbers change their length.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from ecg_edge.firmware_bridge.decoders.ad8232 import Ad8232, ad8232
from ecg_edge.firmware_bridge.events import Event, Gap, SampleBlock, StreamInfo
from ecg_edge.firmware_bridge.framing.text_lines import Rows

STEP = 5
"""Ticks of a byte's time between two rows: a line of three digits."""
LONGEST_LINE = 6
"""Ticks of a line of four digits; where two samples are further apart, something between them was lost."""


class EvenAd8232(Ad8232):
    """Decoder of the sketch's lines to rows at 192 Hz; the tally counts these rows."""

    def __init__(self, info: StreamInfo) -> None:
        super().__init__(info)
        self._times = np.empty(0, np.int64)
        self._mv = np.empty((0, 1), np.float32)
        self._off = np.empty(0, np.int64)

    def accept(self, rows: Rows, events: list[Event]) -> None:
        """Place lines in time, and give out the grid's rows that they determine."""
        if not self._announced:
            self._announced = True
            events.append(replace(self.info, tick_hz=None))
        _, mv, _ = self._convert(rows)
        starts = self._bytes + np.concatenate(([0], np.cumsum(rows.lengths)))
        self._bytes = int(starts[-1])
        if not len(self._times):
            self._origin = int(starts[0])
        self._times = np.concatenate((self._times[-1:], starts[:-1] - self._origin))
        self._mv = np.concatenate((self._mv[-1:], mv))
        self._off = np.concatenate((self._off[-1:], self._masks(rows.off)))
        self._emit(events)

    def lose(self, n: int, events: list[Event]) -> None:
        """Nothing: what is lost is seen by the time it took."""

    def _emit(self, events: list[Event]) -> None:
        index = np.arange(self._index, int(self._times[-1]) // STEP + 1)
        if not len(index):
            return
        at = STEP * index
        left = np.searchsorted(self._times, at, side="right") - 1
        right = np.minimum(left + 1, len(self._times) - 1)
        apart = self._times[right] - self._times[left]
        share = (at - self._times[left]) / np.maximum(apart, 1)
        mv = (self._mv[left, 0] + share * (self._mv[right, 0] - self._mv[left, 0])).astype(np.float32)[:, None]
        off = self._off[left] | np.where(share > 0, self._off[right], 0)
        lost = (apart > LONGEST_LINE) & (share > 0)
        # one gap between two lines, however many lines came at once: the cutting must not show
        changes = np.flatnonzero((np.diff(off) != 0) | np.diff(lost) | lost[1:] & (np.diff(left) != 0)) + 1
        for a, b in itertools.pairwise([0, *changes.tolist(), len(index)]):
            first, stop = int(index[a]), int(index[a]) + b - a
            if lost[a]:
                self.tally.lose(first, stop)
                events.append(Gap(first, stop))
            else:
                self.tally.samples += b - a
                events.append(self._block(first, mv[a:b], int(off[a])))
        self._index += len(index)

    def _block(self, index: int, mv: npt.NDArray[np.float32], off: int) -> SampleBlock:
        (channel,) = self.info.channels
        counts = np.rint(mv / channel.lsb_mv + channel.offset).astype(np.int32)
        valid = np.full(mv.shape, not off)
        return SampleBlock(index, np.where(valid, counts, -1), mv, valid, off, arrival=self._arrival)


def ad8232_even(leads: Sequence[str] | None = None, gain: float | None = None, fs: Fraction | None = None) -> Ad8232:
    """As `ad8232.ad8232`, with rows at an even 192 Hz; a sketch that keeps a rate (`fs`) is left alone."""
    plain = ad8232(leads, gain, fs)
    return plain if fs else EvenAd8232(plain.info)
