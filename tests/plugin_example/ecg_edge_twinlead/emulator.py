"""The board's side of the protocol, for ``ecg-edge simulate --as twinlead``."""

from __future__ import annotations

import struct

from ecg_edge.firmware_bridge.emulators.emulator import Counts, Emulator


def frame(number: int, one: int, two: int) -> bytes:
    """One sample of both leads."""
    body = struct.pack("<2sBhh", b"\xb5\x1e", number % 256, one, two)
    return body + bytes([sum(body) & 0xFF])


class TwinleadBoard(Emulator):
    """Sends from boot on."""

    unasked = True
    low, high = -32768, 32767

    def packet(self, counts: Counts, number: int, lead_off: int) -> bytes:
        """One frame."""
        return frame(number, int(counts[0]), int(counts[1]))
