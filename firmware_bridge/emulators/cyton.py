"""OpenBCI Cyton behind its dongle: text commands, each answer ends in ``$$$``; packets of 33 bytes."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

from ecg_edge.firmware_bridge.emulators.emulator import Counts, Emulator
from ecg_edge.firmware_bridge.events import StreamInfo
from ecg_edge.firmware_bridge.virtual_patch.dialect import Answer

_BANNER = (
    "OpenBCI V3 8-16 channel\nOn Board ADS1299 Device ID: 0x3E\nLIS3DH Device ID: 0x33\nFirmware: v3.1.2 (emulated)\n"
)
_RATES = (16000, 8000, 4000, 2000, 1000, 500, 250)
_GAINS = (1, 2, 4, 6, 8, 12, 24)
_DEFAULT_GAIN = 24
_OFF, _ON = "12345678", "!@#$%^&*"
# what begins with `x` and has no `X` in time is dropped as a whole
_COMMAND = re.compile(r"x[^X]{0,16}X|x[^X]{17}|~.|/.|[^x~/]", re.DOTALL)
_SETTING = re.compile(r"x([1-8])([01])([0-6])([0-7])([01])([01])([01])X")
_PLAIN, _TIMED_FIRST, _TIMED = 0xC0, 0xC3, 0xC4


class Cyton(Emulator):
    """The board as its dongle shows it.

    Obeyed: ``v`` reset, ``b`` and ``s`` start and stop, ``d`` and ``D`` default settings, ``x…X`` channel settings
    (gain and power). Also ``1``-``8`` and ``!``-``*`` channels off and on, ``<`` and ``>`` board time in the packets,
    ``~`` and ``/`` queries. The rate is that of the source; another one is refused as a failure. The counter begins
    anew with every start, and while it streams the board answers nothing.
    """

    def __init__(self, info: StreamInfo, source: StreamInfo) -> None:
        super().__init__(info, source)
        self._reset()

    def _reset(self) -> None:
        self._gain = np.full(len(self.info.channels), float(_DEFAULT_GAIN))
        self._power = np.ones(len(self.info.channels), bool)
        self._timed, self._first_timed = False, False
        self._sampled = 0

    def hear(self, data: bytes) -> list[Answer]:
        """Obey commands, also several in one write or one in several."""
        text = (self._pending + data).decode("latin-1")
        answers, at = [], 0
        while found := _COMMAND.match(text, at):
            answers.append(self._obey(found[0]))
            at = found.end()
        self._pending = text[at:].encode("latin-1")
        return answers

    def _obey(self, command: str) -> Answer:
        if command == "v":
            self._reset()
            self.streaming = False
            return Answer(f"{_BANNER}$$$".encode(), streaming=False)
        if command == "b":
            self.start()
            return Answer(streaming=True)
        if command == "s":
            self.streaming = False
            return Answer(streaming=False)
        text = self._set(command)
        return Answer(b"" if self.streaming or not text else f"{text}$$$".encode())

    def _set(self, command: str) -> str:
        if command[0] in "x~/":
            return self._configure(command)
        if command in _OFF + _ON:
            self._power[(_OFF + _ON).index(command) % 8] = command in _ON
            return ""
        if command == "d":
            self._gain[:], self._power[:] = _DEFAULT_GAIN, True
        if command in "<>":
            self._timed = self._first_timed = command == "<"
        return {
            "d": "updating channel settings to default",
            "D": "060110",
            "<": "Time stamp ON",
            ">": "Time stamp OFF",
            "V": "v3.1.2",
        }.get(command, "")

    def _configure(self, command: str) -> str:
        if command[0] == "~":
            return self._rate(command[1])
        if command[0] == "/":
            return "Success: default" if command[1] in "/0" else "Failure: only the default mode is emulated"
        found = _SETTING.fullmatch(command.replace(" ", ""))
        if not found:
            return "Failure: too few chars" if len(command) < 9 else "Failure: Err: wrong channel settings"
        channel = int(found[1]) - 1
        self._power[channel], self._gain[channel] = found[2] == "0", _GAINS[int(found[3])]
        return f"Success: Channel set for {channel + 1}"

    def _rate(self, code: str) -> str:
        rate = float(self.info.fs)
        if code == "~" or (code in "0123456" and _RATES[int(code)] == rate):
            return f"Success: Sample rate is {rate:g}Hz"
        return f"Failure: the source of this emulated board has {rate:g}Hz"

    def gains(self) -> npt.NDArray[np.float64]:
        """As set by ``x…X``; a channel without power gives 0."""
        return self._gain / _DEFAULT_GAIN * self._power

    def packet(self, counts: Counts, number: int, lead_off: int) -> bytes:
        """33 bytes; the accelerometer lies still."""
        wide = (counts & 0xFFFFFF).astype(">u4").tobytes()
        data = b"".join(wide[k + 1 : k + 4] for k in range(0, 32, 4))
        ms = int(self._sampled * 1000 / self.info.fs) & 0xFFFFFFFF
        self._sampled += 1
        if not self._timed:
            return bytes((0xA0, number & 0xFF)) + data + bytes((0, 0, 0, 0, 0, 0, _PLAIN))
        kind = _TIMED_FIRST if self._first_timed else _TIMED
        self._first_timed = False
        return bytes((0xA0, number & 0xFF)) + data + b"\0\0" + ms.to_bytes(4, "big") + bytes((kind,))
