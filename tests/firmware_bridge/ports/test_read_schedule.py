"""When a port is read: what completes an order, how long it can be left alone, how early the reader comes back."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ecg_edge.firmware_bridge.events import Channel, Gap, SampleBlock, StreamInfo
from ecg_edge.firmware_bridge.ports.read_schedule import Pace

FS = 250
INFO = StreamInfo("pace", Fraction(FS), (Channel("I", 0.0005),))


def block(n: int) -> SampleBlock:
    counts = np.zeros((n, 1), np.int32)
    return SampleBlock(0, counts, counts.astype(np.float32), np.ones((n, 1), np.bool_))


def known(rate: int = 1000, samples: int = 250) -> Pace:
    """A pace that has seen a second of a device of so many bytes and samples, its consumer up to date."""
    pace = Pace()
    pace.came([INFO], 9.0, 0)
    pace.came([block(samples)], 10.0, rate)
    pace.take([block(samples)])
    return pace


def test_without_an_order_everything_passes_and_nothing_is_left_alone() -> None:
    pace = known()
    assert pace.came([block(1)], 10.0, 1000)
    assert pace.rest(10.0) == 0


@settings(max_examples=60, deadline=None)
@example(short=1, every=28.8, frames=[27, 30, 30, 30, 28])
@given(
    short=st.integers(1, 40),
    every=st.one_of(st.integers(1, 40), st.just(28.8)),
    frames=st.lists(st.integers(0, 30), max_size=40),
)
def test_samples_pass_exactly_when_they_complete_what_is_waited_for(
    short: int, every: float, frames: list[int]
) -> None:
    pace = known()
    pace.order(short, every)
    total, due = 0, float(short)
    for n in frames:
        total += n
        assert pace.came([block(n)] if n else [], 10.0, 1000) == (total >= due - 1e-6)
        while due <= total + 1e-6:
            due += every


def test_what_is_no_sample_passes_at_once() -> None:
    pace = known()
    pace.order(20, 20)
    assert not pace.came([block(5)], 10.0, 1000)
    assert pace.came([Gap(5, 9)], 10.0, 1000)


def test_what_the_consumer_will_never_get_is_not_waited_for() -> None:
    pace = known()
    pace.order(20, 20, dropped=7)
    assert not pace.came([block(26)], 10.0, 1000)
    assert pace.came([block(1)], 10.0, 1000)


@pytest.mark.parametrize(("rate", "rested"), [(1000, 0.06), (2048 / 0.06, 0.0), (100_000, 0.0)])
def test_the_rest_ends_early_enough_and_before_the_kernel_is_full(rate: int, rested: float) -> None:
    pace = known(rate)
    pace.order(20, 20)
    assert pace.rest(10.0) == pytest.approx(rested)


def test_a_silence_is_not_averaged_into_the_rate() -> None:
    """Behind an outage the mean of the last seconds is small; what comes at once may be more than the kernel keeps."""
    pace = known()
    pace.order(100, 100)
    assert pace.rest(10.0) > 0
    pace.silent()
    pace.came([block(5)], 20.0, 1000)
    assert pace.rest(20.0) == 0  # not known yet
    pace.came([block(5)], 21.0, 101_000)
    assert pace.rest(21.0) == 0  # 100 kB in that second
    pace.came([block(5)], 22.0, 102_000)
    assert pace.rest(22.0) > 0


def test_a_rest_is_no_longer_than_a_tenth_of_a_second() -> None:
    pace = known()
    pace.order(2500, 2500)
    assert pace.rest(10.0) == 0.1


def test_the_rate_must_be_known() -> None:
    pace = Pace()
    pace.came([INFO, block(5)], 10.0, 1000)
    pace.order(20, 20)
    assert pace.rest(10.0) == 0


def hop(pace: Pace, at: float, jitter: float) -> float:
    """One hop of 80 ms in frames of 10 ms, the last so late or early; return when it was read."""
    woke = at + pace.rest(at)
    due = at + 0.08 + jitter
    n = min(7, int((woke - at) / 0.01)) if woke < due else 8
    if n:
        pace.came([block(int(2.5 * n))], woke, 1000)
    if n < 8:
        for k in range(n + 1, 8):
            pace.came([block(int(2.5 * k) - int(2.5 * (k - 1)))], at + k * 0.01, 1000)
        pace.came([block(20 - 17)], due, 1000)
    return max(woke, due)


def test_the_reader_learns_to_come_later_where_frames_are_punctual_and_earlier_where_not() -> None:
    pace, at = known(), 10.0
    pace.order(20, 20)
    for _ in range(400):
        at = hop(pace, at, 0.0)
    punctual = pace.margin
    assert punctual < 0.004
    for k in range(40):
        at = hop(pace, at, -0.015 if k % 2 else 0.015)
    assert pace.margin > 2 * punctual


@pytest.mark.parametrize(
    ("after_s", "n_bytes", "held"),
    [(0.05, 10, True), (0.05, 75, True), (0.05, 76, False), (0.079, 10, True), (0.081, 10, False)],
)
def test_bytes_wait_undecoded_while_they_cannot_complete_the_order_and_its_time_is_not_up(
    after_s: float, n_bytes: int, held: bool
) -> None:
    pace = known()
    pace.order(20, 20)  # 80 ms, 80 bytes
    assert pace.rest(10.0) > 0
    assert pace.holds(10.0 + after_s, n_bytes) is held


def test_nothing_waits_when_a_backlog_comes_in_a_rush() -> None:
    pace = known(40_000, 10_000)
    pace.order(20, 20)
    assert not pace.rest(10.0)
    assert not pace.holds(10.001, 10)


def test_bytes_do_not_wait_without_an_order_or_an_idea_of_the_rate() -> None:
    assert not known().holds(10.01, 1)
    pace = Pace()
    pace.came([INFO, block(5)], 10.0, 1000)
    pace.order(20, 20)
    assert not pace.holds(10.01, 1)


def test_a_read_whose_bytes_wait_was_not_too_late() -> None:
    """Behind it the hop's last frame may follow at once: the reader came early enough all the same."""
    pace = known()
    pace.order(20, 20)
    for k in range(1, 400):
        at = 10.0 + 0.08 * k
        pace.rest(at - 0.08)
        pace.holds(at - 0.0001, 70)
        pace.came([block(20)], at, 1000 + 80 * k)
    margin = pace.margin
    pace.rest(at)
    pace.came([block(20)], at + 0.06, 33_000)  # nobody was there before it
    assert pace.margin == pytest.approx(2 * margin)
