"""Resampler and conditioner: exact for every cut, flat in the band, true to their stated delay."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from ecg_edge.device.conditioning.conditioner import Conditioner, StreamingSos, highpass_sos
from ecg_edge.device.conditioning.resampler import Resampler
from ecg_edge.device.conditioning.spec import ConditioningSpec
from ecg_edge.firmware_bridge.errors import ModelFileError, UsageError

RATES = [Fraction(125), Fraction(128), Fraction(250), Fraction(360), Fraction(500), Fraction(40201, 4), Fraction(100)]
SPEC = ConditioningSpec()


def cut(x: np.ndarray, sizes: list[int]) -> list[np.ndarray]:
    out, i = [], 0
    for k in sizes:
        out.append(x[i : i + k])
        i += k
    return [*out, x[i:]]


@settings(max_examples=60, deadline=None)
@given(rate=st.sampled_from(RATES), sizes=st.lists(st.integers(0, 90), max_size=12), seed=st.integers(0, 99))
def test_any_cut_gives_the_same_bytes(rate: Fraction, sizes: list[int], seed: int) -> None:
    x = np.random.default_rng(seed).normal(size=(700, 2)) + 3
    whole = Conditioner(rate, 100, 2, SPEC, 50.0).feed(x)
    piecewise = Conditioner(rate, 100, 2, SPEC, 50.0)
    parts = np.concatenate([piecewise.feed(p) for p in cut(x, sizes)])
    assert parts.dtype == np.float32
    np.testing.assert_array_equal(parts, whole)


@pytest.mark.parametrize("rate", RATES, ids=str)
def test_output_count_follows_the_grid(rate: Fraction) -> None:
    r = Resampler(rate, 100, 1)
    n = 1234
    assert len(r.feed(np.zeros((n, 1)))) == r.next_output == -(-n * 100 // rate)


@pytest.mark.parametrize("rate", [r for r in RATES if r > 100], ids=str)
def test_pass_band_stop_band_and_delay(rate: Fraction) -> None:
    f = float(rate)
    for hz, tolerance in ((1, 0.005), (10, 0.03), (25, 0.02), (35, 0.05)):
        r = Resampler(rate, 100, 1)
        y = r.feed(np.sin(2 * np.pi * hz * np.arange(int(4 * f)) / f)[:, None])[:, 0]
        want = np.sin(2 * np.pi * hz * (np.arange(len(y)) / 100 - r.delay))
        assert np.abs(y - want)[100:].max() < tolerance, hz
    if rate > 150:
        y = Resampler(rate, 100, 1).feed(np.sin(2 * np.pi * 65 * np.arange(int(4 * f)) / f)[:, None])
        assert np.abs(y[100:]).max() < 0.02


def test_equal_rates_pass_unchanged() -> None:
    x = np.random.default_rng(0).normal(size=(50, 3))
    r = Resampler(100, 100, 3)
    np.testing.assert_array_equal(r.feed(x), x)
    assert r.delay == 0
    assert r.next_output == 50


def test_a_constant_stays_constant_from_the_first_sample() -> None:
    y = Resampler(360, 100, 1).feed(np.full((200, 1), 1.7))
    np.testing.assert_allclose(y, 1.7, rtol=1e-12)
    np.testing.assert_allclose(Conditioner(250, 100, 1, SPEC, 50.0).feed(np.full((500, 1), 5.0)), 0, atol=1e-5)


@pytest.mark.parametrize("start", [0, 1, 7, 250, 1001])
def test_the_grid_survives_a_reset(start: int) -> None:
    """After a gap the outputs lie on the same instants as without one."""
    t = np.arange(4000) / 250
    x = np.sin(2 * np.pi * 3 * t)[:, None]
    whole = Resampler(250, 100, 1).feed(x)
    late = Resampler(250, 100, 1)
    late.reset(start)
    first = late.next_output
    y = late.feed(x[start:])
    np.testing.assert_allclose(y[20:], whole[first + 20 : first + len(y)], atol=1e-12)


def test_reseed_restarts_one_lead_and_leaves_the_other() -> None:
    x = np.random.default_rng(1).normal(size=(800, 2))
    jump = x.copy()
    jump[400:, 1] += 100.0
    c = Conditioner(250, 100, 2, SPEC, 50.0)
    before = c.feed(jump[:400])
    c.reseed(np.array([False, True]), jump[400])
    after = c.feed(jump[400:])
    undisturbed = Conditioner(250, 100, 2, SPEC, 50.0).feed(x)
    np.testing.assert_array_equal(np.concatenate([before, after])[:, 0], undisturbed[:, 0])
    assert np.abs(after[:, 1]).max() < 20, "the jump of 100 mV must not ring through the high-pass"


def test_highpass_equals_scipy_offline() -> None:
    x = np.random.default_rng(2).normal(size=(500, 1))
    sos = signal.butter(2, 0.5, "highpass", fs=100, output="sos")
    want, _ = signal.sosfilt(sos, x, axis=0, zi=signal.sosfilt_zi(sos)[:, :, None] * x[0])
    np.testing.assert_allclose(StreamingSos(highpass_sos(SPEC, 100)).feed(x), want, atol=1e-12)


def test_notch_removes_mains() -> None:
    t = np.arange(5000) / 500
    hum = np.sin(2 * np.pi * 50 * t)[:, None]
    assert np.abs(Conditioner(500, 500, 1, SPEC, 50.0).feed(hum)[2500:]).max() < 0.01
    assert np.abs(Conditioner(500, 500, 1, SPEC, None).feed(hum)[2500:]).max() > 0.9


def test_three_millivolt_pulse_shows_the_monitor_band() -> None:
    """A 0.5 Hz high-pass undershoots after a 3 mV, 100 ms pulse: monitor band, not diagnostic band."""
    x = np.zeros((1000, 1))
    x[200:210] = 3.0
    y = Conditioner(100, 100, 1, SPEC).feed(x)[:, 0]
    assert -1.5 < y[210:].min() < -0.5


@pytest.mark.parametrize("fs", ["511.422", "129.97", "360.002", "100003/1009", "12345.678"])
def test_any_rate_is_played_in_place_and_without_drift(fs: str) -> None:
    """A 3 Hz sine of an hour: the last second lies where the first does, to a thousandth of an input period."""
    native = Fraction(fs)
    r = Resampler(native, 100, 1)
    errors = []
    for second in (0, 3600):
        start = int(second * native)
        r.reset(start)
        first = r.next_output
        t = np.arange(start, start + int(2 * native)) / float(native)
        y = r.feed(np.sin(2 * np.pi * 3 * t)[:, None])[:, 0]
        at = (first + np.arange(len(y))) / 100 - r.delay
        errors.append(np.abs(y - np.sin(2 * np.pi * 3 * at))[60:].max())
    assert max(errors) < 1e-2 and abs(errors[0] - errors[1]) < 1e-3


@pytest.mark.parametrize("fs", [Fraction(1, 2), Fraction(10**9), Fraction(10**6) + Fraction(1, 3)])
def test_a_rate_no_ecg_has_is_refused(fs: Fraction) -> None:
    with pytest.raises(UsageError, match="rate it states"):
        Resampler(fs, 100, 1)


def test_spec_round_trip_and_damage() -> None:
    assert ConditioningSpec.from_dict(SPEC.to_dict()) == SPEC
    with pytest.raises(ModelFileError):
        ConditioningSpec.from_dict({"highpass_hz": "x"})
