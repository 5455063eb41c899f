"""Runs a graph over whole records in torch: for calibration, and as the writers' reference."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from ecg_edge.export.graph import FEATURES, INPUT, Add, Concat, Conv, Delay, Graph, Op, Remember, Upsample

Watch = Callable[[str, Tensor], Tensor]
Weights = Mapping[str, tuple[Tensor, Tensor]]
"""Weight and bias of convolutions, by output name."""


def run(graph: Graph, x: Tensor, watch: Watch | None = None, weights: Weights | None = None) -> Tensor:
    """Run offline, from a cold start.

    Parameters
    ----------
    graph : Graph
        What to run.
    x : Tensor of shape (batch, lead, time)
        `time` a multiple of the hop.
    watch : callable, optional
        Sees every tensor by name as it is made, and may replace it (fake quantisation).
    weights : mapping, optional
        Weight and bias to use instead of the graph's own (training).

    Returns
    -------
    Tensor of shape (batch, feature, time)
    """
    see = watch or (lambda _, v: v)
    values = {INPUT: see(INPUT, x)}
    for op in graph.ops:
        values[op.y] = see(op.y, _apply(op, values, weights or {}))
    return values[FEATURES]


def _apply(op: Op, v: dict[str, Tensor], weights: Weights) -> Tensor:
    if isinstance(op, Conv):
        weight, bias = weights.get(op.y) or (torch.from_numpy(op.weight), torch.from_numpy(op.bias))
        y = F.conv1d(v[op.x], weight, bias, stride=op.stride, dilation=op.dilation)
        return F.relu(y) if op.relu else y
    if isinstance(op, Add):
        return F.relu(v[op.a] + v[op.b])
    if isinstance(op, Concat):
        return torch.cat([v[x] for x in op.xs], dim=1)
    if isinstance(op, Upsample):
        return v[op.x].repeat_interleave(2, dim=-1)
    if isinstance(op, Remember):
        return F.pad(v[op.x], (op.frames, 0))
    assert isinstance(op, Delay)
    return F.pad(v[op.x], (op.frames, 0))[..., : v[op.x].shape[-1]]
