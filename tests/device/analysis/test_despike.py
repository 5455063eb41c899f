import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecg_edge.device.analysis.despike import Despike
from ecg_edge.device.conditioning.resampler import Resampler
from ecg_edge.firmware_bridge.synthetic_heart.heart import SyntheticHeart

FS = 100


def pulse(at, height, ms=2.0, fs=1000, seconds=3.0):
    """A pacemaker's pulse as a converter of a kilohertz sees it, at the model rate."""
    x = np.zeros((round(seconds * fs), 1))
    x[round(at * fs) : round(at * fs) + max(1, round(ms * fs / 1000))] = height
    return Resampler(fs, FS, 1).feed(x)[:, 0]


def through(x, cuts=()):
    d = Despike()
    out = np.concatenate([d.feed(part) for part in np.split(x, sorted(cuts))])
    return out, d.delay


@given(cuts=st.lists(st.integers(0, 300), max_size=8), seed=st.integers(0, 9))
def test_cuts_do_not_matter(cuts, seed):
    x = SyntheticHeart(FS, ("II",), seed=seed).read(300)[:, 0] + pulse(1.0 + seed / 100, 20)
    np.testing.assert_array_equal(through(x)[0], through(x, cuts)[0])


@pytest.mark.parametrize("height", [3, -3, 20, 100])
@pytest.mark.parametrize("shift", [0.0, 0.003, 0.007])
def test_a_pulse_is_taken_out_wherever_it_lies_between_samples(height, shift):
    x = pulse(1.2 + shift, height)
    out, _ = through(x)
    assert np.abs(x).max() > 0.2 and np.abs(out).max() < 0.05 * np.abs(x).max()


@pytest.mark.parametrize("seed", range(4))
def test_no_beat_is_touched(seed):
    x = SyntheticHeart(FS, ("II",), seed=seed).read(1500)[:, 0]
    out, delay = through(x)
    np.testing.assert_array_equal(out[delay:], x[:-delay])


def test_the_output_lags_by_its_delay_and_begins_with_the_first_value():
    x = np.linspace(5, 6, 50)
    out, delay = through(x)
    assert len(out) == 50 and (out[:delay] == 5).all()
    np.testing.assert_allclose(out[delay:], x[:-delay], atol=1e-12)


def test_a_pulse_on_a_beat_leaves_the_rest_of_the_beat():
    beat = SyntheticHeart(FS, ("II",), seed=0).read(300)[:, 0]
    out, delay = through(beat + pulse(1.5, 15))
    far = np.abs(np.arange(300 - delay) - 154) > 12
    np.testing.assert_allclose(out[delay:][far], beat[:-delay][far], atol=0.05)


def test_a_reset_begins_anew_and_nothing_in_is_nothing_out():
    d = Despike()
    d.feed(np.full(20, 7.0))
    assert len(d.feed(np.zeros(0))) == 0
    d.reset()
    np.testing.assert_array_equal(d.feed(np.full(3, -2.0)), -2.0)
