from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecg_edge.device.conditioning.input_guard import InputGuard


class Slow:
    """The same, sample by sample and lead by lead."""

    def __init__(self, n_leads, hold, support):
        self.hold, self.support, self.n = hold, support, n_leads
        self.reset(0, False)
        self.value = [0.0] * n_leads

    def reset(self, index, lost_before):
        self.next = index
        self.last_good = [None] * self.n
        self.bad = [{index - 1} if lost_before else set() for _ in range(self.n)]

    def feed(self, mv, valid):
        rows, backs = [], []
        for row, good in zip(mv, valid, strict=True):
            back = []
            for k in range(self.n):
                gone = self.last_good[k] is None or self.next - 1 - self.last_good[k] > self.hold
                back.append(bool(good[k] and gone))
                if good[k]:
                    self.value[k], self.last_good[k] = float(row[k]), self.next
                else:
                    self.bad[k].add(self.next)
            rows.append(list(self.value))
            backs.append(back)
            self.next += 1
        return rows, backs

    def valid(self, first, stop, step):
        at = [m * step.numerator // step.denominator for m in range(first, stop)]
        return [[not any(a - self.support < b <= a for b in self.bad[k]) for k in range(self.n)] for a in at]


def flags(draw, n):
    return np.array(draw(st.lists(st.lists(st.booleans(), min_size=2, max_size=2), min_size=n, max_size=n)), bool)


@given(data=st.data(), hold=st.integers(0, 4), support=st.integers(1, 5), start=st.integers(0, 9), lost=st.booleans())
def test_it_says_what_a_loop_over_samples_says_in_any_pieces(data, hold, support, start, lost):
    guard, slow = InputGuard(2, hold, support), Slow(2, hold, support)
    if data.draw(st.booleans()):
        guard.reset(start, lost)
        slow.reset(start, lost)
    at = slow.next
    for _ in range(data.draw(st.integers(1, 4))):
        n = data.draw(st.integers(0, 7))
        valid = np.ones((n, 2), bool) if data.draw(st.booleans()) else flags(data.draw, n).reshape(n, 2)
        mv = np.arange(at, at + n)[:, None] * [1.0, -1.0]
        segments = list(guard.feed(np.where(valid, mv, np.nan), valid))
        rows, backs = slow.feed(mv, valid)
        got = np.concatenate([np.zeros((0, 2)), *(s.mv for s in segments)])
        np.testing.assert_array_equal(got, np.array(rows).reshape(n, 2))
        first = 0
        for segment in segments:  # a lead restarts only at the first row of a segment, and each restart is told
            assert segment.back.tolist() == backs[first]
            assert not any(any(b) for b in backs[first + 1 : first + len(segment.mv)])
            first += len(segment.mv)
        if n:
            np.testing.assert_array_equal(guard.valid(at, at + n, Fraction(1)), slow.valid(at, at + n, Fraction(1)))
        at += n


@pytest.mark.parametrize("step", [Fraction(5, 2), Fraction(1), Fraction(1, 2)])
def test_an_output_is_invalid_while_a_bad_sample_is_under_its_kernel(step):
    guard = InputGuard(1, hold=2, support=4)
    valid = np.ones((40, 1), bool)
    valid[10] = False
    list(guard.feed(np.zeros((40, 1)), valid))
    n = int(40 / step)
    bad = np.flatnonzero(~guard.valid(0, n, step)[:, 0])
    assert [m for m in range(n) if 10 <= int(m * step) < 14] == bad.tolist()


def test_what_was_lost_before_the_start_is_under_the_first_kernels():
    guard = InputGuard(1, hold=0, support=3)
    guard.reset(100, lost_before=True)
    list(guard.feed(np.zeros((6, 1)), np.ones((6, 1), bool)))
    assert guard.valid(100, 106, Fraction(1))[:, 0].tolist() == [False, False, True, True, True, True]


def test_a_short_hole_is_bridged_by_the_last_value_and_a_long_one_restarts_the_lead():
    guard = InputGuard(1, hold=2, support=1)
    valid = np.array([1, 0, 0, 1, 0, 0, 0, 1], bool)[:, None]
    segments = list(guard.feed(np.arange(8.0)[:, None], valid))
    assert [s.mv[:, 0].tolist() for s in segments] == [[0, 0, 0, 3, 3, 3, 3], [7]]
    assert [s.back.tolist() for s in segments] == [[True], [True]]
