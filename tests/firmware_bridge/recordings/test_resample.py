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
@given(native=RATES, rate=RATES, cuts=st.lists(st.integers(0, 200), min_size=1, max_size=4), hole=st.booleans())
def test_pieces_are_the_whole(native, rate, cuts, hole):
    x = np.random.default_rng(0).normal(size=300)
    if hole:
        x[100:110] = np.nan
    n = min(200, resampled_length(300, native, rate))
    whole = resample_rows(rows_of(x), 300, native, rate, 0, n)
    parts = [
        resample_rows(rows_of(x), 300, native, rate, a, b)
        for a, b in pairwise([0, *sorted(min(c, n) for c in cuts), n])
    ]
    # A piece that ends before a hole cannot know where the line across it goes: that is under the kernel's tail.
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-2 if hole else 1e-12)


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
