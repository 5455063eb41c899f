"""OpenBCI Cyton: ``A0 | counter u8 | 8 x i24 BE | 6 bytes aux | C0 + type``; the board's own UART begins with 41."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from ecg_edge.firmware_bridge.events import Channel
from ecg_edge.firmware_bridge.framing.byte_fields import big_endian_24
from ecg_edge.firmware_bridge.framing.frame_formats import Bytes2D, FixedFormat, Ints, Mask, Run
from ecg_edge.firmware_bridge.framing.framed_decoder import FramedDecoder, stream_info
from ecg_edge.firmware_bridge.framing.sequencer import Frames, Seconds, Unwrap

GAIN = 24.0
_LENGTH = 33
_STARTS = (0xA0, 0x41)
_LAST_TYPE = 0xC6
_TIMED_TYPE = 0xC3


def _good(frames: Bytes2D) -> Mask:
    begins: Mask = (frames[:, 0] == _STARTS[0]) | (frames[:, 0] == _STARTS[1])
    ends: Mask = (frames[:, 32] >= 0xC0) & (frames[:, 32] <= _LAST_TYPE)
    return begins & ends


def _counter(frames: Bytes2D) -> Ints:
    return frames[:, 1].astype(np.int64)


class Cyton(FramedDecoder):
    """Eight channels; packets of types 3 to 6 carry the board's time in ms, which resolves counter wraps."""

    _unwrap: Unwrap | None = None

    def select(self, run: Run) -> Iterator[tuple[Frames, Ints]]:
        """Split where packets with and without time meet."""
        frames = run.rows()
        timed = frames[:, 32] >= _TIMED_TYPE
        edges = (timed[1:] != timed[:-1]).nonzero()[0] + 1
        start = 0
        for stop in [*edges.tolist(), len(frames)]:
            yield frames[start:stop], run.counters[start:stop]
            start = stop

    def seconds(self, frames: Frames) -> Seconds | None:
        """Board time of packets that carry it (big-endian u32 of ms before the stop byte)."""
        if frames[0, 32] < _TIMED_TYPE:
            self._unwrap: Unwrap | None = None
            return None
        self._unwrap = self._unwrap or Unwrap(1 << 32)
        ms = np.ascontiguousarray(frames[:, 28:32]).view(">u4")[:, 0].astype(np.int64)
        return self._unwrap(ms) / 1000.0

    def unpack(self, frames: Frames) -> npt.NDArray[np.int32]:
        """Counts of the eight channels."""
        return big_endian_24(frames, 2, 8)


def cyton(leads: Sequence[str] | None = None, gain: float | None = None, fs: Fraction | None = None) -> FramedDecoder:
    """Decode the Cyton: ``mV = count * 4500 / gain / (2**23 - 1)``, gain 24 by default.

    Three packets in a row must count before the stream is believed. Start and stop byte alone also occur in the payload
    of a constant channel.
    """
    lsb = 4500 / (gain or GAIN) / (2**23 - 1)
    channels = [Channel(label, lsb) for label in ("I", "II", "V1", *(f"ch{k}" for k in range(4, 9)))]
    info = stream_info("cyton", fs or Fraction(250), channels, leads)
    return Cyton(info, FixedFormat(_LENGTH, _good, _counter, 256, lock=3), opening=b"b", closing=b"s")
