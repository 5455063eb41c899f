"""What travels between the monitor and its page.

Text messages are JSON objects with a ``type``:

``header``
    First message of every connection: leads, rates, model, latency terms, interval level.
``status``
    The fields of `sink.Status`, once a second.
``note``
    The fields of `sink.Note` and ``at``, the wall-clock time it was taken (ISO 8601, UTC).
``end``
    The run is over; the server goes away next.

Binary messages are frames of consecutive samples, little-endian:

====== ===== ==================================================================
offset type  meaning
====== ===== ==================================================================
0      u8    magic 0xE1
1      u8    version of this layout, 1
2      u16   n, number of rows
4      u32   sequence number of the frame, modulo 2**32: a jump tells the page that
             it was too slow and frames were dropped on the way to it
8      f64   index of the first row on the model-rate sample axis
16     u32   provenance, two bits per lead of ``samples.LEADS`` from the lowest:
             0 measured, 1 derived, 2 reconstructed; bits 24 to 27: c, the number of
             measured channels that are none of the twelve leads
20     u16   flags, n of them: bits 0 to 11 the lead is valid, bit 12 warm-up
...    i16   n x 12 values in microvolts, row by row; clipped to +-32.767 mV
...    u16   n x r half-widths of the stated interval in microvolts, row by row;
             r counts the reconstructed leads, in the order of ``samples.LEADS``
...    i16   n x c values of those channels in microvolts, row by row, in the order of
             the header's ``channels``; -32768 where there is none to show
====== ===== ==================================================================

``web/wire.js`` reads the same layout.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ecg_edge.device.lead_algebra import Provenance
from ecg_edge.device.lead_block import LeadBlock
from ecg_edge.device.sinks.messages import VERSION
from ecg_edge.firmware_bridge.errors import NotAnEcgStreamError
from ecg_edge.firmware_bridge.lead_names import LEADS

MAGIC = 0xE1
WARMUP_BIT = len(LEADS)

_HEAD = struct.Struct("<BBHIdI")
_ORDER = (Provenance.MEASURED, Provenance.DERIVED, Provenance.RECONSTRUCTED)
_CHANNELS_AT, _MOST_CHANNELS = 24, 15
_NO_VALUE = -32768
_BIT = (1 << np.arange(len(LEADS))).astype(np.uint16)


@dataclass(frozen=True)
class Frame:
    """A binary frame, decoded.

    Attributes
    ----------
    sequence, index : int
        Number of the frame; index of its first row.
    provenance : tuple of Provenance
        One per lead.
    uv : ndarray of int16, shape (n, 12)
        In microvolts.
    valid : ndarray of bool, shape (n, 12)
    warmup : ndarray of bool, shape (n,)
    sigma_uv : ndarray of uint16, shape (n, 12)
        Half-width of the stated interval in microvolts; zero unless reconstructed.
    channel_uv : ndarray of int16, shape (n, n_channels)
        Of measured channels that are none of the twelve, in microvolts; -32768 where invalid.
    """

    sequence: int
    index: int
    provenance: tuple[Provenance, ...]
    uv: npt.NDArray[np.int16]
    valid: npt.NDArray[np.bool_]
    warmup: npt.NDArray[np.bool_]
    sigma_uv: npt.NDArray[np.uint16]
    channel_uv: npt.NDArray[np.int16]


def encode_frames(block: LeadBlock, sequence: int, max_rows: int = 4096) -> list[bytes]:
    """Encode a block; more than one frame only where it has more than `max_rows` rows.

    Values that are not finite are sent as invalid zeros.
    """
    starts = range(0, len(block), max_rows)
    return [_encode(block, slice(a, a + max_rows), sequence + k) for k, a in enumerate(starts)]


def _encode(block: LeadBlock, rows: slice, sequence: int) -> bytes:
    mv = block.mv[rows]
    finite = np.isfinite(mv)
    uv = np.clip(np.rint(np.where(finite, mv, 0.0) * 1000.0), -32767, 32767).astype("<i2")
    flags = ((block.valid[rows] & finite) * _BIT).sum(axis=1, dtype=np.uint16)
    flags |= block.warmup[rows].astype(np.uint16) << np.uint16(WARMUP_BIT)
    guessed = [p is Provenance.RECONSTRUCTED for p in block.provenance]
    sigma = np.nan_to_num(block.sigma[rows][:, guessed], nan=65.535, posinf=65.535)
    width = np.clip(np.rint(sigma * 1000.0), 0, 65535).astype("<u2")
    code = sum(_ORDER.index(p) << 2 * k for k, p in enumerate(block.provenance))
    code |= len(block.channels[:_MOST_CHANNELS]) << _CHANNELS_AT
    head = _HEAD.pack(MAGIC, VERSION, len(mv), sequence & 0xFFFFFFFF, block.index + (rows.start or 0), code)
    return b"".join((head, flags.astype("<u2").tobytes(), uv.tobytes(), width.tobytes(), _channels(block, rows)))


def _channels(block: LeadBlock, rows: slice) -> bytes:
    if block.channel_mv is None or block.channel_valid is None:
        return b""
    mv, valid = block.channel_mv[rows, :_MOST_CHANNELS], block.channel_valid[rows, :_MOST_CHANNELS]
    good = valid & np.isfinite(mv)
    uv = np.clip(np.rint(np.where(good, mv, 0.0) * 1000.0), -32767, 32767)
    return np.where(good, uv, _NO_VALUE).astype("<i2").tobytes()


def frame_rows(data: bytes) -> int:
    """Count the rows of a frame that `encode_frames` made."""
    return int(_HEAD.unpack_from(data)[2])


def decode_frame(data: bytes) -> Frame:
    """Decode one binary message.

    Raises
    ------
    NotAnEcgStreamError
        Another magic or version, an unknown provenance, or a length that does not fit the header.
    """
    if len(data) < _HEAD.size:
        raise NotAnEcgStreamError(f"monitor frame of {len(data)} bytes", "connect to an ecg-edge monitor")
    magic, version, n, sequence, index, code = _HEAD.unpack_from(data)
    kinds = [code >> 2 * k & 3 for k in range(len(LEADS))]
    guessed = np.array(kinds) == 2
    n_guessed, n_channels = int(guessed.sum()), code >> _CHANNELS_AT & _MOST_CHANNELS
    size = _HEAD.size + 2 * n * (1 + len(LEADS) + n_guessed + n_channels)
    if (magic, version) != (MAGIC, VERSION) or 3 in kinds or len(data) != size or not math.isfinite(index):
        raise NotAnEcgStreamError("not a monitor frame of this version", "use the same ecg-edge on both ends")
    flags = np.frombuffer(data, "<u2", n, _HEAD.size)
    uv = np.frombuffer(data, "<i2", n * len(LEADS), _HEAD.size + 2 * n).reshape(n, len(LEADS))
    sigma = np.zeros((n, len(LEADS)), np.uint16)
    at = _HEAD.size + 26 * n
    sigma[:, guessed] = np.frombuffer(data, "<u2", n * n_guessed, at).reshape(n, n_guessed)
    channels = np.frombuffer(data, "<i2", n * n_channels, at + 2 * n * n_guessed).reshape(n, n_channels)
    return Frame(
        sequence,
        int(index),
        tuple(_ORDER[k] for k in kinds),
        uv.astype(np.int16),
        (flags[:, None] & _BIT) != 0,
        (flags >> WARMUP_BIT & 1).astype(np.bool_),
        sigma,
        channels.astype(np.int16),
    )
