"""Shimmer3 in every width and CRC: exact counts, injuries, wraps, packets never stamped, what the unit says.

Undetectable without CRC: a wrong byte in a channel, the header and the time being right.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecg_edge.firmware_bridge.decoders.shimmer import shimmer3
from ecg_edge.firmware_bridge.decoders.shimmer_packets import crc16
from ecg_edge.firmware_bridge.events import SampleBlock, StreamInfo
from ecg_edge.firmware_bridge.lead_names import ELECTRODES
from tests.support.wire import as_summary, decode
from tests.support.wire_unsynced import LOST, N, injured, shimmer, with_crc
from tests.support.wire_unsynced import crc16 as crc16_of

GARBAGE = b"\x2e\x8c\x57\x00\x52\x00\xae"
VARIANTS = [(width, crc) for width in (3, 2) for crc in (0, 1, 2)]


def _stream(width=3, crc=2, n=N, first=2**24 - 64 * 50, step=64, seed=5):
    """Packets whose time wraps at the fiftieth."""
    half = 1 << 8 * width - 1
    counts = np.random.default_rng(seed).integers(-half, half, (n, 4))
    return counts, [shimmer(first + step * k, row, crc, width=width) for k, row in enumerate(counts)]


def _decode(data, cuts=None, **options):
    return decode("shimmer3", data, cuts, **options)


@pytest.mark.parametrize(("width", "crc"), VARIANTS)
def test_width_and_crc_are_found_out(width, crc):
    counts, frames = _stream(width, crc)
    got = _decode(b"".join(frames))
    assert np.array_equal(got.counts[:, :4], counts)
    assert (got.counts[:, 4:] == [0, 0, 1]).all()
    assert (got.tally.lost, got.tally.bad_frames, got.tally.skipped_bytes) == (0, 0, 0)
    lsb = 2420 / 4 / (2**23 - 1) * (128 if width == 2 else 1)
    assert np.allclose(got.mv[:, :4], counts * lsb, rtol=1e-6)
    assert got.valid.all()


@pytest.mark.parametrize(("width", "crc"), VARIANTS)
def test_injured_stream_yields_the_survivors_and_the_loss(width, crc):
    counts, frames = _stream(width, crc)
    if crc == 0:
        frames[27] = frames[27][:-1]  # a flipped last byte is a channel's then: lose it instead
    data, kept = injured(frames, GARBAGE)
    if crc == 0:
        data = data.replace(frames[26] + frames[27][:-1] + bytes([frames[27][-1] ^ 0x80]), frames[26] + frames[27])
    got = _decode(data)
    assert got.index.tolist() == kept
    assert np.array_equal(got.counts[:, :4], counts[kept])
    assert got.tally.lost_ranges == LOST
    assert (got.tally.duplicates, got.tally.loss_known) == (1, True)


def test_flipped_payload_bit_is_seen_with_a_crc():
    for crc in (1, 2):
        counts, frames = _stream(3, crc)
        frames[30] = frames[30][:7] + bytes([frames[30][7] ^ 4]) + frames[30][8:]
        got = _decode(b"".join(frames))
        assert np.array_equal(got.counts[:, :4], np.delete(counts, 30, axis=0))
        assert got.tally.lost_ranges == [(30, 31)]


@pytest.mark.parametrize("crc", [0, 1, 2])
def test_every_place_where_a_byte_may_be_lost(crc):
    counts, frames = _stream(3, crc, n=40)
    for place in range(len(frames[0])):
        cut = list(frames)
        cut[20] = cut[20][:place] + cut[20][place + 1 :]
        got = _decode(b"".join(cut))
        assert np.array_equal(got.counts[:, :4], np.delete(counts, 20, axis=0)), place
        assert got.tally.lost_ranges == [(20, 21)]


@pytest.mark.parametrize("crc", [0, 1, 2])
def test_acknowledgements_and_status_between_packets(crc):
    counts, frames = _stream(3, crc)
    frames[12] = with_crc(b"\xff", crc) + frames[12]
    frames[20] = b"\xff" + frames[20]
    frames[25] = with_crc(b"\x8a\x71\x15", crc) + frames[25]
    frames[33] = with_crc(b"\xff\x8a\x71\x15", crc) + frames[33]
    frames[40] = with_crc(b"\xff", crc) + with_crc(b"\x8a\x71\x15", crc) + frames[40]
    frames[-1] += b"\xff"
    data = b"".join(frames)
    got = _decode(data)
    assert np.array_equal(got.counts[:, :4], counts)
    assert (got.tally.lost, got.tally.bad_frames, got.tally.skipped_bytes) == (0, 0, 0)
    assert _decode(data, 1) == as_summary(got)


def _reply(ids, period=64, n_buffers=1):
    return b"\xff\x02" + period.to_bytes(2, "little") + bytes(4) + bytes([len(ids), n_buffers]) + bytes(ids)


def _registers(first, second):
    return b"\xff\x62\x0a" + bytes([2, 0x80, 0x10, first << 4, second << 4, 0, 0, 0, 2, 3])


def test_what_the_unit_says_fixes_rate_order_and_gain():
    ids = [0x00, 0x01, 0x02, 0x20, 0x22, 0x21, 0x1D, 0x1F, 0x1E]  # three accelerometer axes before, chip 2 first
    rng = np.random.default_rng(2)
    counts = rng.integers(-(2**23), 2**23, (60, 4))
    packets = []
    for k, row in enumerate(counts):
        v1, resp, one, two = (int(c).to_bytes(3, "big", signed=True) for c in row)
        body = rng.bytes(6) + b"\x80" + v1 + resp + b"\x80" + one + two
        packets.append(with_crc(b"\0" + (900 + 128 * k).to_bytes(3, "little") + body, 1))
    data = b"\xff\xff" + _reply(ids, 128) + _registers(4, 6) + _registers(0, 1) + b"\xff" + b"".join(packets)
    got = _decode(data, gain=99.0)
    assert got.info.fs == 256
    assert got.info.leads[:4] == ("V1", "resp", "I", "II")
    assert np.array_equal(got.counts[:, :4], counts)
    gains = np.array([1, 6, 12, 4])  # codes 1, 0, 6, 4; the registers go before --gain
    assert np.allclose(got.mv[:, :4], counts * 2420 / gains / (2**23 - 1), rtol=1e-6)
    assert _decode(data, 1, gain=99.0) == as_summary(got)


def test_configured_gain_holds_where_nothing_was_read_back():
    counts, frames = _stream()
    got = _decode(b"".join(frames), gain=6.0)
    assert np.allclose(got.mv[:, :4], counts * 2420 / 6 / (2**23 - 1), rtol=1e-6)


def test_one_chip_alone():
    counts, frames = _stream(3, 0)
    data = _reply([0x1D, 0x1E, 0x1F]) + b"\xff" + b"".join(f[:11] for f in frames)
    got = _decode(data)
    assert got.info.leads == ("II", "I", "lead_off_1", "fresh")
    assert np.array_equal(got.counts[:, :2], counts[:, :2])


@pytest.mark.parametrize("crc", [0, 2])
def test_packet_never_stamped_keeps_its_place_and_is_not_valid(crc):
    counts, frames = _stream(3, crc, first=10**6)
    frames[30] = shimmer(0, counts[30], crc)
    got = _decode(b"".join(frames))
    assert np.array_equal(got.counts[:, :4], counts)
    assert np.flatnonzero(~got.valid.all(axis=1)).tolist() == [30]
    assert (got.tally.lost, got.tally.stale) == (0, 1)


@pytest.mark.parametrize("first", [2**24 - 64 * 40, 0, 64])
def test_time_zero_is_a_time_where_it_is_due(first):
    counts, frames = _stream(first=first)
    got = _decode(b"".join(frames))
    assert np.array_equal(got.counts[:, :4], counts)
    assert got.valid.all()
    assert got.tally.lost == 0


def test_loss_across_the_wrap():
    counts, frames = _stream(first=2**24 - 64 * 50)
    data = b"".join(frames[:40] + frames[90:])
    assert _decode(data).tally.lost_ranges == [(40, 90)]
    # a long way forward, through the wrap: 2 ** 23 and more ticks are still forward
    far = [shimmer(2**24 - 64 * 10 + 64 * (k + 200000), c) for k, c in enumerate(counts)]
    assert _decode(b"".join(frames[:40] + far)).tally.lost == 200000


def test_packet_out_of_order_is_dropped_and_its_place_stays_lost():
    counts, frames = _stream()
    frames[20], frames[21] = frames[21], frames[20]
    got = _decode(b"".join(frames))
    assert np.array_equal(got.counts[:, :4], np.delete(counts, 20, axis=0))
    assert got.tally.lost_ranges == [(20, 21)]
    assert got.tally.duplicates == 1


@pytest.mark.parametrize(
    ("status", "off"),
    [
        ((0x81, 0x80), {"LL"}),
        ((0x82, 0x80), {"RA"}),
        ((0x84, 0x80), {"LA"}),
        ((0x88, 0x80), {"RA"}),
        ((0x90, 0x80), {"RL"}),
        ((0x80, 0x84), {"V1"}),
        ((0x8A, 0x80), {"RA"}),
        ((0x85, 0x8C), {"LL", "LA", "V1"}),
    ],
)
def test_lead_off_bits(status, off):
    frames = [shimmer(500 + 64 * k, [1, 2, 3, 4], status=status) for k in range(10)]
    decoder = shimmer3()
    blocks = [e for e in decoder.feed(b"".join(frames)) + decoder.close() if isinstance(e, SampleBlock)]
    assert {name for k, name in enumerate(ELECTRODES) if blocks[0].lead_off >> k & 1} == off
    assert blocks[0].counts[0, 4:6].tolist() == [status[0] & 31, status[1] & 31]


def test_stale_data_of_one_chip_leave_the_other_valid():
    frames = [shimmer(500 + 64 * k, [1, 2, 3, 4], status=(0x80, 0x00 if k == 4 else 0x80)) for k in range(10)]
    got = _decode(b"".join(frames))
    assert got.valid[4, :4].tolist() == [True, True, False, False]
    assert got.counts[:, 6].tolist() == [1, 1, 1, 1, 0, 1, 1, 1, 1, 1]
    assert got.tally.stale == 1


@given(message=st.binary(min_size=1, max_size=24))
def test_crc16_agrees_with_long_division(message):
    assert crc16(np.frombuffer(message, np.uint8).reshape(1, -1))[0] == crc16_of(message)


@settings(max_examples=25, deadline=None)
@given(data=st.data(), variant=st.sampled_from(VARIANTS))
def test_cuts_do_not_matter(data, variant):
    _, frames = _stream(*variant, n=120)
    stream, _ = injured(frames, data.draw(st.binary(max_size=12)))
    stream = data.draw(st.sampled_from([b"", _reply([0x1D, 0x1E, 0x1F, 0x20, 0x21, 0x22])])) + stream
    size = data.draw(st.sampled_from([1, 2, 3, 7, 64, 0]))
    cuts = size or sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=40)))
    whole = shimmer3()
    events = whole.feed(stream) + whole.close()
    if any(isinstance(e, StreamInfo) for e in events):
        assert _decode(stream, cuts) == as_summary(_decode(stream))


@settings(max_examples=20, deadline=None)
@given(noise=st.binary(max_size=4000), zeros=st.integers(0, 3000))
def test_garbage_is_survived_in_bounded_memory(noise, zeros):
    decoder = shimmer3()
    for start in range(0, len(noise), 97):
        decoder.feed(noise[start : start + 97])
        assert decoder.buffered < 1 << 13
    assert not [e for e in decoder.feed(bytes(zeros)) if isinstance(e, SampleBlock)]
    decoder.close()
    assert decoder.buffered == 0


def test_commands_ask_for_what_the_decoder_wants_to_hear():
    opening = shimmer3(bits=16, crc=1, fs=256).opening()
    assert opening.startswith(b"\x8b\x01\x08\x00\x00\x18\x05\x80\x00\x01\x63\x00\x00\x0a\x63\x01")
    assert opening.endswith(b"\x07")
    assert shimmer3().closing() == b"\x20"
