"""The spread of R amplitudes: what is lost of it, and the stretch that gives it back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ecg_edge.train.learning import r_wave_stretch
from ecg_edge.train.learning.r_amplitudes import beats, r_amplitudes
from ecg_edge.train.learning.spread_loss import lost_spread

FS, N = 100, 800


def hearts(heights: np.ndarray) -> np.ndarray:
    """Records of eight leads with a beat a second, of R waves of the given heights in mV, shape (n, 8, N)."""
    t = np.arange(N) / FS
    shape = sum(np.exp(-(((t - at) / 0.02) ** 2)) for at in np.arange(0.7, 7.5, 1.0))
    return np.asarray(heights[:, :, None] * shape, np.float32)


HEIGHTS = np.random.default_rng(0).uniform(0.5, 2.0, (24, 8))
TRUTH = hearts(HEIGHTS)
AT = beats(TRUTH, FS)


def lost(mean: np.ndarray, share: float = 1.0) -> float:
    at = torch.from_numpy(AT.astype(np.float32))
    return float(lost_spread(torch.from_numpy(mean), torch.from_numpy(TRUTH), at, FS, share))


def test_the_truth_has_lost_nothing() -> None:
    assert lost(TRUTH) < 1e-4


@pytest.mark.parametrize("kept", [0.0, 0.5, 0.8])
def test_what_is_lost_is_the_square_of_the_missing_share(kept: float) -> None:
    shrunk = hearts(HEIGHTS.mean(axis=0) + kept * (HEIGHTS - HEIGHTS.mean(axis=0)))
    assert lost(shrunk) == pytest.approx((1 - kept) ** 2, abs=0.01)
    assert lost(shrunk, share=kept) < 0.01


def test_a_wrong_height_of_all_is_no_lost_spread() -> None:
    """The same for everybody: another term of the loss sees it."""
    assert lost(hearts(HEIGHTS + 0.3)) < 1e-3


def test_the_gradient_widens_what_has_shrunk() -> None:
    mean = torch.from_numpy(hearts(HEIGHTS.mean(axis=0) + 0.5 * (HEIGHTS - HEIGHTS.mean(axis=0)))).requires_grad_()
    at = torch.from_numpy(AT.astype(np.float32))
    lost_spread(mean, torch.from_numpy(TRUTH), at, FS).backward()
    assert mean.grad is not None
    amplitude = r_amplitudes(mean.detach(), at, FS)
    push = -(mean.grad * torch.from_numpy(hearts(np.ones_like(HEIGHTS)))).sum(-1)
    tall = amplitude > amplitude.mean(0)
    assert float(push[tall].mean()) > 0 > float(push[~tall].mean())


@settings(max_examples=20)
@given(st.integers(0, 1000), st.floats(0.2, 0.9), st.floats(0.5, 1.0))
def test_a_stretch_gives_the_variance_asked_for(seed: int, kept: float, ratio: float) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.uniform(0.5, 2.0, (60, 3))
    estimate = truth.mean(axis=0) + kept * (truth - truth.mean(axis=0))
    size = np.full_like(truth, 0.3)
    how = r_wave_stretch.learn(truth, estimate, size, ratio)
    grown = how.grown(estimate, size).var(axis=0) / truth.var(axis=0)
    if kept**2 >= ratio:
        np.testing.assert_allclose(how.factor, 0, atol=1e-6)  # it is there already
    else:
        np.testing.assert_allclose(grown, ratio, rtol=0.01)
    np.testing.assert_allclose(how.grown(how.mean[None], size[:1]), how.mean[None])  # the mean stays


def test_only_what_is_above_zero_in_beats_is_stretched() -> None:
    how = r_wave_stretch.Stretch(np.full(8, 1.2), np.full(8, 0.5), r_wave_stretch.sizes(TRUTH).mean(axis=0))
    x = TRUTH.copy()
    x[..., 20:40] = 0.1  # between beats
    x[..., 60:62] = -0.4  # in a beat, downwards
    y = how.apply(x, AT, FS)
    np.testing.assert_array_equal(y[..., 20:40], x[..., 20:40])
    np.testing.assert_array_equal(y[..., 60:62], x[..., 60:62])
    tall, small = HEIGHTS > 1.4, HEIGHTS < 1.0
    assert (y.max(axis=-1)[tall] > x.max(axis=-1)[tall]).all()
    assert (y.max(axis=-1)[small] < x.max(axis=-1)[small]).all()


def test_nothing_to_do_changes_nothing() -> None:
    none = r_wave_stretch.Stretch(np.ones(8), np.zeros(8), np.ones(8))
    np.testing.assert_allclose(none.apply(TRUTH, AT, FS), TRUTH, rtol=1e-6)
    without = np.zeros_like(AT)
    some = r_wave_stretch.Stretch(np.ones(8), np.ones(8), np.ones(8))
    np.testing.assert_array_equal(some.apply(TRUTH, without, FS), TRUTH)  # a record without beats
