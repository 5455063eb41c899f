"""Byte streams of devices whose frames have no sync word, or that send text, built from the layouts."""

import numpy as np

BITALINO_SIZES = (3, 4, 6, 7, 8, 8)


def crc4(frame):
    """Remainder of the frame as a polynomial modulo x^4 + x + 1."""
    value = int.from_bytes(frame, "big")
    for bit in range(value.bit_length() - 1, 3, -1):
        if value >> bit & 1:
            value ^= 0x13 << bit - 4
    return value


def bitalino(seq, counts, digital=0xC):
    """One frame, of as many channels as there are counts."""
    a = [*counts, 0, 0, 0, 0, 0, 0][:6]
    word = [0] * 8  # right-aligned: word[7] is the last byte
    word[6] = digital << 4 | a[0] >> 6
    word[5] = (a[0] & 0x3F) << 2 | a[1] >> 8
    word[4] = a[1] & 0xFF
    word[3] = a[2] >> 2
    word[2] = (a[2] & 3) << 6 | a[3] >> 4
    word[1] = (a[3] & 0xF) << 4 | a[4] >> 2
    word[0] = (a[4] & 3) << 6 | a[5]
    word[7] = seq % 16 << 4
    frame = bytes(word[8 - BITALINO_SIZES[len(counts) - 1] :])
    return frame[:-1] + bytes([frame[-1] | crc4(frame)])


def bitalino_counts(rng, n, channels):
    """Signals that wander, as signals do: a wrong frame is told from a right one by that, where nothing else tells."""
    full = np.array([1024] * 4 + [64] * 2)[:channels]
    start = rng.integers(full // 4, 3 * full // 4)
    return np.clip(start + np.cumsum(rng.integers(-3, 4, (n, channels)), axis=0), 0, full - 1)


def crc16(data):
    """CRC-16, polynomial 0x1021 from 0xB0CA, zero-padded to an even length."""
    crc = 0xB0CA
    for byte in data + bytes(len(data) % 2):
        for bit in range(7, -1, -1):
            high = (crc >> 15 ^ byte >> bit) & 1
            crc = (crc << 1 & 0xFFFF) ^ (0x1021 if high else 0)
    return crc


def with_crc(data, size):
    return data + crc16(data).to_bytes(2, "little")[:size]


def shimmer(ticks, counts, crc=2, status=(0x80, 0x80), width=3):
    """One packet of both chips, 24 or 16 bits (`width` bytes)."""
    ecg = [int(c).to_bytes(width, "big", signed=True) for c in counts]
    body = bytes([status[0]]) + ecg[0] + ecg[1] + bytes([status[1]]) + ecg[2] + ecg[3]
    return with_crc(b"\0" + (ticks % 2**24).to_bytes(3, "little") + body, crc)


def spikerbox(counts):
    """One frame."""
    out = bytearray()
    for c in counts:
        out += bytes([int(c) >> 7, int(c) & 0x7F])
    out[0] |= 0x80
    return bytes(out)


def spikerbox_message(text):
    return b"\xff\xff\x01\x01\x80\xff" + text + b"\xff\xff\x01\x01\x81\xff"


def ad8232(count):
    return b"!\r\n" if count < 0 else b"%d\r\n" % count


def injured(frames, garbage):
    """As `wire.injured`, for frames from 60 on; frames 26 to 41 more are missing in a second, long hole from 60."""
    frames = [bytes(f) for f in frames]
    half = len(frames[10]) // 2
    frames[10] = frames[10][:half] + frames[10][half + 1 :]
    frames[22] = bytes([frames[22][0] ^ 0x40]) + frames[22][1:]
    frames[27] = frames[27][:-1] + bytes([frames[27][-1] ^ 0x80])
    frames[32] = garbage + frames[32]
    frames[37] *= 2
    frames[42] = frames[42][:1] + frames[42][-1:]
    missing = {15, 16, 17, *range(48, 48 + 15), *range(70, 70 + 40)}
    data = b"".join(f for k, f in enumerate(frames) if k not in missing)
    return data, [k for k in range(len(frames)) if k not in missing | {10, 22, 27, 42}]


LOST = [(10, 11), (15, 18), (22, 23), (27, 28), (42, 43), (48, 63), (70, 110)]
"""What `injured` loses of a stream of 130 frames."""
N = 130
