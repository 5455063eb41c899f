"""The rhythm strip of a tile: of a bed's frames the one lead that is measured.

A message to the overview holds the strips of all beds, little-endian. It begins with u8 magic 0xE2, u8 version 1 and
u16 number of beds. Then follows for each bed

====== ===== ==================================================================
offset type  meaning
====== ===== ==================================================================
0      u16   number of the bed, as its tile has it
2      u16   index of the lead in ``lead_names.LEADS``
4      u32   index of the first sample on the model-rate axis, modulo 2**32
8      u16   n, number of samples
10     u16   rate in Hz
12     i16   n values in microvolts; -32768 where nothing valid was measured
====== ===== ==================================================================

``web/ward.js`` reads the same layout.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

import numpy as np

from ecg_edge.device.monitor.frames import MAGIC
from ecg_edge.firmware_bridge.lead_names import LEADS

STRIP_MAGIC = 0xE2
BLANK = -32768
_FRAME = struct.Struct("<BBHIdI")
_BATCH = struct.Struct("<BBH")
_STRIP = struct.Struct("<HHIHH")
_ORDER = ("II", "I", "III", *(x for x in LEADS if x not in ("I", "II", "III")))
_NUMBERS = tuple(LEADS.index(x) for x in _ORDER)
_MEASURED = 0


class Strip(NamedTuple):
    """Samples of one lead.

    Attributes
    ----------
    lead : int
        Index in ``LEADS``.
    first, n : int
        Index of the first sample, and their number.
    data : bytes
        int16, little-endian, in microvolts.
    """

    lead: int
    first: int
    n: int
    data: bytes


def strip_of(frame: bytes) -> Strip | None:
    """Take the measured lead out of a frame that `encode_frames` made; None where it holds no rows.

    II is preferred, then I; where no lead is measured all samples are blank.
    """
    magic, _, n, _, index, code = _FRAME.unpack_from(frame)
    if magic != MAGIC or not n:
        return None
    lead = next((k for k in _NUMBERS if code >> 2 * k & 3 == _MEASURED), None)
    if lead is None:
        return Strip(_NUMBERS[0], int(index), n, np.full(n, BLANK, "<i2").tobytes())
    flags = np.frombuffer(frame, "<u2", n, _FRAME.size)
    uv = np.frombuffer(frame, "<i2", n * len(LEADS), _FRAME.size + 2 * n)[lead :: len(LEADS)]
    return Strip(lead, int(index), n, np.where(flags >> lead & 1, uv, np.int16(BLANK)).astype("<i2").tobytes())


def encode_strips(beds: list[tuple[int, int, list[Strip]]]) -> bytes:
    """Join what waits of each bed, given as its number, rate and strips, in one message."""
    parts = [b""]
    for number, fs, strips in beds:
        for s in strips:
            parts += [_STRIP.pack(number, s.lead, s.first & 0xFFFFFFFF, s.n, fs), s.data]
    parts[0] = _BATCH.pack(STRIP_MAGIC, 1, (len(parts) - 1) // 2)
    return b"".join(parts)


def decode_strips(message: bytes) -> list[tuple[int, int, int, list[int]]]:
    """Return number of the bed, lead, index and samples of each strip of a message."""
    _, _, count = _BATCH.unpack_from(message)
    at, found = _BATCH.size, []
    for _ in range(count):
        bed, lead, index, n, _ = _STRIP.unpack_from(message, at)
        at += _STRIP.size + 2 * n
        found.append((bed, lead, index, np.frombuffer(message, "<i2", n, at - 2 * n).tolist()))
    return found
