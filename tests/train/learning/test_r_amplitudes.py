"""R amplitudes of many records, their lost spread, and how it is stretched back."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ecg_edge.train.learning import r_wave_stretch as stretch
from ecg_edge.train.learning.r_amplitudes import beats, r_amplitudes
from ecg_edge.train.learning.spread_loss import lost_spread

FS = 100
AT = np.arange(60, 940, 80)


def records(heights: npt.NDArray[np.float64], n: int = 1000) -> npt.NDArray[np.float32]:
    """R waves of the given heights, shape (n_records, n_leads), each with an S wave and a T wave behind it."""
    t = np.arange(n)[:, None]
    bump = lambda at, width: np.exp(-0.5 * ((t - at) / width) ** 2).sum(axis=1)  # noqa: E731
    s, wave = 0.4 * bump(AT + 5, 1.5), 0.15 * bump(AT + 30, 5)
    return (heights[..., None] * bump(AT, 1.2) - s + wave).astype(np.float32)


@pytest.fixture
def heights() -> npt.NDArray[np.float64]:
    return np.random.default_rng(0).uniform(0.4, 2.4, (60, 3))


def test_beats_are_found_where_they_are(heights: npt.NDArray[np.float64]) -> None:
    found = beats(records(heights), FS)
    for row in found:
        where = np.flatnonzero(row)
        assert len(where) == len(AT)
        assert np.abs(where - AT).max() <= 4
    assert not beats(np.zeros((2, 3, 500), np.float32), FS).any()


def test_amplitudes_are_those_of_the_waves(heights: npt.NDArray[np.float64]) -> None:
    x = records(heights)
    found = r_amplitudes(torch.from_numpy(x), torch.from_numpy(beats(x, FS)), FS).numpy()
    assert np.corrcoef(found.ravel(), heights.ravel())[0, 1] > 0.999
    assert np.abs(found - 0.8 * heights).max() < 0.15  # 30 ms of a wave as narrow as this one
    nothing = torch.zeros(60, 1000, dtype=torch.bool)
    assert not r_amplitudes(torch.from_numpy(x), nothing, FS).any()


@settings(deadline=None, max_examples=20)
@given(st.floats(0.2, 2.0), st.floats(0.5, 1.2))
def test_lost_spread_is_what_is_missing_to_the_share(shrunk: float, share: float) -> None:
    truth = torch.from_numpy(records(np.random.default_rng(1).uniform(0.4, 2.4, (40, 2))))
    at = torch.from_numpy(beats(truth.numpy(), FS))
    assert float(lost_spread(shrunk * truth, truth, at, FS, share)) == pytest.approx(
        (share - shrunk) ** 2, rel=0.02, abs=5e-3
    )


def test_a_stretch_brings_the_variance_back_and_touches_nothing_else(heights: npt.NDArray[np.float64]) -> None:
    truth = records(heights)
    mean = heights.mean(axis=0)
    shy = records(mean + np.array([0.5, 0.7, 0.95]) * (heights - mean))
    at = beats(truth, FS)
    how = stretch.learn(highest(truth), highest(shy), stretch.sizes(shy), ratio=0.85)
    assert how.factor[0] > how.factor[1] > how.factor[2] == pytest.approx(0, abs=1e-9)
    stretched = how.apply(shy, at, FS)
    ratio = highest(stretched).var(axis=0) / highest(truth).var(axis=0)
    assert ratio[:2] == pytest.approx([0.85, 0.85], abs=0.02)
    assert ratio[2] == pytest.approx(0.95**2, abs=0.02)
    changed = np.abs(stretched - shy) > 1e-6
    assert changed[:, :2].any() and not changed[:, 2].any()
    assert not changed[shy <= 0].any()
    far = np.abs(np.arange(1000)[:, None] - AT).min(axis=1) > 15
    assert not changed[..., far].any()


def highest(x: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Mean of a record's R waves, whose instants are known here."""
    return x[..., AT].mean(axis=-1).astype(np.float64)


def test_records_without_beats_stay_as_they_are(heights: npt.NDArray[np.float64]) -> None:
    truth = records(heights)
    how = stretch.learn(highest(truth), 0.5 * highest(truth), stretch.sizes(truth), ratio=1.0)
    assert (how.factor > 0.5).all()
    flat = np.full((2, 3, 1000), 0.3, np.float32)
    np.testing.assert_array_equal(how.apply(flat, np.zeros((2, 1000), np.bool_), FS), flat)
