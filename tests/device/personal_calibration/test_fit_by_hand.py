"""The fit against what it claims to minimise, written out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecg_edge.device.personal_calibration.fit import (
    AGAIN_SHARE,
    AGAIN_STRENGTH,
    DRIFT,
    FLOOR,
    Design,
    calibrated,
    change,
    fit,
    prior,
    whitened,
)
from tests.support.tiny_model import tiny_model, tiny_spec

SPEC = tiny_spec(settling_s=0.0)


def moments(n, seed=0):
    a = np.random.default_rng(seed).normal(size=(2 * n, n))
    return a.T @ a / (2 * n)


def made_design(n=600, seed=0, departure=0.2, weight=1.0):
    """Regressors of noise, and a truth that departs from the shipped head by a known change."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, SPEC.n_regressors))
    own = SPEC.head.mean.astype(np.float64)
    truth = x @ (own + departure * rng.normal(size=own.shape)) + 0.01 * rng.normal(size=(n, own.shape[1]))
    return Design(x, truth, weight)


@given(seed=st.integers(0, 30), strength=st.floats(0.1, 1000))
def test_the_change_is_where_the_gradient_of_its_cost_is_zero(seed, strength):
    rng = np.random.default_rng(seed)
    x, rest, precision = rng.normal(size=(40, 4)), rng.normal(size=(40, 2)), prior(moments(4, seed))
    w = change(x, rest, precision, strength)
    gradient = x.T @ (x @ w - rest) + strength * precision @ w
    np.testing.assert_allclose(gradient, 0, atol=1e-8 * strength + 1e-8)


def test_a_strong_prior_changes_nothing_and_none_is_least_squares():
    rng = np.random.default_rng(0)
    x, rest, precision = rng.normal(size=(50, 3)), rng.normal(size=(50, 1)), prior(np.eye(3))
    np.testing.assert_allclose(change(x, rest, precision, 1e12), 0, atol=1e-9)
    np.testing.assert_allclose(change(x, rest, precision, 1e-12), np.linalg.lstsq(x, rest, rcond=None)[0], atol=1e-9)


@given(n=st.integers(1, 6), seed=st.integers(0, 20))
def test_whitened_directions_are_uncorrelated_and_come_back(n, seed):
    precision = prior(moments(n, seed))
    basis, inverse = whitened(precision)
    np.testing.assert_allclose(basis.T @ precision @ basis, np.eye(n), atol=1e-8)
    np.testing.assert_allclose(basis @ inverse, np.eye(n), atol=1e-8)


def test_no_direction_is_free_of_the_prior():
    assert np.linalg.eigvalsh(prior(np.zeros((4, 4)))).min() == pytest.approx(FLOOR)


def test_the_fit_is_ridge_toward_the_shipped_head_over_all_samples():
    d = made_design()
    found = fit(SPEC, [d], strengths=(30.0,))
    own = SPEC.head.mean.astype(np.float64)
    want = own + change(d.regressors, d.truth - d.regressors @ own, prior(SPEC.head.moments), 30.0)
    np.testing.assert_allclose(found.mean, want, atol=1e-9)
    again = change(d.regressors, d.truth - d.regressors @ own, prior(SPEC.head.moments), AGAIN_STRENGTH)
    np.testing.assert_allclose(found.again, own + AGAIN_SHARE * again, atol=1e-9)
    assert found.strength == 30.0 and (found.rmse_after < found.rmse_before).all()


@settings(max_examples=10)
@given(weight=st.floats(0.1, 1.0))
def test_a_weight_counts_a_reference_so_often(weight):
    a, b = made_design(seed=1), made_design(seed=2)
    found = fit(SPEC, [a, Design(b.regressors, b.truth, weight)], strengths=(10.0,))
    x = np.concatenate([a.regressors, np.sqrt(weight) * b.regressors])
    y = np.concatenate([a.truth, np.sqrt(weight) * b.truth])
    own = SPEC.head.mean.astype(np.float64)
    np.testing.assert_allclose(found.mean, own + change(x, y - x @ own, prior(SPEC.head.moments), 10.0), atol=1e-8)


def test_the_strength_is_the_one_with_the_least_error_on_what_was_left_out():
    noise = made_design(departure=0.0)
    truth = noise.truth + 0.5 * np.random.default_rng(9).normal(size=noise.truth.shape)
    assert fit(SPEC, [Design(noise.regressors, truth)], (1.0, 1e6)).strength == 1e6
    assert fit(SPEC, [made_design(departure=1.0)], (1.0, 1e6)).strength == 1.0


def test_the_interval_covers_its_level_of_what_was_left_out():
    d = made_design(n=2000)
    found = fit(SPEC, [d], strengths=(10.0,))
    scale = np.exp(np.clip(d.regressors @ SPEC.head.log_scale.astype(np.float64), -6, 3))
    inside = np.abs(d.truth - d.regressors @ found.mean) <= found.interval_factors * scale
    assert inside.mean() == pytest.approx(SPEC.head.interval_level, abs=0.03)


def test_a_calibrated_model_goes_back_only_where_it_knows_the_reference(tmp_path):
    model = tiny_model(tmp_path)
    mean, factors = model.spec.head.mean + 1, model.spec.head.interval_factors * 2
    plain = calibrated(model, mean, factors)
    assert plain.personal is None and np.array_equal(plain.spec.head.mean, mean)
    watched = calibrated(model, mean, factors, np.eye(2), DRIFT["again"])
    assert (watched.personal.full, watched.personal.none) == DRIFT["again"]
    np.testing.assert_array_equal(watched.personal.mean, model.spec.head.mean)
    np.testing.assert_array_equal(model.spec.head.mean + 1, mean)
    assert watched.backend is model.backend
