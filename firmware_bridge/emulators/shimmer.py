"""Shimmer3 ECG with LogAndStream: every command is acknowledged with FF; packets as wide as the sensors chosen."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from ecg_edge.firmware_bridge.decoders.catalogue import Device
from ecg_edge.firmware_bridge.decoders.shimmer_packets import TICK_HZ, WRAP, crc16
from ecg_edge.firmware_bridge.emulators.emulator import Counts, Emulator
from ecg_edge.firmware_bridge.errors import UsageError
from ecg_edge.firmware_bridge.events import NO_VALUE, StreamInfo
from ecg_edge.firmware_bridge.lead_names import ELECTRODES
from ecg_edge.firmware_bridge.virtual_patch.dialect import Answer

_ACK, _NACK = b"\xff", b"\xfe"
_ARGUMENTS = {0x05: 2, 0x08: 3, 0x0E: 4, 0x61: 3, 0x63: 3, 0x8B: 1, 0xA3: 1}
"""Bytes that follow a command; 61 (registers) has as many more as its third argument says."""
_SENSORS = ((0, 0x10, (0x1D, 0x1E, 0x1F)), (0, 0x08, (0x20, 0x21, 0x22)))
_SENSORS_16 = ((2, 0x10, (0x1D, 0x23, 0x24)), (2, 0x08, (0x20, 0x25, 0x26)))
_REGISTERS = bytes.fromhex("02a0104040000000 0203"), bytes.fromhex("02a0104047000000 0201")
_GAINS = (6, 1, 2, 3, 4, 8, 12, 6)
_ASSUMED_GAIN = 4
_CHIPS = {0x1D: 0, 0x20: 1}
_COLUMNS = {0x1E: 0, 0x1F: 1, 0x21: 2, 0x22: 3, 0x23: 0, 0x24: 1, 0x25: 2, 0x26: 3}
# electrodes behind status bits 0..4 of each chip: IN1P, IN1N, IN2P, IN2N, RLD
_LEAD_OFF = (("LL", "RA", "LA", "RA", "RL"), ("", "", "V1", "", "RL"))
_HARDWARE = b"\x25\x03"
_FIRMWARE = b"\x2f\x03\x00\x01\x00\x02\x0d"


class Shimmer3(Emulator):
    """A unit with nothing but its two ECG chips; sensors and their width, gain and CRC can be set.

    The rate is that of the source: SET_SAMPLING_RATE is acknowledged, and the inquiry then tells the rate that holds. A
    stale sample repeats the one before it with bit 7 of the chip's status cleared. The unit does so when its converter
    has nothing new.
    """

    def __init__(self, info: StreamInfo, source: StreamInfo) -> None:
        super().__init__(info, source)
        self._period = round(TICK_HZ / info.fs)
        self._registers = [bytearray(chip) for chip in _REGISTERS]
        self._sensors = b"\x18\x00\x00"
        self._config = bytes(4)
        self._crc = 0
        self._prefix = True
        self._index = 0
        self._stale = [False, False]

    @classmethod
    def described(cls, device: Device, leads: Sequence[str] | None, fs: Fraction | None) -> StreamInfo:
        """As `Emulator.described`; the rate must be a whole fraction of 32768 Hz."""
        rate = fs or device.fs
        if (TICK_HZ / rate).denominator != 1:
            nearest = Fraction(TICK_HZ, max(1, round(TICK_HZ / rate)))
            raise UsageError(f"Shimmer3 has no rate of {float(rate):g} Hz", f"--fs {nearest} is the nearest")
        return super().described(device, leads, fs)

    def hear(self, data: bytes) -> list[Answer]:
        """Obey commands, in any cut."""
        heard = self._pending + data
        answers = []
        while heard:
            size = 1 + _ARGUMENTS.get(heard[0], 0)
            if heard[0] == 0x61 and len(heard) >= 4:
                size += heard[3]
            if len(heard) < size:
                break
            answers.append(self._obey(heard[0], heard[1:size]))
            heard = heard[size:]
        self._pending = heard
        return answers

    def _obey(self, code: int, data: bytes) -> Answer:
        if code == 0x07:
            self.start()
            return Answer(self._sealed(_ACK), streaming=True)
        if code == 0x20:
            self.streaming = False
            return Answer(self._sealed(_ACK), streaming=False)
        if code in (0x05, 0x08, 0x0E, 0x61, 0x8B, 0xA3):
            self._set(code, data)
            return Answer(self._sealed(_ACK))
        told = self._tell(code, data)
        if told is None:
            return Answer(self._sealed(_NACK))
        return Answer(self._sealed(told if told[:1] == b"\x8a" and not self._prefix else _ACK + told))

    def _set(self, code: int, data: bytes) -> None:
        if code == 0x08:
            self._sensors = data
        if code == 0x0E:
            self._config = data
        if code == 0x61 and data[0] < 2 and data[1] + data[2] <= 10:
            self._registers[data[0]][data[1] : data[1] + data[2]] = data[3:]
        if code == 0x8B:
            self._crc = min(data[0], 2)
        if code == 0xA3:
            self._prefix = data[0] != 0

    def _tell(self, code: int, data: bytes) -> bytes | None:
        rate = self._period.to_bytes(2, "little")
        if code == 0x01:
            ids = self.ids()
            return b"\x02" + rate + self._config + bytes((len(ids), 1)) + bytes(ids)
        if code == 0x63:
            chip, start, size = data
            values = bytes(self._registers[chip & 1][start : start + size])
            return b"\x62" + bytes((len(values),)) + values
        if code == 0x72:
            return b"\x8a\x71" + bytes((0x10 * self.streaming,))
        return {0x03: b"\x04" + rate, 0x24: _HARDWARE, 0x3F: _HARDWARE, 0x2E: _FIRMWARE, 0x96: b""}.get(code)

    def ids(self) -> tuple[int, ...]:
        """Channels of a packet, as the inquiry tells them."""
        chosen: list[int] = []
        for wide, narrow in zip(_SENSORS, _SENSORS_16, strict=True):
            for at, bit, channels in (wide, narrow):
                if self._sensors[at] & bit:
                    chosen += channels
                    break
        return tuple(chosen)

    def gains(self) -> npt.NDArray[np.float64]:
        """As the registers have them."""
        gains = np.ones(len(self.info.channels))
        for column in range(4):
            code = self._registers[column // 2][3 + column % 2] >> 4 & 7
            gains[column] = _GAINS[code] / _ASSUMED_GAIN
        return gains

    def frame(self, counts: npt.NDArray[np.int32], index: int, ticks: int, lead_off: int) -> bytes:
        """As `Emulator.frame`; the time counts sampling instants, also those while stopped."""
        out = b""
        for k, row in enumerate(counts):
            self._index = index + k
            none = [column >= 0 and row[column] == NO_VALUE for column in self._column[:4]]
            self._stale = [any(none[:2]), any(none[2:])]
            out += super().frame(row[None, :], index + k, ticks, lead_off)
        return out

    def packet(self, counts: Counts, number: int, lead_off: int) -> bytes:
        """Return header, 24 bits of time, the channels chosen, and the CRC."""
        time = (self._index + 1) * self._period % WRAP
        out = b"\0" + time.to_bytes(3, "little")
        for channel in self.ids():
            if channel in _CHIPS:
                out += bytes((self._status(_CHIPS[channel], lead_off),))
                continue
            code = int(counts[_COLUMNS[channel]])
            out += (code & 0xFFFFFF).to_bytes(3, "big") if channel < 0x23 else (code >> 7 & 0xFFFF).to_bytes(2, "big")
        return self._sealed(out)

    def _status(self, chip: int, lead_off: int) -> int:
        off = sum(1 << k for k, name in enumerate(_LEAD_OFF[chip]) if name and lead_off >> ELECTRODES.index(name) & 1)
        return off if self._stale[chip] else 0x80 | off

    def _sealed(self, message: bytes) -> bytes:
        if not self._crc:
            return message
        crc = int(crc16(np.frombuffer(message, np.uint8)[None, :])[0])
        return message + crc.to_bytes(2, "little")[: self._crc]
