"""The causal 1-D U-Net, its geometry computed from its layers, offline and streaming in torch.

Strided causal encoder, residual dilated convolutions at the bottleneck (finite memory), decoder
by nearest-neighbour upsampling with concatenated skips. A skip is delayed so that the decoder's
kernel is centred on the output instant, which lies `lookahead` samples in the past. Convolutions
are (1, k) in two dimensions: on CPUs the channels-last kernels are a quarter faster so.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ecg_edge.device.lead_algebra import BASIS, missing_basis
from ecg_edge.firmware_bridge.errors import CheckpointError

_FIRST = "body.encoder.0.conv.weight"
"""The one weight of the body that has a column for each input."""


@dataclass(frozen=True)
class NetSpec:
    """Everything that determines the network's shape.

    Attributes
    ----------
    input_leads : tuple of str
        Measured channels in their order: basis leads, or pairs of electrodes (``RA-V5`` is V5 minus RA).
    fs : int
        Rate in Hz.
    lookahead : int
        Samples of future the network may see before it commits to an output.
    channels : tuple of int
        Width of each encoder level; the last is the bottleneck.
    kernels : tuple of int
        Kernel length of each encoder level.
    dilations : tuple of int
        One residual block of kernel 3 at the bottleneck per entry.
    decoder_kernel : int
        Odd kernel length of the decoder's convolutions.
    n_features : int
        Width of the last decoder level: the features the head reads.
    taps_before : int
        Input taps of the head before the output instant; after it there are `lookahead`.
    any_lead : bool
        Accept every subset of `input_leads`, which are then the whole basis. A second row of inputs marks the leads
        that are measured with 1. The others have the mark 0 and the value 0.
    any_electrode : bool
        Accept channels between any electrodes. The inputs are the best linear guess of the basis leads and the share
        of each that is known, see `placement.guess`. Without covariance these are values and masks, so such a network
        is an any-lead one too.
    """

    input_leads: tuple[str, ...]
    fs: int = 100
    lookahead: int = 12
    channels: tuple[int, ...] = (24, 32, 64, 96)
    kernels: tuple[int, ...] = (9, 8, 6, 4)
    dilations: tuple[int, ...] = (1, 2, 4, 8, 16, 2)
    decoder_kernel: int = 5
    n_features: int = 24
    taps_before: int = 16
    any_lead: bool = False
    any_electrode: bool = False

    @property
    def n_inputs(self) -> int:
        """Channels of the graph's input: the leads, and for any-lead their masks, or the shares known of them."""
        return len(self.input_leads) * (2 if self.any_lead else 1)

    @property
    def hop(self) -> int:
        """Samples consumed and produced per step: the product of the strides."""
        return int(2 ** (len(self.channels) - 1))

    @property
    def target_leads(self) -> tuple[str, ...]:
        """Basis leads the head predicts; for any-lead the whole basis, of which the measured are not used."""
        return BASIS if self.any_lead else missing_basis(self.input_leads)

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionary for a checkpoint."""
        return asdict(self)

    @classmethod
    def from_dict(cls, d: dict[str, Any]) -> NetSpec:
        """Read back what `to_dict` wrote."""
        known = {f.name for f in fields(cls)}
        if unknown := set(d) - known:
            raise CheckpointError(f"unknown network settings {sorted(unknown)}", "train again with this version")
        settings: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in d.items()}
        return cls(**settings)


class CausalConv(nn.Module):
    """Convolution, batch norm and optional ReLU; sees the present and the past only.

    The state of its streaming form is its last ``(k - 1) * dilation + 1 - stride`` input frames;
    a zero state equals zero padding.
    """

    def __init__(self, c_in: int, c_out: int, k: int, stride: int = 1, dilation: int = 1, relu: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(c_in, c_out, (1, k), (1, stride), dilation=(1, dilation), bias=False)
        self.norm = nn.BatchNorm2d(c_out)
        self.relu = relu
        self.c_in = c_in
        self.memory = (k - 1) * dilation + 1 - stride

    def forward(self, x: Tensor) -> Tensor:
        """Whole record, shape (batch, channel, 1, time)."""
        return self._convolve(F.pad(x, (self.memory, 0)))

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """One hop with explicit state, shape (batch, channel, 1, memory)."""
        joined = torch.cat([state, x], dim=-1)
        return self._convolve(joined), joined[..., joined.shape[-1] - self.memory :]

    def _convolve(self, x: Tensor) -> Tensor:
        y = self.norm(self.conv(x))
        return F.relu(y) if self.relu else y


def _memory(conv: nn.Module) -> tuple[int, int]:
    """(channels, frames) of a convolution's state."""
    assert isinstance(conv, CausalConv)
    return conv.c_in, conv.memory


