"""The folded network as a small typed graph: one description, from which every writer works.

Two operations know about time: `Remember` (the last frames of a tensor are put before it) and
`Delay`. A streaming writer gives them state tensors, an offline one zero padding, so both hold the
same network by construction.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import torch

from ecg_edge.firmware_bridge.array_types import Float32Array
from ecg_edge.train.network.unet import Body, CausalConv

INPUT, FEATURES = "x", "features"


@dataclass(frozen=True)
class Conv:
    """Valid convolution over time, bias, optional ReLU. `weight` has shape (out, in, tap)."""

    x: str
    y: str
    weight: Float32Array
    bias: Float32Array
    stride: int
    dilation: int
    relu: bool


@dataclass(frozen=True)
class Add:
    """Sum of two tensors, then ReLU."""

    a: str
    b: str
    y: str


@dataclass(frozen=True)
class Concat:
    """Channels of `xs` side by side."""

    xs: tuple[str, ...]
    y: str


@dataclass(frozen=True)
class Upsample:
    """Every frame twice."""

    x: str
    y: str


@dataclass(frozen=True)
class Remember:
    """`x` with its own last `frames` frames before it."""

    x: str
    y: str
    frames: int
    state: str


@dataclass(frozen=True)
class Delay:
    """`x`, `frames` frames late."""

    x: str
    y: str
    frames: int
    state: str


Op = Conv | Add | Concat | Upsample | Remember | Delay


@dataclass(frozen=True)
class Graph:
    """Operations in order.

    Attributes
    ----------
    ops : tuple of Op
        Each tensor is written once, before it is read.
    channels : dict of str to int
        Channels of every tensor.
    rate : dict of str to int
        Input samples per frame of every tensor.
    hop : int
        Input samples per step.
    """

    ops: tuple[Op, ...]
    channels: dict[str, int]
    rate: dict[str, int]
    hop: int

    def convs(self) -> list[Conv]:
        """The convolutions, in order."""
        return [op for op in self.ops if isinstance(op, Conv)]

    def states(self) -> list[Remember | Delay]:
        """The operations that own a state, in order."""
        return [op for op in self.ops if isinstance(op, Remember | Delay)]

    def macs_per_hop(self) -> int:
        """Multiply-accumulates of one step."""
        return sum(op.weight.size * self.hop // self.rate[op.y] for op in self.convs())

    def digest(self, *arrays: Float32Array) -> str:
        """SHA-256 over the folded weights and the given arrays (the head): the model's identity."""
        h = hashlib.sha256()
        for op in self.convs():
            h.update(repr((op.weight.shape, op.stride, op.dilation, op.relu)).encode())
            h.update(np.ascontiguousarray(op.weight, "<f4").tobytes())
            h.update(np.ascontiguousarray(op.bias, "<f4").tobytes())
        for a in arrays:
            h.update(repr(a.shape).encode())
            h.update(np.ascontiguousarray(a, "<f4").tobytes())
        return h.hexdigest()


def fold(conv: CausalConv) -> tuple[Float32Array, Float32Array]:
    """Fold batch norm into its convolution: weight of shape (out, in, tap) and bias."""
    norm = conv.norm
    assert norm.running_mean is not None
    assert norm.running_var is not None
    with torch.no_grad():
        gain = (norm.weight / torch.sqrt(norm.running_var + norm.eps)).double()
        weight = conv.conv.weight[:, :, 0].double() * gain[:, None, None]
        bias = norm.bias.double() - norm.running_mean.double() * gain
    return weight.float().numpy(), bias.float().numpy()


class _Builder:
    """Collects operations while walking the network."""

    def __init__(self, n_inputs: int) -> None:
        self.ops: list[Op] = []
        self.channels = {INPUT: n_inputs}
        self.rate = {INPUT: 1}
        self._states = 0

    def _define(self, name: str, channels: int, rate: int) -> str:
        self.channels[name], self.rate[name] = channels, rate
        return name

    def _state(self) -> str:
        self._states += 1
        return f"state_{self._states - 1}"

    def conv(self, name: str, x: str, module: torch.nn.Module) -> str:
        """Fold a convolution, with the memory it needs before it."""
        assert isinstance(module, CausalConv)
        weight, bias = fold(module)
        if module.memory:
            y = self._define(f"{name}_in", self.channels[x], self.rate[x])
            self.ops.append(Remember(x, y, module.memory, self._state()))
            x = y
        stride, dilation = module.conv.stride[1], module.conv.dilation[1]
        self._define(name, len(bias), self.rate[x] * stride)
        self.ops.append(Conv(x, name, weight, bias, stride, dilation, module.relu))
        return name

    def add(self, name: str, a: str, b: str) -> str:
        self.ops.append(Add(a, b, name))
        return self._define(name, self.channels[a], self.rate[a])

    def upsample(self, name: str, x: str) -> str:
        self.ops.append(Upsample(x, name))
        return self._define(name, self.channels[x], self.rate[x] // 2)

    def delay(self, name: str, x: str, frames: int) -> str:
        if not frames:
            return x
        self.ops.append(Delay(x, name, frames, self._state()))
        return self._define(name, self.channels[x], self.rate[x])

    def concat(self, name: str, *xs: str) -> str:
        self.ops.append(Concat(xs, name))
        return self._define(name, sum(self.channels[x] for x in xs), self.rate[xs[0]])


def from_body(body: Body) -> Graph:
    """Fold a trained body (in evaluation mode) into a graph."""
    g = _Builder(body.spec.n_inputs)
    x, skips = INPUT, []
    for k, conv in enumerate(body.encoder):
        x = g.conv(f"enc{k}", x, conv)
        skips.append(x)
    for k, conv in enumerate(body.bottleneck):
        x = g.add(f"mid{k}", x, g.conv(f"mid{k}_conv", x, conv))
    for level, conv in zip(body.levels, body.decoder, strict=True):
        up = g.upsample(f"up{level}", x)
        skip = g.delay(f"skip{level}", skips[level], body.skip_delay(level))
        joined = g.concat(f"cat{level}", up, skip)
        x = g.conv(FEATURES if level == 0 else f"dec{level}", joined, conv)
    return Graph(tuple(g.ops), g.channels, g.rate, body.spec.hop)
