"""Metrics, ridge, loss, interval and settling against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from ecg_edge.device.lead_algebra import BASIS
from ecg_edge.train.data.prepare import Prepared
from ecg_edge.train.evaluation import metrics
from ecg_edge.train.head import ridge
from ecg_edge.train.head.design import head_weights, regressors
from ecg_edge.train.head.figures import HeadFigures, finalise, settling_of
from ecg_edge.train.learning.batches import loss_of
from ecg_edge.train.network.unet import NetSpec, UNet
from ecg_edge.train.runs.checkpoints import reconstruct


def test_figures_against_scipy() -> None:
    rng = np.random.default_rng(0)
    t = rng.normal(size=(4, 300, 2))
    e = t + rng.normal(size=t.shape) * 0.5
    s = metrics.figures(t, e, ("V1", "V2")).summary()
    r = np.mean([stats.pearsonr(t[k, :, 1], e[k, :, 1])[0] for k in range(4)])
    assert s["leads"]["V2"]["r"] == pytest.approx(r)
    assert s["leads"]["V2"]["rmse_mv"] == pytest.approx(
        np.mean([np.sqrt(((t[k] - e[k]) ** 2)[:, 1].mean()) for k in range(4)])
    )
    assert s["leads"]["V1"]["mse_mv2"] == pytest.approx(((t - e) ** 2)[..., 0].mean())
    assert s["mean"]["r"] == pytest.approx((s["leads"]["V1"]["r"] + r) / 2)
    assert s["records"] == 4


def test_flat_truth_has_no_correlation_and_is_counted() -> None:
    t = np.random.default_rng(1).normal(size=(3, 100, 1))
    t[1] = 0.3
    s = metrics.figures(t, t + 0.0, ("V1",)).summary()["leads"]["V1"]
    assert s["r_undefined"] == 1
    assert s["r"] == pytest.approx(1.0)


def as_data(x: np.ndarray) -> Prepared:
    n = len(x)
    return Prepared(x.astype(np.float32), list(range(n)), [""] * n, [""] * n, {})


def test_ridge_finds_a_linear_world() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(6, 600, 8))
    mix = rng.normal(size=(2, 6))
    x[:, :, 2:] = np.roll(x[:, :, :2], 3, axis=1) @ mix  # three samples late: one tap cannot see it
    targets = BASIS[2:]
    one = ridge.fit(as_data(x), ("I", "II"), targets, 100, 1)
    many = ridge.fit(as_data(x), ("I", "II"), targets, 100, 31)
    assert one.shape == (2, 6)
    assert many.shape == (62, 6)
    guess = ridge.predict(x[0, :, :2], many)
    np.testing.assert_allclose(guess[50:-50], x[0, 50:-50, 2:], atol=0.01)
    np.testing.assert_allclose(many.reshape(31, 2, 6)[15 - 3], mix, atol=0.01)
    assert np.abs(one).max() < 0.2


def test_design_orders_taps_from_the_earliest() -> None:
    x = np.arange(10.0)[:, None] * [[1, 10]]
    np.testing.assert_array_equal(ridge.design(x, 3)[4], [3, 30, 4, 40, 5, 50])
    np.testing.assert_array_equal(ridge.design(x, 3)[0], [0, 0, 0, 0, 1, 10])


def test_the_head_as_a_matrix_equals_the_network(small: NetSpec) -> None:
    torch.manual_seed(0)
    net = UNet(small).eval()
    torch.nn.init.normal_(net.mean_taps.weight)
    torch.nn.init.normal_(net.scale_features.weight)
    x = torch.randn(2, 2, 160)
    with torch.no_grad():
        mean, log_scale = net(x)
    a = regressors(net, x).numpy()
    w_mean, w_scale = head_weights(net)
    np.testing.assert_allclose(a @ w_mean, mean.numpy().transpose(0, 2, 1), atol=1e-5)
    np.testing.assert_allclose(a @ w_scale, log_scale.numpy().transpose(0, 2, 1), atol=1e-5)
    now = a[0, 30, small.n_features : small.n_features + 2]
    np.testing.assert_array_equal(now, x[0, :, 30 - small.lookahead].numpy())


def test_reconstruct_aligns_rows_with_their_instants(small: NetSpec) -> None:
    """A head that passes lead I through must give lead I at the same row."""
    net = UNet(small).eval()
    with torch.no_grad():
        for p in (net.mean_features.weight, net.mean_features.bias, net.mean_taps.weight):
            p.zero_()
        net.mean_taps.weight[:, 0, 0, small.taps_before] = 1.0
    x = np.random.default_rng(0).normal(size=(1, 160, 2)).astype(np.float32)
    y = reconstruct(net, x)
    np.testing.assert_array_equal(y[0, :, 3], x[0, : y.shape[1], 0])


def test_loss_prefers_the_truth_and_the_right_scale() -> None:
    torch.manual_seed(0)
    truth = torch.randn(4, 6, 200)
    right, wrong = truth + 0.1 * torch.randn_like(truth), truth + 0.5 * torch.randn_like(truth)
    scale = torch.full_like(truth, float(np.log(0.1)))
    assert loss_of(right, scale, truth, 0.15) < loss_of(wrong, scale, truth, 0.15)
    assert loss_of(right, scale, truth, 0.15) < loss_of(right, scale + 1, truth, 0.15)
    assert loss_of(right, scale, truth, 0.15) < loss_of(right, scale - 1, truth, 0.15)


def test_no_gradient_of_the_scale_reaches_the_body(small: NetSpec) -> None:
    net = UNet(small)
    _, log_scale = net(torch.randn(2, 2, 160))
    log_scale.sum().backward()
    assert all(p.grad is None for p in net.body.parameters())
    assert net.scale_features.weight.grad is not None


def test_settling_time_is_found() -> None:
    rms = np.full(1000, 0.1)
    rms[:70] = 0.4
    assert 0.6 <= settling_of(rms, 100) <= 1.25
    assert settling_of(np.full(1000, 0.1), 100) == 0.0
    assert settling_of(np.linspace(1, 0.1, 1000), 100) == 2.0


def test_calibration_covers_what_it_says(small: NetSpec, parts: tuple[Prepared, Prepared], tmp_path) -> None:
    train, validation = parts
    torch.manual_seed(1)
    net = UNet(small).eval()
    c = finalise(net, train, validation)
    x = torch.from_numpy(np.ascontiguousarray(validation.x[:, :, :2].transpose(0, 2, 1)))
    with torch.no_grad():
        mean, log_scale = net(x)
    late = small.lookahead
    error = mean.numpy().transpose(0, 2, 1)[:, late:] - validation.x[:, : 1000 - late, 2:]
    width = np.exp(log_scale.numpy().transpose(0, 2, 1)[:, late:]) * c.interval_factors
    cover = (np.abs(error) <= width)[:, 200:].mean(axis=(0, 1))
    np.testing.assert_allclose(cover, 0.9, atol=0.01)
    n = len(c.moments)
    np.testing.assert_allclose(c.moments, c.moments.T, rtol=1e-4, atol=1e-6)
    assert c.moments[n - 1, n - 1] == pytest.approx(1.0)
    c.save(tmp_path / "c.npz")
    again = HeadFigures.load(tmp_path / "c.npz")
    np.testing.assert_array_equal(again.moments, c.moments)
    assert again.ridge.keys() == {"1", "31"}
