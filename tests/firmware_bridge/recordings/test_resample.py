from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecg_edge.firmware_bridge.recordings.recording import Recording, Signal
from ecg_edge.firmware_bridge.recordings.resample import bridged, resample_rows, resampled_length, values_at

RATES = st.sampled_from([Fraction(n) for n in (100, 125, 250, 360, 500)] + [Fraction(255_711, 500)])


def rows_of(x):
    return lambda a, b: x[a:b].copy()


def sine(fs, seconds, hz=7.0):
    return np.sin(2 * np.pi * hz * np.arange(int(seconds * fs)) / float(fs))


@given(native=RATES, rate=RATES)
def test_a_sine_is_itself_at_every_rate_in_place_and_in_phase(native, rate):
    x = sine(native, 3)
    n = resampled_length(len(x), native, rate)
    y = resample_rows(rows_of(x), len(x), native, rate, 0, n)
    edge = int(0.4 * rate)
    np.testing.assert_allclose(y[edge:-edge], sine(rate, 4)[edge : n - edge], atol=0.01)


@settings(max_examples=30)
@given(native=RATES, rate=RATES, cuts=st.lists(st.integers(0, 200), min_size=1, max_size=4), hole=st.integers(0, 200))
def test_pieces_are_the_whole(native, rate, cuts, hole):
    x = np.random.default_rng(0).normal(size=300)
    x[100 : 100 + hole] = np.nan
    n = min(200, resampled_length(300, native, rate))
    whole = resample_rows(rows_of(x), 300, native, rate, 0, n)
    parts = [
        resample_rows(rows_of(x), 300, native, rate, a, b)
        for a, b in pairwise([0, *sorted(min(c, n) for c in cuts), n])
    ]
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-12)


def test_a_hole_longer_than_what_is_read_at_once_is_bridged_to_its_far_side():
    x = np.concatenate([np.zeros(500), np.full(20_000, np.nan), np.full(500, 8.0)])
    for y, native, rate in ((x, 500, 360), (x[::-1], 360, 500)):
        n = resampled_length(len(y), Fraction(native), Fraction(rate))
        whole = resample_rows(rows_of(y), len(y), Fraction(native), Fraction(rate), 0, n)
        assert np.isnan(whole).sum() == pytest.approx(20_000 * rate / native, abs=2)
        for at in (0, 300, n - 700, n - 300):
            part = resample_rows(rows_of(y), len(y), Fraction(native), Fraction(rate), at, min(at + 300, n))
            np.testing.assert_allclose(part, whole[at : at + 300], atol=1e-12)


@given(native=RATES, rate=RATES, value=st.floats(-100, 100))
def test_a_constant_stays_that_constant_to_both_ends(native, rate, value):
    n = resampled_length(150, native, rate)
    y = resample_rows(rows_of(np.full(150, value)), 150, native, rate, 0, n)
    np.testing.assert_allclose(y, value, atol=1e-9)


@given(length=st.integers(1, 10_000), native=RATES, rate=RATES)
def test_the_length_is_that_of_the_instants_within_the_signal(length, native, rate):
    n = resampled_length(length, native, rate)
    assert (n - 1) / rate < length / native <= n / rate


def test_a_row_is_missing_where_the_sample_before_its_instant_is():
    x = np.ones(100)
    x[40:50] = np.nan
    y = resample_rows(rows_of(x), 100, Fraction(100), Fraction(200), 0, 200)
    assert np.flatnonzero(np.isnan(y)).tolist() == list(range(80, 100))


def test_missing_samples_are_bridged_by_straight_lines():
    nan = np.nan
    np.testing.assert_allclose(bridged(np.array([nan, 1, nan, nan, 4, nan])), [1, 1, 2, 3, 4, 4])
    np.testing.assert_array_equal(bridged(np.full(3, nan)), 0)


@pytest.mark.parametrize("rate", [50, 100, 200])
def test_a_signal_ends_where_it_ends(rate):
    x = np.arange(60.0)
    signals = (Signal("I", "mV", Fraction(100), 60), Signal("II", "mV", Fraction(100), 60))
    recording = Recording("r", "made", signals, lambda columns, a, b: np.stack([x[a:b] + k for k in columns], 1))
    y = values_at(recording, 1, Fraction(rate), 0, 150)
    end = 60 * rate // 100
    assert np.isfinite(y[:end]).all() and np.isnan(y[end:]).all()
    np.testing.assert_allclose(values_at(recording, 1, Fraction(rate), 10, 20), y[10:20], atol=1e-12)