class Body(nn.Module):
    """The U-Net up to its full-resolution features: what is exported and quantised."""

    def __init__(self, spec: NetSpec) -> None:
        super().__init__()
        self.spec = spec
        c, k = spec.channels, spec.kernels
        c_in = (spec.n_inputs, *c[:-1])
        self.encoder = nn.ModuleList(CausalConv(c_in[i], c[i], k[i], stride=1 if i == 0 else 2) for i in range(len(c)))
        self.bottleneck = nn.ModuleList(CausalConv(c[-1], c[-1], 3, dilation=d, relu=False) for d in spec.dilations)
        self.levels = tuple(reversed(range(len(c) - 1)))
        self.decoder = nn.ModuleList(
            CausalConv(c[i + 1] + c[i], spec.n_features if i == 0 else c[i], spec.decoder_kernel) for i in self.levels
        )

    def skip_delay(self, level: int) -> int:
        """Frames a skip waits at `level`, so that the decoder's kernel is centred on the output instant."""
        wait: int = self.spec.lookahead // 2**level - self.spec.decoder_kernel // 2
        return max(0, wait)

    def forward(self, x: Tensor) -> Tensor:
        """Features of a whole record.

        Parameters
        ----------
        x : Tensor of shape (batch, n_inputs, 1, time)
            In mV (masks 0 or 1); `time` a multiple of the hop.

        Returns
        -------
        Tensor of shape (batch, n_features, 1, time)
            Row ``n`` belongs to the output instant ``n - lookahead``.
        """
        skips = []
        for conv in self.encoder:
            x = conv(x)
            skips.append(x)
        for conv in self.bottleneck:
            x = F.relu(x + conv(x))
        for level, conv in zip(self.levels, self.decoder, strict=True):
            delay = self.skip_delay(level)
            skip = F.pad(skips[level], (delay, 0))[..., : skips[level].shape[-1]]
            x = conv(torch.cat([x.repeat_interleave(2, dim=-1), skip], dim=1))
        return x

    def state_shapes(self) -> list[tuple[int, int]]:
        """(channels, frames) of every state tensor, in the order `step` takes them."""
        shapes: list[tuple[int, int]] = [_memory(m) for m in (*self.encoder, *self.bottleneck)]
        for level, conv in zip(self.levels, self.decoder, strict=True):
            shapes += [(self.spec.channels[level], self.skip_delay(level))]
            shapes += [_memory(conv)]
        return [s for s in shapes if s[1]]

    def initial_state(self, batch: int = 1) -> list[Tensor]:
        """State of a cold start: zeros."""
        return [torch.zeros(batch, c, 1, n) for c, n in self.state_shapes()]

    def step(self, x: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """One hop with explicit state: the streaming twin of `forward`."""
        old, new = iter(states), list[Tensor]()

        def run(conv: nn.Module, v: Tensor) -> Tensor:
            """Step one convolution, moving its state from `old` to `new`."""
            assert isinstance(conv, CausalConv)
            if not conv.memory:
                return conv(v)  # type: ignore[no-any-return]
            y, state = conv.step(v, next(old))
            new.append(state)
            return y

        skips = []
        for conv in self.encoder:
            x = run(conv, x)
            skips.append(x)
        for conv in self.bottleneck:
            x = F.relu(x + run(conv, x))
        for level, conv in zip(self.levels, self.decoder, strict=True):
            skip = skips[level]
            if self.skip_delay(level):
                joined = torch.cat([next(old), skip], dim=-1)
                new.append(joined[..., skip.shape[-1] :])
                skip = joined[..., : skip.shape[-1]]
            x = run(conv, torch.cat([x.repeat_interleave(2, dim=-1), skip], dim=1))
        return x, new

    def receptive_field(self) -> int:
        """Input samples that can influence one output sample, counted back from the newest of its hop."""
        field, stride = 1, 1
        for level, k in enumerate(self.spec.kernels):
            field += (k - 1) * stride
            stride *= 1 if level == 0 else 2
        field += sum(2 * d for d in self.spec.dilations) * stride
        for _ in self.levels:
            stride //= 2
            field += (self.spec.decoder_kernel - 1) * stride
        return field + self.spec.hop - 1


class UNet(nn.Module):
    """Body and head: mean and log-scale of every missing basis lead.

    The head is linear in its regressors: the features, an FIR filter over the delayed inputs, and a bias.
    """

    def __init__(self, spec: NetSpec) -> None:
        super().__init__()
        self.spec = spec
        self.layout = torch.channels_last
        self.body = Body(spec)
        n_in, n_out = len(spec.input_leads), len(spec.target_leads)
        self.n_taps = spec.taps_before + 1 + spec.lookahead
        self.mean_features = nn.Conv2d(spec.n_features, n_out, 1)
        self.mean_taps = nn.Conv2d(n_in, n_out, (1, self.n_taps), bias=False)
        self.scale_features = nn.Conv2d(spec.n_features, n_out, 1)
        nn.init.zeros_(self.mean_taps.weight)
        if spec.any_electrode:
            self.register_buffer("covariance", torch.eye(len(BASIS), dtype=torch.float64))
            self.start_from_guess(torch.eye(len(BASIS)))
        nn.init.zeros_(self.scale_features.weight)
        nn.init.constant_(self.scale_features.bias, -2.0)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Reconstruct whole records.

        Parameters
        ----------
        x : Tensor of shape (batch, n_inputs, time)
            Conditioned input leads in mV, then for any-lead their masks; `time` a multiple of the hop.

        Returns
        -------
        mean, log_scale : Tensor of shape (batch, target, time)
            Row ``n`` belongs to the instant ``n - lookahead``. The scale is learnt beside the
            mean, not through it: no gradient of the scale reaches the body.
        """
        x4 = x[:, :, None, :].contiguous(memory_format=self.layout)
        features = self.body(x4)
        past = F.pad(x4[:, : len(self.spec.input_leads)], (self.n_taps - 1, 0))
        mean = self.mean_features(features) + self.mean_taps(past)
        log_scale = self.scale_features(features.detach())
        return mean[:, :, 0], log_scale[:, :, 0].clamp(-6.0, 3.0)

    @torch.no_grad()
    def start_from_guess(self, matrix: Tensor) -> None:
        """Let a fresh head begin at a linear estimate, shape (target, lead): what follows is learnt on top of it."""
        self.mean_taps.weight[:, :, 0, self.spec.taps_before] = matrix

    def n_parameters(self) -> int:
        """Count of trained numbers."""
        return sum(p.numel() for p in self.parameters())


@torch.no_grad()
def adopt(model: UNet, source: UNet) -> None:
    """Start `model` from a network trained on other leads of the same geometry.

    Rows of leads that both have are taken over; an any-lead network's masks become a constant, which
    goes into the first batch norm's mean. Rows that `source` lacks keep their fresh start.

    Raises
    ------
    CheckpointError
        The two networks differ in more than their leads.
    """
    mine, theirs = model.spec, source.spec
    if _shape(mine) != _shape(theirs):
        raise CheckpointError("the networks differ in more than their leads", "start from a run of the same settings")
    weights = {k: v.clone() for k, v in source.state_dict().items()}
    own = model.state_dict()
    first = weights[_FIRST]
    inputs = [
        (mine.input_leads.index(n), theirs.input_leads.index(n)) for n in mine.input_leads if n in theirs.input_leads
    ]
    targets = [
        (mine.target_leads.index(n), theirs.target_leads.index(n))
        for n in mine.target_leads
        if n in theirs.target_leads
    ]
    if theirs.any_electrode != mine.any_electrode:
        raise CheckpointError("one of the networks reads guesses, the other leads", "start from a run of the same kind")
    if theirs.any_lead and not mine.any_lead:
        there = [len(theirs.input_leads) + k for _, k in inputs]
        weights["body.encoder.0.norm.running_mean"] -= first[:, there].sum(dim=(1, 2, 3))
    by_lead = ["mean", "scale", *([_FIRST] if mine.input_leads != theirs.input_leads else [])]
    for name in [n for n in weights if weights[n].shape != own[n].shape or n.startswith(tuple(by_lead))]:
        old, new = weights[name], own[name].clone()
        if name == _FIRST:
            for a, b in inputs:
                new[:, a] = old[:, b]
        else:
            for a, b in targets:
                if name == "mean_taps.weight":
                    for c, d in inputs:
                        new[a, c] = old[b, d]
                else:
                    new[a] = old[b]
        weights[name] = new
    model.load_state_dict(weights)


def _shape(spec: NetSpec) -> NetSpec:
    """The settings that two networks must share for one to start from the other."""
    return replace(spec, input_leads=(), any_lead=False, any_electrode=False)
