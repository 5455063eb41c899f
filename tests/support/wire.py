"""Byte streams for the decoders' tests: frames built from the layouts, real captures, injuries to both."""

import hashlib
import json
import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from ecg_edge.firmware_bridge.conformance import (
    FIRST_XOR,
    FRAMES,
    LAST_XOR,
    Specimen,
    as_summary,
    decode_in_pieces,
    injured,
    summary,
)
from ecg_edge.firmware_bridge.decoders.catalogue import find_device
from ecg_edge.firmware_bridge.ports.capture_file import decode_bytes

__all__ = ["as_summary", "injured", "summary"]


def decode(name, data, cuts=None, **options):
    """Decode `data` cut at the given positions (or in pieces of one length)."""
    decoder = find_device(name).decoder(**options)
    if cuts is None:
        return decode_bytes(decoder, data)
    return decode_in_pieces(decoder, data, range(cuts, len(data), cuts) if isinstance(cuts, int) else cuts)


# --- captures -----------------------------------------------------------------------------------


@dataclass
class Capture:
    """A capture of a real device and the truth beside it: `expected` is what the converter gave."""

    facts: dict
    clean: bytes
    expected: np.ndarray
    waveform: np.ndarray

    @property
    def damaged(self):
        """The clean bytes with the injuries of the side-car, proved by its digest."""
        out, at = bytearray(), 0
        for injury in self.facts["damage"]:
            begin = injury["clean_offset"]
            out += self.clean[at:begin]
            at = begin + injury["deleted"]
            out += _replacement(injury, self.clean[begin:at], self.clean[at : at + injury["inserted"]])
        out += self.clean[at:]
        assert hashlib.sha256(out).hexdigest() == self.facts["sha256"]["damaged"]
        return bytes(out)

    def packets(self, kind):
        """Packets hit by one kind of injury."""
        return [
            k for d in self.facts["damage"] if d["kind"] == kind for k in range(d["packets"][0], d["packets"][1] + 1)
        ]

    @property
    def lost(self):
        """Packets that did not survive."""
        return {k for a, b in self.facts["lost_packet_ranges_in_damaged"] for k in range(a, b + 1)}


def _replacement(injury, old, following):
    kind = injury["kind"]
    if kind == "insert_garbage":
        return bytes.fromhex(injury["hex"])
    if kind == "duplicate_packet":
        return following
    flips = {"flip_bit2_payload": 4, "corrupt_first_byte": FIRST_XOR, "corrupt_last_byte": LAST_XOR}
    return bytes([old[0] ^ flips[kind]]) if kind in flips else b""


SHIFTED = {
    "protocentral_max30003": lambda word: word >> 16 << 2 | word & 3,
    "healthypi5_openview": lambda word: word >> 8,
}
"""The side-cars of these hold the word that is sent: how it becomes the 18 bits of the converter."""


def capture(name):
    """Load a capture, or skip the test."""
    folder = os.environ.get("ECG_EDGE_CAPTURES")
    if not folder:
        pytest.skip("ECG_EDGE_CAPTURES is not set: no captures of real devices")
    base = Path(folder) / name
    wave = base.with_suffix(".waveform_mv.npy")
    expected = np.load(base.with_suffix(".expected_counts.npy"))
    if name in SHIFTED:
        expected[:, 0] = SHIFTED[name](expected[:, 0])
    return Capture(
        json.loads(base.with_suffix(".json").read_text()),
        base.with_suffix(".bin").read_bytes(),
        expected,
        np.load(wave) if wave.exists() else np.empty(0),
    )


# --- frames from the layouts ----------------------------------------------------------------------


def openview(payload, kind, footer=0):
    return struct.pack("<2sHB", b"\x0a\xfa", len(payload), kind) + payload + bytes([footer, 0x0B])


def healthypi(ecg, version, status=0, resp=-3):
    vitals = bytes([14, 97, 61, 80, 120 if version == 4 else 118, status])
    return openview(struct.pack("<hhiih", ecg, resp, 70000, 80000, 3651) + vitals, 2)


def healthypi5(ecg, bioz=1234):
    return openview(struct.pack("<iiBiihBBB", ecg << 8, bioz, 1, 5000, 6000, 3650, 98, 60, 15), 2)


def ov3(samples):
    return openview(struct.pack("<8i4iBB", *(s << 8 for s in samples), 1, 2, 3, 4, 60, 15), 3)


def ov3_ppg():
    return openview(struct.pack("<8hBBB", *range(8), 98, 14, 14), 4)


