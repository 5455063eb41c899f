"""ProtoCentral's ADS1292R, ADS1293 and MAX30003 sketches: a line of text at boot, then frames. They read none."""

from __future__ import annotations

from ecg_edge.firmware_bridge.emulators.emulator import Counts, Emulator


def envelope(payload: bytes, kind: int = 2, footer: int = 0) -> bytes:
    """Frame of a payload."""
    return b"\x0a\xfa" + len(payload).to_bytes(2, "little") + bytes((kind,)) + payload + bytes((footer, 0x0B))


class _Sketch(Emulator):
    """Boots when its port is opened."""

    unasked = True
    banner = b""

    def greet(self) -> bytes:
        """Return what the sketch prints at boot."""
        self.start()
        return self.banner


class Ads1292r(_Sketch):
    """ECG of 16 bits; respiration and both rates stay 0. The sketch's filter and its delay are not emulated."""

    banner = b"Initiliziation is done\r\n"
    low, high = -(2**15), 2**15 - 1

    def packet(self, counts: Counts, number: int, lead_off: int) -> bytes:
        """16 bytes; with an electrode off the sketch sends an ECG of 0."""
        ecg = 0 if lead_off else int(counts[0])
        return envelope((ecg & 0xFFFF).to_bytes(2, "little") + bytes(7))


class Ads1293(_Sketch):
    """Three leads, offset binary: 0 mV is 0x400000."""

    banner = b"ADS1293 initialized\r\n"
    low, high = 0, 0x7FFFFF

    def packet(self, counts: Counts, number: int, lead_off: int) -> bytes:
        """19 bytes."""
        return envelope(b"".join(int(code).to_bytes(4, "little") for code in counts[:3]))


class Max30003(_Sketch):
    """18 bits with the two lowest out of place, as the sketch sends them; interval and rate of 60 a minute."""

    banner = b"MAX30003 read ID Success\r\nInitialising the chip ...\r\n"
    low, high = -(2**17), 2**17 - 1

    def packet(self, counts: Counts, number: int, lead_off: int) -> bytes:
        """19 bytes."""
        ecg = int(counts[0])
        word = (ecg >> 2 << 16 | ecg & 3) & 0xFFFFFFFF
        return envelope(word.to_bytes(4, "little") + (1000).to_bytes(4, "little") + (60).to_bytes(4, "little"))
