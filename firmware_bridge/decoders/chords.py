"""Upside Down Labs Chords firmware with BioAmp front ends: ``C7 7C | counter u8 | N x u16 BE | 01``."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from ecg_edge.firmware_bridge.events import Channel
from ecg_edge.firmware_bridge.framing.byte_fields import big_endian_16
from ecg_edge.firmware_bridge.framing.frame_formats import Bytes2D, FixedFormat, Ints, Mask, every, pattern
from ecg_edge.firmware_bridge.framing.framed_decoder import FramedDecoder, stream_info
from ecg_edge.firmware_bridge.framing.sequencer import Frames

GAIN = 1000.0
"""V/V assumed for the front end: the frame does not say it."""


class Chords(FramedDecoder):
    """Analog inputs A0, A1, … of the board, one lead each."""

    def unpack(self, frames: Frames) -> npt.NDArray[np.int32]:
        """Counts of all inputs."""
        return big_endian_16(frames, 3, len(self.info.channels))


def chords(
    leads: Sequence[str] | None = None,
    gain: float | None = None,
    fs: Fraction | None = None,
    *,
    name: str = "chords",
    inputs: int = 6,
    bits: int = 10,
    vref_mv: float = 5000.0,
    rate: int = 250,
) -> FramedDecoder:
    """Decode a Chords board: ``mV = (count / 2**bits - 1/2) * vref / gain``.

    Parameters
    ----------
    leads, gain, fs
        See `devices.Device.decoder`; `gain` is the front end's (`GAIN` unless told).
    name : str
        The board.
    inputs, bits : int
        Channels in a frame and resolution of the converter.
    vref_mv : float
        Reference of the converter in mV; the front end rests at half of it.
    rate : int
        Samples per second.
    """
    lsb = vref_mv / 2**bits / (gain or GAIN)
    labels = ("I", "II", *(f"ch{k}" for k in range(3, inputs + 1)))[:inputs]
    channels = [Channel(label, lsb, 2 ** (bits - 1), bits) for label in labels]
    length = 2 * inputs + 4
    framed = pattern({0: 0xC7, 1: 0x7C, length - 1: 0x01})
    highest = (1 << (bits - 8)) - 1

    def good(frames: Bytes2D) -> Mask:
        return framed(frames) & every(frames[:, 3 : length - 1 : 2] <= highest)

    def counter(frames: Bytes2D) -> Ints:
        return frames[:, 2].astype(np.int64)

    fmt = FixedFormat(length, good, counter, 256, lock=2 if bits <= 14 else 3, sync=b"\xc7\x7c")
    info = stream_info(name, fs or Fraction(rate), channels, leads)
    return Chords(info, fmt, opening=b"START\n", closing=b"STOP\n")