def heartypatch(seq, micros, samples):
    head = struct.pack("<IIII", seq, micros // 10**6, micros % 10**6, 820)
    return openview(head + struct.pack("<8i", *(s << 14 for s in samples)), 3, footer=0xF0)


def chords(n, counts):
    return struct.pack(f">2sB{len(counts)}HB", b"\xc7\x7c", n % 256, *counts, 1)


def olimex(n, counts, switches=1):
    return struct.pack(">3sB6HB", b"\xa5\x5a\x02", n % 256, *counts, switches)


def cyton(n, counts, kind=0, ms=0, start=0xA0):
    data = b"".join(int(c).to_bytes(3, "big", signed=True) for c in counts)
    aux = struct.pack(">HI", 0x1234, ms) if kind >= 3 else b"\0" * 6
    return bytes([start, n % 256]) + data + aux + bytes([0xC0 | kind])


def ti_evm(pairs, lead_off=0):
    return bytes([2, 0x93, 60, 15, lead_off]) + struct.pack(">28h", *np.ravel(pairs)) + b"\x03\x03"


def dblk(seq, t_ms, rows, off=0, channel=1):
    payload = b"".join(struct.pack("<4iBBH", *row, off, 0, 0) for row in rows)
    if channel != 1:
        payload = bytes(16 * len(rows))
    head = struct.pack("<4sIIQBBHI", b"DBLK", 32 + len(payload), seq, t_ms, channel, 0, len(rows), 0)
    return head + payload + struct.pack("<I", zlib.crc32(head + payload))


@dataclass(frozen=True)
class Stream(Specimen):
    """A specimen of a device that we know."""

    device: str = ""


N = FRAMES


def streams():
    """One synthetic stream for every layout, all channels busy; equal on every call."""
    rng = np.random.default_rng(7)

    def ints(low, high, *shape):
        return rng.integers(low, high, (N, *shape)).tolist()

    out = []

    def add(device, frames, counts, counted):
        counts = [np.reshape(c, (-1, np.shape(c)[-1])) for c in counts]
        out.append(Stream(find_device(device).decoder, frames, counts, counted, device))

    for version in (3, 4):
        ecg = ints(-900, 900)
        add(f"healthypi{version}", [healthypi(e, version) for e in ecg], [[e, -3] for e in ecg], False)
    ecg = ints(-100000, 100000)
    add("healthypi5", [healthypi5(e) for e in ecg], [[e, 1234] for e in ecg], False)
    ecg = ints(-100000, 100000, 8)
    add("healthypi5-ov3", [ov3(e) for e in ecg], [np.array(e)[:, None] for e in ecg], False)
    hearty = [heartypatch(k + 5, 10**9 + k * 62500, e) for k, e in enumerate(ecg)]
    add("heartypatch", hearty, [np.array(e)[:, None] for e in ecg], True)
    pairs = ints(-32768, 32768, 14, 2)
    add("ti-ads1x9x", [ti_evm(p) for p in pairs], pairs, False)
    for board, inputs, bits in (
        ("chords-uno-r3", 6, 10),
        ("chords-uno-r4", 6, 14),
        ("chords-giga", 6, 16),
        ("chords-nano", 8, 10),
        ("chords-mega", 16, 10),
        ("chords-pico", 3, 12),
        ("chords-npg-lite", 3, 12),
        ("chords-npg-lite-6", 6, 12),
        ("chords-stm32f4", 8, 12),
        ("chords-stm32g4", 16, 12),
    ):
        counts = ints(0, 2**bits, inputs)
        add(board, [chords(k + 230, c) for k, c in enumerate(counts)], counts, True)
    counts = ints(0, 1024, 6)
    for name in ("olimex", "olimex-logston"):
        add(name, [olimex(k + 230, c) for k, c in enumerate(counts)], counts, True)
    counts = ints(-(2**23), 2**23, 8)
    for kind, start in ((0, 0xA0), (0, 0x41), (1, 0xA0), (3, 0xA0), (4, 0xA0), (6, 0xA0)):
        frames = [cyton(k + 230, c, kind, 5000 + 4 * k, start) for k, c in enumerate(counts)]
        add("cyton", frames, counts, True)
    rows = ints(-5000, 5000, 16, 4)
    blocks = [dblk(k + 9, 4000 + 32 * k, r) for k, r in enumerate(rows)]
    add("healthypi6", blocks, [np.column_stack((np.array(r)[:, [1, 2, 3, 0]], np.zeros(16, int))) for r in rows], True)
    return out


STREAMS_BY_DEVICE = {stream.device: stream for stream in streams()}
