"""One set of quantisation parameters for every writer.

Activations are uint8. Tensors that only move data between them form a group: a state and what it remembers, the parts
of a concatenation. A group has one scale and zero point, from its minimum and maximum over all calibration records.
Weights are int8, symmetric, per output channel. The first and the last convolution stay in float: they see millivolts
and make the features.
Affine scheme after Jacob et al. 2018.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ecg_edge.export import graph_interpreter as interpreter
from ecg_edge.export.graph import FEATURES, INPUT, Concat, Conv, Delay, Graph, Remember, Upsample
from ecg_edge.firmware_bridge.array_types import Float32Array

_BATCH = 64


@dataclass(frozen=True)
class Affine:
    """``value = (q - zero_point) * scale`` with q in 0 … 255."""

    scale: float
    zero_point: int


@dataclass(frozen=True)
class Quantisation:
    """Parameters of a whole graph.

    Attributes
    ----------
    tensors : dict of str to Affine
        Every tensor that is held in 8 bits; the others stay float32.
    float_convs : frozenset of str
        Outputs of the convolutions that are computed in float.
    feature_step : float
        Step that 8 bits would have over the range of the features: the unit in which two files are compared.
    """

    tensors: dict[str, Affine]
    float_convs: frozenset[str]
    feature_step: float


def united(graph: Graph, pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Representative of each tensor's class, where pairs of tensors are of one class."""
    parent = {name: name for name in graph.channels}

    def find(name: str) -> str:
        while parent[name] != name:
            name = parent[name]
        return name

    for one, other in pairs:
        parent[find(one)] = find(other)
    return {name: find(name) for name in parent}


def moved(graph: Graph) -> Iterator[tuple[str, str]]:
    """Tensors that are copies of others in time: (copy, original)."""
    return ((op.y, op.x) for op in graph.ops if isinstance(op, Remember | Delay | Upsample))


def groups(graph: Graph) -> dict[str, str]:
    """Representative of each tensor's group: tensors that must share scale and zero point."""
    joined = ((x, op.y) for op in graph.ops if isinstance(op, Concat) for x in op.xs)
    return united(graph, (*moved(graph), *joined))


def batches(graph: Graph, x: Float32Array) -> Iterator[Tensor]:
    """Records of shape (n_records, n_samples, n_inputs), a few at a time, as a graph takes them."""
    n = x.shape[1] // graph.hop * graph.hop
    for k in range(0, len(x), _BATCH):
        yield torch.from_numpy(np.ascontiguousarray(x[k : k + _BATCH, :n].transpose(0, 2, 1)))


def calibrate(graph: Graph, x: Float32Array, float_convs: frozenset[str]) -> Quantisation:
    """Choose the parameters from the graph's own activations.

    Parameters
    ----------
    graph : Graph
        Folded.
    x : ndarray of float32, shape (n_records, n_samples, n_inputs)
        Conditioned calibration records (training folds only), in mV.
    float_convs : frozenset of str
        Convolutions to keep in float, by output name.
    """
    group = groups(graph)
    low: dict[str, float] = {}
    high: dict[str, float] = {}

    def watch(name: str, v: Tensor) -> Tensor:
        g = group[name]
        low[g] = min(low.get(g, 0.0), float(v.min()))
        high[g] = max(high.get(g, 0.0), float(v.max()))
        return v

    with torch.no_grad():
        for batch in batches(graph, x):
            interpreter.run(graph, batch, watch)
    float_groups = {group[INPUT], group[FEATURES]}
    tensors = {name: affine(low[g], high[g]) for name, g in group.items() if g not in float_groups}
    features = affine(low[group[FEATURES]], high[group[FEATURES]])
    return Quantisation(tensors, float_convs, features.scale)


def affine(low: float, high: float) -> Affine:
    """Scale and zero point that cover ``[low, high]`` and hold zero exactly."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = max((high - low) / 255.0, 1e-9)
    scale = float(np.float32(scale))
    return Affine(scale, int(np.clip(round(-low / scale), 0, 255)))


def quantise_weight(weight: Float32Array) -> tuple[npt.NDArray[np.int8], Float32Array]:
    """Round to int8 per output channel: (weights, scale of each channel)."""
    peak = np.abs(weight).reshape(len(weight), -1).max(axis=1)
    scale = np.maximum(peak / 127.0, 1e-9).astype(np.float32)
    q = np.clip(np.round(weight / scale[:, None, None]), -127, 127).astype(np.int8)
    return q, scale


def fake(graph: Graph, q: Quantisation, x: Tensor) -> Tensor:
    """Run the graph offline in float with every tensor and weight rounded as the 8-bit file rounds them."""
    ops = []
    for op in graph.ops:
        if isinstance(op, Conv) and op.y not in q.float_convs:
            w, s = quantise_weight(op.weight)
            op = Conv(op.x, op.y, w.astype(np.float32) * s[:, None, None], op.bias, op.stride, op.dilation, op.relu)
        ops.append(op)

    def watch(name: str, v: Tensor) -> Tensor:
        p = q.tensors.get(name)
        if p is None:
            return v
        return (torch.clamp(torch.round(v / p.scale) + p.zero_point, 0, 255) - p.zero_point) * p.scale

    return interpreter.run(Graph(tuple(ops), graph.channels, graph.rate, graph.hop), x, watch)


def read(features: Tensor, reader: Tensor) -> Tensor:
    """What the head makes of features, in mV."""
    return torch.einsum("bft,fl->blt", features, reader)


def apart_uv(graph: Graph, rounded: Graph, q: Quantisation, x: Float32Array, reader: Tensor) -> float:
    """Root-mean-square difference in µV of `rounded` in 8 bits from `graph` in float, whole records."""
    total, n = 0.0, 0
    with torch.no_grad():
        for batch in batches(graph, x):
            error = read(fake(rounded, q, batch) - interpreter.run(graph, batch), reader)
            total, n = total + float(error.square().sum()), n + error.numel()
    return 1000 * math.sqrt(total / n)
