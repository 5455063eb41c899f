"""BITalino: frames of 3 to 8 bytes that end in a 4-bit counter and a CRC-4; no byte marks where one begins.

Of sixteen lengths of loss one shows as none. Arrival times reveal whole wraps of the counter; without them the loss is
not known.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from ecg_edge.firmware_bridge.decoder import Decoder
from ecg_edge.firmware_bridge.events import Channel, Event, StreamInfo
from ecg_edge.firmware_bridge.framing.chain_scanner import ChainFormat, Mask
from ecg_edge.firmware_bridge.framing.frame_formats import Bytes2D, Ints
from ecg_edge.firmware_bridge.framing.framed_decoder import FramedDecoder, stream_info
from ecg_edge.firmware_bridge.framing.layout_finder import Finder
from ecg_edge.firmware_bridge.framing.linear_crc import LinearCrc
from ecg_edge.firmware_bridge.framing.sequencer import Frames

_SIZES = (3, 4, 6, 7, 8, 8)
_POLYNOMIAL = 0x13
# channel: bytes from the frame's last one backwards (low, high), shift of the 16-bit word, mask
_FIELDS = ((2, 1, 2, 0x3FF), (3, 2, 0, 0x3FF), (5, 4, 6, 0x3FF), (6, 5, 4, 0x3FF), (7, 6, 6, 0x3F), (7, 7, 0, 0x3F))
# bits of the first byte that belong to a channel which is not sent
_UNUSED = (0x03, 0x00, 0x3F, 0x0F, 0x3F, 0x00)
_SCALES = np.array((1, 1, 1, 1, 16, 16))
_RATES = {1: 0x03, 10: 0x43, 100: 0x83, 1000: 0xC3}


def _crc4_step(crc: int, value: int) -> int:
    """Remainder modulo x^4 + x + 1 after one byte more (a frame with its CRC leaves 0)."""
    for bit in range(7, -1, -1):
        crc = crc << 1 | value >> bit & 1
        crc ^= _POLYNOMIAL if crc & 0x10 else 0
    return crc


@functools.cache
def _crc4(size: int) -> LinearCrc:
    return LinearCrc(size, _crc4_step)


def crc4(frames: Bytes2D) -> npt.NDArray[np.uint16]:
    """CRC-4 of frames, ``(n, size)`` bytes, together with the CRC they carry: 0 where it is right."""
    return _crc4(frames.shape[1])(frames)


class BitalinoFormat(ChainFormat):
    """Frames of `channels` analog inputs."""

    def __init__(self, channels: int, lock: int = 4) -> None:
        super().__init__(_SIZES[channels - 1], modulus=16, lock=lock, relock=4, aligned=2)
        self._channels = channels
        self._unused = _UNUSED[channels - 1]

    def good(self, frames: Bytes2D) -> Mask:
        """CRC (the remainder of the whole frame is 0), and zeros where no channel is."""
        ok: Mask = (crc4(frames) == 0) & (frames[:, 0] & self._unused == 0)
        return ok

    def stamps(self, frames: Bytes2D) -> Ints:
        """Sequence number."""
        return (frames[:, -1] >> 4).astype(np.int64)

    def pairs(self, first: Ints, second: Ints) -> Mask:
        """Whether the number has gone up by one."""
        ok: Mask = (second - first) % 16 == 1
        return ok

    def agrees(self, before: int, stamp: int, step: int) -> bool:
        """Whether the number has gone up by `step`."""
        return (stamp - before - step) % 16 == 0

    def unlike(self, first: bytes, second: bytes) -> int:
        """Changed digital lines, weighed as full scale, and steps of the signals (in 1/1024 of the range)."""
        if not first or not second:
            return 0
        frames = np.frombuffer(first + second, np.uint8).reshape(2, -1)
        steps = np.abs(np.diff(analog(frames, self._channels), axis=0)[0]) * _SCALES[: self._channels]
        lines = int(frames[0, -2] ^ frames[1, -2]) >> 4
        return int(steps.sum()) + 1024 * bin(lines).count("1")


def analog(frames: Frames, channels: int) -> npt.NDArray[np.int32]:
    """Counts of A1 to A6: four of 10 bits, two of 6."""
    wide = frames.astype(np.int32)
    fields = [
        (wide[:, -1 - low] | wide[:, -1 - high] << 8) >> shift & mask for low, high, shift, mask in _FIELDS[:channels]
    ]
    return np.column_stack(fields).astype(np.int32)


class Bitalino(FramedDecoder):
    """BITalino with a known number of channels."""

    def __init__(self, channels: int, info: StreamInfo, opening: bytes) -> None:
        super().__init__(info, BitalinoFormat(channels), opening=opening, closing=b"\x00")
        self._channels = channels
        self._fed = False
        self.tally.loss_known = False

    def feed(self, data: bytes, arrival: float = 0.0) -> list[Event]:
        """See `FramedDecoder.feed`; with arrival times the loss is known."""
        if not self._fed:
            self._fed, self.tally.loss_known = True, arrival > 0
        return super().feed(data, arrival)

    def unpack(self, frames: Frames) -> npt.NDArray[np.int32]:
        """See `analog`."""
        return analog(frames, self._channels)


def bitalino(
    leads: Sequence[str] | None = None,
    gain: float | None = None,
    fs: Fraction | None = None,
    channels: int | None = None,
) -> Decoder:
    """Decode BITalino (r)evolution.

    Parameters
    ----------
    leads : sequence of str, optional
        Lead of each channel, A1 first.
    gain : float, optional
        Gain of the ECG sensor: ``mV = (count / 1024 - 0.5) * 3300 / gain``, 1100 by default.
    fs : Fraction, optional
        Rate, 1000 Hz by default; the unit is asked for the nearest of 1, 10, 100 and 1000 Hz.
    channels : int, optional
        Analog channels that are sent; found out where not given. Five and six make the same
        frames but for zeros: a stream of five is then taken for six, the last of which is 0.

    Raises
    ------
    UsageError
        More leads than channels are named.
    """
    rate = fs or Fraction(1000)
    # A1 to An; a board on which other inputs are wanted is started by its own software
    wanted = channels or min(6, max(2, len(leads or ())))
    start = 0x01 | ((1 << wanted) - 1) << 2
    opening = bytes([_RATES[min(_RATES, key=lambda known: abs(known - rate))], start])

    name = f"bitalino-{channels}" if channels else "bitalino"

    def make(n: int) -> Bitalino:
        """Return the decoder of frames with `n` inputs."""
        lsb = 3300 / (gain or 1100)
        full = [1024] * 4 + [64] * 2
        labels = ("I", "II", "A3", "A4", "A5", "A6")
        inputs = [
            Channel(label, lsb / scale, scale / 2, bits=scale.bit_length() - 1)
            for label, scale in zip(labels, full, strict=True)
        ]
        return Bitalino(n, stream_info(name, rate, inputs[:n], leads), opening)

    if channels:
        return make(channels)
    attempts = [(BitalinoFormat(n, lock=8), functools.partial(make, n)) for n in (1, 2, 3, 4, 6)]
    return Finder(name, attempts, make(wanted).info, opening, b"\x00")
