"""What each convolution's 8 bits cost, and which ones deserve more where a budget breaks.

The cost of one convolution is the fall in error of the reconstructed leads when it alone stays in float. It is
measured with rounded arithmetic in torch, which the written files equal to a step of the features.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from ecg_edge.export import graph_interpreter as interpreter
from ecg_edge.export.eight_bits.quantise import Quantisation, fake
from ecg_edge.export.graph import Conv, Graph
from ecg_edge.firmware_bridge.array_types import Float32Array

MOST_IN_FLOAT = 3
"""Beyond these a file is no longer small; then train for 8 bits, or choose another network."""


@dataclass(frozen=True)
class EightBitCost:
    """One convolution.

    Attributes
    ----------
    name : str
        Its output tensor.
    weights : int
        How many, and so how many bytes float costs beyond 8 bits: three times as many.
    rms_uv : float
        By how much the root-mean-square error against float, in µV over leads and samples, falls
        when it is kept in float.
    """

    name: str
    weights: int
    rms_uv: float


def costs(graph: Graph, q: Quantisation, x: Float32Array, head: Float32Array) -> list[EightBitCost]:
    """Cost of every convolution that is in 8 bits, the dearest first.

    Parameters
    ----------
    graph : Graph
        Folded.
    q : Quantisation
        As the file is to be written.
    x : ndarray of float32, shape (n_records, n_samples, n_inputs)
        Conditioned records of the training folds, in mV.
    head : ndarray of float32, shape (n_features, n_targets)
        The part of the head that reads the features.
    """
    n = x.shape[1] // graph.hop * graph.hop
    batch = torch.from_numpy(np.ascontiguousarray(x[:, :n].transpose(0, 2, 1)))
    weights = torch.from_numpy(np.ascontiguousarray(head))
    with torch.no_grad():
        truth = interpreter.run(graph, batch)

        def rms_uv(kept: frozenset[str]) -> float:
            apart = fake(graph, replace(q, float_convs=q.float_convs | kept), batch) - truth
            mv = torch.einsum("bft,fl->blt", apart, weights)
            return 1000 * float(mv.square().mean().sqrt())

        whole = rms_uv(frozenset())
        found = [
            EightBitCost(op.y, op.weight.size, whole - rms_uv(frozenset({op.y})))
            for op in graph.ops
            if isinstance(op, Conv) and op.y not in q.float_convs
        ]
    return sorted(found, key=lambda c: -c.rms_uv)
