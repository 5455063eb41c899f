from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecg_edge.device.conditioning.conditioner import Conditioner, StreamingSos, highpass_sos
from ecg_edge.device.conditioning.resampler import Resampler
from ecg_edge.device.conditioning.spec import ConditioningSpec
from ecg_edge.firmware_bridge.errors import UsageError

RATES = st.sampled_from([Fraction(n) for n in (80, 100, 125, 250, 256, 360, 500, 1000)] + [Fraction(2000, 7)])


def signal_of(n, leads=2, seed=0):
    return np.random.default_rng(seed).normal(size=(n, leads))


def written_out(x, fs_in, fs_out, half, taps):
    """Every output by itself: the kernel of the module's docstring around its own instant, summed by numpy."""
    low = min(fs_in, fs_out)
    reach, cutoff = float(4 * fs_in / low), 0.47 * float(low / fs_in)
    padded = np.concatenate([np.repeat(x[:1], taps, axis=0), x])
    out = []
    for m in range(-(-len(x) * fs_out.numerator * fs_in.denominator // (fs_out.denominator * fs_in.numerator))):
        at = m * fs_in / fs_out
        k = np.arange(taps) + int(at) - taps + 1
        t = np.array([float(i + half - at) for i in k])
        window = np.clip(1 - (t / reach) ** 2, 0, None)
        h = np.sinc(2 * cutoff * t) * np.i0(3.0 * np.sqrt(window)) * (window > 0)
        out.append((h / h.sum()) @ padded[k + taps])
    return np.array(out)


@given(fs_in=RATES, n=st.integers(1, 60))
def test_it_is_the_windowed_sinc_written_out(fs_in, n):
    fs_out = Fraction(100)
    r = Resampler(fs_in, fs_out, 2)
    x = signal_of(n)
    if r.identity:
        np.testing.assert_array_equal(r.feed(x), x)
        return
    half = round(r.delay * float(fs_in))
    np.testing.assert_allclose(r.feed(x), written_out(x, fs_in, fs_out, half, 2 * half), atol=1e-9)


@given(fs_in=RATES, fs_out=RATES, a=st.floats(-3, 3), b=st.floats(-3, 3))
def test_it_is_linear(fs_in, fs_out, a, b):
    x, y = signal_of(50, 1, 1), signal_of(50, 1, 2)
    parts = [Resampler(fs_in, fs_out, 1).feed(z) for z in (x, y, a * x + b * y)]
    np.testing.assert_allclose(parts[2], a * parts[0] + b * parts[1], atol=1e-9)


@given(fs_in=RATES, fs_out=RATES, n=st.integers(0, 90), rows=st.integers(1, 9), start=st.integers(0, 500))
def test_missing_is_just_enough(fs_in, fs_out, n, rows, start):
    r = Resampler(fs_in, fs_out, 1)
    r.reset(start)
    r.feed(signal_of(n, 1))
    first, more = r.next_output, r.missing(rows)
    assert more >= 1 or r.identity
    r.feed(signal_of(more - 1, 1))
    assert r.next_output < first + rows
    r.feed(signal_of(1, 1))
    assert r.next_output >= first + rows


@given(fs_in=RATES, fs_out=RATES, start=st.integers(0, 1000))
def test_the_grid_is_that_of_sample_zero_after_any_start(fs_in, fs_out, start):
    r = Resampler(fs_in, fs_out, 1)
    r.reset(start)
    assert Fraction(r.next_output - 1) < start * fs_out / fs_in <= r.next_output


@given(seed=st.integers(0, 20), fs_in=RATES)
def test_leads_do_not_touch_each_other(seed, fs_in):
    x = signal_of(40, 3, seed)
    whole = Resampler(fs_in, 100, 3).feed(x)
    for k in range(3):
        np.testing.assert_array_equal(whole[:, k : k + 1], Resampler(fs_in, 100, 1).feed(x[:, k : k + 1]))


def test_nothing_in_is_nothing_out():
    for fs in (100, 250):
        r = Resampler(fs, 100, 2)
        assert r.feed(np.zeros((0, 2))).shape == (0, 2) and r.next_output == 0


def test_a_rate_with_no_small_ratio_is_taken_at_the_nearest_phase():
    exact, odd = Resampler(Fraction(250), 100, 1), Resampler(Fraction(250_003, 1000), 100, 1)
    t = np.arange(2500)
    x = np.sin(2 * np.pi * 5 * t / 250)[:, None]
    a, b = exact.feed(x)[200:900], odd.feed(x)[200:900]
    assert np.abs(a - b).max() < 0.01


@pytest.mark.parametrize("fs", [Fraction(1, 2), Fraction(0), Fraction(100_001)])
def test_rates_outside_the_limits_name_them(fs):
    with pytest.raises((UsageError, ZeroDivisionError)) as e:
        Resampler(fs, 100, 1)
    if isinstance(e.value, UsageError):
        assert "1 to 100000 Hz" in e.value.fix


@given(cuts=st.lists(st.integers(0, 60), max_size=6), order=st.integers(1, 4))
def test_sections_in_pieces_are_scipys_sections_over_the_whole(cuts, order):
    from scipy import signal

    sos = highpass_sos(ConditioningSpec(highpass_order=order), 100.0)
    x = signal_of(60) + 3
    zi = signal.sosfilt_zi(sos)[:, :, None] * x[0]
    want = signal.sosfilt(sos, x, axis=0, zi=zi)[0]
    stage = StreamingSos(sos)
    got = np.concatenate([stage.feed(part) for part in np.split(x, sorted(cuts))])
    np.testing.assert_allclose(got, want, atol=1e-11)
    np.testing.assert_array_equal(got, StreamingSos(sos).feed(x))


def test_a_high_pass_starts_at_rest_whatever_the_first_sample_is():
    stage = StreamingSos(highpass_sos(ConditioningSpec(), 100.0))
    np.testing.assert_allclose(stage.feed(np.full((50, 1), 700.0)), 0, atol=1e-9)
    stage.reset()
    np.testing.assert_allclose(stage.feed(np.full((50, 1), -3.0)), 0, atol=1e-9)


def test_reseed_before_the_first_sample_changes_nothing():
    spec = ConditioningSpec()
    a, b = (Conditioner(250, 100, 2, spec, 50.0) for _ in range(2))
    b.reseed(np.array([True, False]), np.array([5.0, 5.0]))
    np.testing.assert_array_equal(a.feed(signal_of(90)), b.feed(signal_of(90)))


@pytest.mark.parametrize(("fs", "mains", "notched"), [(250, 50.0, True), (250, None, False), (100, 50.0, False)])
def test_the_notch_is_there_where_the_rate_reaches_it(fs, mains, notched):
    t = np.arange(fs * 8) / fs
    x = np.sin(2 * np.pi * 20 * t)[:, None] + (np.sin(2 * np.pi * 50 * t)[:, None] if fs > 100 else 0)
    c = Conditioner(fs, fs, 1, ConditioningSpec(), mains)
    y = c.feed(x)[4 * fs :, 0]
    power = np.abs(np.fft.rfft(y)) / len(y) * 2
    assert power[20 * 4] == pytest.approx(1, abs=0.05)
    if fs > 100:
        assert (power[50 * 4] < 0.05) == notched


def test_the_stated_delay_is_that_of_a_peak():
    c = Conditioner(500, 100, 1, ConditioningSpec(highpass_hz=0.05))
    x = np.zeros((1500, 1))
    x[:, 0] = np.exp(-0.5 * ((np.arange(1500) - 700) / 15) ** 2)
    assert np.argmax(c.feed(x)[:, 0]) / 100 == pytest.approx(700 / 500 + c.delay, abs=0.011)
