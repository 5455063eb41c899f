"""Brings the channels of a folded network to one range, so that eight bits serve each of them.

Tensors of eight bits have one step for all their channels, and the channel with the widest range sets it. A positive
factor on a channel passes through ReLU, sums, memories and copies unchanged. So each channel is widened where it is
made and narrowed where it is read. The network's function stays the same, and no channel has a few steps only. After
Nagel et al. 2019, "Data-free quantization through weight equalization and bias correction", section 4.1; the ranges
here are those of calibration records in place of the weights'.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ecg_edge.export import graph_interpreter as interpreter
from ecg_edge.export.eight_bits.quantise import Quantisation, apart_uv, batches, calibrate, groups, moved, united
from ecg_edge.export.graph import FEATURES, INPUT, Add, Concat, Conv, Delay, Graph, Remember, Upsample
from ecg_edge.firmware_bridge.array_types import Float32Array

_NARROWEST = 1e-3
"""A channel is widened by no more than a thousand: one that is silent in calibration may speak later."""


_EXAMINED = 64


@dataclass(frozen=True)
class Ready:
    """A body that 8-bit files can be written from.

    Attributes
    ----------
    graph : Graph
        The same function as the folded network's.
    quantisation : Quantisation
        Chosen for it.
    before_uv, after_uv : float
        Root-mean-square difference of 8 bits from float over leads and samples of calibration records, in µV:
        channels as trained, and of one range.
    """

    graph: Graph
    quantisation: Quantisation
    before_uv: float
    after_uv: float


def ready(graph: Graph, x: Float32Array, head: Float32Array, float_convs: frozenset[str]) -> Ready:
    """Return a body for 8 bits and its parameters: with channels of one range, unless they cost more than as trained.

    Parameters
    ----------
    graph : Graph
        Folded.
    x : ndarray of float32, shape (n_records, n_samples, n_inputs)
        Conditioned calibration records (training folds only), in mV.
    head : ndarray of float32, shape (n_features, n_targets)
        The part of the head that reads the features.
    float_convs : frozenset of str
        Convolutions to keep in float, by output name.
    """
    reader, some = torch.from_numpy(np.ascontiguousarray(head)), x[:_EXAMINED]
    plain, equal = calibrate(graph, x, float_convs), equalise(graph, x)
    q = calibrate(equal, x, float_convs)
    before, after = apart_uv(graph, graph, plain, some, reader), apart_uv(graph, equal, q, some, reader)
    return Ready(equal, q, before, after) if after < before else Ready(graph, plain, before, before)


def equalise(graph: Graph, x: Float32Array) -> Graph:
    """Return a graph of the same function, each of its channels near the full range of its tensor.

    Parameters
    ----------
    graph : Graph
        Folded.
    x : ndarray of float32, shape (n_records, n_samples, n_inputs)
        Conditioned calibration records (training folds only), in mV.
    """
    factors = _factors(graph, _peaks(graph, x))
    ops = [
        replace(
            op,
            weight=op.weight / factors[op.y][:, None, None] * factors[op.x][None, :, None],
            bias=op.bias / factors[op.y],
        )
        if isinstance(op, Conv)
        else op
        for op in graph.ops
    ]
    return replace(graph, ops=tuple(ops))


def _peaks(graph: Graph, x: Float32Array) -> dict[str, Float32Array]:
    """Largest magnitude of each channel of each tensor."""
    peaks = {name: np.zeros(n, np.float32) for name, n in graph.channels.items()}

    def watch(name: str, v: Tensor) -> Tensor:
        peaks[name] = np.maximum(peaks[name], v.abs().amax(dim=(0, 2)).numpy())
        return v

    with torch.no_grad():
        for batch in batches(graph, x):
            interpreter.run(graph, batch, watch)
    return peaks


def _factors(graph: Graph, peaks: Mapping[str, Float32Array]) -> dict[str, Float32Array]:
    """What each channel of each tensor is divided by: its range, in that of the tensors that share its step."""
    alike, group = _alike(graph), groups(graph)
    widest = {g: max(float(peaks[name].max()) for name in group if group[name] == g) for g in group.values()}
    joined = {name for name, parts in _parts(graph).items() if len(parts) > 1}
    shares: dict[str, Float32Array] = {}
    for name in graph.channels:
        if name not in joined:
            share = peaks[name] / max(widest[group[name]], 1e-9)
            shares[alike[name]] = np.maximum(shares.get(alike[name], share), share)
    for kept in (INPUT, FEATURES):
        shares[alike[kept]] = np.ones(graph.channels[kept], np.float32)
    own = {name: np.maximum(share, _NARROWEST).astype(np.float32) for name, share in shares.items()}
    return {name: np.concatenate([own[alike[part]] for part in parts]) for name, parts in _parts(graph).items()}


def _alike(graph: Graph) -> dict[str, str]:
    """Representative of the tensors whose channels must have one factor: they are copied or added."""
    added = ((x, op.y) for op in graph.ops if isinstance(op, Add) for x in (op.a, op.b))
    return united(graph, (*moved(graph), *added))


def _parts(graph: Graph) -> dict[str, tuple[str, ...]]:
    """The tensors whose channels lie side by side in each tensor; of most, the tensor alone."""
    parts: dict[str, tuple[str, ...]] = {name: (name,) for name in graph.channels}
    for op in graph.ops:
        if isinstance(op, Concat):
            parts[op.y] = tuple(part for x in op.xs for part in parts[x])
        elif isinstance(op, Remember | Delay | Upsample) and len(parts[op.x]) > 1:
            parts[op.y] = parts[op.x]
    return parts
