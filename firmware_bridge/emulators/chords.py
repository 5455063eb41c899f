"""Upside Down Labs Chords: commands are lines; any byte stops a stream."""

from __future__ import annotations

from ecg_edge.firmware_bridge.emulators.emulator import Counts, Emulator
from ecg_edge.firmware_bridge.events import StreamInfo
from ecg_edge.firmware_bridge.virtual_patch.dialect import Answer

_BOARDS = {
    "chords-uno-r3": "UNO-R3",
    "chords-uno-r4": "UNO-R4",
    "chords-giga": "GIGA-R1",
    "chords-nano": "NANO-CLASSIC",
    "chords-mega": "MEGA-2560-R3",
    "chords-pico": "RPI-PICO-RP2040",
    "chords-npg-lite": "NPG-LITE",
    "chords-npg-lite-6": "NPG-LITE",
    "chords-stm32f4": "STM32F4-BLACK-PILL",
    "chords-stm32g4": "STM32G4-CORE-BOARD",
}
_LONGEST = 32
_COMMANDS = (b"START", b"STOP", b"WHORU", b"STATUS")


class Chords(Emulator):
    """A board with front ends on its analog inputs.

    ``WHORU``, ``START``, ``STOP`` and ``STATUS`` are obeyed at the end of their line. The firmware waits a second for
    more instead, and has by then refused what another device was asked. A byte that comes while it streams stops the
    stream, whatever it is. A start does not reset the counter.
    """

    def __init__(self, info: StreamInfo, source: StreamInfo) -> None:
        super().__init__(info, source)
        self.low, self.high = 0, 2 ** info.channels[0].bits - 1

    def greet(self) -> bytes:
        """Nothing; the board boots when its port is opened."""
        self.counter = 0
        return super().greet()

    def hear(self, data: bytes) -> list[Answer]:
        """Obey lines."""
        answers = [Answer(streaming=False)] if self.streaming else []
        self.streaming = False
        *lines, rest = (self._pending + data).split(b"\n")
        self._pending = rest[-_LONGEST:]
        return answers + [self._obey(line.strip().upper()) for line in lines]

    def _obey(self, line: bytes) -> Answer:
        command = next((word for word in _COMMANDS if line.endswith(word)), line)
        if command == b"START":
            self.streaming = True
            return Answer(streaming=True)
        if command == b"STOP":
            self.streaming = False
            return Answer(streaming=False)
        if command == b"WHORU":
            return Answer(_BOARDS.get(self.info.device, self.info.device).encode() + b"\r\n")
        if command == b"STATUS":
            return Answer(b"RUNNING\r\n" if self.streaming else b"STOPPED\r\n")
        return Answer(b"UNKNOWN COMMAND\r\n" if command else b"")

    def packet(self, counts: Counts, number: int, lead_off: int) -> bytes:
        """All inputs, 16 bits each."""
        return b"\xc7\x7c" + bytes((number & 0xFF,)) + counts.astype(">u2").tobytes() + b"\x01"
