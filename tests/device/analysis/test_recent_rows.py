import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ecg_edge.device.analysis.recent_rows import Tail


@given(n=st.integers(1, 9), sizes=st.lists(st.integers(0, 12), max_size=12), looks=st.sets(st.integers(0, 11)))
def test_it_is_the_end_of_all_rows(n, sizes, looks):
    everything = np.arange(sum(sizes) + 2)[:, None]
    tail, at = Tail(n, everything[:2]), 2
    for k, size in enumerate(sizes):
        tail.add(everything[at : at + size])
        at += size
        if k in looks:
            np.testing.assert_array_equal(tail.rows(), everything[:at][-n:])
    np.testing.assert_array_equal(tail.rows(), everything[:at][-n:])
    np.testing.assert_array_equal(tail.rows(), everything[:at][-n:])


def test_what_is_kept_is_bounded():
    tail = Tail(10, np.zeros((0, 1)))
    for _ in range(1000):
        tail.add(np.ones((3, 1)))
    assert sum(map(len, tail._parts)) < 16
