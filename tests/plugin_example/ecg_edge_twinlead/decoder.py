"""Twinlead: ``B5 1E | counter u8 | 2 x i16 LE | sum u8``."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from ecg_edge.firmware_bridge.events import Channel
from ecg_edge.firmware_bridge.framing.byte_fields import little_endian
from ecg_edge.firmware_bridge.framing.frame_formats import Bytes2D, FixedFormat, Ints, Mask, pattern
from ecg_edge.firmware_bridge.framing.framed_decoder import FramedDecoder, stream_info
from ecg_edge.firmware_bridge.framing.sequencer import Frames

LSB_MV = 2400 / 2**15
_FRAMED = pattern({0: 0xB5, 1: 0x1E})


def _good(frames: Bytes2D) -> Mask:
    right: Mask = frames[:, :-1].sum(axis=1) & 0xFF == frames[:, -1]
    return _FRAMED(frames) & right


def _counter(frames: Bytes2D) -> Ints:
    return frames[:, 2].astype(np.int64)


class Twinlead(FramedDecoder):
    """Two leads, one sample in a frame."""

    def unpack(self, frames: Frames) -> npt.NDArray[np.int32]:
        """Counts of both leads."""
        return little_endian(frames, 3, 2, "<i2").astype(np.int32)


def twinlead(
    leads: Sequence[str] | None = None, gain: float | None = None, fs: Fraction | None = None
) -> FramedDecoder:
    """Decode the board: ``mV = count * 2400 / 2**15 / gain``, gain 6."""
    lsb = LSB_MV / (gain or 6)
    info = stream_info(
        "twinlead", fs or Fraction(250), [Channel("I", lsb, bits=16), Channel("II", lsb, bits=16)], leads
    )
    return Twinlead(info, FixedFormat(8, _good, _counter, modulus=256, sync=b"\xb5\x1e"))
