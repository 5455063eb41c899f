"""Build the seeds of the fuzzer from the layouts: ``python tests/firmware_bridge/fuzz/make_corpus.py``.

Some clean frames of every device, the same injured, and frames with the extreme values that a random
change hardly makes: counters and clocks about to wrap, wrong by half their range, or standing still.
"""
# ruff: noqa: E402 - run as a script it must first be told where the tests lie

import struct
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[3]
if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))

from ecg_edge.firmware_bridge.decoders.catalogue import DEVICES
from ecg_edge.firmware_bridge.ecglink.encoder import EcgLinkEncoder
from ecg_edge.firmware_bridge.events import Channel, DeviceStatus, StreamInfo
from tests.support import wire
from tests.support import wire_unsynced as unsynced

CORPUS = Path(__file__).parent / "corpus"
N = 24
GARBAGE = b"\x88\xc4\x0a\xfa\xc7\x7c\xff\x00\x21\r\n"


def injure(frames):
    """Each injury of `wire.injured`, in few frames."""
    frames = [bytes(f) for f in frames]
    half = len(frames[5]) // 2
    frames[5] = frames[5][:half] + frames[5][half + 1 :]
    frames[8] = frames[8][:-1] + bytes([frames[8][-1] ^ 0x80])
    frames[11] = GARBAGE + frames[11]
    frames[14] *= 2
    return b"".join(frames[:17] + frames[19:])


def _openview(name, rng):
    if name == "ads1292r":
        return [wire.openview(struct.pack("<hhHHB", *rng.integers(-900, 900, 2), 15, 60, 0), 2) for _ in range(N)]
    if name == "ads1293":
        return [wire.openview(struct.pack("<3i", *rng.integers(0, 2**23, 3)), 2) for _ in range(N)]
    words = rng.integers(0, 2**18, N).tolist()
    rates = struct.pack("<HHHH", 820, 0, 73, 0)
    return [wire.openview(bytes([s & 3, 0, s >> 2 & 255, s >> 10 & 255]) + rates, 2) for s in words]


def _text(name, rng):
    counts = rng.integers(3, 1024, 2 * N).tolist()
    if name == "ad8232":
        return [unsynced.ad8232(-1 if 30 <= k < 34 else c) for k, c in enumerate(counts)]
    return [
        b"I:%.3f,II:%.2e\r\n" % (c / 512 - 1, c / 700) if k % 9 else b"I:nan,II:!\r\n" for k, c in enumerate(counts)
    ]


def _frames(name):
    """Frames of a device, the frames of a second kind if it has one."""
    rng = np.random.default_rng(11)
    if name in wire.STREAMS_BY_DEVICE:
        return wire.STREAMS_BY_DEVICE[name].frames[:N]
    if name in ("ads1292r", "ads1293", "max30003"):
        return _openview(name, rng)
    if name in ("ad8232", "plotter"):
        return _text(name, rng)
    if name.startswith("bitalino"):
        channels = int(name[9:] or 2)
        counts = unsynced.bitalino_counts(rng, 3 * N, channels)
        return [unsynced.bitalino(k, c) for k, c in enumerate(counts.tolist())]
    if name.startswith("spikerbox"):
        channels, bits = (1, 14) if name.endswith("14bit") else (int(name[10:] or 1), 10)
        frames = [unsynced.spikerbox(c) for c in rng.integers(0, 1 << bits, (3 * N, channels))]
        frames[20] = unsynced.spikerbox_message(b"HWT:HBLEOSB;") + frames[20]
        return frames
    if name == "shimmer3":
        return _shimmer(3, 2)
    return _ecglink()


def _shimmer(width, crc):
    half = 1 << 8 * width - 1
    counts = np.random.default_rng(5).integers(-half, half, (N, 4))
    return [unsynced.shimmer(2**24 - 64 * 12 + 64 * k, row, crc, width=width) for k, row in enumerate(counts)]


def _ecglink(boot=0, start=0, step=5, tick_step=655):
    channels = (Channel("I", 0.0005, positive="LA", negative="RA"), Channel("V2", 0.0002, 4194304))
    info = StreamInfo("seed", Fraction(250), channels, tick_hz=Fraction(32768), samples_per_frame=5)
    encoder = EcgLinkEncoder(info, boot)
    rows = np.random.default_rng(3).integers(-(2**22), 2**22, (N, 5, 2))
    out = [encoder.describe(), encoder.status(DeviceStatus(12, 87, 61.5))]
    for k, r in enumerate(rows):
        out.append(encoder.samples(r, (start + k * step) % 2**32, (1000 + k * tick_step) % 2**32, lead_off=2 * (k > 9)))
    return out


