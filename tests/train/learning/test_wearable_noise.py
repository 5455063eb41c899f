"""Noise of a wearable: of the level asked for, in the band it belongs to, the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecg_edge.train.learning import wearable_noise as noise

FS, SHAPE = 100, (6, 2, 800)
MAKERS = {"white": noise.white, **noise.KINDS}


def power(x: np.ndarray, low: float, high: float, fs: int = FS) -> float:
    """Share of the power between two frequencies in Hz."""
    f = np.fft.rfftfreq(x.shape[-1], 1 / fs)
    whole = np.square(np.abs(np.fft.rfft(x))).mean(axis=tuple(range(x.ndim - 1)))
    return float(whole[(f >= low) & (f < high)].sum() / whole.sum())


@pytest.mark.parametrize("kind", sorted(MAKERS))
@pytest.mark.parametrize("shape", [(1, 1, 300), SHAPE, (2, 8, 801)])
def test_every_lead_of_every_record_has_an_rms_of_one(kind: str, shape: tuple[int, ...]) -> None:
    x = MAKERS[kind](shape, FS, np.random.default_rng(0))
    assert (x.shape, x.dtype) == (shape, np.float32)
    np.testing.assert_allclose(np.sqrt((x.astype(np.float64) ** 2).mean(axis=-1)), 1, atol=1e-3)


@pytest.mark.parametrize("kind", sorted(MAKERS))
def test_the_generator_decides(kind: str) -> None:
    one, two, other = (MAKERS[kind](SHAPE, FS, np.random.default_rng(seed)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize(
    ("kind", "low", "high", "least"),
    [("wander", 0.05, 1.0, 0.95), ("mains", 46, 50.01, 0.99), ("muscle", 8, 50.01, 0.75), ("motion", 0.1, 10, 0.9)],
)
def test_each_kind_has_its_band(kind: str, low: float, high: float, least: float) -> None:
    shape = (24, 2, 1600)
    assert power(noise.KINDS[kind](shape, FS, np.random.default_rng(1)), low, high) > least


def test_white_noise_has_all_frequencies_alike() -> None:
    x = noise.white((24, 2, 1600), FS, np.random.default_rng(1))
    assert [power(x, k, k + 10) for k in (0, 10, 20, 30)] == pytest.approx([0.2] * 4, abs=0.02)


def test_mains_is_one_tone_in_phase_in_all_leads() -> None:
    x = noise.mains((8, 3, 800), 250, np.random.default_rng(2))
    for record in x:
        lines = np.abs(np.fft.rfft(record * np.hanning(800))).argmax(axis=-1)
        assert np.ptp(lines) == 0
        assert np.corrcoef(record) == pytest.approx(np.ones((3, 3)), abs=1e-3)
        hz = lines[0] * 250 / 800
        assert 46.5 <= hz <= 50.5 or 59.5 <= hz <= 60.5


def test_what_the_rate_cannot_hold_is_not_made() -> None:
    x = noise.mains((40, 1, 800), FS, np.random.default_rng(0))
    assert power(x, 46, 49.9) > 0.95, "60 Hz would fold down to 40"


@given(st.integers(0, 1000), st.integers(2, 5))
def test_one_lead_falls_silent_and_what_is_left_is_untouched(seed: int, leads: int) -> None:
    x = np.random.default_rng(1).normal(1, 0.1, (6, leads, 50)).astype(np.float32)
    y = noise.fallen_off(x, 1.0, np.random.default_rng(seed))
    gone = y == 0
    assert (gone.any(axis=-1).sum(axis=1) <= 1).all(), "two leads at once"
    np.testing.assert_array_equal(y[~gone], x[~gone])
    for lead in gone.reshape(-1, 50):
        assert np.abs(np.diff(lead.astype(int))).sum() <= 2, "one stretch, not several"


def test_a_lone_lead_never_falls_off_and_none_does_without_a_chance() -> None:
    x = np.ones((4, 1, 30), np.float32)
    assert noise.fallen_off(x, 1.0, np.random.default_rng(0)) is x
    two = np.ones((4, 2, 30), np.float32)
    np.testing.assert_array_equal(noise.fallen_off(two, 0.0, np.random.default_rng(0)), two)
