"""Sections designed here against those of scipy.signal."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import signal

from ecg_edge.device.conditioning.section_design import bandpass, highpass, notch, settled

_RATES = st.floats(120, 20_000)
_CLOSE = {"rtol": 1e-9, "atol": 1e-12}
"""Between versions of scipy a last digit may differ; with the one of the lock file none does."""


@given(fs=_RATES, hz=st.sampled_from([50.0, 60.0]), q=st.floats(2, 60))
def test_a_notch_is_scipys(fs, hz, q):
    want = signal.tf2sos(*signal.iirnotch(hz, q, fs=fs))
    got = notch(hz, q, fs)
    np.testing.assert_allclose(got, want, **_CLOSE)
    np.testing.assert_allclose(settled(got), signal.sosfilt_zi(want), **_CLOSE)


@given(fs=st.floats(50, 1000), hz=st.floats(0.05, 20), order=st.integers(1, 4))
def test_a_high_pass_is_scipys_whatever_its_order(fs, hz, order):
    want = signal.butter(order, hz, "highpass", fs=fs, output="sos")
    got = highpass(order, hz, fs)
    np.testing.assert_allclose(got, want, **_CLOSE)
    np.testing.assert_allclose(settled(got), signal.sosfilt_zi(want), rtol=1e-6, atol=1e-9)


@given(fs=st.floats(50, 2000), low=st.floats(2, 12), width=st.floats(0.5, 12))
def test_a_band_pass_is_scipys(fs, low, width):
    want = signal.butter(1, (low, low + width), "bandpass", fs=fs, output="sos")
    got = bandpass(low, low + width, fs)
    np.testing.assert_allclose(got, want, **_CLOSE)
    np.testing.assert_allclose(settled(got), signal.sosfilt_zi(want), **_CLOSE)


@pytest.mark.parametrize(("low", "high"), [(0.5, 24.0), (1.0, 40.0)])
def test_a_band_too_wide_for_complex_poles_is_scipys_too(low, high):
    want = signal.butter(1, (low, high), "bandpass", fs=100, output="sos")
    np.testing.assert_allclose(bandpass(low, high, 100), want, **_CLOSE)


def test_a_corner_above_half_the_rate_is_refused_as_scipy_refuses_it():
    with pytest.raises(ValueError, match="critical frequencies"):
        highpass(2, 60.0, 100.0)
