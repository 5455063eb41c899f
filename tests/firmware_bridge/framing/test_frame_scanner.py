"""The scanner on a toy format: `#`, a counter digit modulo 10, a payload letter, `!`."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecg_edge.firmware_bridge.framing.frame_formats import FixedFormat, VariableFormat, every, pattern, split
from ecg_edge.firmware_bridge.framing.frame_scanner import Scanner
from ecg_edge.firmware_bridge.tally import Tally

_EDGES = pattern({0: ord("#"), 3: ord("!")})


def _good(frames):
    return _EDGES(frames) & (frames[:, 1] >= 48) & (frames[:, 1] < 58)


def _count(frames):
    return frames[:, 1].astype(np.int64) - 48


COUNTED = FixedFormat(4, _good, _count, 10, lock=3, sync=b"#")
PLAIN = FixedFormat(4, _EDGES, lock=2, sync=b"#")


def _scan(fmt, data, size=None):
    scanner = Scanner(fmt, tally := Tally())
    runs = []
    for start in range(0, len(data), size or len(data) or 1):
        runs += scanner.feed(data[start : start + (size or len(data))])
    runs += scanner.close()
    return b"".join(run.data for run in runs), tally, runs


def _frames(digits, letter="x"):
    return "".join(f"#{d}{letter}!" for d in digits).encode()


def test_frames_that_waited_for_the_lock_are_delivered():
    scanner = Scanner(COUNTED, Tally())
    assert scanner.feed(_frames("78")) == []
    (run,) = scanner.feed(_frames("9"))
    assert run.data == _frames("789")
    assert run.counters.tolist() == [7, 8, 9]


def test_lock_needs_a_counter_that_counts():
    assert _scan(COUNTED, _frames("3333333"))[0] == b""
    assert _scan(COUNTED, _frames("3579135"))[0] == b""
    assert _scan(COUNTED, _frames("89012"))[0] == _frames("89012")


def test_two_frames_are_enough_without_a_counter():
    assert _scan(PLAIN, _frames("3"))[0] == b""
    assert _scan(PLAIN, b"noise" + _frames("33"))[0] == _frames("33")


def test_rescan_begins_one_byte_after_the_failed_candidate():
    data, tally, _ = _scan(COUNTED, b"#1#" + _frames("2345"))
    assert data == _frames("2345")
    assert tally.skipped_bytes == 3
    assert tally.bad_frames == 0  # nothing was locked yet


@pytest.mark.parametrize(
    ("damage", "bad", "skipped"),
    [(b"", 0, 0), (b"?", 0, 1), (b"#5!", 1, 3), (b"\x03" + b"5x!", 1, 4), (b"########", 2, 8)],
)
def test_bad_frames_are_frames_worth_of_bytes(damage, bad, skipped):
    data, tally, runs = _scan(COUNTED, _frames("01234") + damage + _frames("678901"))
    assert data == _frames("01234678901")
    assert (tally.bad_frames, tally.skipped_bytes) == (bad, skipped)
    assert [(r.bad, r.skipped) for r in runs if r.skipped] == ([(bad, skipped)] if skipped else [])


def test_cut_off_last_frame_is_skipped_not_bad():
    _, tally, _ = _scan(COUNTED, _frames("0123") + b"#4x")
    assert (tally.bad_frames, tally.skipped_bytes) == (0, 3)


def test_lone_good_frame_is_kept_when_it_carries_on():
    data, _, _ = _scan(COUNTED, _frames("0123") + b"#4" + _frames("5") + b"x!" + _frames("789"))
    assert data == _frames("0123") + _frames("5") + _frames("789")


def test_lone_good_frame_is_refused_when_it_does_not():
    data, _, _ = _scan(COUNTED, _frames("0123") + b"#4" + _frames("9") + b"x!" + _frames("789"))
    assert data == _frames("0123789")


def test_frozen_counter_drops_the_lock():
    data, tally, _ = _scan(COUNTED, _frames("0123") + _frames("3333333") + _frames("456"))
    assert data == _frames("0123") + _frames("33") + _frames("3456")
    assert tally.skipped_bytes == 4 * 4


def test_frozen_candidate_is_refused_even_where_it_would_carry_on():
    data, tally, _ = _scan(COUNTED, _frames("0123") + b"????" + _frames("555678"))
    assert data == _frames("01235678")
    assert tally.skipped_bytes == 12


def test_counter_that_leaps_and_returns_is_a_bad_frame():
    data, tally, _ = _scan(COUNTED, _frames("0128456"))
    assert data == _frames("012456")
    assert tally.bad_frames == 1
    assert _scan(COUNTED, _frames("0128901"))[0] == _frames("0128901")


def test_counter_that_leaps_without_a_successor_is_not_believed():
    # the frame after it is damaged: believing the leap would cost a wrap if the counter is wrong
    assert _scan(COUNTED, _frames("0128") + b"#4x?" + _frames("5678"))[0] == _frames("0125678")
    # at the very end nothing can follow
    assert _scan(COUNTED, _frames("0128"))[0] == _frames("0128")


@given(st.binary(max_size=300), st.integers(1, 9))
def test_cuts_do_not_matter_to_the_scanner(noise, size):
    soup = noise.replace(b"\x00", b"#").replace(b"\x01", _frames("456")).replace(b"\x02", b"!")
    data = _frames("0123") + soup + _frames("45678")
    for fmt in (COUNTED, PLAIN, SIZED):
        whole, cut = _scan(fmt, data), _scan(fmt, data, size)
        assert whole[:2] == cut[:2]
        assert whole[1].skipped_bytes + len(whole[0]) == len(data)


def _measure(buf, pos):
    """A frame states its length: `<`, digit n, n letters, `>`."""
    if len(buf) - pos < 2:
        return -1 if buf[pos : pos + 1] in (b"<", b"") else 0
    if buf[pos : pos + 1] != b"<" or not 48 <= buf[pos + 1] < 58:
        return 0
    size = buf[pos + 1] - 48 + 3
    if len(buf) - pos < size:
        return -1
    return size if buf[pos + size - 1 : pos + size] == b">" else 0


SIZED = VariableFormat(6, b"<", _measure, lock=1)


def test_frames_of_their_own_length():
    data, tally, runs = _scan(SIZED, b"a<3abc>b<1x><0><9", 2)
    assert data == b"<3abc><1x><0>"
    assert [f for run in runs for f in split(run.data, run.lengths)] == [b"<3abc>", b"<1x>", b"<0>"]
    assert tally.skipped_bytes == 4


def test_unfinished_long_frame_hides_nothing_at_the_end():
    assert _scan(SIZED, b"<1a>" + b"<9" + b"<2bc>")[0] == b"<1a><2bc>"


def test_every_wants_all_bytes():
    assert every(np.array([[True, True], [True, False]])).tolist() == [True, False]
