"""Quantisation-aware fine-tuning: the folded body learns to compute with 8 bits what it computes in float.

Every tensor and weight is rounded as the 8-bit file rounds it. The gradient passes the rounding unchanged
(straight-through, Bengio et al. 2013; Jacob et al. 2018). The target is the float network's own output in mV, not the
truth, so the 8-bit file approaches its fp32 twin and nothing else. The step of each group of tensors is learnt too
(Esser et al. 2020): a few outliers are clipped where that leaves the rest finer steps. The head does not change, nor
does anything that was measured with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ecg_edge.export import graph_interpreter as interpreter
from ecg_edge.export.eight_bits.quantise import Affine, Quantisation, apart_uv, groups, read
from ecg_edge.export.graph import Conv, Graph
from ecg_edge.firmware_bridge.array_types import Float32Array
from ecg_edge.firmware_bridge.progress import Progress

CROP = 400
STEPS = 400
_BATCH = 32
_EXAMINED = 64
_STEP_RATE = 30.0


@dataclass(frozen=True)
class Tuned:
    """What fine-tuning made.

    Attributes
    ----------
    graph : Graph
        The same operations with other weights; for 8-bit files only.
    quantisation : Quantisation
        With the steps that were learnt.
    before_uv, after_uv : float
        Root-mean-square difference from float over leads and samples of records, in µV.
    steps : int
        Steps of gradient descent.
    """

    graph: Graph
    quantisation: Quantisation
    before_uv: float
    after_uv: float
    steps: int


def tune(
    graph: Graph, q: Quantisation, x: Float32Array, head: Float32Array, steps: int | None = None, lr: float = 1e-4
) -> Tuned:
    """Fine-tune the folded weights for 8 bits.

    Parameters
    ----------
    graph : Graph
        Folded, in float.
    q : Quantisation
        As calibrated: where the steps start from. Zero points are kept.
    x : ndarray of float32, shape (n_records, n_samples, n_inputs)
        Conditioned records of the training folds, in mV.
    head : ndarray of float32, shape (n_features, n_targets)
        The part of the head that reads the features.
    steps : int, optional
        Batches of `_BATCH` crops of `CROP` samples; `STEPS` unless told.
    lr : float
        Rate of Adam at the start, `_STEP_RATE` times that for the logarithms of the steps; it falls to nothing
        along a cosine.

    Returns
    -------
    Tuned
        With the better of the two graphs: fine-tuning never makes a file worse than it was.
    """
    steps = STEPS if steps is None else steps
    reader = torch.from_numpy(np.ascontiguousarray(head))
    own = {op.y: (torch.from_numpy(op.weight.copy()), torch.from_numpy(op.bias.copy())) for op in graph.convs()}
    group = groups(graph)
    finer = {group[name]: torch.zeros(()) for name in q.tensors}
    learnt = [t.requires_grad_() for pair in own.values() for t in pair]
    rates: list[dict[str, Any]] = [
        {"params": learnt},
        {"params": [t.requires_grad_() for t in finer.values()], "lr": _STEP_RATE * lr},
    ]
    optimizer = torch.optim.Adam(rates, lr=lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    rng = np.random.default_rng(0)
    before = apart_uv(graph, graph, q, x[:_EXAMINED], reader)
    with Progress("fine-tuning for 8 bits", steps) as progress:
        for _ in range(steps):
            batch = _crops(x, graph.hop, rng)
            with torch.no_grad():
                truth = read(interpreter.run(graph, batch), reader)
            scales = {name: p.scale * finer[group[name]].exp() for name, p in q.tensors.items()}
            loss = (read(_rounded(graph, q, scales, batch, own), reader) - truth).square().mean()
            if not loss.isfinite():
                return Tuned(graph, q, before, before, steps)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            progress.step(note=f"{1000 * float(loss.detach().sqrt()):.1f} µV")
    tuned, learnt_q = _with(graph, own), _with_steps(q, {n: float(finer[group[n]].detach().exp()) for n in q.tensors})
    after = apart_uv(graph, tuned, learnt_q, x[:_EXAMINED], reader)
    return Tuned(tuned, learnt_q, before, after, steps) if after < before else Tuned(graph, q, before, before, steps)


def _crops(x: Float32Array, hop: int, rng: np.random.Generator) -> Tensor:
    """Random crops of random records, each a cold start as on the device."""
    length = min(CROP, x.shape[1]) // hop * hop
    rows = rng.integers(0, len(x), _BATCH)
    starts = rng.integers(0, x.shape[1] - length + 1, _BATCH)
    crops = np.stack([x[r, s : s + length].T for r, s in zip(rows, starts, strict=True)])
    return torch.from_numpy(np.ascontiguousarray(crops))


def _rounded(
    graph: Graph, q: Quantisation, scales: Mapping[str, Tensor], x: Tensor, weights: interpreter.Weights
) -> Tensor:
    """`quantise.fake` with gradients, for the weights and for the steps."""
    used = {y: (w if y in q.float_convs else _round_weight(w), b) for y, (w, b) in weights.items()}

    def watch(name: str, v: Tensor) -> Tensor:
        p = q.tensors.get(name)
        return v if p is None else _round_tensor(v, scales[name], p.zero_point)

    return interpreter.run(graph, x, watch, used)


def _round_tensor(v: Tensor, scale: Tensor, zero_point: int) -> Tensor:
    """Round and clamp; autograd then gives the step the gradient of Esser et al., equation 3."""
    steps = v / scale
    rounded = steps + (torch.round(steps) - steps).detach()
    return torch.clamp(rounded, -zero_point, 255 - zero_point) * scale


def _round_weight(w: Tensor) -> Tensor:
    """Round per output channel, as `quantise.quantise_weight`; the gradient passes unchanged."""
    fixed = w.detach()
    scale = (fixed.abs().amax(dim=(1, 2), keepdim=True) / 127.0).clamp_min(1e-9)
    return w + (torch.round(fixed / scale).clamp(-127, 127) * scale - fixed)


def _with_steps(q: Quantisation, times: Mapping[str, float]) -> Quantisation:
    """The parameters with every step wider by a factor."""
    tensors = {n: Affine(float(np.float32(p.scale * times[n])), p.zero_point) for n, p in q.tensors.items()}
    return replace(q, tensors=tensors)


def _with(graph: Graph, weights: interpreter.Weights) -> Graph:
    """The graph with other weights."""

    def new(op: Conv) -> Conv:
        weight, bias = weights[op.y]
        return replace(op, weight=weight.detach().numpy(), bias=bias.detach().numpy())

    return replace(graph, ops=tuple(new(op) if isinstance(op, Conv) else op for op in graph.ops))
