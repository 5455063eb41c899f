"""The linear guess: exact where algebra is, and the best that a linear estimate can be."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ecg_edge.device.lead_algebra import BASIS, missing_basis, of_basis
from ecg_edge.device.placement import guess, guess_from
from ecg_edge.firmware_bridge.lead_names import SKIN

rng = np.random.default_rng(0)
ROOT = rng.normal(0, 0.1, (8, 8))
COVARIANCE = ROOT @ ROOT.T + 0.01 * np.eye(8)
PAIRS = [f"{a}-{b}" for a in SKIN for b in SKIN if a < b]
sets = st.lists(st.sampled_from([*PAIRS, *BASIS]), min_size=1, max_size=4, unique=True).map(tuple)


@given(sets)
def test_what_follows_exactly_is_guessed_exactly(channels: tuple[str, ...]) -> None:
    found = guess_from(channels, COVARIANCE)
    x = rng.multivariate_normal(np.zeros(8), COVARIANCE, 50)
    missing = missing_basis(channels)
    exact = [k for k, lead in enumerate(BASIS) if lead not in missing]
    answer = x @ of_basis(channels).T @ found.matrix.T
    np.testing.assert_allclose(answer[:, exact], x[:, exact], atol=2e-3)
    assert (found.known[exact] > 0.999).all()
    assert ((found.known >= 0) & (found.known <= 1)).all()


@given(sets, st.integers(0, 1000))
def test_no_other_linear_estimate_is_better(channels: tuple[str, ...], seed: int) -> None:
    c, found = of_basis(channels), guess_from(channels, COVARIANCE)

    def power(matrix: np.ndarray) -> float:
        """Of the error, with the noise that is taken into account."""
        left = np.eye(8) - matrix @ c
        return float(np.trace(left @ COVARIANCE @ left.T) + 1e-6 * (matrix**2).sum())

    other = found.matrix + np.random.default_rng(seed).normal(0, 0.02, found.matrix.shape)
    assert power(found.matrix) <= power(other)


def test_a_channel_that_is_not_there_says_nothing() -> None:
    c = of_basis(("RA-V5", "RA-V2"))
    padded = guess(np.vstack([c, np.zeros((2, 8))]), COVARIANCE)
    np.testing.assert_allclose(padded.matrix[:, :2], guess(c, COVARIANCE).matrix)
    assert not padded.matrix[:, 2:].any()


def test_masks_are_the_case_without_covariance() -> None:
    found = guess_from(("I", "V3"), np.eye(8))
    np.testing.assert_allclose(found.known, [lead in ("I", "V3") for lead in BASIS], atol=1e-5)
