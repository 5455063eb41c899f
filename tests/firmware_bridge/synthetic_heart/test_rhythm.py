import itertools

import numpy as np
import pytest
from scipy import signal

from ecg_edge.firmware_bridge.synthetic_heart.rhythm import Oscillation, Rhythm


def intervals(bpm: float, seed: int, n: int) -> np.ndarray:
    beats = itertools.islice(Rhythm(bpm, np.random.SeedSequence(seed)).beats(), n)
    return np.diff([beat.r for beat in beats])


@pytest.mark.parametrize("bpm", [30.0, 65.0, 120.0, 220.0])
@pytest.mark.parametrize("seed", range(4))
def test_mean_rate_is_the_one_asked_for(bpm: float, seed: int) -> None:
    assert abs(60 / intervals(bpm, seed, 600).mean() - bpm) < 2.0


@pytest.mark.parametrize("seed", range(6))
def test_intervals_vary_as_in_a_resting_adult(seed: int) -> None:
    rr = intervals(65.0, seed, 400)
    assert 0.020 < rr.std() < 0.070  # SDNN
    assert 0.010 < np.diff(rr).std() < 0.070  # RMSSD
    assert np.abs(rr / rr.mean() - 1).max() < 0.25


def test_variability_sits_in_the_breathing_and_the_mayer_band() -> None:
    beats = list(itertools.islice(Rhythm(65.0, np.random.SeedSequence(2)).beats(), 1200))
    r = np.array([beat.r for beat in beats[1:]])
    rr = np.diff([beat.r for beat in beats])
    even = np.interp(np.arange(r[0], r[-1], 0.25), r, rr)
    f, power = signal.welch(even - even.mean(), fs=4.0, nperseg=1024)
    inside = (f > 0.05) & (f < 0.36)
    assert power[inside].sum() > 0.85 * power.sum()
    assert power[(f > 0.17) & (f < 0.33)].sum() > 0.2 * power.sum()


def test_each_beat_knows_the_interval_before_it() -> None:
    beats = list(itertools.islice(Rhythm(80.0, np.random.SeedSequence(1)).beats(), 50))
    assert np.allclose(np.diff([b.r for b in beats]), [b.rr for b in beats[1:]])


def test_beats_are_the_same_at_every_call() -> None:
    rhythm = Rhythm(70.0, np.random.SeedSequence(5))
    first = list(itertools.islice(rhythm.beats(), 30))
    assert first == list(itertools.islice(rhythm.beats(), 30))
    assert first[0].r < 0


def test_breath_stays_within_its_bounds_and_breathes() -> None:
    t = np.arange(0, 300, 0.05)
    breath = Rhythm(65.0, np.random.SeedSequence(3)).breath(t)
    assert np.abs(breath).max() <= 1
    crossings = np.count_nonzero(np.diff(np.signbit(breath)))
    assert 0.15 < crossings / 2 / 300 < 0.35


def test_oscillation_has_unit_power_in_its_band_only() -> None:
    t = np.arange(0, 4000, 0.5)
    x = Oscillation(np.random.default_rng(0), 0.1, 0.2)(t)
    f, power = signal.periodogram(x, fs=2.0)
    assert np.mean(x * x) == pytest.approx(1.0, abs=0.02)
    assert power[(f > 0.099) & (f < 0.201)].sum() > 0.99 * power.sum()