def _extremes():
    """Device, name of the seed, bytes."""
    flat = [[1, 2, 3, 4]] * 16
    times = [0, 2**32, 2**53, 2**63 - 1, 2**63, 2**64 - 1, 5, 37]
    yield "healthypi6", "times", b"".join(wire.dblk(k, t, flat) for k, t in enumerate(times))
    counts = [0, 1, 2**31, 2**31 + 1, 2**32 - 1, 0, 1, 2]
    yield "healthypi6", "sequence", b"".join(wire.dblk(c, 32 * k, flat) for k, c in enumerate(counts))
    clock = [0, 10**6, 2**32 * 10**6 - 1, 5, 6, 7]
    yield "heartypatch", "times", b"".join(wire.heartypatch(k, t, range(8)) for k, t in enumerate(clock))
    frames = [wire.heartypatch(c, 62500 * k, range(8)) for k, c in enumerate(counts)]
    yield "heartypatch", "sequence", b"".join(frames)
    clock = [2**32 - 4, 0, 4, 2**31, 2**31 + 4, 8, 8, 8]
    frames = [wire.cyton(k, range(8), 3 if k % 3 else 0, clock[k % 8]) for k in range(N)]
    yield "cyton", "times", b"".join(frames)
    yield "cyton", "constant", b"".join(wire.cyton(k, [0xA041, 0xC0A041 - 2**24] * 4) for k in range(N))
    for width, crc in ((3, 0), (3, 1), (2, 0), (2, 2)):
        yield "shimmer3", f"width{width}-crc{crc}", b"".join(_shimmer(width, crc))
    yield "shimmer3", "described", _shimmer_described()
    zeros = [unsynced.shimmer(t, [1, 2, 3, 4]) for t in (2**23, 0, 2**23 + 128, 0, 0, 64, 128, 0, 2**24 - 64, 0, 64)]
    yield "shimmer3", "unstamped", b"".join(zeros * 2)
    boot = [wire.olimex(0, [512] * 6, switches=2)] * 6
    yield "olimex-logston", "reboot", b"".join(boot + [wire.olimex(k, range(6)) for k in range(8)] + boot)
    mixed = [wire.ov3_ppg() if k % 3 else wire.ov3(range(8)) for k in range(12)]
    yield "healthypi5-ov3", "ppg", b"".join(mixed)
    yield "plotter", "header", b"a\tb\n" + b"".join(b"%d\t-%d.5\n" % (k, k) for k in range(N))
    yield "plotter", "huge", b"1e308 2\n-1e400 3\n+nan 9e99\n! !\n" * 4
    yield "ad8232", "zeros", b"0\r\n10\r\n!\r\n1023\r\n" * 8 + b"12\r345\r\n" * 3
    yield "ecglink", "wrap", b"".join(_ecglink(start=2**32 - 20))
    yield "ecglink", "leaps", b"".join(_ecglink(step=2**31 - 7, tick_step=2**31 + 3))
    yield "ecglink", "reboot", b"".join(_ecglink(boot=1)[:9] + _ecglink(boot=2)[:9])


def _shimmer_described():
    inquiry = (
        b"\xff\x02" + (64).to_bytes(2, "little") + bytes(4) + b"\x06\x01" + bytes([0x1D, 0x1E, 0x1F, 0x20, 0x21, 0x22])
    )
    registers = b"\xff\x62\x0a" + bytes([0, 0x80, 0x10, 0x40, 0x40, 0x20, 0, 0, 2, 1])
    frames = _shimmer(3, 2)
    acks = unsynced.with_crc(b"\xff", 2), unsynced.with_crc(b"\xff\x8a\x71\x21", 2)
    frames[4], frames[9] = acks[0] + frames[4], acks[1] + frames[9]
    return inquiry + registers * 2 + b"\xff" + b"".join(frames)


def seeds():
    """Name of each seed, ``DEVICE.KIND``, and its bytes."""
    out = {}
    for name in (*(d.name for d in DEVICES), "ecglink"):
        frames = _frames(name)
        out[f"{name}.clean"] = b"".join(frames)
        out[f"{name}.injured"] = injure(frames)
    return out | {f"{device}.{kind}": data for device, kind, data in _extremes()}


def main():
    """Write the corpus."""
    CORPUS.mkdir(exist_ok=True)
    for name, data in seeds().items():
        (CORPUS / f"{name}.bin").write_bytes(data)


if __name__ == "__main__":
    main()
