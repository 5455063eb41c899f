"""Packets of Shimmer3: what they hold, their CRC, and how their times chain them."""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ecg_edge.firmware_bridge.framing.chain_scanner import NO_STAMP, ChainFormat, Mask
from ecg_edge.firmware_bridge.framing.frame_formats import Bytes2D, Ints
from ecg_edge.firmware_bridge.framing.linear_crc import LinearCrc

TICK_HZ = 32768
WRAP = 1 << 24
REORDERED = 8
"""Periods a packet may be late and still be the same packet twice or out of order."""
_UNSTAMPED = WRAP
"""Added to a remembered time that was reckoned, because the packet carried none."""
_TOP = TICK_HZ
"""A time of exactly 0 is a wrap only this close (in ticks) behind the top of the range."""
STATUS = {0x1D: 0, 0x20: 1}
WIDE = {0x1E: (0, "II"), 0x1F: (0, "I"), 0x21: (1, "resp"), 0x22: (1, "V1")}
NARROW = {0x23: (0, "II"), 0x24: (0, "I"), 0x25: (1, "resp"), 0x26: (1, "V1")}
"""Channel: chip and lead; status bytes: chip."""


def _crc16_step(crc: int, value: int) -> int:
    crc ^= value << 8
    for _ in range(8):
        crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc


@functools.cache
def _crc16(size: int) -> LinearCrc:
    return LinearCrc(size, _crc16_step, 0xB0CA)


def crc16(messages: Bytes2D) -> npt.NDArray[np.uint16]:
    """CRC-16 of messages, ``(n, size)`` bytes: polynomial 0x1021, from 0xB0CA, zero-padded to an even length."""
    size = messages.shape[1]
    if size % 2:
        messages = np.hstack((messages, np.zeros((len(messages), 1), np.uint8)))
    return _crc16(size + size % 2)(messages)


@dataclass(frozen=True)
class Layout:
    """What a packet holds.

    Attributes
    ----------
    ids : tuple of int
        Channels in the order of the inquiry response.
    crc : int
        Bytes of CRC: 0, 1 or 2.
    period : int
        Ticks from one packet to the next.
    """

    ids: tuple[int, ...]
    crc: int
    period: int

    @functools.cached_property
    def offsets(self) -> dict[int, int]:
        """Where each channel lies in the packet."""
        ends = itertools.accumulate(map(_width, self.ids), initial=4)
        return dict(zip(self.ids, ends, strict=False))

    @functools.cached_property
    def size(self) -> int:
        """Length of a packet in bytes."""
        return 4 + sum(map(_width, self.ids)) + self.crc

    @functools.cached_property
    def status(self) -> list[tuple[int, int]]:
        """Chip and place of each status byte."""
        return [(STATUS[i], at) for i, at in self.offsets.items() if i in STATUS]


def _width(channel: int) -> int:
    """Bytes of a channel: status 1, 24-bit ECG and pressure 3, everything else 2."""
    return 1 if channel in STATUS else 3 if channel in WIDE or channel == 0x1B else 2


class ShimmerFormat(ChainFormat):
    """Packets of one layout, chained by their times."""

    def __init__(self, layout: Layout, lock: int = 3) -> None:
        relock = 1 if layout.crc == 2 else 2
        super().__init__(layout.size, lock=lock, relock=relock, aligned=1, confirm=layout.crc < 2, marks=b"\xff\x8a")
        self._layout = layout
        self._status = [at for _, at in layout.status]
        self._slack = max(1, layout.period // 16)

    def good(self, frames: Bytes2D) -> Mask:
        """Header, the fixed bits of the status bytes, and the CRC."""
        ok: Mask = frames[:, 0] == 0
        for at in self._status:
            ok &= frames[:, at] & 0x60 == 0
        body = self._layout.size - self._layout.crc
        if self._layout.crc:
            crc = crc16(frames[:, :body])
            ok &= frames[:, body] == crc & 0xFF
            if self._layout.crc == 2:
                ok &= frames[:, body + 1] == crc >> 8
        return ok

    def stamps(self, frames: Bytes2D) -> Ints:
        """Time in ticks, 24 bits."""
        return ticks(frames)

    def pairs(self, first: Ints, second: Ints) -> Mask:
        """Whether the time has gone up by one period."""
        return self._spaced(first, second, 1, 1)

    def _spaced(self, first: Ints, second: Ints, least: int, most: int) -> Mask:
        """Whether the time has gone up by `least` to `most` whole periods."""
        step = (second - first + WRAP // 2) % WRAP - WRAP // 2
        whole = np.rint(step / self._layout.period)
        ok: Mask = np.abs(step - whole * self._layout.period) <= self._slack
        return ok & (whole >= least) & (whole <= most)

    def chain(self, before: int, stamps: Ints) -> tuple[Ints, Mask]:
        """As `ChainFormat.chain`, but packets may be missing, come twice or late, and one may lack its time."""
        if not len(stamps):
            return stamps, np.empty(0, bool)
        filled, unstamped = reckon(before, stamps, self._layout.period)
        last = before % WRAP if before != NO_STAMP else before
        ok = self._spaced(np.concatenate(([last], filled[:-1])), filled, -REORDERED, REORDERED)
        ok[0] |= before == NO_STAMP
        if not unstamped.any():
            return filled, ok
        ok &= ~(unstamped & np.concatenate(([before >= _UNSTAMPED], unstamped[:-1])))
        return filled + _UNSTAMPED * unstamped, ok

    def agrees(self, before: int, stamp: int, step: int) -> bool:
        """Whether the time has gone up by `step` periods."""
        off = (stamp - before - step * self._layout.period + WRAP // 2) % WRAP - WRAP // 2
        return abs(off) <= self._slack * max(1, step)

    def between(self, buf: bytes, pos: int, *, closing: bool) -> int:
        """Acknowledgement ``FF`` and status ``[FF] 8A 71 xx``, each with the CRC that packets have."""
        head = buf[pos : pos + 6]
        if not head or head[0] not in self.marks:
            return 0
        if len(head) < 6 and not closing:
            return -1
        at = int(head[0] == 0xFF)
        size = at + 3 if head[at : at + 2] == b"\x8a\x71" and len(head) >= at + 3 else at
        crc = self._layout.crc
        if not size or not crc:
            return size
        told = int(crc16(np.frombuffer(head, np.uint8, size).reshape(1, -1))[0]).to_bytes(2, "little")
        return size + crc if head[size : size + crc] == told[:crc] else size


def ticks(frames: Bytes2D) -> Ints:
    """Time of each packet as it is sent."""
    wide = frames[:, 1:4].astype(np.int64)
    return wide[:, 0] | wide[:, 1] << 8 | wide[:, 2] << 16


def reckon(before: int, stamps: Ints, period: int) -> tuple[Ints, Mask]:
    """Replace times of exactly 0 that are no wrap by the predecessor's plus a period; say which.

    Some firmware sends packets it never stamped. Just behind the top of the range, and within a few
    periods of the origin, 0 is a time as any other.
    """
    filled, unstamped = stamps.copy(), np.zeros(len(stamps), bool)
    if stamps.all():
        return filled, unstamped
    for k in np.flatnonzero(stamps == 0):
        last = int(filled[k - 1]) if k else before
        if last == NO_STAMP:
            continue
        last %= WRAP
        if REORDERED * period < last < WRAP - _TOP:
            filled[k], unstamped[k] = last + period, True
    return filled, unstamped
