"""BITalino (r)evolution: commands of one byte, frames of 3 to 8 bytes with a 4-bit counter and a CRC-4."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from ecg_edge.firmware_bridge.decoders.bitalino import crc4
from ecg_edge.firmware_bridge.decoders.catalogue import Device, find_device
from ecg_edge.firmware_bridge.emulators.emulator import Counts, Emulator
from ecg_edge.firmware_bridge.errors import UsageError
from ecg_edge.firmware_bridge.events import StreamInfo
from ecg_edge.firmware_bridge.virtual_patch.dialect import Answer

_RATES = (1, 10, 100, 1000)
_SIZES = (3, 4, 6, 7, 8, 8)
_VERSION = b"BITalino_v5.2\n"
_LINES = 0b1100
"""Digital lines at rest: both inputs are pulled up, both outputs low."""


class Bitalino(Emulator):
    """The unit with ECG sensors on its analog inputs, the first lead on A1.

    Obeyed: ``01|mask<<2`` starts the inputs of the mask, as does ``02|mask<<2``, which in the unit starts simulated
    signals. ``00`` and ``FF`` stop, and ``07`` reports the version. The rate commands are taken in silence, as the unit
    does, but the rate stays that of the source. The counter begins anew with every start.
    """

    def __init__(self, info: StreamInfo, source: StreamInfo) -> None:
        super().__init__(info, source)
        self._inputs = list(range(2))
        self.low, self.high = 0, 1023

    @classmethod
    def described(cls, device: Device, leads: Sequence[str] | None, fs: Fraction | None) -> StreamInfo:
        """As `Emulator.described`, with all six inputs: the host chooses among them."""
        if fs is not None and fs not in _RATES:
            raise UsageError(f"BITalino has no rate of {float(fs):g} Hz", "--fs 1, 10, 100 or 1000")
        return super().described(find_device("bitalino-6"), leads, fs)

    def hear(self, data: bytes) -> list[Answer]:
        """Obey commands; while it streams, none but stop."""
        return [self._obey(code) for code in data]

    def _obey(self, code: int) -> Answer:
        if code in (0x00, 0xFF):
            self.streaming = False
            return Answer(streaming=False)
        if self.streaming:
            return Answer()
        if code & 3 in (1, 2) and code >> 2:
            self._inputs = [k for k in range(6) if code >> 2 + k & 1]
            self.start()
            return Answer(streaming=True)
        return Answer(_VERSION if code == 0x07 else b"")

    def packet(self, counts: Counts, number: int, lead_off: int) -> bytes:
        """One frame: the first four inputs chosen with 10 bits, two more with 6."""
        n = len(self._inputs)
        wide = [self._ten_bits(k, int(counts[k])) for k in self._inputs]
        a = [value if slot < 4 else value >> 4 for slot, value in enumerate(wide)] + [0] * (6 - n)
        bits = a[5] | a[4] << 6 | a[3] << 12 | a[2] << 22 | a[1] << 32 | a[0] << 42 | _LINES << 52
        frame = (bits.to_bytes(7, "little") + bytes(((number & 15) << 4,)))[8 - _SIZES[n - 1] :]
        crc = int(crc4(np.frombuffer(frame, np.uint8)[None, :])[0])
        return frame[:-1] + bytes((frame[-1] | crc,))

    def _ten_bits(self, k: int, count: int) -> int:
        # A5 and A6 are described with 6 bits; put where 10 are sent they have all of theirs
        return min(count << 4, 1023) if k >= 4 else count
