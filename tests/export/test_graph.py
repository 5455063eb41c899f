"""The folded graph: the network's function, its cost, and the parameters of eight bits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ecg_edge.export import graph_interpreter as interpreter
from ecg_edge.export.eight_bits.quantise import affine, calibrate, fake, quantise_weight
from ecg_edge.export.graph import FEATURES, INPUT, Conv, from_body
from ecg_edge.train.network.unet import NetSpec
from tests.support.nets import SMALL, lively, noise

SPECS = [
    NetSpec(("I", "II"), **SMALL),  # type: ignore[arg-type]
    NetSpec(("II",), channels=(4, 6), kernels=(5, 4), dilations=(1,), n_features=4, lookahead=0),
    NetSpec(("I", "II", "V2"), channels=(4, 4, 4), kernels=(7, 3, 3), dilations=(1, 2), n_features=5, lookahead=3),
]


@pytest.mark.parametrize("spec", SPECS)
def test_folding_batch_norms_away_keeps_the_function(spec: NetSpec) -> None:
    net = lively(spec)
    x = torch.randn(2, spec.n_inputs, 24 * spec.hop, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(
            interpreter.run(from_body(net.body), x), net.body(x[:, :, None])[:, :, 0], atol=1e-4, rtol=1e-4
        )


@pytest.mark.parametrize("spec", SPECS)
def test_multiplications_of_a_hop_are_counted_by_hand(spec: NetSpec) -> None:
    graph = from_body(lively(spec).body)
    by_hand = sum(op.weight.size * graph.hop // graph.rate[op.y] for op in graph.ops if isinstance(op, Conv))
    assert graph.macs_per_hop() == by_hand > 0
    assert replace(graph, hop=4 * graph.hop).macs_per_hop() == 4 * graph.macs_per_hop()


def test_a_watch_sees_every_tensor_once_and_may_replace_it() -> None:
    graph = from_body(lively(SPECS[1]).body)
    seen: list[str] = []

    def look(name: str, v: torch.Tensor) -> torch.Tensor:
        seen.append(name)
        return torch.zeros_like(v) if name == FEATURES else v

    y = interpreter.run(graph, torch.randn(1, 1, 40), look)
    assert seen == [INPUT, *(op.y for op in graph.ops)] and not y.any()


@given(st.floats(-10, 10), st.floats(-10, 10), st.floats(0, 1))
def test_eight_bits_hold_zero_exactly_and_everything_to_half_a_step(a: float, b: float, at: float) -> None:
    low, high = min(a, b), max(a, b)
    p = affine(low, high)
    assert 0 <= p.zero_point <= 255 and p.scale > 0
    value = min(low, 0) + at * (max(high, 0) - min(low, 0))
    q = np.clip(round(value / p.scale) + p.zero_point, 0, 255)
    assert abs((q - p.zero_point) * p.scale - value) <= 1.01 * p.scale


@given(st.integers(0, 1000), st.floats(1e-3, 1e3))
def test_each_channel_of_a_weight_has_a_scale_of_its_own(seed: int, size: float) -> None:
    w = np.random.default_rng(seed).normal(0, 1, (4, 3, 5)).astype(np.float32)
    w[2] *= size
    q, scale = quantise_weight(w)
    assert np.abs(q).reshape(4, -1).max(axis=1) == pytest.approx([127] * 4)
    error = np.abs(q * scale[:, None, None] - w).reshape(4, -1).max(axis=1)
    assert (error <= 0.501 * scale).all()


def test_a_weight_of_zeros_stays_one() -> None:
    q, scale = quantise_weight(np.zeros((2, 3, 5), np.float32))
    assert not q.any() and (scale > 0).all()


def test_eight_bits_are_near_and_all_in_float_is_float() -> None:
    graph = from_body(lively(SPECS[0]).body)
    x = np.stack([noise(400, 2, seed) for seed in range(6)])
    batch = torch.from_numpy(np.ascontiguousarray(x.transpose(0, 2, 1)))
    q = calibrate(graph, x, frozenset())
    with torch.no_grad():
        truth = interpreter.run(graph, batch)
        rounded = fake(graph, q, batch)
        whole = fake(graph, replace(q, tensors={}, float_convs=frozenset(op.y for op in graph.ops)), batch)
    torch.testing.assert_close(whole, truth)
    error = float((rounded - truth).square().mean().sqrt() / truth.square().mean().sqrt())
    assert 0 < error < 0.1
