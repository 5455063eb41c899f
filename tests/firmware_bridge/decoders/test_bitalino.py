"""BITalino of every width: exact counts, injuries, wraps of its four-bit counter, cuts, garbage.

Undetectable in the format: a whole counter wrap without arrival times; a frame with bytes inserted
whose last ones pass the CRC (once in 16); garbage in a frame's place that passes CRC and sequence
(once in 256).
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecg_edge.firmware_bridge.decoders.bitalino import bitalino, crc4
from ecg_edge.firmware_bridge.ports.capture_file import decode_bytes
from tests.support.wire import as_summary, decode, summary
from tests.support.wire_unsynced import BITALINO_SIZES, LOST, N, bitalino_counts, injured
from tests.support.wire_unsynced import bitalino as frame
from tests.support.wire_unsynced import crc4 as crc4_of

GARBAGE = b"\xf7\xe0\xda\x71\x40\x6a\x42"
WIDTHS = range(1, 7)


def _stream(channels, n=N, first=5, seed=11):
    counts = bitalino_counts(np.random.default_rng(seed), n, channels)
    return counts, [frame(first + k, row.tolist()) for k, row in enumerate(counts)]


def _times(frames, gone, extra=0, fs=1000.0, preamble=0):
    """Arrival of each frame that is left, at the pace of the device."""
    sizes = [len(f) for k, f in enumerate(frames) if k not in gone]
    offsets = np.concatenate(([0], preamble + np.cumsum(sizes[:-1])))
    return np.column_stack((offsets, 50 + np.array([k for k in range(len(frames)) if k not in gone]) / fs))


@pytest.mark.parametrize("channels", WIDTHS)
def test_every_width_is_decoded_exactly(channels):
    counts, frames = _stream(channels)
    assert len(frames[0]) == BITALINO_SIZES[channels - 1]
    got = decode(f"bitalino-{channels}", b"BITalino_v5.2\n" + b"".join(frames))
    assert np.array_equal(got.counts, counts)
    assert (got.tally.skipped_bytes, got.tally.bad_frames, got.tally.lost) == (14, 0, 0)


@pytest.mark.parametrize("channels", WIDTHS)
def test_width_is_found_out(channels):
    counts, frames = _stream(channels)
    got = decode("bitalino", b"BITalino_v5.2\n" + b"".join(frames))
    assert np.array_equal(got.counts[:, :channels], counts)
    assert got.counts.shape[1] == (6 if channels == 5 else channels)  # a sixth of zeros cannot be told
    assert not got.counts[:, channels:].any()


def test_millivolts_of_ten_and_six_bits():
    row = [0, 1023, 512, 256, 63, 16]
    frames = [frame(k, row) for k in range(20)]
    got = decode("bitalino", b"".join(frames))
    full = np.array([1024] * 4 + [64] * 2)
    assert np.allclose(got.mv, (np.array(row) / full - 0.5) * 3300 / 1100, atol=1e-6)
    assert np.allclose(decode("bitalino-6", b"".join(frames), gain=330.0).mv, got.mv * 1100 / 330)


@pytest.mark.parametrize("channels", WIDTHS)
def test_injured_stream_with_times_reports_the_loss_exactly(channels):
    counts, frames = _stream(channels)
    data, kept = injured(frames, GARBAGE)
    got = decode_bytes(bitalino(channels=channels), data, _piecewise(frames, data))
    assert got.index.tolist() == kept
    assert np.array_equal(got.counts, counts[kept])
    assert got.tally.lost_ranges == LOST
    assert got.tally.duplicates == 1
    assert got.tally.loss_known


def _piecewise(frames, data):
    """Arrival times of an injured stream: pieces that begin where a long hole ends."""
    at = [data.index(frames[k] + frames[k + 1]) for k in (0, 28, 63, 110)]
    return np.column_stack((at, np.array([9.009 + 0.018, 9.047, 9.069, 9.129])))


@pytest.mark.parametrize("channels", WIDTHS)
def test_injured_stream_without_times_is_short_by_whole_wraps(channels):
    counts, frames = _stream(channels)
    data, kept = injured(frames, GARBAGE)
    got = decode(f"bitalino-{channels}", data)
    assert np.array_equal(got.counts, counts[kept])
    assert got.tally.lost_ranges == [*LOST[:-1], (70, 78)]  # 40 lost look like 8
    assert not got.tally.loss_known


def test_fifteen_lost_frames_are_not_a_frame_sent_twice():
    counts, frames = _stream(2)
    got = decode("bitalino-2", b"".join(frames[:40] + frames[55:]))
    assert got.tally.lost_ranges == [(40, 55)]
    assert got.tally.duplicates == 0
    twice = decode("bitalino-2", b"".join(frames[:40] + frames[39:]))
    assert (twice.tally.lost, twice.tally.duplicates) == (0, 1)
    assert np.array_equal(twice.counts, counts)


@pytest.mark.parametrize("lost", [1, 15, 16, 17, 129, 160])
@pytest.mark.parametrize("fs", [1000, 100])
def test_a_stalled_link_is_measured_with_arrival_times(lost, fs):
    counts, frames = _stream(2, 700)
    gone = set(range(300, 300 + lost))
    data = b"".join(f for k, f in enumerate(frames) if k not in gone)
    got = decode_bytes(bitalino(channels=2, fs=fs), data, _times(frames, gone, fs=fs))
    assert got.tally.lost_ranges == [(300, 300 + lost)]
    assert np.array_equal(got.counts, counts[got.index])
    blind = decode("bitalino-2", data)
    assert blind.tally.lost == lost % 16
    assert not blind.tally.loss_known


def test_a_late_burst_is_no_loss():
    counts, frames = _stream(2, 900)
    times = _times(frames, set())
    times[300:400, 1] = times[400, 1]  # the radio held a tenth of a second back
    got = decode_bytes(bitalino(channels=2), b"".join(frames), times)
    assert (got.tally.lost, got.tally.loss_known) == (0, True)
    assert np.array_equal(got.counts, counts)


def test_frame_cut_short_does_not_pass_for_a_sample_though_its_check_fits():
    """Search a frame that, its third byte lost, passes CRC and sequence with the next one's first byte."""
    rng = np.random.default_rng(0)
    counts, _ = _stream(2)
    first = ((counts[21, 1] & 0xF0) >> 4) - 20
    for _ in range(2000):
        row = (counts[19] + rng.integers(-9, 10, 2)).tolist()
        whole, after = frame(first + 20, row), frame(first + 21, counts[21].tolist())
        short = whole[:2] + whole[3:]
        if crc4_of(short + after[:1]) == 0:
            break
    else:  # pragma: no cover
        pytest.fail("no such frame")
    frames = [frame(first + k, c.tolist()) for k, c in enumerate(counts)]
    frames[20] = short
    got = decode("bitalino-2", b"".join(frames))
    assert got.tally.lost_ranges == [(20, 21)]
    assert np.array_equal(got.counts, np.delete(counts, 20, axis=0))


