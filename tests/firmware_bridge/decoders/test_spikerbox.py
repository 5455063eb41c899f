"""SpikerBox of one to six channels, 10 and 14 bits: exact counts, messages, injuries, cuts, garbage.

Undetectable: a flipped payload bit, whole frames missing or sent twice; with 14 bits a garbage pair
directly before a frame.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecg_edge.firmware_bridge.decoders.spikerbox import Messages, spikerbox
from ecg_edge.firmware_bridge.errors import UsageError
from tests.support.wire import as_summary, decode, summary
from tests.support.wire_unsynced import injured, spikerbox_message
from tests.support.wire_unsynced import spikerbox as frame

NAMES = {"spikerbox": (1, 10), "spikerbox-14bit": (1, 14)} | {f"spikerbox-{n}": (n, 10) for n in range(2, 7)}
GARBAGE = b"\x85\x8b\x8d\x9c\xa6\xc3\x3a"
MESSAGE = spikerbox_message(b"HWT:HBLEOSB;")


def _stream(name, n=130):
    channels, bits = NAMES[name]
    counts = np.random.default_rng(4).integers(0, 1 << bits, (n, channels))
    return counts, [frame(row) for row in counts]


@pytest.mark.parametrize("name", NAMES)
def test_every_width_is_decoded_exactly(name):
    counts, frames = _stream(name)
    frames[40] = MESSAGE + frames[40]
    got = decode(name, b"StartUp!\r\n" + b"".join(frames))
    assert np.array_equal(got.counts, counts)
    assert (got.tally.skipped_bytes, got.tally.bad_frames, got.tally.lost) == (10, 0, 0)
    assert not got.tally.loss_known
    assert got.info.fs * NAMES[name][0] * 199 == 2_000_000


def test_millivolts_of_fourteen_bits():
    got = decode("spikerbox-14bit", b"".join(_stream("spikerbox-14bit")[1]), gain=100.0)
    assert np.allclose(got.mv, (got.counts * 5000 / 16384 - 2500) / 100, rtol=1e-5)


@pytest.mark.parametrize("name", [n for n in NAMES if n != "spikerbox-14bit"])
def test_injured_stream_yields_what_is_there(name):
    counts, frames = _stream(name)
    data, kept = injured(frames, GARBAGE)
    if NAMES[name][0] == 1:
        kept = sorted([*kept, 42])  # first and last byte are all it has
    got = decode(name, data)
    assert np.array_equal(got.counts, counts[sorted([*kept, 37])])
    # the broken frames and no others are listed, the garbage by its length
    broken = [10, 22, 27, *([] if NAMES[name][0] == 1 else [42])]
    garbage = max(1, round(len(GARBAGE) / len(frames[0])))
    assert got.tally.lost == len(broken) + garbage


@pytest.mark.parametrize("name", ["spikerbox", "spikerbox-3"])
def test_every_place_where_a_byte_may_be_lost(name):
    counts, frames = _stream(name, 40)
    for place in range(len(frames[0])):
        cut = list(frames)
        cut[20] = cut[20][:place] + cut[20][place + 1 :]
        got = decode(name, b"".join(cut))
        assert np.array_equal(got.counts, np.delete(counts, 20, axis=0)), place
        assert got.tally.lost_ranges == [(20, 21)]


def test_message_cut_anywhere_takes_no_sample_and_is_read():
    counts, frames = _stream("spikerbox", 40)
    data = b"".join(frames[:20]) + MESSAGE + b"".join(frames[20:])
    for cut in range(36, 42 + len(MESSAGE)):
        decoder = spikerbox()
        events = decoder.feed(data[:cut]) + decoder.feed(data[cut:]) + decoder.close()
        assert np.array_equal(summary(decoder, events)[1], counts)
        assert list(decoder.texts) == ["HWT:HBLEOSB;"]


def test_begun_message_without_an_end_costs_only_itself():
    counts, frames = _stream("spikerbox", 400)
    frames[100] = MESSAGE[:6] + frames[100]
    got = decode("spikerbox", b"".join(frames))
    assert np.array_equal(got.counts, counts)
    assert got.tally.skipped_bytes == 6


@given(
    parts=st.lists(st.one_of(st.binary(max_size=9), st.just(MESSAGE), st.just(MESSAGE[:7])), max_size=12),
    size=st.integers(1, 20),
)
def test_messages_leave_the_same_bytes_for_every_cut(parts, size):
    data = b"".join(parts)
    whole, cut = Messages(), Messages()
    expected = whole.strip(data) + whole.close()
    got = b"".join(cut.strip(data[k : k + size]) for k in range(0, len(data), size)) + cut.close()
    assert got == expected
    assert list(cut.texts) == list(whole.texts)


@settings(max_examples=25, deadline=None)
@given(data=st.data(), name=st.sampled_from(sorted(NAMES)))
def test_cuts_do_not_matter(data, name):
    _, frames = _stream(name)
    frames[50] = MESSAGE + frames[50]
    stream, _ = injured(frames, data.draw(st.binary(max_size=12)))
    size = data.draw(st.sampled_from([1, 2, 3, 7, 64, 0]))
    cuts = size or sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=40)))
    assert decode(name, stream, cuts) == as_summary(decode(name, stream))


@settings(max_examples=20, deadline=None)
@given(noise=st.binary(max_size=4000), name=st.sampled_from(sorted(NAMES)))
def test_garbage_is_survived_in_bounded_memory(noise, name):
    channels, bits = NAMES[name]
    decoder = spikerbox(channels=channels, bits=bits)
    for start in range(0, len(noise), 97):
        decoder.feed(noise[start : start + 97])
        assert decoder.buffered < 1 << 10
    decoder.close()
    assert decoder.buffered == 0


def test_random_bytes_hardly_ever_make_a_sample():
    noise = np.random.default_rng(0).bytes(200_000)
    decoder = spikerbox()
    decoder.feed(noise)
    assert decoder.tally.samples < 10


def test_no_box_has_no_channels():
    with pytest.raises(UsageError, match="0 channel"):
        spikerbox(channels=0)
    assert spikerbox(channels=3).opening() == b"b:;\nc:3;\n"
