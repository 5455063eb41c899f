"""TI's ADS1x9x front-end board: one command starts and stops it, fourteen samples a frame."""

from __future__ import annotations

from ecg_edge.firmware_bridge.emulators.emulator import Counts, Emulator
from ecg_edge.firmware_bridge.lead_names import ELECTRODES, electrodes_of
from ecg_edge.firmware_bridge.virtual_patch.dialect import Answer

_TOGGLE = bytes.fromhex("0293000003030a")


class TiEvm(Emulator):
    """The board as delivered; of its commands only the one that starts and stops the stream."""

    low, high = -(2**15), 2**15 - 1

    def hear(self, data: bytes) -> list[Answer]:
        """Start, or stop."""
        answers = []
        self._pending += data
        while (at := self._pending.find(_TOGGLE)) >= 0:
            self._pending = self._pending[at + len(_TOGGLE) :]
            self.streaming = not self.streaming
            answers.append(Answer(streaming=self.streaming))
        self._pending = self._pending[-len(_TOGGLE) :]
        return answers

    def packet(self, counts: Counts, number: int, lead_off: int) -> bytes:
        """63 bytes."""
        names = [name for lead in self.info.leads[:2] for name in electrodes_of(lead)[:2]]
        bits = sum(bool(lead_off >> ELECTRODES.index(name) & 1) << k for k, name in enumerate([*names, "RL"]))
        return bytes((0x02, 0x93, 60, 15, bits)) + counts.astype(">i2").tobytes() + b"\x03\x03"
