"""Arduino sketches that send from boot on and read no commands: Olimex SHIELD-EKG-EMG, SparkFun's AD8232, text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from ecg_edge.firmware_bridge.decoders.catalogue import Device
from ecg_edge.firmware_bridge.emulators.emulator import Counts, Emulator
from ecg_edge.firmware_bridge.events import StreamInfo
from ecg_edge.firmware_bridge.lead_names import ELECTRODES, electrodes_of, lead_off_leads

_REBOOTED = b"\xa5\x5a\x02\x00" + b"\x02\x00" * 6 + b"\x02"
_REBOOTED_FRAMES = 125


class Olimex(Emulator):
    """Six inputs of 10 bits; the logston sketch first says 125 times that it has booted."""

    unasked = True
    low, high = 0, 1023

    def greet(self) -> bytes:
        """Return what the sketch sends at boot."""
        self.start()
        return _REBOOTED * _REBOOTED_FRAMES if self.info.device == "olimex-logston" else b""

    def packet(self, counts: Counts, number: int, lead_off: int) -> bytes:
        """17 bytes."""
        return b"\xa5\x5a\x02" + bytes((number & 0xFF,)) + counts.astype(">u2").tobytes() + b"\x01"


class Ad8232(Emulator):
    """A number a line, ``!`` while an electrode is off. Lines come evenly, not as long as each takes at 9600 baud."""

    unasked = True
    low, high = 0, 1023

    def __init__(self, info: StreamInfo, source: StreamInfo) -> None:
        super().__init__(info, source)
        names = set(electrodes_of(info.leads[0])) & set(ELECTRODES)
        self._electrodes = sum(1 << ELECTRODES.index(name) for name in names)

    def packet(self, counts: Counts, number: int, lead_off: int) -> bytes:
        """One line."""
        return b"!\r\n" if lead_off & self._electrodes else b"%d\r\n" % int(counts[0])


class Plotter(Emulator):
    """``I:0.1234`` in millivolts, all leads on a line; ``!`` for a lead with an electrode off."""

    unasked = True
    low, high = -(2**31), 2**31 - 1

    @classmethod
    def described(cls, device: Device, leads: Sequence[str] | None, fs: Fraction | None) -> StreamInfo:
        """As `Emulator.described`, with a column for each lead."""
        info = super().described(device, None, fs)
        return replace(info, channels=tuple(replace(info.channels[0], lead=lead) for lead in leads or info.leads))

    def packet(self, counts: Counts, number: int, lead_off: int) -> bytes:
        """One line."""
        gone = lead_off_leads(lead_off)
        values = zip(self.info.channels, counts, strict=True)
        return b",".join(_value(c.lead, int(n) * c.per_count, c.lead in gone) for c, n in values) + b"\r\n"


def _value(lead: str, mv: float, off: bool) -> bytes:
    return f"{lead}:!".encode() if off else f"{lead}:{mv:.4f}".encode()
