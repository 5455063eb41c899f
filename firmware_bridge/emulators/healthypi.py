"""HealthyPi 3 to 6 and the HeartyPatch: they send from the start on and listen to nobody."""

from __future__ import annotations

import struct
import zlib

from ecg_edge.firmware_bridge.emulators.emulator import Counts, Emulator
from ecg_edge.firmware_bridge.emulators.openview import envelope
from ecg_edge.firmware_bridge.events import StreamInfo
from ecg_edge.firmware_bridge.lead_names import ELECTRODES, electrodes_of

_BOOT_S = 1.0


def _bit(name: str) -> int:
    return 1 << ELECTRODES.index(name)


class _Streaming(Emulator):
    """Streams as soon as the port is open."""

    unasked = True

    def __init__(self, info: StreamInfo, source: StreamInfo) -> None:
        super().__init__(info, source)
        self.low, self.high = -(2 ** (info.channels[0].bits - 1)), 2 ** (info.channels[0].bits - 1) - 1

    def greet(self) -> bytes:
        """Nothing; the counter begins anew."""
        self.start()
        return b""


class HealthyPi34(_Streaming):
    """Versions 3 and 4: while an electrode is off the ECG is 0, and the status byte says so."""

    def packet(self, counts: Counts, number: int, lead_off: int) -> bytes:
        """27 bytes."""
        positive, negative = electrodes_of(self.info.leads[0])[:2]
        off = [bool(lead_off & _bit(name)) for name in (positive, negative, "RL")]
        four = self.info.device == "healthypi4"
        status = off[0] << 2 | off[1] << 3 | off[2] << 4 if four else int(off[0] or off[1])
        ecg = 0 if off[0] or off[1] else int(counts[0])
        vitals = bytes((14, 97, 61, 80, 120 if four else 118, status))
        return envelope(struct.pack("<hhiih", ecg, 0, 70000, 80000, 3650) + vitals)


class HealthyPi5(_Streaming):
    """Firmware 2: the 18 bits are sent shifted left by 8."""

    def packet(self, counts: Counts, number: int, lead_off: int) -> bytes:
        """29 bytes."""
        return envelope(struct.pack("<iiBiihBBB", int(counts[0]) << 8, 1234, 1, 5000, 6000, 3650, 98, 60, 15))


class HealthyPi5Blocks(_Streaming):
    """Firmware 1: blocks of eight samples, and a block of the PPG behind each."""

    def packet(self, counts: Counts, number: int, lead_off: int) -> bytes:
        """57 and 26 bytes."""
        ecg = struct.pack("<8i4iBB", *(int(c) << 8 for c in counts[:, 0]), 1, 2, 3, 4, 60, 15)
        return envelope(ecg, 3) + envelope(struct.pack("<8hBBB", *range(8), 98, 14, 14), 4)


class HeartyPatch(_Streaming):
    """Blocks of eight samples with number and time."""

    def packet(self, counts: Counts, number: int, lead_off: int) -> bytes:
        """55 bytes."""
        micros = round(1e6 * (_BOOT_S + float(number * len(counts) / self.info.fs)))
        head = struct.pack("<IIII", number, micros // 10**6, micros % 10**6, 1000)
        return envelope(head + struct.pack("<8i", *(int(c) << 14 for c in counts[:, 0])), 3, 0xF0)


class HealthyPi6(_Streaming):
    """Checked blocks of sixteen samples in microvolts, and one of other figures every second."""

    def packet(self, counts: Counts, number: int, lead_off: int) -> bytes:
        """352 bytes, sometimes more."""
        bits = sum(bool(lead_off & _bit(name)) << k for k, name in enumerate(("RA", "LA", "LL", "V1")))
        rows = b"".join(struct.pack("<4iBBH", int(r[3]), int(r[0]), int(r[1]), int(r[2]), bits, 0, 0) for r in counts)
        time_ms = round(1000 * (_BOOT_S + number * float(len(counts) / self.info.fs)))
        every = max(1, round(self.info.fs / len(counts)))
        others = number // every
        block = _block(number + others, time_ms, 1, len(counts), rows)
        return block + (_block(number + others + 1, time_ms, 4, 1, bytes(16)) if number % every == every - 1 else b"")


def _block(sequence: int, time_ms: int, channel: int, n: int, payload: bytes) -> bytes:
    head = struct.pack("<4sIIQBBHI", b"DBLK", 32 + len(payload), sequence, time_ms, channel, 0, n, 0)
    return head + payload + struct.pack("<I", zlib.crc32(head + payload))
