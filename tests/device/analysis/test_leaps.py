"""A sample that no electrode can have given counts as lost; a lead that stays where it leapt to is followed."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecg_edge.device.analysis.leaps import LeapWatch, believable, without_leaps

FS = Fraction(250)
HOLD = 10  # samples in 40 ms


def leaps(x: list[float]) -> list[int]:
    mv = np.array(x, np.float64)[:, None]
    return np.flatnonzero(LeapWatch(FS, 1).feed(mv, np.isfinite(mv))[:, 0]).tolist()


@pytest.mark.parametrize("peak", [50, -100, 1e3, 1e6, 1e38, -1e300])
def test_a_pulse_is_none(peak: float) -> None:
    assert leaps([0.0] * 20 + [peak] * 3 + [0.5] * 20) == [20, 21, 22]


def test_a_high_beat_is_one() -> None:
    assert leaps([0.0, 5, 19, 4, -5, 0] * 10) == []


def test_a_new_offset_is_followed_after_40_ms() -> None:
    assert leaps([0.0] * 20 + [300.0] * 40) == list(range(20, 20 + HOLD + 1))


def test_noise_around_nothing_is_never_followed() -> None:
    assert leaps([0.0] * 5 + [1000.0, -1000.0] * 100) == list(range(5, 205))


def test_after_a_long_loss_any_value_is_good() -> None:
    assert leaps([0.0] * 5 + [np.nan] * (HOLD + 1) + [300.0] * 5) == []
    assert leaps([0.0] * 5 + [np.nan] * HOLD + [300.0] * 5) == list(range(5 + HOLD, 10 + HOLD))


def test_what_is_no_number_of_volts_is_never_a_sample() -> None:
    assert leaps([2e5] * 60) == list(range(60))


VALUES = st.sampled_from([0.0, 1.0, 15.0, 30.0, 45.0, 500.0, 505.0, -500.0, 1e6, 1e200, np.nan])


@given(st.lists(st.tuples(VALUES, st.integers(1, 14)), max_size=12), st.lists(st.integers(0, 140), max_size=6))
def test_the_cut_does_not_matter_and_a_plain_rule_agrees(runs: list[tuple[float, int]], cuts: list[int]) -> None:
    x = np.array([v for v, n in runs for _ in range(n)], np.float64)
    mv = np.stack([x, x[::-1]], axis=1) if len(x) else np.zeros((0, 2))
    watch = LeapWatch(FS, 2)
    pieces = np.split(mv, sorted(min(c, len(mv)) for c in cuts))
    got = np.concatenate([watch.feed(piece, np.isfinite(piece)) for piece in pieces])
    assert got.T.tolist() == [_plain(column) for column in mv.T]


def _plain(x: np.ndarray) -> list[bool]:
    """The rule, sample by sample."""
    out, good, last, last_at, away = [], 0.0, 0.0, -(10**9), 0
    for at, v in enumerate(x.tolist()):
        known = abs(v) <= 1e5
        if known:
            lost = at - last_at - 1 > HOLD
            same = not lost and abs(v - last) <= 20
            waited = away if same else 0
            settled = lost or abs(v - good) <= 20 or (same and away == 0) or waited > HOLD
            good, away = (v, 0) if settled else (good, waited + 1)
            last, last_at = v, at
        out.append(not np.isnan(v) and (not known or not settled))
    return out


def test_rows_beyond_any_heart_are_not_believed() -> None:
    assert believable(np.array([[5.0, -19.0, 21.0, -1e4]], np.float32)).tolist() == [[True, True, False, False]]


def test_a_recording_has_nan_there_and_is_left_alone_otherwise() -> None:
    mv = np.zeros((100, 2))
    assert without_leaps(mv, FS) is mv
    mv[50, 1] = 400
    found = without_leaps(mv, FS)
    assert np.argwhere(np.isnan(found)).tolist() == [[50, 1]] and mv[50, 1] == 400
