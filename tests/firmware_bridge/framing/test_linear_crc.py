import binascii

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecg_edge.firmware_bridge.framing.byte_fields import big_endian_16, big_endian_24, little_endian
from ecg_edge.firmware_bridge.framing.linear_crc import LinearCrc


def step_of(polynomial, bits):
    """One byte through a CRC, bit by bit, the highest first."""
    top, mask = 1 << (bits - 1), (1 << bits) - 1

    def step(crc, byte):
        crc ^= byte << (bits - 8)
        for _ in range(8):
            crc = (crc << 1 ^ (polynomial if crc & top else 0)) & mask
        return crc

    return step


def rows(draw_bytes, size):
    return np.frombuffer(draw_bytes, np.uint8)[: len(draw_bytes) // size * size].reshape(-1, size)


@given(data=st.binary(min_size=1, max_size=60), size=st.integers(1, 12), start=st.sampled_from([0, 0xFFFF, 0x1D0F]))
def test_many_frames_at_once_are_the_ccitt_crc_of_each(data, size, start):
    frames = rows(data, size)
    want = [binascii.crc_hqx(frame.tobytes(), start) for frame in frames]
    assert LinearCrc(size, step_of(0x1021, 16), start)(frames).tolist() == want


@given(data=st.binary(min_size=4, max_size=40), start=st.integers(0, 255))
def test_a_crc_of_eight_bits_is_its_step_repeated(data, start):
    step = step_of(0x07, 8)
    want = []
    for frame in rows(data, 4):
        crc = start
        for byte in frame:
            crc = step(crc, int(byte))
        want.append(crc)
    assert LinearCrc(4, step, start)(rows(data, 4)).tolist() == want


@given(data=st.binary(min_size=9, max_size=9), at=st.integers(0, 8), bit=st.integers(0, 7))
def test_every_flipped_bit_changes_it(data, at, bit):
    crc = LinearCrc(9, step_of(0x1021, 16), 0xFFFF)
    other = bytearray(data)
    other[at] ^= 1 << bit
    assert crc(rows(data, 9))[0] != crc(rows(bytes(other), 9))[0]


def test_no_frames_have_no_checksums():
    assert LinearCrc(5, step_of(0x1021, 16))(np.zeros((0, 5), np.uint8)).shape == (0,)


@given(values=st.lists(st.integers(-(2**23), 2**23 - 1), min_size=2, max_size=2), pad=st.integers(0, 3))
def test_fields_of_24_bits_are_two_complement_big_endian(values, pad):
    frame = bytes(pad) + b"".join(v.to_bytes(3, "big", signed=True) for v in values) + b"\xff"
    assert big_endian_24(rows(frame, len(frame)), pad, 2).tolist() == [values]


@given(values=st.lists(st.integers(0, 2**16 - 1), min_size=3, max_size=3), pad=st.integers(0, 3))
def test_fields_of_16_bits_are_unsigned_big_endian(values, pad):
    frame = bytes(pad) + b"".join(v.to_bytes(2, "big") for v in values) + b"\xff"
    assert big_endian_16(rows(frame, len(frame)), pad, 3).tolist() == [values]


@pytest.mark.parametrize(("dtype", "size", "signed"), [("<i4", 4, True), ("<u2", 2, False), ("<i2", 2, True)])
@given(data=st.data())
def test_little_endian_fields_are_those_of_struct(dtype, size, signed, data):
    low, high = (-(1 << 8 * size - 1), (1 << 8 * size - 1) - 1) if signed else (0, (1 << 8 * size) - 1)
    values = data.draw(st.lists(st.integers(low, high), min_size=2, max_size=2))
    frame = b"\x01" + b"".join(v.to_bytes(size, "little", signed=signed) for v in values)
    found = little_endian(rows(frame, len(frame)), 1, 2, dtype)
    assert found.tolist() == [values] and found.dtype == np.int64
