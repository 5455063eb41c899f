"""Channels of one range: the same function, and eight bits that cost less."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from ecg_edge.export import graph_interpreter as interpreter
from ecg_edge.export.eight_bits.equalise import equalise
from ecg_edge.export.eight_bits.quantise import calibrate, fake
from ecg_edge.export.graph import FEATURES, Conv, Graph, from_body
from ecg_edge.firmware_bridge.array_types import Float32Array
from ecg_edge.train.network.unet import NetSpec
from tests.support.nets import SMALL, lively, noise

SPECS = [
    NetSpec(("I", "II"), **SMALL),  # type: ignore[arg-type]
    NetSpec(("II",), channels=(4, 6), kernels=(5, 4), dilations=(1,), n_features=4, lookahead=0),
    NetSpec(("I", "II", "V2"), channels=(4, 4, 4), kernels=(7, 3, 3), dilations=(1, 2), n_features=5, lookahead=3),
]
KEPT = frozenset({"enc0", FEATURES})


def records(spec: NetSpec) -> Float32Array:
    return np.stack([noise(400, spec.n_inputs, seed) for seed in range(6)])


def output(graph: Graph, x: Float32Array) -> torch.Tensor:
    with torch.no_grad():
        return interpreter.run(graph, torch.from_numpy(np.ascontiguousarray(x.transpose(0, 2, 1))))


def cost(graph: Graph, x: Float32Array) -> float:
    """What 8 bits add to the features, RMS."""
    batch = torch.from_numpy(np.ascontiguousarray(x.transpose(0, 2, 1)))
    with torch.no_grad():
        rounded = fake(graph, calibrate(graph, x, KEPT), batch)
    return float((rounded - output(graph, x)).square().mean().sqrt())


def with_a_loud_channel(graph: Graph, times: float) -> Graph:
    """A graph of the same function, the first channel of enc0 so many times as loud as it was."""

    def louder(op: Conv) -> Conv:
        weight, bias = op.weight.copy(), op.bias.copy()
        if op.y == "enc0":
            weight[0], bias[0] = weight[0] * times, bias[0] * times
        if op.x in ("enc0", "enc1_in"):
            weight[:, 0] /= times
        if op.y == FEATURES:
            weight[:, -graph.channels["enc0"]] /= times
        return replace(op, weight=weight, bias=bias)

    return replace(graph, ops=tuple(louder(op) if isinstance(op, Conv) else op for op in graph.ops))


@pytest.mark.parametrize("spec", SPECS)
def test_the_function_stays_the_same(spec: NetSpec) -> None:
    graph, x = from_body(lively(spec).body), records(spec)
    equal = equalise(graph, x)
    assert [op.y for op in equal.ops] == [op.y for op in graph.ops]
    assert any((a.weight != b.weight).any() for a, b in zip(equal.convs(), graph.convs(), strict=True))
    torch.testing.assert_close(output(equal, x), output(graph, x), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("spec", SPECS)
def test_no_loud_channel_takes_the_steps_of_the_others(spec: NetSpec) -> None:
    x = records(spec)
    graph = with_a_loud_channel(from_body(lively(spec).body), 50.0)
    torch.testing.assert_close(output(graph, x), output(from_body(lively(spec).body), x), atol=1e-3, rtol=1e-3)
    assert cost(equalise(graph, x), x) < 0.7 * cost(graph, x)


def test_a_channel_that_is_silent_in_calibration_stays_finite() -> None:
    spec = SPECS[0]
    graph, x = from_body(lively(spec).body), records(spec)
    equal = equalise(graph, np.zeros_like(x))
    assert all(np.isfinite(op.weight).all() and np.isfinite(op.bias).all() for op in equal.convs())
    torch.testing.assert_close(output(equal, x), output(graph, x), atol=1e-3, rtol=1e-3)
