"""Made-up recordings with known beats: the beats stand where they are said to, noise is as large as said."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
from scipy import signal

from ecg_edge.train.studies import beat_cases
from ecg_edge.train.studies.beat_cases import FS, SECONDS, Shape, band, cases, drawn, even, heartless, white

CASES = list(cases(0))
RNG = np.random.default_rng


def test_every_case_is_a_whole_recording_with_a_name_of_its_own() -> None:
    names = [(case.group, case.name) for case in CASES]
    assert len(set(names)) == len(names) > 60
    for case in CASES:
        assert case.mv.shape == (round(SECONDS * FS),) and np.isfinite(case.mv).all()
        assert len(case.beats) > 10 and (np.diff(case.beats) > 0).all()
        assert case.beats[0] > 0 and case.beats[-1] < SECONDS


def test_the_same_seed_makes_the_same_and_another_others() -> None:
    again, other = (list(islice(cases(seed), 30)) for seed in (0, 1))
    assert all(np.array_equal(a.mv, b.mv) for a, b in zip(CASES, again, strict=False))
    assert not any(np.array_equal(a.mv, b.mv) for a, b in zip(CASES, other, strict=False))


def test_what_has_no_heart_has_no_beats() -> None:
    found = list(heartless(0))
    assert len({case.name for case in found}) == len(found)
    for case in found:
        assert not len(case.beats) and case.mv.std() > 0
    white_noise = next(case for case in found if case.name == "white 200 µV")
    assert white_noise.mv.std() == pytest.approx(0.2, rel=0.03)


@pytest.mark.parametrize("bpm", [35, 60, 150])
@pytest.mark.parametrize("spread", [0.0, 0.02, 0.2])
def test_a_rhythm_has_its_rate_and_its_variation(bpm: float, spread: float) -> None:
    rr = np.diff(even(bpm, RNG(0), spread))
    assert 60 / rr.mean() == pytest.approx(bpm, rel=0.02 + spread / 4)
    assert rr.std() / rr.mean() == pytest.approx(spread, abs=0.3 * spread + 1e-9)


def test_r_waves_stand_at_the_beats() -> None:
    times = even(70, RNG(0))
    y = drawn(times, Shape())
    peaks = signal.find_peaks(y, height=0.6)[0] / FS
    assert len(peaks) == len(times)
    np.testing.assert_allclose(peaks, times, atol=0.6 / FS)
    np.testing.assert_allclose(y[np.rint(peaks * FS).astype(int)], 1.0, atol=0.1)


def test_shapes_take_turns() -> None:
    times = even(60, RNG(0), 0.0)
    y = drawn(times, Shape(r=1.0), Shape(r=0.3, t=0.05))
    heights = y[np.rint(times * FS).astype(int)]
    np.testing.assert_allclose(heights[::2], 1.0, atol=0.1)
    np.testing.assert_allclose(heights[1::2], 0.3, atol=0.05)


def test_a_t_wave_follows_later_in_a_slow_heart() -> None:
    def t_at(rr: float) -> float:
        return max(Shape(t=0.5).waves(rr)[-1][1], 0)

    assert t_at(0.4) < t_at(0.8) < t_at(1.2)
    assert t_at(5.0) == t_at(2.0), "no later than in a heart of 45 a minute"


def test_noise_has_its_size_and_its_band() -> None:
    assert white(RNG(0), 0.05).std() == pytest.approx(0.05, rel=0.02)
    x = band(RNG(0), 0.3, 10, 48)
    assert x.std() == pytest.approx(0.3)
    f, power = signal.welch(x, FS, nperseg=1024)
    assert power[(f > 8) & (f < 60)].sum() / power.sum() > 0.95


def test_pacing_pulses_come_before_the_beats_they_cause() -> None:
    found = [case for case in CASES if case.group == "pacing" and "before the ventricle" in case.name]
    assert len(found) == 4
    for case in found:
        size = float(case.name.split()[0])
        at = np.rint((case.beats - 0.045) * FS).astype(int)
        jump = case.mv[at] - np.median([case.mv[at - 2], case.mv[at + 2]], axis=0)
        assert np.median(jump) == pytest.approx(size, abs=0.3)


def test_a_pause_is_in_the_beats_and_in_the_signal() -> None:
    case = next(case for case in CASES if case.name == "pauses of 4 s")
    gaps = np.flatnonzero(np.diff(case.beats) > 4)
    assert len(gaps) >= 3
    for k in gaps:
        quiet = case.mv[round((case.beats[k] + 0.6) * FS) : round((case.beats[k + 1] - 0.4) * FS)]
        assert np.abs(quiet).max() < 0.1


def test_the_module_says_what_it_makes() -> None:
    groups = {case.group for case in CASES}
    assert {"sinus", "tall T", "slow", "shapes", "rhythms", "noisy", "steps", "pacing"} <= groups
    assert beat_cases.SECONDS == 90
