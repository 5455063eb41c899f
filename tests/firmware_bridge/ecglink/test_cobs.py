import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecg_edge.firmware_bridge.ecglink.cobs import CobsError, decode, encode, encoded_size

RUN = bytes(range(1, 255))
# Vectors worked out in the literature for runs around the 254-byte limit.
VECTORS = [
    (b"", b"\x01"),
    (b"\x00", b"\x01\x01"),
    (b"\x00\x00", b"\x01\x01\x01"),
    (b"\x00\x11\x00", b"\x01\x02\x11\x01"),
    (b"\x11\x22\x00\x33", b"\x03\x11\x22\x02\x33"),
    (b"\x11\x22\x33\x44", b"\x05\x11\x22\x33\x44"),
    (b"\x11\x00\x00\x00", b"\x02\x11\x01\x01\x01"),
    (RUN, b"\xff" + RUN),
    (b"\x00" + RUN, b"\x01\xff" + RUN),
    (RUN + b"\xff", b"\xff" + RUN + b"\x02\xff"),
    (RUN + b"\x00", b"\xff" + RUN + b"\x01\x01"),
    (RUN[1:] + b"\xff\x00", b"\xff" + RUN[1:] + b"\xff\x01\x01"),
    (RUN[2:] + b"\x00\x01", b"\xfd" + RUN[2:] + b"\x02\x01"),
]


@pytest.mark.parametrize(("plain", "stuffed"), VECTORS)
def test_published_vectors(plain, stuffed):
    assert encode(plain) == stuffed
    assert decode(stuffed) == plain


@given(st.binary(max_size=1100) | st.lists(st.sampled_from([0, 1, 255]), max_size=1100).map(bytes))
def test_round_trip_without_zero_and_within_the_bound(data):
    stuffed = encode(data)
    assert 0 not in stuffed
    assert len(stuffed) <= encoded_size(len(data))
    assert decode(stuffed) == data


@pytest.mark.parametrize("bad", [b"", b"\x00", b"\x02", b"\x05\x11", b"\x03\x11\x00", b"\xff" + RUN[1:], b"\x01\x00"])
def test_refuses_what_is_no_encoding(bad):
    with pytest.raises(CobsError):
        decode(bad)


@given(st.binary(max_size=300))
def test_any_bytes_decode_or_are_refused(data):
    with contextlib.suppress(CobsError):
        assert len(decode(data)) < len(data)
