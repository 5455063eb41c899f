"""The causal U-Net: what its geometry promises, and that streaming equals offline for every cut."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ecg_edge.device.lead_algebra import BASIS
from ecg_edge.firmware_bridge.errors import CheckpointError
from ecg_edge.train.network.unet import CausalConv, NetSpec, UNet, adopt
from tests.support.nets import lively

THIN: dict[str, Any] = {"channels": (3, 4, 5), "kernels": (5, 4, 3), "dilations": (1, 2), "n_features": 3}
SPECS = [
    NetSpec(("I", "II"), lookahead=0, **THIN),
    NetSpec(("I", "II"), lookahead=5, **THIN),
    NetSpec(("II",), lookahead=12, taps_before=3, **THIN | {"decoder_kernel": 3}),
    NetSpec(("I", "II"), channels=(4,), kernels=(7,), dilations=(1,), n_features=4, lookahead=3),
    NetSpec(BASIS, any_lead=True, lookahead=6, **THIN),
    NetSpec(("RA-V5", "V1-V3"), lookahead=8, **THIN),
]
IDS = [f"{'+'.join(s.input_leads) if len(s.input_leads) < 8 else 'any'}, {s.lookahead}" for s in SPECS]


def signal(spec: NetSpec, n: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(1, spec.n_inputs, n, generator=torch.Generator().manual_seed(seed))


def outputs(net: UNet, x: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return torch.cat(net(x), dim=1)


@pytest.mark.parametrize("spec", SPECS, ids=IDS)
def test_no_output_depends_on_a_sample_that_has_not_arrived(spec: NetSpec) -> None:
    """A row belongs to the instant `lookahead` before it: its output sees that much future, and no more."""
    net, n = lively(spec), 16 * spec.hop
    x = signal(spec, n)
    before = outputs(net, x)
    for at in (3 * spec.hop, 9 * spec.hop + spec.hop // 2, n - 1):
        changed = x.clone()
        changed[..., at:] += 1
        # A whole hop is computed at once, so the rows of the hop that `at` lies in may change.
        known = at // spec.hop * spec.hop
        after = outputs(net, changed)
        torch.testing.assert_close(after[..., :known], before[..., :known], rtol=0, atol=0)
        assert not torch.equal(after, before)


@pytest.mark.parametrize("spec", SPECS, ids=IDS)
def test_the_last_sample_of_a_hop_reaches_that_hop(spec: NetSpec) -> None:
    """The look-ahead is used: nothing waits longer than stated."""
    net, n = lively(spec), 12 * spec.hop
    x = signal(spec, n)
    changed = x.clone()
    changed[..., n - 1] += 1
    assert not torch.equal(outputs(net, x)[..., -1], outputs(net, changed)[..., -1])


@pytest.mark.parametrize("spec", SPECS, ids=IDS)
def test_nothing_older_than_the_receptive_field_matters(spec: NetSpec) -> None:
    net = lively(spec)
    field = net.body.receptive_field()
    n = (field // spec.hop + 4) * spec.hop
    x = signal(spec, n)
    changed = x.clone()
    changed[..., : n - field] += 1
    with torch.no_grad():
        a, b = (net.body(v[:, :, None])[..., -1] for v in (x, changed))
        torch.testing.assert_close(a, b, rtol=0, atol=0)
        changed[..., : n - field + spec.hop] += 100
        c = net.body(changed[:, :, None])[..., -spec.hop :]
    assert not torch.equal(c, net.body(x[:, :, None])[..., -spec.hop :]), "the field is stated longer than it is"


@settings(max_examples=25)
@given(st.sampled_from(range(len(SPECS))), st.lists(st.integers(1, 4), min_size=1, max_size=5), st.integers(0, 99))
def test_streaming_equals_offline_for_every_cut(which: int, cuts: list[int], seed: int) -> None:
    net = lively(SPECS[which])
    hop, state = net.spec.hop, net.body.initial_state()
    x = signal(net.spec, sum(cuts) * hop, seed)[:, :, None]
    parts, at = [], 0
    with torch.no_grad():
        whole = net.body(x)
        for cut in cuts:
            y, state = net.body.step(x[..., at * hop : (at + cut) * hop], state)
            parts.append(y)
            at += cut
    torch.testing.assert_close(torch.cat(parts, dim=-1), whole, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("spec", SPECS, ids=IDS)
def test_a_state_keeps_its_shapes_and_begins_at_zero(spec: NetSpec) -> None:
    body = lively(spec).body
    state = body.initial_state(2)
    assert [tuple(s.shape) for s in state] == [(2, c, 1, n) for c, n in body.state_shapes()]
    assert not any(s.any() for s in state)
    with torch.no_grad():
        _, after = body.step(torch.randn(2, spec.n_inputs, 1, spec.hop), state)
    assert [s.shape for s in after] == [s.shape for s in state]
    assert all(n > 0 for _, n in body.state_shapes())


@given(st.integers(1, 9), st.sampled_from([1, 2]), st.integers(1, 4), st.integers(0, 50))
def test_a_convolution_steps_as_it_runs_over_the_whole(k: int, stride: int, dilation: int, seed: int) -> None:
    if (k - 1) * dilation + 1 < stride:
        return  # there is no such convolution: it would skip samples
    torch.manual_seed(seed)
    conv = CausalConv(2, 3, k, stride, dilation).eval()
    x = torch.randn(1, 2, 1, 12)
    state = torch.zeros(1, 2, 1, conv.memory)
    parts = []
    with torch.no_grad():
        whole = conv(x)
        for at in range(0, 12, 2):
            y, state = conv.step(x[..., at : at + 2], state)
            parts.append(y)
    assert whole.shape[-1] == 12 // stride
    torch.testing.assert_close(torch.cat(parts, dim=-1), whole)


def test_records_of_a_batch_do_not_know_each_other() -> None:
    net = lively(SPECS[1])
    x = torch.cat([signal(net.spec, 64, k) for k in range(3)])
    alone = torch.cat([outputs(net, one[None]) for one in x])
    torch.testing.assert_close(outputs(net, x), alone, atol=1e-5, rtol=1e-4)


def test_the_head_is_an_fir_filter_beside_the_features() -> None:
    """With features that say nothing, the mean is the taps' convolution with the input, `lookahead` late."""
    spec = NetSpec(("I",), lookahead=2, taps_before=1, **THIN)
    net = lively(spec)
    torch.nn.init.zeros_(net.mean_features.weight)
    assert net.mean_features.bias is not None
    torch.nn.init.zeros_(net.mean_features.bias)
    x = signal(spec, 40)
    taps = net.mean_taps.weight.detach().numpy()[:, 0, 0]
    with torch.no_grad():
        mean = net(x)[0][0].numpy()
    for row, weights in zip(mean, taps, strict=True):
        want = np.convolve(x[0, 0].numpy(), weights[::-1])[:40]
        np.testing.assert_allclose(row, want, atol=1e-5)


