"""Percentiles, paces and turns with a made-up clock."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecg_edge.benchmarks.measuring import timing


class Clock:
    """Advances by what it is told, whenever it is read or slept on."""

    def __init__(self, step: float = 0.0) -> None:
        self.now, self.step = 0.0, step

    def __call__(self) -> float:
        self.now += self.step
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_percentiles_are_milliseconds() -> None:
    spread = timing.Spread.of([0.001 * k for k in range(1, 101)])
    assert spread.p50 == pytest.approx(50.5)
    assert spread.max == pytest.approx(100)
    assert spread.p95 < spread.p99 < spread.max
    assert spread.n == 100


def test_warm_up_does_not_count() -> None:
    calls: list[int] = []
    durations = timing.each(lambda: calls.append(1), 10, Clock(0.5), warm=3)
    assert len(calls) == 13
    assert durations == [0.5] * 10


def test_a_hop_that_ends_after_the_next_is_due_is_a_miss() -> None:
    clock = Clock()
    works = iter([0.01, 0.10, 0.01, 0.01])

    def work() -> None:
        clock.now += next(works)

    late, misses = timing.paced(work, 0.08, 4, clock, clock.sleep)
    assert misses == 1
    assert late == pytest.approx([0.01, 0.10, 0.03, 0.01])


def test_turns_alternate_and_the_first_is_left_out() -> None:
    order: list[str] = []
    works = {"a": lambda: order.append("a"), "b": lambda: order.append("b")}
    seen = timing.turns(works, 2, {"a": 2, "b": 1}, Clock(1.0))
    assert order == ["a", "a", "b"] * 3
    assert seen == {"a": [0.5, 0.5], "b": [1.0, 1.0]}
    assert timing.ratio([2.0, 4.0, 9.0], [1.0, 1.0, 1.0]) == (4.0, 3.0, 6.5)


@given(st.lists(st.floats(1e-6, 10), min_size=1, max_size=60))
def test_a_spread_is_in_order_and_reads_back(seconds: list[float]) -> None:
    spread = timing.Spread.of(seconds)
    slack = 1e-9 * spread.max
    assert spread.p50 <= spread.p95 + slack <= spread.p99 + 2 * slack <= spread.max + 3 * slack
    assert spread.max == pytest.approx(1000 * max(seconds))
    assert spread.jitter == pytest.approx(1000 * float(np.std(seconds)), abs=1e-9)
    assert timing.Spread(**spread.to_dict()) == spread


def test_a_work_slower_than_its_period_is_late_by_more_and_more() -> None:
    clock = Clock()

    def work() -> None:
        clock.now += 0.1

    late, misses = timing.paced(work, 0.08, 5, clock, clock.sleep)
    assert late == pytest.approx([0.1, 0.12, 0.14, 0.16, 0.18])
    assert misses == 5


def test_a_quick_work_waits_for_each_due_time() -> None:
    clock, slept = Clock(), list[float]()

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock.sleep(seconds)

    def work() -> None:
        clock.now += 0.02

    late, misses = timing.paced(work, 0.08, 4, clock, sleep)
    assert late == pytest.approx([0.02] * 4) and misses == 0
    assert slept == pytest.approx([0.06] * 3)


def test_compare_takes_the_median_so_that_one_bad_turn_does_not_count() -> None:
    clock, costs = Clock(), iter([9.0, 1.0, 50.0, 1.0])

    def work() -> None:
        clock.now += next(costs)

    assert timing.compare({"a": work}, 3, {"a": 1}, clock) == {"a": 1.0}


@given(st.lists(st.floats(0.1, 10), min_size=3, max_size=20), st.floats(0.1, 10))
def test_a_ratio_is_taken_turn_by_turn(turns: list[float], factor: float) -> None:
    mid, low, high = timing.ratio([factor * t for t in turns], turns)
    assert (mid, low, high) == pytest.approx((factor, factor, factor))
