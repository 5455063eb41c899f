"""Figures per record against scipy and their definitions, whatever the signal."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ecg_edge.train.evaluation import metrics
from ecg_edge.train.evaluation.bootstrap import Bootstrap, against, interval

LEADS = ("V1", "V2", "V6")


def pair(seed: int, n: int = 5, samples: int = 60) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.normal(rng.uniform(-1, 1), 1, (n, samples, len(LEADS)))
    return truth, 0.7 * truth + rng.normal(0, 0.4, truth.shape)


@given(st.integers(0, 10_000))
def test_r_is_scipys_for_every_record_and_lead(seed: int) -> None:
    truth, guess = pair(seed)
    found = metrics.figures(truth, guess, LEADS)
    for n in range(len(truth)):
        for k in range(len(LEADS)):
            assert found.r[n, k] == pytest.approx(stats.pearsonr(truth[n, :, k], guess[n, :, k]).statistic)


@given(st.integers(0, 10_000), st.floats(0.1, 10), st.floats(-2, 2))
def test_r_does_not_know_gain_nor_offset_and_the_error_does(seed: int, gain: float, offset: float) -> None:
    truth, guess = pair(seed)
    a, b = metrics.figures(truth, guess, LEADS), metrics.figures(truth, gain * guess + offset, LEADS)
    np.testing.assert_allclose(a.r, b.r, atol=1e-9)
    np.testing.assert_allclose(b.mse_mv2, np.mean((truth - gain * guess - offset) ** 2, axis=1))
    np.testing.assert_allclose(metrics.figures(truth, -guess, LEADS).r, -a.r, atol=1e-12)


@given(st.integers(0, 10_000))
def test_energy_is_variance_and_the_square_of_the_mean(seed: int) -> None:
    truth, guess = pair(seed)
    found = metrics.figures(truth, guess, LEADS)
    np.testing.assert_allclose(found.energy_mv2, found.variance_mv2 + truth.mean(axis=1) ** 2)


@given(st.integers(0, 10_000), st.lists(st.integers(1, 4), min_size=1, max_size=4))
def test_batches_joined_are_the_whole(seed: int, sizes: list[int]) -> None:
    truth, guess = pair(seed, sum(sizes))
    cuts = np.cumsum(sizes)[:-1]
    parts = [metrics.figures(t, g, LEADS) for t, g in zip(np.split(truth, cuts), np.split(guess, cuts), strict=True)]
    joined, whole = metrics.concatenate(parts).summary(), metrics.figures(truth, guess, LEADS).summary()
    assert joined == whole and joined["records"] == sum(sizes)


def test_the_mean_of_roots_is_not_the_root_of_the_mean() -> None:
    """`rmse_mv` is the mean over records of each record's RMSE, `mse_mv2` the mean of their squares."""
    truth = np.zeros((2, 10, 1))
    guess = np.stack([np.full((10, 1), 0.1), np.full((10, 1), 0.3)])
    row = metrics.figures(truth, guess, ("V1",)).summary()["leads"]["V1"]
    assert row["rmse_mv"] == pytest.approx(0.2)
    assert row["mse_mv2"] == pytest.approx((0.01 + 0.09) / 2)
    assert (row["r"], row["r_undefined"]) == (0.0, 2)


@given(st.integers(0, 10_000), st.integers(6, 12))
def test_resampled_sums_are_those_of_the_records_drawn(seed: int, n: int) -> None:
    """Against the plain way: repeat each record as often as its patient was drawn, and sum."""
    rng = np.random.default_rng(seed)
    patients = [f"p{rng.integers(n)}" if rng.random() < 0.7 else "" for _ in range(n)]
    x = rng.normal(size=(n, 2))
    x[rng.integers(n), 0] = np.nan
    boot = Bootstrap.of(patients, list(range(n)), 7, seed)
    for weights, got in zip(boot.weights, boot.sums(x), strict=True):
        rows = np.repeat(np.arange(n), weights[boot.unit].astype(int))
        np.testing.assert_allclose(got, np.nansum(x[rows], axis=0), atol=1e-12)
        assert weights.sum() == boot.weights.shape[1]


@given(st.integers(0, 10_000), st.floats(0.5, 2.0))
def test_a_paired_change_is_exact_where_every_record_changes_alike(seed: int, factor: float) -> None:
    each = np.random.default_rng(seed).uniform(0.05, 0.3, 30)
    change = against({"rmse_each_mv": factor * each}, {"rmse_each_mv": each}, draws=50)
    assert change == pytest.approx((factor - 1,) * 3, abs=1e-9)


def test_an_interval_holds_what_is_finite() -> None:
    assert interval(np.array([np.nan, np.inf])) is None
    low, high = interval(np.append(np.linspace(0, 1, 1001), np.nan)) or (0, 0)
    assert (low, high) == pytest.approx((0.025, 0.975))
