"""Shimmer3 ECG (LogAndStream): packets that begin with 00 and a 24-bit time, with a CRC or without.

Only the time separates one packet from the next, so it serves as a counter. It must grow by whole sampling periods.
What the unit says of itself before it streams (inquiry response, registers of the ECG front ends) fixes rate, channel
order and gain.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from ecg_edge.firmware_bridge.decoders.shimmer_packets import (
    NARROW,
    REORDERED,
    TICK_HZ,
    WIDE,
    WRAP,
    Layout,
    ShimmerFormat,
    reckon,
    ticks,
)
from ecg_edge.firmware_bridge.events import Channel, StreamInfo
from ecg_edge.firmware_bridge.framing.chain_scanner import NO_STAMP, Mask
from ecg_edge.firmware_bridge.framing.frame_formats import Ints, Run
from ecg_edge.firmware_bridge.framing.framed_decoder import NOT_A_VOLTAGE, FramedDecoder, stream_info
from ecg_edge.firmware_bridge.framing.layout_finder import Attempt, Finder
from ecg_edge.firmware_bridge.framing.sequencer import Frames, Seconds, differences
from ecg_edge.firmware_bridge.lead_names import ELECTRODES

_ECG_24 = (0x1D, 0x1E, 0x1F, 0x20, 0x21, 0x22)
_ECG_16 = (0x1D, 0x23, 0x24, 0x20, 0x25, 0x26)
_SENSORS = {_ECG_24: b"\x18\x00\x00", _ECG_16: b"\x00\x00\x18"}
_GAINS = (6, 1, 2, 3, 4, 8, 12)
# status bits 0..4 are IN1P, IN1N, IN2P, IN2N, RLD; chip 1: LL-RA, LA-RA; chip 2, second input: V1
_OFF = (("LL", "RA", "LA", "RA", "RL"), ("", "", "V1", "V1", "RL"))
_MASKS = np.array(
    [
        [sum({1 << ELECTRODES.index(x) for k, x in enumerate(names) if x and bits >> k & 1}) for bits in range(32)]
        for names in _OFF
    ],
    np.int64,
)
_INQUIRY = re.compile(rb"\xff\x02(..).{4}([\x01-\x28]).", re.DOTALL)
_REGISTERS = re.compile(rb"\xff\x62\x0a(.{10})", re.DOTALL)
_KNOWN = frozenset(range(0x29))


class Shimmer(FramedDecoder):
    """Shimmer3 with a known layout."""

    def __init__(self, layout: Layout, info: StreamInfo, opening: bytes = b"") -> None:
        super().__init__(info, ShimmerFormat(layout), timed=True, opening=opening, closing=b"\x20")
        self._layout = layout
        offsets = layout.offsets
        fields = [i for i in layout.ids if i in NARROW | WIDE]
        chips = [chip for chip, _ in layout.status]
        self._bytes = np.array([[offsets[i], offsets[i] + 1, offsets[i] + 2 * (i in WIDE)] for i in fields], np.intp)
        self._shifts = np.array([16 if i in NARROW else 8 for i in fields], np.int32)
        self._flags = np.array([at for _, at in layout.status], np.intp)
        marked = [(k, chips.index(chip)) for k, i in enumerate(fields) if (chip := (NARROW | WIDE)[i][0]) in chips]
        self._marked, self._marks = np.array(marked, np.intp).reshape(-1, 2).T
        self._last, self._time, self._latest = NO_STAMP, 0, 0

    def select(self, run: Run) -> Iterator[tuple[Frames, Ints]]:
        """Mark packets that were never stamped: their first byte, otherwise 0, becomes 1."""
        rows = run.rows()
        filled, unstamped = reckon(self._last, ticks(rows), self._layout.period)
        last = int(filled[0]) if self._last == NO_STAMP else self._last
        step = differences(filled, last) % WRAP
        # a step back by a few periods is a packet out of order; any other is a wrap
        step = np.where(step >= WRAP - REORDERED * self._layout.period, step - WRAP, step)
        times = self._time + np.cumsum(step)
        self._last, self._time = int(filled[-1]), int(times[-1])
        times = np.maximum.accumulate(np.concatenate(([self._latest], times)))[1:]
        self._latest = int(times[-1])
        self._seconds = times / TICK_HZ
        if unstamped.any():
            rows = rows.copy()
            rows[unstamped, 0] = 1
        yield rows, run.counters

    def seconds(self, frames: Frames) -> Seconds | None:
        """Device time, which a packet out of order does not turn back."""
        return self._seconds

    def unpack(self, frames: Frames) -> npt.NDArray[np.int32]:
        """Counts of the ECG channels, lead-off bits of each chip, and 1 where both chips had new data."""
        n = len(self._shifts)
        out = np.empty((len(frames), len(self.info.channels)), np.int32)
        parts = frames[:, self._bytes].astype(np.int32)
        # the first two or three bytes of a word, and its sign
        words = (parts[..., 0] << 24) | (parts[..., 1] << 16) | (parts[..., 2] << 8)
        out[:, :n] = words >> self._shifts
        out[:, n:-1] = frames[:, self._flags] & 0x1F
        out[:, -1] = ~self._old(frames).any(axis=1)
        return out

    def stale(self, frames: Frames) -> npt.NDArray[np.bool_]:
        """Where a chip had nothing new (status bit 7 is 0), or the packet was never stamped."""
        out = np.zeros((len(frames), len(self.info.channels)), bool)
        out[:, self._marked] = self._old(frames)[:, self._marks]
        out[frames[:, 0] != 0] = True
        return out

    def electrodes_off(self, frames: Frames) -> npt.NDArray[np.int64]:
        """Lead-off mask from the status bytes."""
        mask = np.zeros(len(frames), np.int64)
        for chip, at in self._layout.status:
            mask |= _MASKS[chip][frames[:, at] & 0x1F]
        return mask

    def _old(self, frames: Frames) -> Mask:
        old: Mask = frames[:, self._flags] & 0x80 == 0
        return old


@dataclass(frozen=True)
class _Wishes:
    """What the user says; the unit's own word on gain, rate and channels goes before it."""

    leads: Sequence[str] | None
    gain: float | None
    fs: Fraction | None
    period: int

    def decoder(self, layout: Layout, gains: dict[int, tuple[float, float]], opening: bytes) -> Shimmer:
        """Make the decoder of a layout; `gains` are those read back, of both inputs of each chip."""
        channels = []
        for i in layout.ids:
            if i not in NARROW | WIDE:
                continue
            chip, lead = (NARROW | WIDE)[i]
            second = lead in ("I", "V1")  # of the chip's two inputs
            gain = gains[chip][second] if chip in gains else self.gain or 4.0
            lsb = 2420 / gain / (2**23 - 1)
            channels.append(Channel(lead, lsb * 128 if i in NARROW else lsb, bits=16 if i in NARROW else 24))
        for chip, _ in layout.status:
            channels.append(Channel(f"lead_off_{chip + 1}", NOT_A_VOLTAGE, bits=5))
        channels.append(Channel("fresh", NOT_A_VOLTAGE, bits=1))
        fs = self.fs if self.fs and layout.period == self.period else Fraction(TICK_HZ, layout.period)
        info = stream_info("shimmer3", fs, channels, self.leads)
        sensed = int(np.bitwise_or.reduce([0, *(_MASKS[chip][-1] for chip, _ in layout.status)]))
        return Shimmer(layout, replace(info, sensed=sensed), opening)


