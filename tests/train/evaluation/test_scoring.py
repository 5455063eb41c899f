"""Scoring: what is measured goes in, hidden leads are held against the truth, the first two seconds left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ecg_edge.device.lead_algebra import BASIS
from ecg_edge.train.data.prepare import SCORED_FROM_S, Prepared
from ecg_edge.train.evaluation import scoring
from ecg_edge.train.head import ridge
from tests.support.tiny_model import tiny_model

FS = 100
X = np.random.default_rng(0).normal(0, 0.4, (4, 500, 8)).astype(np.float32)
DATA = Prepared(X, [1, 2, 3, 4], [""] * 4, [""] * 4, {})
TARGETS = ("V1", "V2")


def test_the_truth_itself_is_without_error_whatever_it_does_at_first() -> None:
    columns = [BASIS.index(lead) for lead in TARGETS]
    records = iter(X)

    def estimate(x: np.ndarray) -> np.ndarray:
        guess = next(records)[:, columns].copy()
        guess[: round(SCORED_FROM_S * FS)] = 9.0  # a cold start
        return guess

    found = scoring.score(DATA, ("I", "II"), TARGETS, FS, estimate, "records").summary()
    assert found["mean"]["rmse_mv"] == 0 and found["mean"]["r"] == pytest.approx(1)
    assert found["records"] == 4 and set(found["leads"]) == set(TARGETS)


def test_an_estimate_sees_the_measured_channels_alone() -> None:
    seen: list[np.ndarray] = []

    def estimate(x: np.ndarray) -> np.ndarray:
        seen.append(x)
        return np.zeros((len(x), 2))

    scoring.score(DATA, ("II", "RA-V5"), TARGETS, FS, estimate, "records")
    assert [x.shape for x in seen] == [(500, 2)] * 4
    np.testing.assert_allclose(seen[2][:, 0], X[2, :, BASIS.index("II")])


def test_a_shorter_estimate_is_held_against_the_truth_from_the_start() -> None:
    columns = [BASIS.index(lead) for lead in TARGETS]
    records = iter(X)
    found = scoring.score(DATA, ("I",), TARGETS, FS, lambda x: next(records)[:350, columns], "records").summary()
    assert found["mean"]["rmse_mv"] == 0


def test_zero_is_as_wrong_as_the_truth_is_large() -> None:
    found = scoring.score(DATA, ("I",), TARGETS, FS, scoring.zero(2), "records")
    want = (X[:, 200:, [BASIS.index(lead) for lead in TARGETS]].astype(np.float64) ** 2).mean(axis=1)
    np.testing.assert_allclose(found.mse_mv2, want)
    assert np.isnan(found.r).all()


def test_a_ridge_that_was_fitted_to_these_records_is_better_than_one_of_noise() -> None:
    mixed = X.copy()
    mixed[..., BASIS.index("V1")] = 0.5 * mixed[..., 0] - 0.2 * mixed[..., 1]
    data = Prepared(mixed, DATA.ids, DATA.patients, DATA.superclasses, {})
    weights = ridge.fit(data, ("I", "II"), ("V1",), FS, 1)
    found = scoring.score(data, ("I", "II"), ("V1",), FS, scoring.linear(weights), "records").summary()
    assert found["mean"]["rmse_mv"] < 1e-3
    np.testing.assert_allclose(weights[:, 0], [0.5, -0.2], atol=1e-3)


def test_a_streamed_record_does_not_know_the_one_before(tmp_path: Path) -> None:
    model = tiny_model(tmp_path)
    estimate = scoring.streamed_with_interval(model)
    first, sigma = estimate(X[0, :, :2])
    estimate(X[1, :, :2])
    again, _ = estimate(X[0, :, :2])
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first, scoring.streamed(model)(X[0, :, :2]))
    assert sigma is not None and sigma.shape == first.shape == (len(first), len(model.spec.target_leads))
    assert bool((sigma > 0).all())
