from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import theilslopes

from ecg_edge.device.analysis.clock_drift import MIN_WINDOWS, WINDOW_S, ClockFit

FS = Fraction(100)


def run(seconds, delay, step=10, fit=None):
    """Samples in tens; `delay` gives the lateness in seconds of a time."""
    fit = fit or ClockFit(FS)
    for stop in range(step, int(seconds * FS) + 1, step):
        fit.feed(stop, stop / 100 + delay(stop / 100))
    return fit


@given(ppm=st.floats(-500, 500), offset=st.floats(-10, 1e6))
def test_a_steady_drift_is_found_exactly_whatever_the_offset(ppm, offset):
    fit = run(90, lambda t: offset + 1e-6 * ppm * t, step=50)
    assert fit.drift_ppm == pytest.approx(ppm, abs=0.5)


def test_nothing_is_said_before_a_minute_and_then_it_is():
    early, late = run(59, lambda t: 0.0), run(61, lambda t: 0.0)
    assert early.drift_ppm is None and late.drift_ppm == pytest.approx(0, abs=1e-6)
    assert MIN_WINDOWS * WINDOW_S == 60


def test_the_first_jitter_is_that_of_the_first_whole_window():
    assert run(4, lambda t: 0.0).jitter_ms is None
    assert run(6, lambda t: 0.01 * (round(t * 10) % 4)).jitter_ms == pytest.approx(30, abs=1e-6)


def test_lateness_never_counts_as_drift():
    rng = np.random.default_rng(0)
    late = rng.exponential(0.02, 100_000)
    fit = run(300, lambda t: 40e-6 * t + late[round(t * 10)])
    assert fit.drift_ppm == pytest.approx(40, abs=5)


def test_it_is_the_slope_of_theil_and_sen_through_the_least_delays():
    rng = np.random.default_rng(1)
    late = rng.exponential(0.05, 10_000)
    fit = run(200, lambda t: late[round(t * 10)])
    t = np.arange(1, 2001) / 10
    windows = np.floor(t / WINDOW_S)
    ends = [np.flatnonzero(windows == w) for w in range(int(windows[-1]))]
    least = [k[np.argmin(late[k + 1])] for k in ends]
    want = theilslopes(late[np.array(least) + 1], t[least])[0]
    assert fit.drift_ppm == pytest.approx(1e6 * want, abs=1e-3)


def test_lost_samples_do_not_disturb_it():
    whole = run(120, lambda t: 30e-6 * t)
    holed = ClockFit(FS)
    for stop in range(10, 12_001, 10):
        if not 3000 < stop < 4500:
            holed.feed(stop, stop / 100 * (1 + 30e-6))
    assert holed.drift_ppm == pytest.approx(whole.drift_ppm, abs=0.01)


def test_a_reset_forgets_everything():
    fit = run(90, lambda t: 100e-6 * t)
    fit.reset()
    assert fit.drift_ppm is None and fit.jitter_ms is None
    run(90, lambda t: -50e-6 * t, fit=fit)
    assert fit.drift_ppm == pytest.approx(-50, abs=0.1)
