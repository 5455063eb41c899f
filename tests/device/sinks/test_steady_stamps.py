"""Stamps of samples: they run as the samples do, whatever their arrival does."""

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from ecg_edge.device.sinks.steady_stamps import SteadyStamps

FS, HOP = 100, 8


def stamps(arrivals, indices, latency=0.5):
    clock = SteadyStamps(FS, latency)
    return np.array([clock.stamp(int(i), float(t)) for i, t in zip(indices, arrivals, strict=True)])


def test_a_stall_of_three_seconds_moves_no_stamp():
    indices = np.arange(0, 6000, HOP)
    arrivals = indices / FS
    stalled = np.where((arrivals > 20) & (arrivals < 23), 23.0, arrivals)
    found = stamps(stalled, indices)
    assert (np.diff(found) > 0).all()
    assert np.abs(found - (indices / FS - 0.5)).max() < 0.002


def test_blank_rows_of_a_gap_that_arrive_at_once_are_where_they_belong():
    indices = np.r_[np.arange(0, 1000, HOP), np.arange(1000, 1600, HOP), np.arange(1600, 3000, HOP)]
    arrivals = np.where((indices >= 1000) & (indices < 1600), 16.0, indices / FS)
    found = stamps(arrivals, indices)
    assert (np.diff(found) > 0).all() and np.abs(found - (indices / FS - 0.5)).max() < 0.004


def test_lost_time_of_unknown_length_is_a_jump_ahead():
    indices = np.arange(0, 4000, HOP)
    arrivals = indices / FS + np.where(indices >= 2000, 30.0, 0.0)
    found = stamps(arrivals, indices)
    assert (np.diff(found) > 0).all() and abs(found[-1] - (indices[-1] / FS + 30 - 0.5)) < 0.01


def test_a_slow_device_is_followed():
    indices = np.arange(0, 60_000, HOP)
    found = stamps(indices / FS * (1 + 100e-6), indices)
    assert abs(found[-1] - (indices[-1] / FS * (1 + 100e-6) - 0.5)) < 0.001


@given(st.lists(st.tuples(st.integers(0, 1000), st.floats(0, 10)), min_size=2, max_size=60))
def test_stamps_never_go_back(steps):
    clock, index, now, last = SteadyStamps(FS, 0.2), 0, 0.0, -np.inf
    for rows, wait in steps:
        index, now = index + 1 + rows, now + wait
        stamp = clock.stamp(index, now)
        assert stamp > last
        last = stamp


@example([(1, 0, 0.0), (9000, 0, 0.0)])
@given(st.lists(st.tuples(st.integers(1, 9000), st.integers(0, 9000), st.floats(0, 90)), max_size=40))
def test_no_row_is_stamped_before_the_one_before_it(blocks):
    """Blocks of many rows, leaps of the index and arrivals in any rhythm; rows follow from the last one's stamp."""
    stamps, now, index, before = SteadyStamps(100, 0.1), 0.0, 0, -np.inf
    for n, leap, pause in blocks:
        now, index = now + pause, index + leap + n
        last = stamps.stamp(index - 1, now)
        assert last - (n - 1) / 100 > before
        before = last
