"""The torch twin of the design matrix against the device's own."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ecg_edge.device.lead_algebra import BASIS
from ecg_edge.firmware_bridge.errors import CheckpointError
from ecg_edge.train.head.design import head_layout, head_weights, regressors
from ecg_edge.train.head.model_head import plain_head, read_head
from ecg_edge.train.network.unet import NetSpec, UNet

SHAPE = {"channels": (3, 4), "kernels": (3, 2), "dilations": (1,), "n_features": 2}


@st.composite
def networks(draw: st.DrawFn) -> tuple[UNet, tuple[str, ...]]:
    """A network, and which of its leads are regressors."""
    any_lead = draw(st.booleans())
    some = draw(st.lists(st.sampled_from(BASIS), min_size=1, max_size=7, unique=True).map(tuple))
    inputs = BASIS if any_lead else some
    lookahead, before = draw(st.integers(0, 5)), draw(st.integers(0, 5))
    torch.manual_seed(0)
    net = UNet(NetSpec(inputs, lookahead=lookahead, taps_before=before, any_lead=any_lead, **SHAPE))
    torch.nn.init.normal_(net.mean_taps.weight)
    torch.nn.init.normal_(net.scale_features.weight)
    return net.eval(), some


@settings(max_examples=30, deadline=None)
@given(made=networks(), seed=st.integers(0, 9))
def test_torch_and_numpy_build_the_same_matrix(made: tuple[UNet, tuple[str, ...]], seed: int) -> None:
    net, leads = made
    spec = net.spec
    x = np.random.default_rng(seed).normal(size=(1, spec.n_inputs, 16)).astype(np.float32)
    got = regressors(net, torch.from_numpy(x), leads)[0].numpy()[spec.lookahead :]
    with torch.no_grad():
        features = net.body(torch.from_numpy(x)[:, :, None])[0, :, 0].numpy().T[spec.lookahead :]
    layout = head_layout(spec, len(leads))
    past = np.zeros((layout.history, len(leads)), np.float32)
    window = np.concatenate([past, x[0, [spec.input_leads.index(lead) for lead in leads]].T])
    np.testing.assert_array_equal(got, layout.matrix(features, window))


@settings(max_examples=30, deadline=None)
@given(made=networks())
def test_the_weights_follow_the_same_order(made: tuple[UNet, tuple[str, ...]]) -> None:
    net, _ = made
    x = torch.randn(1, net.spec.n_inputs, 16, generator=torch.Generator().manual_seed(1))
    a = regressors(net, x)[0].numpy()
    with torch.no_grad():
        want = [y[0].numpy().T for y in net(x)]
    for weights, values in zip(head_weights(net), want, strict=True):
        np.testing.assert_allclose(np.clip(a @ weights, -6, 3), np.clip(values, -6, 3), atol=1e-4)


@pytest.mark.parametrize("any_lead", [False, True])
def test_an_unmeasured_head_has_the_shapes_of_a_measured_one(any_lead: bool) -> None:
    net = UNet(NetSpec(BASIS if any_lead else ("I", "II"), any_lead=any_lead, **SHAPE)).eval()
    head, layout = plain_head(net), head_layout(net.spec)
    assert head.mean.shape == head.log_scale.shape == (layout.size, len(net.spec.target_leads))
    assert head.moments.shape == ((0, 0) if any_lead else (layout.size, layout.size))
    assert head.lags == layout.lags


def test_an_unfinished_run_has_no_head(tmp_path) -> None:
    net = UNet(NetSpec(("I", "II"), **SHAPE)).eval()
    with pytest.raises(CheckpointError, match="let training finish"):
        read_head(net, tmp_path / "calibration.npz")
