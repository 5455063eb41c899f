"""Text: SparkFun's AD8232 sketch and plotter lines.

Undetectable: a digit lost or flipped into another, whole lines missing or twice.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecg_edge.firmware_bridge.decoders.ad8232 import ad8232
from ecg_edge.firmware_bridge.decoders.plotter import plotter
from ecg_edge.firmware_bridge.errors import UsageError
from ecg_edge.firmware_bridge.events import NO_VALUE, Gap, SampleBlock, StreamInfo
from ecg_edge.firmware_bridge.ports.capture_file import decode_bytes
from ecg_edge.firmware_bridge.ports.identify import identify
from tests.support.wire import as_summary, decode, summary
from tests.support.wire_unsynced import ad8232 as line


def _blocks(decoder, data, arrival=0.0):
    return [e for e in decoder.feed(data, arrival) + decoder.close() if isinstance(e, SampleBlock)]


COUNTS = [510, 512, 998, 1003, 1020, 1000, 999, -1, -1, 120, 101, 99, 98, 7, 0, 8, 100, 512, -1, 513]
TEXT = b"".join(map(line, COUNTS))


# --- AD8232 ---------------------------------------------------------------------------------------


def test_every_length_of_number_and_lead_off():
    got = decode("ad8232", TEXT)
    assert got.counts[:, 0].tolist() == COUNTS
    assert got.valid[:, 0].tolist() == [c >= 0 for c in COUNTS]
    held = [c if c >= 0 else COUNTS[k - 1] if COUNTS[k - 1] >= 0 else COUNTS[k - 2] for k, c in enumerate(COUNTS)]
    assert np.allclose(got.mv[:, 0], (np.array(held) * 3300 / 1024 - 1650) / 1100, atol=1e-6)
    assert (got.tally.lost, got.tally.bad_frames, got.tally.loss_known) == (0, 0, False)


def test_bytes_before_a_line_are_its_time_and_blocks_are_even():
    blocks = _blocks(ad8232(), TEXT)
    starts = np.concatenate(([0], np.cumsum([len(line(c)) for c in COUNTS])))
    for block in blocks:
        rows = range(block.index, block.index + len(block))
        assert block.ticks == starts[block.index]
        assert len({len(line(COUNTS[k])) for k in rows}) == 1
        assert {COUNTS[k] < 0 for k in rows} == {bool(block.lead_off)}
    assert sum(map(len, blocks)) == len(COUNTS)


def test_skipped_bytes_took_their_time_too():
    blocks = _blocks(ad8232(), b"510\r\n511\r\n5x2\r\n513\r\n")
    assert [b.ticks for b in blocks] == [0, 15]
    assert [b.index for b in blocks] == [0, 3]


def test_lead_off_names_both_electrodes_the_sketch_may_mean():
    off = [b.lead_off for b in _blocks(ad8232(), b"500\r\n!\r\n501\r\n")]
    assert off == [0, 0b11, 0]  # RA or LA
    off = [b.lead_off for b in _blocks(ad8232(leads=("II",)), b"500\r\n!\r\n501\r\n")]
    assert off == [0, 0b101, 0]


def test_a_declared_rate_takes_the_place_of_the_byte_clock():
    decoder = ad8232(fs=100, gain=1000.0)
    blocks = _blocks(decoder, TEXT)
    assert decoder.info.tick_hz is None
    assert all(b.ticks is None for b in blocks)
    assert blocks[0].mv[0, 0] == pytest.approx((510 * 3300 / 1024 - 1650) / 1000)


def test_arrival_times_are_those_of_the_bytes():
    decoder = ad8232()
    blocks = [e for a, p in ((5.0, b"510\r\n511\r\n5"), (6.0, b"12\r\n")) for e in decoder.feed(p, a)]
    assert [(b.arrival, len(b)) for b in blocks if isinstance(b, SampleBlock)] == [(5.0, 2), (6.0, 1)]


@pytest.mark.parametrize(
    ("text", "counts", "lost"),
    [
        (b"10\r\n512\r\n513\r\n", [512, 513], []),  # the rest of a line
        (b"512\r\n99\r\n", [512, 99], []),
        (b"!\r\n512\r\n", [-1, 512], []),
        (b"boot\r\n512\r\n513\r\n", [512, 513], []),
        (b"512\r\n5u3\r\n514\r\n", [512, 514], [(1, 2)]),
        (b"512\r\nu13\r\n514\r\n", [512, 514], [(1, 2)]),
        (b"512\r\n513\r\x8a514\r\n515\r\n", [512, 514, 515], [(1, 2)]),  # LF damaged
        (b"512\r\n513\r514\r\n515\r\n", [512, 514, 515], [(1, 2)]),  # LF lost
        (b"512\r\n513\n514\r\n", [512, 514], [(1, 2)]),  # CR lost
        (b"512\r\n5\n514\r\n", [512, 514], [(1, 2)]),
        (b"512\r\n\x88\xc4\xea513\r\n514\r\n", [512, 513, 514], []),  # garbage before a whole number
        (b"99\r\n98\r\nu12\r\n97\r\n", [99, 98, 97], [(2, 3)]),  # 112? 12?
        (b"999\r\n998\r\nu012\r\n999\r\n", [999, 998, 999], [(2, 3)]),
        (b"512\r\n1024\r\n514\r\n", [512, 514], [(1, 2)]),
        (b"512\r\n0513\r\n514\r\n", [512, 514], [(1, 2)]),
        (b"512\r\n" + b"5" * 300 + b"\r\n514\r\n", [512, 514], [(1, 2)]),
        (b"512\r\n513\r\n51", [512, 513], []),  # cut off
        (b"512\r\n", [512], []),
    ],
)
def test_damaged_lines(text, counts, lost):
    got = decode("ad8232", text)
    assert got.counts[:, 0].tolist() == counts
    assert got.tally.lost_ranges == lost
    assert len(text) == sum(len(line(c)) for c in counts) + got.tally.skipped_bytes
    for cut in (1, 2, 3, 7, 64):
        assert decode("ad8232", text, cut) == as_summary(got)


_NOISE = st.one_of(st.binary(max_size=6), st.sampled_from([b"\r", b"\n", b"!", b"\r\n", b"5" * 300]))


@settings(max_examples=60, deadline=None)
@given(data=st.data(), device=st.sampled_from(["ad8232", "plotter"]))
def test_cuts_and_garbage(data, device):
    text = b""
    for c in COUNTS * 2:
        text += line(c) + (data.draw(_NOISE) if data.draw(st.integers(0, 5)) == 0 else b"")
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=50)))
    size = data.draw(st.sampled_from([1, 2, 3, 7, 64, 0]))
    whole = (ad8232 if device == "ad8232" else plotter)()
    events = whole.feed(text) + whole.close()
    assert whole.buffered == 0
    spans = [(e.index, e.index + len(e)) if isinstance(e, SampleBlock) else (e.start, e.stop)
             for e in events if isinstance(e, SampleBlock | Gap)]  # fmt: skip
    assert [a for a, _ in spans] == [0, *(b for _, b in spans)][: len(spans)]
    if any(isinstance(e, StreamInfo) for e in events):
        assert decode(device, text, size or cuts) == as_summary(decode(device, text))


@pytest.mark.parametrize("make", [ad8232, plotter])
@pytest.mark.parametrize("filler", [b"5", b"\r", b"\n", b"!\r", b"a:", b"1 ", b"\xff\x00"])
def test_endless_lines_keep_memory_bounded(make, filler):
    decoder = make()
    for _ in range(50):
        decoder.feed(filler * 700)
        assert decoder.buffered < 1 << 11


# --- plotter --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "leads"),
    [
        (["-0.1 0.25", "-1.5 3e-1", ".5 +2.", "0 1"], ("I", "ch2")),
        (["0.1,0.2", "-1.5,.3", "0.5,2.0"], ("I", "ch2")),
        (["-0.1\t0.25", "-1.5\t3e-1"], ("I", "ch2")),
        (["I:0.1,II:0.2", "I:-1.5,II:3e-1", "I:7,II:9"], ("I", "II")),
        (["ii:0.1 avr:0.2 x:3", "ii:0.4 avr:0.5 x:6"], ("II", "aVR", "x")),
        (["0.25", "0.50", "-0.75"], ("I",)),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_plotter_lines(lines, leads, end):
    text = "".join(x + end for x in lines).encode()
    got = decode("plotter", text)
    assert got.info.leads == leads
    words = [x.replace(",", " ").split() for x in lines]
    assert np.allclose(got.mv, [[float(w.split(":")[-1]) for w in row] for row in words], atol=1e-6)
    assert got.tally.bad_frames == 0
    for cut in (1, 2, 3, 7, 64):
        assert decode("plotter", text, cut) == as_summary(got)


def test_header_names_the_columns():
    got = decode("plotter", b"hello there, this is boot text 1 2\nI\tII\tV5\n1\t2\t3\n4\t5\t6\n")
    assert got.info.leads == ("I", "II", "V5")
    assert got.mv.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert got.tally.bad_frames == 0


def test_first_line_that_may_be_the_rest_of_one_is_left_out():
    assert decode("plotter", b"34\n512\n513\n").mv[:, 0].tolist() == [512, 513]
    assert decode("plotter", b"I:12 II:5\nI:11 II:6\n").mv.tolist() == [[12, 5], [11, 6]]
    assert decode("plotter", b":1 II:5\nI:11 II:6\nI:12 II:7\n").mv.tolist() == [[11, 6], [12, 7]]


def test_nan_and_lead_off_are_invalid_and_held():
    got = decode("plotter", b"1 2\n3 4\nnan 5\n6 !\n!\n7 8\n")
    assert got.valid.tolist() == [[1, 1], [1, 1], [0, 1], [1, 0], [0, 0], [1, 1]]
    assert got.mv.tolist() == [[1, 2], [3, 4], [3, 5], [6, 5], [6, 5], [7, 8]]
    assert got.counts[:, 0].tolist() == [10_000, 30_000, NO_VALUE, 60_000, NO_VALUE, 70_000]
    assert got.tally.lost == 0


def test_other_lines_are_counted_and_their_sample_is_lost():
    got = decode("plotter", b"1 2\n3 4\n5\nI:5 6\n5 6 7\n5 x\n\n8 9\n")
    assert got.mv.tolist() == [[1, 2], [3, 4], [8, 9]]
    assert got.tally.bad_frames == 4
    assert got.tally.lost_ranges == [(2, 6)]
    assert got.index.tolist() == [0, 1, 6]


def test_a_number_is_no_label():
    got = decode("plotter", b"1:2\n1:2\nI:2\nI:3\n")
    assert got.mv[:, 0].tolist() == [2, 3]


def test_gain_makes_counts_of_the_values():
    got = decode("plotter", b"512\n768\n256\n", gain=1000.0, leads=("II",), fs=500)
    assert got.info.leads == ("II",)
    assert got.mv[:, 0].tolist() == pytest.approx([0, 1.25, -1.25])
    assert got.counts[:, 0].tolist() == [512, 768, 256]
    assert got.info.fs == 500


def test_more_leads_than_values_are_refused():
    with pytest.raises(UsageError, match="1 value"):
        decode_bytes(plotter(leads=("I", "II")), b"1\n2\n")


def test_huge_numbers_do_not_wrap():
    got = decode("plotter", b"+1e30\n-1e30\n5\n")
    assert got.counts[:, 0].tolist() == [2**31 - 1, -(2**31), 50_000]  # the recorder takes them for no sample


@pytest.mark.parametrize("bits", [16, 24, 32])
def test_counts_of_a_converter_as_text_fit_their_counts(bits):
    got = decode("plotter", b"%d\n%d\n" % (2**bits - 1, 2**bits - 1000))
    assert got.counts.max() < 2**31 - 1 and got.mv[0, 0] == pytest.approx(2**bits - 1)
    assert (got.counts[:, 0] * got.info.channels[0].lsb_mv).tolist() == pytest.approx(got.mv[:, 0].tolist(), rel=1e-4)


def test_recognised_as_what_fixes_more():
    assert identify(TEXT * 20).device.name == "ad8232"
    assert identify(b"".join(b"%d,%d\n" % (k, 2 * k) for k in range(300))).device.name == "plotter"


def test_summary_of_nothing():
    for make in (ad8232, plotter):
        decoder = make()
        assert summary(decoder, decoder.feed(b"no numbers here\r\n") + decoder.close())[0] == []
        assert decoder.tally.skipped_bytes == 17 - (make is plotter)  # to which CR LF is one end of a line
        assert decoder.opening() == decoder.closing() == b""
