"""HealthyPi 6 blocks: ``"DBLK" | length | seq u32 | t_ms u64 | channel | flags | n | 0 | payload | CRC-32``."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from ecg_edge.firmware_bridge.errors import UsageError
from ecg_edge.firmware_bridge.events import Channel
from ecg_edge.firmware_bridge.framing.byte_fields import little_endian
from ecg_edge.firmware_bridge.framing.frame_formats import Ints, Run, VariableFormat, split
from ecg_edge.firmware_bridge.framing.framed_decoder import NOT_A_VOLTAGE, FramedDecoder, stream_info
from ecg_edge.firmware_bridge.framing.sequencer import Frames, Seconds
from ecg_edge.firmware_bridge.lead_names import ELECTRODES

SYNC = b"DBLK"
_HEAD = struct.Struct("<4sIIQBBHI")
_FRAMING = _HEAD.size + 4
_ECG, _SAMPLES, _ROW = 1, 16, 20
_ECG_LENGTH = _FRAMING + _SAMPLES * _ROW
_LONGEST = 1 << 16
_ROW_BYTES = {_ECG: _ROW, 2: 12, 4: 16}
_OFF_BITS = tuple(1 << ELECTRODES.index(name) for name in ("RA", "LA", "LL", "V1"))


def _measure(buf: bytes, pos: int) -> int:
    """Length of the block at `pos` whose checksum holds (`VariableFormat.measure`)."""
    if len(buf) - pos < _HEAD.size:
        return -1 if buf.startswith(SYNC[: len(buf) - pos], pos) else 0
    sync, length, _, _, channel, _, n, zero = _HEAD.unpack_from(buf, pos)
    row = _ROW_BYTES.get(channel)
    fits = length == _FRAMING + n * row if row else _FRAMING <= length <= _LONGEST
    if sync != SYNC or zero or not fits:
        return 0
    if len(buf) - pos < length:
        return -1
    end = pos + length - 4
    return length if zlib.crc32(buf[pos:end]) == int.from_bytes(buf[end : end + 4], "little") else 0


def _sequence(block: bytes) -> int:
    return int.from_bytes(block[8:12], "little")


class HealthyPi6(FramedDecoder):
    """Leads I, II, V1 and respiration in microvolts, lead-off per electrode, all in checked blocks.

    The sequence number also counts blocks of other kinds: how many ECG blocks
    are missing follows from the block times.
    """

    def select(self, run: Run) -> Iterator[tuple[Frames, Ints]]:
        """Keep the ECG blocks."""
        blocks = split(run.data, run.lengths)
        ours = [k for k, b in enumerate(blocks) if b[20] == _ECG and len(b) == _ECG_LENGTH]
        if ours:
            data = b"".join(blocks[k] for k in ours)
            yield np.frombuffer(data, np.uint8).reshape(len(ours), _ECG_LENGTH), run.counters[ours]

    def seconds(self, frames: Frames) -> Seconds | None:
        """Time of the first sample of each block."""
        return little_endian(frames, 12, 1, "<u8")[:, 0] / 1000.0

    def _samples(self, frames: Frames) -> Frames:
        return frames[:, 28 : 28 + _SAMPLES * _ROW].reshape(-1, _ROW)

    def unpack(self, frames: Frames) -> npt.NDArray[np.int32]:
        """I, II, V1, respiration in microvolts, and the lead-off bits as sent."""
        rows = self._samples(frames)
        values = little_endian(rows, 0, 4, "<i4")[:, [1, 2, 3, 0]]
        return np.column_stack((values, rows[:, 16])).astype(np.int32)

    def electrodes_off(self, frames: Frames) -> npt.NDArray[np.int64]:
        """Lead-off bits RA, LA, LL, V1 in the order of `ELECTRODES`."""
        bits = self._samples(frames)[:, 16].astype(np.int64)
        mask = np.zeros(len(bits), np.int64)
        for k, electrode in enumerate(_OFF_BITS):
            mask |= np.where(bits >> k & 1, electrode, 0)
        return mask


def healthypi6(
    leads: Sequence[str] | None = None, gain: float | None = None, fs: Fraction | None = None
) -> FramedDecoder:
    """Decode the HealthyPi 6; it sends microvolts, so that there is no gain to give.

    Raises
    ------
    UsageError
        A gain was given.
    """
    if gain is not None:
        raise UsageError("the HealthyPi 6 sends microvolts: there is no gain to set", "leave gain (--gain) out")
    channels = [Channel(label, 0.001, bits=24) for label in ("I", "II", "V1")]
    channels += [Channel("resp", NOT_A_VOLTAGE), Channel("lead_off", NOT_A_VOLTAGE, bits=4)]
    info = stream_info("healthypi6", fs or Fraction(500), channels, leads, samples_per_frame=_SAMPLES)
    fmt = VariableFormat(_ECG_LENGTH, SYNC, _measure, _sequence, 1 << 32, lock=1)
    return HealthyPi6(replace(info, sensed=sum(_OFF_BITS)), fmt, shared=True, timed=True)
