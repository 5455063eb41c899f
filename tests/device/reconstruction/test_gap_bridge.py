"""Gaps wait until the next sample, are joined, and are bridged where they are short."""

from fractions import Fraction

import numpy as np

from ecg_edge.device.reconstruction.gap_bridge import GapBridge
from ecg_edge.firmware_bridge.events import Gap

FS = Fraction(250)


def bridge(rows: int = 10) -> GapBridge:
    """A bridge behind so many rows; rows at the model rate are the native ones."""
    found = GapBridge(FS, Fraction(1), 4)
    found.next += rows
    return found


def test_gaps_that_follow_each_other_are_one():
    gaps = bridge()
    gaps.remember(Gap(10, 12, "lost"))
    gaps.remember(Gap(12, 15, "later", known=False))
    assert gaps.reached == 15
    assert gaps.take() == Gap(10, 15, "lost", known=False)
    assert gaps.take() is None and gaps.reached == 10


def test_a_gap_that_lies_behind_is_none():
    gaps = bridge()
    gaps.remember(Gap(3, 8))
    assert gaps.take() is None


def test_ten_samples_at_250_hz_are_bridged_and_eleven_are_not():
    gaps = bridge()
    assert gaps.bridges(Gap(10, 20)) and not gaps.bridges(Gap(10, 21))
    assert not gaps.bridges(Gap(10, 12, known=False))


def test_a_gap_right_behind_a_restart_has_no_row_to_begin_at():
    gaps = bridge()
    gaps.restart(50)
    assert not gaps.bridges(Gap(50, 52))
    gaps.next += 1
    assert gaps.bridges(Gap(51, 53))


def test_rows_are_held_as_long_as_the_kernel_touches_the_bridge():
    gaps = bridge()
    assert gaps.held(0, 10) is None
    assert gaps.mark(10, 12) and not gaps.mark(10, 12)
    held = gaps.held(8, 10)
    assert held is not None and np.flatnonzero(held).tolist() == [2, 3, 4, 5, 6]  # rows 10 to 14
    assert gaps.held(18, 10) is None  # it lies behind
