"""Backyard Brains SpikerBox: two bytes per sample and channel, only a frame's first with bit 7; no counter.

Messages lie in the stream between ``FF FF 01 01 80 FF`` and ``FF FF 01 01 81 FF``. Two FF in a row are
impossible in data.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from ecg_edge.firmware_bridge.errors import UsageError
from ecg_edge.firmware_bridge.events import Channel, Event, StreamInfo
from ecg_edge.firmware_bridge.framing.chain_scanner import ChainFormat, Mask
from ecg_edge.firmware_bridge.framing.frame_formats import Bytes2D
from ecg_edge.firmware_bridge.framing.framed_decoder import FramedDecoder, stream_info
from ecg_edge.firmware_bridge.framing.sequencer import Frames

_BEGIN, _END = b"\xff\xff\x01\x01\x80\xff", b"\xff\xff\x01\x01\x81\xff"
_LONGEST = 256
"""Bytes of a message, at most; what claims to be longer is none."""
_KEPT = 16
_TIMER_HZ = 16_000_000 // 8
_TIMER_TOP = 199


class SpikerBoxFormat(ChainFormat):
    """Frames of `channels` samples of `bits` bits."""

    def __init__(self, channels: int, bits: int) -> None:
        # the start bit is a sync mark already: no frame is in doubt
        super().__init__(2 * channels, lock=4, relock=4, aligned=4, confirm=False)
        self._high = 0x80 | (1 << bits - 7) - 1

    def good(self, frames: Bytes2D) -> Mask:
        """Bit 7 in the first byte alone, and no sample beyond the converter's range."""
        ok: Mask = (frames[:, 0] >= 0x80) & (frames[:, 0] <= self._high)
        for place in range(1, self.size):
            ok &= frames[:, place] <= (0x7F if place % 2 else self._high & 0x7F)
        return ok


class Messages:
    """Takes the messages out of the stream.

    Attributes
    ----------
    texts : deque of str
        The latest messages, ``TYPE:value;`` each.
    """

    def __init__(self) -> None:
        self.texts: deque[str] = deque(maxlen=_KEPT)
        self._rest = b""

    @property
    def buffered(self) -> int:
        """Bytes kept for later."""
        return len(self._rest)

    def strip(self, data: bytes) -> bytes:
        """Return the bytes that belong to no message; the start of one is kept until its end has come."""
        data = self._rest + data
        out: list[bytes] = []
        pos = 0
        while (at := data.find(_BEGIN, pos)) >= 0:
            end = data.find(_END, at, at + _LONGEST)
            if end < 0 and len(data) < at + _LONGEST:
                self._rest = data[at:]
                return b"".join((*out, data[pos:at]))
            stop = at + 1 if end < 0 else at
            out.append(data[pos:stop])
            if end >= 0:
                self.texts.append(data[at + len(_BEGIN) : end].decode("ascii", "replace"))
                stop = end + len(_END)
            pos = stop
        keep = next((k for k in range(len(_BEGIN) - 1, 0, -1) if data.endswith(_BEGIN[:k], pos)), 0)
        self._rest = data[len(data) - keep :]
        return b"".join((*out, data[pos : len(data) - keep]))

    def close(self) -> bytes:
        """Return what was kept: it is no message."""
        rest, self._rest = self._rest, b""
        return rest


class SpikerBox(FramedDecoder):
    """SpikerBox with a known number of channels; `texts` are the messages it sent last."""

    def __init__(self, channels: int, bits: int, info: StreamInfo) -> None:
        # asks for the box's name, and for the channels where more than one are wanted
        start = b"b:;\n" if channels == 1 else b"b:;\nc:%d;\n" % channels
        super().__init__(info, SpikerBoxFormat(channels, bits), opening=start)
        self._messages = Messages()
        self.texts = self._messages.texts

    @property
    def buffered(self) -> int:
        """Bytes kept for later: bounded, whatever is fed."""
        return super().buffered + self._messages.buffered

    def feed(self, data: bytes, arrival: float = 0.0) -> list[Event]:
        """See `FramedDecoder.feed`."""
        return super().feed(self._messages.strip(data), arrival)

    def close(self) -> list[Event]:
        """See `FramedDecoder.close`."""
        return super().feed(self._messages.close(), self._arrival) + super().close()

    def unpack(self, frames: Frames) -> npt.NDArray[np.int32]:
        """Counts of the channels."""
        low_bits = frames & 0x7F
        return (low_bits[:, ::2].astype(np.int32) << 7) | low_bits[:, 1::2]


def spikerbox(
    leads: Sequence[str] | None = None,
    gain: float | None = None,
    fs: Fraction | None = None,
    channels: int = 1,
    bits: int = 10,
    name: str = "spikerbox",
) -> SpikerBox:
    """Decode a SpikerBox.

    Parameters
    ----------
    leads : sequence of str, optional
        Lead of each channel.
    gain : float, optional
        Gain of the amplifier: ``mV = (count * 5000 / 2**bits - 2500) / gain``, 880 by default.
    fs : Fraction, optional
        ``2000000 / 199 / channels`` Hz by default (the timer of the Uno: 10050.25 Hz, not 10000).
    channels, bits : int
        What the box sends; 14 bits on newer boxes, which leaves no range check.
    name : str
        Device name to announce.

    Raises
    ------
    UsageError
        No channel, more leads than channels, or bits outside 8 to 14.
    """
    if channels < 1 or not 8 <= bits <= 14:
        raise UsageError(f"no SpikerBox sends {channels} channel(s) of {bits} bits", "1 to 6 channels, 10 or 14 bits")
    lsb = 5000 / 2**bits / (gain or 880)
    labels = ["I", *(f"ch{k + 1}" for k in range(1, channels))]
    inputs = [Channel(label, lsb, 2 ** (bits - 1), bits) for label in labels]
    rate = fs or Fraction(_TIMER_HZ, _TIMER_TOP * channels)
    return SpikerBox(channels, bits, stream_info(name, rate, inputs, leads))