def test_rests_of_a_cut_frame_do_not_pass_for_a_sample_though_their_check_fits():
    """Search a frame whose last three bytes pass the CRC with the last byte of the frame before it."""
    rng = np.random.default_rng(1)
    counts, frames = _stream(2)
    for _ in range(20000):
        row = (counts[19] + rng.integers(-9, 10, 2)).tolist()
        cut = frame(25, row)[1:]
        if crc4_of(frames[19][-1:] + cut) == 0:
            break
    else:  # pragma: no cover
        pytest.fail("no such frame")
    frames[20] = cut
    got = decode("bitalino-2", b"".join(frames))
    assert got.tally.lost_ranges == [(20, 21)]
    assert np.array_equal(got.counts, np.delete(counts, 20, axis=0))


@given(frame_bytes=st.binary(min_size=3, max_size=8), bit=st.integers(0, 23))
def test_crc4_agrees_with_long_division_and_sees_every_flipped_bit(frame_bytes, bit):
    row = np.frombuffer(frame_bytes, np.uint8).reshape(1, -1)
    assert crc4(row)[0] == crc4_of(frame_bytes)
    flipped = row.copy()
    flipped[0, bit // 8] ^= 1 << bit % 8
    assert crc4(flipped)[0] != crc4(row)[0]


@settings(max_examples=25, deadline=None)
@given(data=st.data(), channels=st.integers(0, 6))
def test_cuts_do_not_matter(data, channels):
    name = f"bitalino-{channels}" if channels else "bitalino"
    _, frames = _stream(channels or 2)
    stream, _ = injured(frames, data.draw(st.binary(max_size=12)))
    size = data.draw(st.sampled_from([1, 2, 3, 7, 64, 0]))
    cuts = size or sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=40)))
    assert decode(name, stream, cuts) == as_summary(decode(name, stream))


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_random_damage_yields_no_false_sample_but_by_chance(data):
    """Any bytes removed and inserted between frames: what comes out is a subsequence of the truth."""
    counts, frames = _stream(4, 200, seed=3)
    where = data.draw(st.lists(st.integers(10, 190), max_size=4, unique=True))
    for k in where:
        keep = data.draw(st.integers(0, 6))
        frames[k] = frames[k][:keep] + data.draw(st.binary(max_size=9))
    got = decode("bitalino-4", b"".join(frames))
    truth = [tuple(row) for row in counts.tolist()]
    false = [row for row in map(tuple, got.counts.tolist()) if row not in truth]
    assert len(false) <= len(where)  # the damaged frame itself, where garbage happens to fit
    assert sum(row in truth for row in map(tuple, got.counts.tolist())) >= 200 - 3 * len(where)


@settings(max_examples=20, deadline=None)
@given(noise=st.binary(max_size=4000), channels=st.sampled_from([0, 1, 2, 6]))
def test_garbage_is_survived_in_bounded_memory(noise, channels):
    decoder = bitalino(channels=channels or None)
    for start in range(0, len(noise), 97):
        decoder.feed(noise[start : start + 97])
        assert decoder.buffered < 1 << 13
    summary(decoder, decoder.close())
    assert decoder.buffered == 0


def test_commands_start_the_channels_that_are_wanted_and_stop_them():
    assert bitalino().opening() == b"\xc3\x0d"
    assert bitalino(channels=6, fs=100).opening() == bytes([0x83, 0x01 | 0x3F << 2])
    assert bitalino(leads=("I", "II", "V1")).opening() == bytes([0xC3, 0x01 | 0x7 << 2])
    assert bitalino().closing() == b"\x00"
