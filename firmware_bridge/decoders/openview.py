"""ProtoCentral's OpenView frames: ``0A FA | length u16 | type | payload | 00 0B``, without counter or checksum.

A frame is accepted only if length, type, footer and every constant byte are what the device sends. What the wire loses
between two frames cannot be seen (`Tally.loss_known` is False).
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from ecg_edge.firmware_bridge.events import Channel
from ecg_edge.firmware_bridge.framing.byte_fields import little_endian
from ecg_edge.firmware_bridge.framing.frame_formats import Bytes2D, FixedFormat, Mask, pattern
from ecg_edge.firmware_bridge.framing.framed_decoder import NOT_A_VOLTAGE, FramedDecoder, stream_info
from ecg_edge.firmware_bridge.framing.sequencer import Frames

SYNC = b"\x0a\xfa"


def envelope(payload: int, kind: int) -> dict[int, int]:
    """Constant bytes of a frame with `payload` bytes of type `kind`."""
    return {0: 0x0A, 1: 0xFA, 2: payload & 255, 3: payload >> 8, 4: kind, payload + 5: 0x00, payload + 6: 0x0B}


def sign_extended(frames: Bytes2D, top: int) -> Mask:
    """Whether byte `top` is the sign extension of the byte below it."""
    extended: Mask = frames[:, top] == np.where(frames[:, top - 1] >= 0x80, 0xFF, 0x00)
    return extended


class Ads1292r(FramedDecoder):
    """ADS1292R shield: ECG (already filtered by the sketch), respiration, two rates."""

    def unpack(self, frames: Frames) -> npt.NDArray[np.int32]:
        """Counts of ECG, respiration (low 16 of 24 bits: it wraps), respiration rate, heart rate."""
        signed = little_endian(frames, 5, 2, "<i2")
        return np.hstack((signed, little_endian(frames, 9, 2, "<u2"))).astype(np.int32)


def ads1292r_lsb(gain: float | None) -> float:
    """MV per count of the ADS1292R sketches: 24 bits ``>> 8``, then ``>> 2``; 2.42 V reference, gain 12."""
    return 4 * 256 * 2420 / (gain or 12) / (2**23 - 1)


def ads1292r(
    leads: Sequence[str] | None = None, gain: float | None = None, fs: Fraction | None = None
) -> FramedDecoder:
    """Decode the ADS1292R shield; `gain` is the converter's for the ECG channel (12).

    Notes
    -----
    The sketch takes the 24-bit value ``>> 8``, removes the mean (y = x - x1 + 0.992 y1), and takes ``>> 2``. Then it
    low-passes with 161 taps at 40 Hz. The result is 80 samples late, with a high-pass of 0.16 Hz. A lifted electrode is
    sent as 0 and looks like a flat line.
    """
    ecg = Channel("II", ads1292r_lsb(gain), bits=16, highpass_hz=0.16, lowpass_hz=40, group_delay_s=80 / 125)
    rest = [Channel(label, NOT_A_VOLTAGE, bits=16) for label in ("resp", "resp_rate", "heart_rate")]
    good = pattern(envelope(9, 2) | {13: 0})
    info = stream_info("ads1292r", fs or Fraction(125), [ecg, *rest], leads)
    return Ads1292r(info, FixedFormat(16, good, sync=SYNC))


class Ads1293(FramedDecoder):
    """ADS1293 breakout: three leads as offset-binary 24-bit codes."""

    def unpack(self, frames: Frames) -> npt.NDArray[np.int32]:
        """Codes of the three channels: they have no sign, though the sketch extends one."""
        return (little_endian(frames, 5, 3, "<i4") & 0xFFFFFF).astype(np.int32)


def ads1293(leads: Sequence[str] | None = None, gain: float | None = None, fs: Fraction | None = None) -> FramedDecoder:
    """Decode the ADS1293 breakout: ``mV = (code / 0x800000 - 0.5) * 4800 / gain``, gain 3.5 (fixed in the chip)."""
    lsb = 4800 / (gain or 3.5) / 0x800000
    channels = [Channel(lead, lsb, offset=0x400000, bits=23) for lead in ("I", "II", "V1")]
    framed = pattern(envelope(12, 2))

    def good(frames: Bytes2D) -> Mask:
        return framed(frames) & sign_extended(frames, 8) & sign_extended(frames, 12) & sign_extended(frames, 16)

    info = stream_info("ads1293", fs or Fraction(100), channels, leads)
    return Ads1293(info, FixedFormat(19, good, sync=SYNC))


class Max30003(FramedDecoder):
    """MAX30003 breakout: 18 bits of ECG, R-R interval and heart rate."""

    def unpack(self, frames: Frames) -> npt.NDArray[np.int32]:
        """Counts of the converter, put together from the word sent; R-R interval in ms, heart rate."""
        words = little_endian(frames, 5, 1, "<i4")
        rates = little_endian(frames, 9, 4, "<u2")[:, ::2]
        return np.hstack((((words >> 16) << 2) | (words & 3), rates)).astype(np.int32)


def max30003(
    leads: Sequence[str] | None = None, gain: float | None = None, fs: Fraction | None = None
) -> FramedDecoder:
    """Decode the MAX30003 breakout: 18 bits, 1000 mV reference, gain 20.

    Notes
    -----
    The sketch sends the 18 bits shifted left by 14, but for the two lowest, which it leaves at
    the bottom of the word. Counts are the 18 bits again.
    """
    lsb = 1000 / (131072 * (gain or 20))
    channels = [
        Channel("I", lsb, bits=18, highpass_hz=0.5, lowpass_hz=40),
        Channel("RR_ms", NOT_A_VOLTAGE, bits=16),
        Channel("heart_rate", NOT_A_VOLTAGE, bits=16),
    ]
    framed = pattern(envelope(12, 2) | {6: 0, 11: 0, 12: 0, 15: 0, 16: 0})

    def good(frames: Bytes2D) -> Mask:
        return framed(frames) & (frames[:, 5] <= 3)

    info = stream_info("max30003", fs or Fraction(128), channels, leads)
    return Max30003(info, FixedFormat(19, good, sync=SYNC))
