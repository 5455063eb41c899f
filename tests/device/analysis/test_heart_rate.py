import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecg_edge.device.analysis.beat_candidates import Candidate, alike, same_wave
from ecg_edge.device.analysis.heart_rate import HeartRate

FS = 100
SHAPE = np.sin(np.arange(21) / 3.0)
SHAPE = (SHAPE - SHAPE.mean()) / np.linalg.norm(SHAPE - SHAPE.mean())


def beat(at, shape=SHAPE, bad=-1000):
    return Candidate(at, 1.0, 0.1, at, bad, 0.5, False, shape, shape)


def rate_of(intervals, contrast=9.0, shapes=None, now=None):
    rate, at = HeartRate(FS), 0
    for k, step in enumerate([0, *intervals]):
        at += step
        rate.add(beat(at, SHAPE if shapes is None else shapes[k]), contrast)
    return rate.per_minute(at if now is None else at + now)


def noise_shapes(n):
    x = np.random.default_rng(0).normal(size=(n, 21))
    x -= x.mean(axis=1, keepdims=True)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


@given(interval=st.integers(25, 200), n=st.integers(3, 20))
def test_a_steady_rhythm_is_its_own_rate(interval, n):
    assert rate_of([interval] * n) == pytest.approx(6000 / interval)


@given(intervals=st.lists(st.integers(40, 140), min_size=3, max_size=14))
def test_it_is_the_mean_of_the_last_eight_without_the_extremes(intervals):
    last = sorted(intervals[-8:])
    kept = last[1:-1] if len(last) > 4 else last
    assert rate_of(intervals) == pytest.approx(6000 / np.mean(kept))


@pytest.mark.parametrize("n", [0, 1, 2])
def test_fewer_than_three_intervals_are_no_rate(n):
    assert rate_of([80] * n) is None


def test_one_early_beat_changes_nothing():
    assert rate_of([80, 80, 80, 80, 40, 120, 80, 80]) == pytest.approx(75)


@pytest.mark.parametrize(("interval", "fresh_s"), [(60, 3.0), (150, 3.0), (250, 4.0), (400, 6.4), (900, 8.0)])
def test_a_rate_is_stated_while_the_last_beat_is_fresh_and_longer_in_a_slow_rhythm(interval, fresh_s):
    assert rate_of([interval] * 4, now=round(fresh_s * FS)) is not None
    assert rate_of([interval] * 4, now=round(fresh_s * FS) + 1) is None


def test_beats_that_do_not_look_alike_are_no_heart():
    assert rate_of([80] * 8, shapes=noise_shapes(9)) is None
    mixed = [*noise_shapes(3), *[SHAPE] * 6]
    assert rate_of([80] * 8, shapes=mixed) is not None


@pytest.mark.parametrize(("contrast", "stated"), [(9.0, True), (2.0, True), (1.9, False)])
def test_beats_that_hardly_exceed_what_lies_between_are_no_heart(contrast, stated):
    assert (rate_of([80] * 8, contrast) is not None) == stated


def test_no_interval_spans_an_invalid_sample():
    rate = HeartRate(FS)
    for at in (0, 80, 160):
        rate.add(beat(at), 9.0)
    rate.add(beat(1000, bad=500), 9.0)
    for at in (1080, 1160):
        rate.add(beat(at), 9.0)
    assert rate.usual == 80 and rate.per_minute(1160) == pytest.approx(75)


def test_a_reset_forgets_everything():
    rate = HeartRate(FS)
    for at in range(0, 800, 80):
        rate.add(beat(at), 9.0)
    assert rate.usual == 80
    rate.reset()
    assert rate.usual == 0 and rate.per_minute(720) is None


def test_likeness_finds_the_best_of_three_alignments_and_is_even():
    late = np.roll(SHAPE, 1)
    assert alike(beat(0), beat(0)) == pytest.approx(1)
    assert alike(beat(0), beat(0, late)) == pytest.approx(alike(beat(0, late), beat(0)))
    assert alike(beat(0), beat(0, late)) > float(SHAPE @ late)
    assert alike(beat(0), beat(0, -SHAPE)) < 0.5


def test_waves_are_compared_as_far_as_both_are_known():
    a, b = beat(0), beat(0)
    b = Candidate(*(vars(b) | {"wave": SHAPE[:10]}).values())
    assert same_wave(a, b) == pytest.approx(float(SHAPE[:10] @ SHAPE[:10])) == same_wave(b, a)
