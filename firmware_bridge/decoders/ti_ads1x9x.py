"""TI ADS1x9x ECG front-end board (MSP430): ``02 93 | HR | RESP | LOFF | 14 x (i16 BE, i16 BE) | 03 03``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from ecg_edge.firmware_bridge.events import Channel
from ecg_edge.firmware_bridge.framing.byte_fields import big_endian_16
from ecg_edge.firmware_bridge.framing.frame_formats import Bytes2D, FixedFormat, Mask, pattern
from ecg_edge.firmware_bridge.framing.framed_decoder import FramedDecoder, stream_info
from ecg_edge.firmware_bridge.framing.sequencer import Frames
from ecg_edge.firmware_bridge.lead_names import ELECTRODES, electrode_bits, electrodes_of

GAIN = 6.0
_SAMPLES = 14
_LENGTH = 63
_TOGGLE = bytes.fromhex("0293000003030a")
_FRAMED = pattern({0: 0x02, 1: 0x93, 61: 0x03, 62: 0x03})


def _good(frames: Bytes2D) -> Mask:
    return _FRAMED(frames) & (frames[:, 4] < 32)


def _electrodes(leads: Sequence[str]) -> list[str]:
    """The electrode of each bit of the lead-off byte."""
    return [*electrodes_of(leads[0])[:2], *electrodes_of(leads[1])[:2], "RL"]


class TiEvm(FramedDecoder):
    """Two filtered channels, fourteen samples in a frame, lead-off in a byte (RLD, IN2N, IN2P, IN1N, IN1P)."""

    def unpack(self, frames: Frames) -> npt.NDArray[np.int32]:
        """Counts of the two channels."""
        return big_endian_16(frames, 5, 2 * _SAMPLES).astype(np.int16).astype(np.int32).reshape(-1, 2)

    def electrodes_off(self, frames: Frames) -> npt.NDArray[np.int64]:
        """Mask of every sample of a frame: the electrodes of channel 1, channel 2, and RL."""
        names = _electrodes(self.info.leads)
        masks = [1 << ELECTRODES.index(name) for name in names]
        table = np.zeros(32, np.int64)
        for bit, mask in enumerate(masks):
            table[(np.arange(32) >> bit & 1).astype(bool)] |= mask
        return np.repeat(table[frames[:, 4]], _SAMPLES)


def ti_evm(leads: Sequence[str] | None = None, gain: float | None = None, fs: Fraction | None = None) -> FramedDecoder:
    """Decode the board; a count is taken for the upper 16 bits of the converter at gain 6 and 2.42 V.

    The board does not say its rate (500 Hz as delivered) nor its gain: give `fs`
    and `gain` where they were changed. Nothing tells how many frames the link lost.
    """
    lsb = 256 * 2420 / (gain or GAIN) / (2**23 - 1)
    channels = [Channel(label, lsb, bits=16) for label in ("I", "II")]
    info = stream_info("ti-ads1x9x", fs or Fraction(500), channels, leads, samples_per_frame=_SAMPLES)
    info = replace(info, sensed=electrode_bits(_electrodes(info.leads)))
    return TiEvm(info, FixedFormat(_LENGTH, _good, sync=b"\x02\x93"), opening=_TOGGLE, closing=_TOGGLE)