def test_a_scale_stays_within_bounds_and_teaches_the_body_nothing() -> None:
    net = lively(SPECS[1])
    x = signal(net.spec, 64)
    with torch.no_grad():
        _, log_scale = net(1e4 * x)
    assert float(log_scale.min()) >= -6 and float(log_scale.max()) <= 3
    net(x)[1].sum().backward()
    assert all(p.grad is None or not p.grad.any() for p in net.body.parameters())
    assert net.scale_features.weight.grad is not None and bool(net.scale_features.weight.grad.any())


@pytest.mark.parametrize("spec", SPECS, ids=IDS)
def test_a_spec_reads_back_as_it_was_written(spec: NetSpec) -> None:
    lists = {k: list(v) if isinstance(v, tuple) else v for k, v in spec.to_dict().items()}  # as JSON has it
    assert NetSpec.from_dict(lists) == NetSpec.from_dict(spec.to_dict()) == spec


def test_a_spec_of_a_later_version_is_refused_by_its_setting() -> None:
    with pytest.raises(CheckpointError, match=r"\['wings'\]") as caught:
        NetSpec.from_dict(SPECS[0].to_dict() | {"wings": 2})
    assert "train again" in caught.value.fix


def test_targets_are_what_is_neither_measured_nor_algebra() -> None:
    assert NetSpec(("I", "II")).target_leads == ("V1", "V2", "V3", "V4", "V5", "V6")
    assert NetSpec(("II",)).target_leads == ("I", "V1", "V2", "V3", "V4", "V5", "V6")
    assert NetSpec(BASIS, any_lead=True).target_leads == BASIS
    assert NetSpec(("I", "II"), channels=(4, 4, 4, 4, 4)).hop == 16


def test_guesses_and_leads_are_not_taken_for_each_other() -> None:
    guesses = UNet(NetSpec(BASIS, any_lead=True, any_electrode=True, **THIN))
    leads = UNet(NetSpec(BASIS, any_lead=True, **THIN))
    with pytest.raises(CheckpointError, match="one of the networks reads guesses"):
        adopt(leads, guesses)


def test_a_network_goes_on_from_its_own_kind_exactly() -> None:
    source = lively(SPECS[1])
    model = UNet(source.spec).eval()
    adopt(model, source)
    x = signal(source.spec, 64)
    torch.testing.assert_close(outputs(model, x), outputs(source, x), rtol=0, atol=0)


def test_common_leads_keep_their_weights_and_others_begin_afresh() -> None:
    source = lively(NetSpec(("I", "II"), lookahead=5, **THIN))
    model = UNet(replace(source.spec, input_leads=("II", "V1")))
    fresh = {k: v.clone() for k, v in model.state_dict().items()}
    adopt(model, source)
    after, theirs = model.state_dict(), source.state_dict()
    first = "body.encoder.0.conv.weight"
    torch.testing.assert_close(after[first][:, 0], theirs[first][:, 1])  # II
    torch.testing.assert_close(after[first][:, 1], fresh[first][:, 1])  # V1 is new
    row = model.spec.target_leads.index("V3")
    old = source.spec.target_leads.index("V3")
    torch.testing.assert_close(after["mean_features.weight"][row], theirs["mean_features.weight"][old])
    torch.testing.assert_close(after["mean_taps.weight"][row, 0], theirs["mean_taps.weight"][old, 1])
    torch.testing.assert_close(after["mean_features.weight"][0], fresh["mean_features.weight"][0])  # I is new
