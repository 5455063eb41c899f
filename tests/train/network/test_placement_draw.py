"""Placements drawn in training: what they say agrees with the algebra; an electrode may fall off."""

from __future__ import annotations

import numpy as np

from ecg_edge.device.lead_algebra import BASIS, missing_basis
from ecg_edge.train.network import placement_draw
from ecg_edge.train.network.placement_draw import LISTED, MOST, PLACES, covariance_of

ROOT = np.random.default_rng(1).normal(0, 0.1, (8, 8))
COVARIANCE = ROOT @ ROOT.T + 0.01 * np.eye(8)


def test_what_is_drawn_is_consistent() -> None:
    drawn = placement_draw.draw(300, COVARIANCE, np.random.default_rng(0))
    x = np.random.default_rng(2).multivariate_normal(np.zeros(8), COVARIANCE, 400).T
    for k in range(300):
        guess = drawn.after[k] @ (drawn.channels[k] @ x)
        exact = drawn.wanted[k] == 0
        np.testing.assert_allclose(guess[exact], x[exact], atol=5e-3)
        left = ((guess - x) ** 2).mean(axis=1) / (x**2).mean(axis=1)
        np.testing.assert_allclose(drawn.known_after[k], 1 - left, atol=0.2)
        assert drawn.wanted[k].any(), "nothing is left to reconstruct"


def test_some_lose_an_electrode_and_know_less_then() -> None:
    drawn = placement_draw.draw(400, COVARIANCE, np.random.default_rng(3))
    assert 0.02 < drawn.loses.mean() < 0.15
    less = drawn.known_after.sum(1) < drawn.known_before.sum(1) - 1e-6
    assert (less == drawn.loses).mean() > 0.98  # a channel may be algebra of the others
    np.testing.assert_array_equal(drawn.before[~drawn.loses], drawn.after[~drawn.loses])


def test_the_same_generator_draws_the_same() -> None:
    one, two = (placement_draw.draw(20, COVARIANCE, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(one.before, two.before)
    np.testing.assert_array_equal(one.known_after, two.known_after)


def test_listed_places_leave_something_to_reconstruct() -> None:
    assert {("RA-V5",), ("RA-V2", "RA-V5"), ("I", "II")} <= set(LISTED)
    for channels in (*LISTED, *PLACES):
        assert missing_basis(channels) and len(channels) <= MOST


def test_covariance_of_records() -> None:
    rng = np.random.default_rng(0)
    x = rng.multivariate_normal(np.zeros(8), COVARIANCE, (20, 500)).astype(np.float32)
    x[:, :100] = 7.0  # not looked at
    np.testing.assert_allclose(covariance_of(x, 100), COVARIANCE, atol=8e-3)
    assert covariance_of(x, 100).shape == (len(BASIS), len(BASIS))
