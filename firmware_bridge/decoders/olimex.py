"""Olimex SHIELD-EKG-EMG: ``A5 5A 02 | counter u8 | 6 x u16 BE (10 bit) | switches``."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from ecg_edge.firmware_bridge.events import Channel
from ecg_edge.firmware_bridge.framing.byte_fields import big_endian_16
from ecg_edge.firmware_bridge.framing.frame_formats import Bytes2D, FixedFormat, Ints, Mask, Run, every, pattern
from ecg_edge.firmware_bridge.framing.framed_decoder import FramedDecoder, stream_info
from ecg_edge.firmware_bridge.framing.sequencer import Frames

GAIN = 2848.0
"""10 x 80 x 3.56 with the trimmer as delivered; calibrate where amplitude matters."""
_DATA, _REBOOTED = 1, 2
_FRAMED = pattern({0: 0xA5, 1: 0x5A, 2: 0x02})


_BOOT = pattern({3: 0, 16: _REBOOTED} | {k: 0x02 if k % 2 == 0 else 0x00 for k in range(4, 16)})


def _good(frames: Bytes2D) -> Mask:
    known: Mask = (frames[:, 16] == _DATA) | _BOOT(frames)
    return _FRAMED(frames) & every(frames[:, 4:16:2] <= 3) & known


def _counter(frames: Bytes2D) -> Ints:
    return np.where(frames[:, 16] == _REBOOTED, -1, frames[:, 3].astype(np.int64))


class Olimex(FramedDecoder):
    """Up to six stacked shields, one lead each.

    The logston sketch reports a boot by 125 mid-scale frames of count 0. They carry no samples, and what was lost
    before them is unknown.
    """

    def select(self, run: Run) -> Iterator[tuple[Frames, Ints]]:
        """Leave out the frames that only say that the board has rebooted."""
        frames, booted = run.rows(), run.counters < 0
        edges = [0, *((booted[1:] != booted[:-1]).nonzero()[0] + 1).tolist(), len(booted)]
        for start, stop in itertools.pairwise(edges):
            if booted[start]:
                self.restarted()
            else:
                yield frames[start:stop], run.counters[start:stop]

    def unpack(self, frames: Frames) -> npt.NDArray[np.int32]:
        """Counts of the six inputs."""
        return big_endian_16(frames, 4, 6)


def olimex(
    leads: Sequence[str] | None = None,
    gain: float | None = None,
    fs: Fraction | None = None,
    *,
    name: str = "olimex",
    rate: int = 250,
) -> FramedDecoder:
    """Decode the shield: ``mV = (count - 512) * 5000 / 1024 / gain``.

    The official demo runs at 250 Hz (its text says 256; its timer is set to 4 ms),
    the logston sketch at 125 Hz.
    """
    lsb = 5000 / 1024 / (gain or GAIN)
    channels = [Channel(label, lsb, 512, 10) for label in ("I", "II", "ch3", "ch4", "ch5", "ch6")]
    info = stream_info(name, fs or Fraction(rate), channels, leads)
    return Olimex(info, FixedFormat(17, _good, _counter, 256, sync=b"\xa5\x5a\x02"))