class ShimmerFinder(Finder):
    """Shimmer3 as delivered: reads the unit's answers, and finds out the width and the CRC."""

    def __init__(self, wishes: _Wishes, layouts: Sequence[Layout], opening: bytes) -> None:
        self._wishes, self._inquiry = wishes, b""
        self._opening, self.seen = opening, b""
        info = self._make(layouts[0]).info
        super().__init__("shimmer3", [self._attempt(layout) for layout in layouts], info, opening, b"\x20")

    def learn(self, seen: bytes) -> Sequence[Attempt] | None:
        """Take rate and channels from the inquiry response."""
        for found in _INQUIRY.finditer(seen):
            ids = tuple(seen[found.end() : found.end() + found[2][0]])
            ours = NARROW.keys() & set(ids) or WIDE.keys() & set(ids)
            period = int.from_bytes(found[1], "little")
            if len(ids) < found[2][0] or not _KNOWN.issuperset(ids) or not ours or not period:
                continue
            if found[0] + bytes(ids) == self._inquiry:
                return None
            self._inquiry = found[0] + bytes(ids)
            return [self._attempt(Layout(ids, crc, period)) for crc in (2, 1, 0)]
        return None

    def _attempt(self, layout: Layout) -> Attempt:
        return ShimmerFormat(layout, lock=4), functools.partial(self._make, layout)

    def _make(self, layout: Layout) -> Shimmer:
        gains = {}
        for chip, regs in enumerate(_REGISTERS.findall(self.seen)[:2]):
            codes = [regs[at] >> 4 & 7 for at in (3, 4)]
            if max(codes) < len(_GAINS):
                gains[chip] = (float(_GAINS[codes[0]]), float(_GAINS[codes[1]]))
        return self._wishes.decoder(layout, gains, self._opening)


def shimmer3(
    leads: Sequence[str] | None = None,
    gain: float | None = None,
    fs: Fraction | None = None,
    bits: int | None = None,
    crc: int | None = None,
) -> ShimmerFinder:
    """Decode Shimmer3 ECG: leads II, I, (respiration), V1, lead-off bits of each chip, and whether data are fresh.

    Parameters
    ----------
    leads : sequence of str, optional
        Lead of each channel, in the unit's order.
    gain : float, optional
        Configured gain, 4 by default; the registers go before it where they were read back.
    fs : Fraction, optional
        Rate, 512 Hz by default; the unit itself has ``32768 / n`` Hz. The inquiry response goes before it.
    bits, crc : int, optional
        16 or 24, and 0, 1 or 2 bytes of CRC; found out where not given.

    Notes
    -----
    ``mV = count * 2420 / gain / (2**23 - 1)``, of 24 bits; 16-bit channels hold bits 22 to 7 and
    wrap above half the range. The clock of the converters is not that of the unit: a sample
    marked stale (`SampleBlock.valid`) repeats the one before it.
    """
    period = max(1, min(0xFFFF, round(TICK_HZ / (fs or Fraction(512)))))
    widths = {24: _ECG_24, 16: _ECG_16}
    ids = [widths[bits]] if bits else list(widths.values())
    layouts = [Layout(i, c, period) for i in ids for c in ((2, 1, 0) if crc is None else (crc,))]
    opening = (
        bytes([0x8B, layouts[0].crc, 0x08])
        + _SENSORS[ids[0]]
        + b"\x05"
        + period.to_bytes(2, "little")
        + b"\x01\x63\x00\x00\x0a\x63\x01\x00\x0a\x07"
    )
    return ShimmerFinder(_Wishes(leads, gain, fs, period), layouts, opening)
