import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ecg_edge.firmware_bridge.framing.frame_formats import FixedFormat, Run, VariableFormat, every, pattern, split

BYTES = st.lists(st.sampled_from([0xA0, 0xC0, 1, 2]), max_size=24).map(bytes)
FIXED = FixedFormat(3, pattern({0: 0xA0, 2: 0xC0}), lambda f: f[:, 1].astype(np.int64), 256)


def stated(buf, pos):
    """A mark, a length of 1 to 3, so many bytes; see `VariableFormat.measure`."""
    if len(buf) - pos < 2:
        return -1 if buf[pos : pos + 1] in (b"", b"\xa0") else 0
    if buf[pos] != 0xA0 or not 1 <= buf[pos + 1] <= 3:
        return 0
    size = 2 + buf[pos + 1]
    return size if len(buf) - pos >= size else -1


VARIABLE = VariableFormat(4, b"\xa0", stated, lambda frame: frame[1])


def whole_at(buf, pos):
    return len(buf) - pos >= 3 and buf[pos] == 0xA0 and buf[pos + 2] == 0xC0


@given(buf=BYTES, pos=st.integers(0, 6), limit=st.none() | st.integers(1, 4))
def test_a_run_of_fixed_frames_is_counted_as_a_loop_would(buf, pos, limit):
    n = 0
    while (limit is None or n < limit) and whole_at(buf, pos + 3 * n):
        n += 1
    lengths, starved = FIXED.run(buf, min(pos, len(buf)), limit)
    if pos <= len(buf):
        assert lengths == [3] * n
        if len(buf) - pos - 3 * n >= 3 and (limit is None or n < limit):
            assert not starved


@given(buf=BYTES, pos=st.integers(0, 6))
def test_the_first_fixed_frame_is_sought_at_every_offset(buf, pos):
    at, found = FIXED.seek(buf, min(pos, len(buf)))
    first = next((k for k in range(min(pos, len(buf)), len(buf)) if whole_at(buf, k)), None)
    assert found == (first is not None)
    assert at == first if found else at == max(min(pos, len(buf)), len(buf) - 2)


@given(buf=BYTES, pos=st.integers(0, 6))
def test_a_frame_that_states_its_length_is_sought_by_its_mark(buf, pos):
    pos = min(pos, len(buf))
    at, found = VARIABLE.seek(buf, pos)
    candidates = [k for k in range(pos, len(buf)) if buf[k] == 0xA0 and stated(buf, k)]
    assert at == (candidates[0] if candidates else len(buf)) and found == bool(candidates and stated(buf, at) > 0)


@given(buf=BYTES, limit=st.none() | st.integers(1, 3))
def test_a_run_of_such_frames_ends_at_the_first_that_is_none(buf, limit):
    lengths, starved = VARIABLE.run(buf, 0, limit)
    at = 0
    for size in lengths:
        assert stated(buf, at) == size
        at += size
    assert limit is None or len(lengths) <= limit
    if limit is None or len(lengths) < limit:
        assert stated(buf, at) == (-1 if starved else 0)


def test_counters_are_one_for_each_frame_or_none_at_all():
    assert FIXED.counters(b"\xa0\x07\xc0\xa0\x08\xc0", [3, 3]).tolist() == [7, 8]
    assert VARIABLE.counters(b"\xa0\x01\x00\xa0\x02\x00\x00", [3, 4]).tolist() == [1, 2]
    assert FixedFormat(3, pattern({0: 1})).counters(b"abc", [3]).size == 0
    assert VariableFormat(3, b"a", stated).counters(b"abc", [3]).size == 0
    assert FIXED.counters(b"", []).size == 0


@given(sizes=st.lists(st.integers(0, 5), max_size=8))
def test_pieces_join_to_the_whole(sizes):
    data = bytes(range(sum(sizes)))
    pieces = split(data, sizes)
    assert [len(p) for p in pieces] == sizes and b"".join(pieces) == data


def test_a_run_is_seen_as_rows():
    assert Run(b"abcdef", [3, 3], np.zeros(0, np.int64)).rows().tolist() == [[97, 98, 99], [100, 101, 102]]


@given(bits=st.lists(st.lists(st.booleans(), min_size=2, max_size=2), min_size=1, max_size=5))
def test_every_holds_where_all_do(bits):
    assert every(np.array(bits)).tolist() == [all(row) for row in bits]
