from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from ecg_edge.device.conditioning.conditioner import highpass_sos
from ecg_edge.device.conditioning.spec import ConditioningSpec
from ecg_edge.device.lead_algebra import Provenance
from ecg_edge.device.lead_block import LeadBlock
from ecg_edge.device.reconstruction.zero_phase import without_phase

SPEC = ConditioningSpec()


def block(x, fs=100):
    mv = np.repeat(np.asarray(x, np.float32)[:, None], 12, axis=1)
    kinds = (Provenance.MEASURED,) * 12
    ones = np.ones(mv.shape, bool)
    return LeadBlock(0, mv, kinds, ones, np.zeros(len(mv), bool), np.zeros(mv.shape, np.float32), 0.0, fs=fs)


@settings(max_examples=20, deadline=None)
@given(st.floats(1, 40), st.floats(0, 6.28), st.sampled_from([100, 125]))
def test_a_tone_is_where_it_was_before_the_filter(hz, phase, fs):
    t = np.arange(40 * fs) / fs
    x = np.sin(2 * np.pi * hz * t + phase)
    sos = highpass_sos(SPEC, fs)
    late = signal.sosfilt(sos, x)
    size = np.abs(signal.sosfreqz(sos, worN=[hz], fs=fs)[1][0])
    out = without_phase(block(late, fs), SPEC).mv[:, 3]
    inner = slice(10 * fs, 30 * fs)
    np.testing.assert_allclose(out[inner], size * x[inner], atol=2e-3)


def test_it_sums_leads_as_before_and_keeps_what_is_invalid():
    rng = np.random.default_rng(0)
    b = block(rng.standard_normal(1000))
    b = replace(b, mv=b.mv * np.arange(1, 13, dtype=np.float32))
    b.valid[400:500, 5] = False
    out = without_phase(b, SPEC)
    np.testing.assert_allclose(out.mv[:, 1], 2 * out.mv[:, 0], atol=1e-4)
    assert (out.mv[400:500, 5] == b.mv[400:500, 5]).all() and (out.valid == b.valid).all()


@pytest.mark.parametrize("n", [0, 1, 2, 5, 40, 130])
def test_any_length(n):
    out = without_phase(block(np.ones(n)), SPEC)
    assert len(out) == n and np.isfinite(out.mv).all()
