"""Random changes to byte streams, and checksums set right again so that changes pass them."""

import zlib

from ecg_edge.firmware_bridge.decoders.bitalino import _SIZES as BITALINO_SIZES
from ecg_edge.firmware_bridge.ecglink import cobs
from ecg_edge.firmware_bridge.ecglink.frames import MAJOR, seal
from tests.support.wire_unsynced import crc4, crc16

LONGEST = 1 << 15
WORDS = (
    b"\x00", b"\xff\xff", b"\x0a\xfa", b"\xa0", b"\xc0", b"\xc7\x7c", b"\xa5\x5a\x02", b"DBLK",
    b"\x02\x93", b"\x03\x03",
    b"\xff\xff\x01\x01\x80\xff", b"\xff\xff\x01\x01\x81\xff",
    b"\x8a\x71\x21", b"\xff\x02\x40\x00\x00\x00\x00\x00\x06\x01",
    b"!\r\n", b"\r\n", b"\n", b"nan", b"1e309", b"9" * 40, b",", b":", b"\x00" * 8, b"\xff" * 8, b"\x7f\xff\xff\xff",
)  # fmt: skip


def mutated(data, rng, others):
    """`data` with a few changes; `others` are streams to take pieces from."""
    out = bytearray(data)
    for _ in range(1 + min(rng.getrandbits(3), rng.getrandbits(4))):
        at = rng.randint(0, len(out))
        n = 1 << rng.randint(0, 9) if rng.random() < 0.3 else rng.randint(1, 24)
        CHANGES[rng.randrange(len(CHANGES))](out, at, n, rng, others)
        del out[LONGEST:]
    return bytes(out)


def _flip(out, at, n, rng, others):
    if at < len(out):
        out[at] ^= 1 << rng.randrange(8)


def _overwrite(out, at, n, rng, others):
    piece = rng.choice((rng.randbytes(n), bytes(n), b"\xff" * n, b"\x80" + bytes(n - 1)))[: len(out) - at]
    out[at : at + len(piece)] = piece


def _delete(out, at, n, rng, others):
    del out[at : at + n]


def _insert(out, at, n, rng, others):
    out[at:at] = rng.randbytes(n)


def _insert_word(out, at, n, rng, others):
    out[at:at] = rng.choice(WORDS) * rng.choice((1, 1, 1, 2, 40))


def _overwrite_word(out, at, n, rng, others):
    word = rng.choice(WORDS)[: len(out) - at]
    out[at : at + len(word)] = word


def _repeat(out, at, n, rng, others):
    out[at:at] = bytes(out[at : at + n]) * rng.randint(1, 5)


def _splice(out, at, n, rng, others):
    other = rng.choice(others)
    start = rng.randint(0, len(other))
    out[at : at + rng.choice((0, n))] = other[start : start + rng.randint(0, 600)]


def _cut_off(out, at, n, rng, others):
    if rng.random() < 0.3:
        del out[at:]


def _move(out, at, n, rng, others):
    piece = bytes(out[at : at + n])
    del out[at : at + n]
    to = rng.randint(0, len(out))
    out[to:to] = piece


CHANGES = (
    _flip, _flip, _overwrite, _delete, _insert, _insert_word, _overwrite_word, _repeat, _splice, _cut_off, _move,
)  # fmt: skip


def repaired(device, data, rng):
    """`data` with the checksums of `device` made right where frames can be told, so that changes pass them."""
    if device == "healthypi6":
        return _blocks(bytearray(data))
    if device == "ecglink":
        return _sealed(data, rng)
    if device.startswith("bitalino"):
        return _fixed(data, BITALINO_SIZES[int(device[9:] or 2) - 1], _with_crc4)
    if device == "shimmer3":
        return _fixed(data, 20, lambda frame: frame[:-2] + crc16(frame[:-2]).to_bytes(2, "little"))
    return data


def _blocks(data):
    at = data.find(b"DBLK")
    while at >= 0:
        end = at + int.from_bytes(data[at + 4 : at + 8], "little")
        if at + 32 <= end <= len(data):
            data[end - 4 : end] = zlib.crc32(data[at : end - 4]).to_bytes(4, "little")
        at = data.find(b"DBLK", at + 1)
    return bytes(data)


def _sealed(data, rng):
    """Frames that unstuff are changed inside and sealed again; their version stays (another one ends the stream)."""
    parts = data.split(b"\0")
    for k, part in enumerate(parts):
        try:
            body = bytearray(cobs.decode(part)[:-2])
        except cobs.CobsError:
            continue
        if len(body) > 1 and rng.random() < 0.5:
            body[0] = body[0] & 0xF0 | MAJOR
            body[rng.randrange(1, len(body))] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
            parts[k] = seal(bytes(body)).rstrip(b"\0")
    return b"\0".join(parts)


def _with_crc4(frame):
    frame = frame[:-1] + bytes([frame[-1] & 0xF0])
    return frame[:-1] + bytes([frame[-1] | crc4(frame)])


def _fixed(data, size, mend):
    whole = len(data) - len(data) % size
    return b"".join(mend(data[k : k + size]) for k in range(0, whole, size)) + data[whole:]
