"""The design of Gradowski & Buchner (2025): an offline U-Net over a whole record, and ours seeing both ways."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ecg_edge.train.network.unet import CausalConv, NetSpec, UNet

WIDTHS = (16, 32, 64, 96, 128)
KERNEL = 9


class _Double(nn.Sequential):
    """Two centred convolutions with batch norm and ReLU."""

    def __init__(self, c_in: int, c_out: int) -> None:
        layers: list[nn.Module] = []
        for c in (c_in, c_out):
            conv = nn.Conv1d(c, c_out, KERNEL, padding=KERNEL // 2, bias=False)
            layers += [conv, nn.BatchNorm1d(c_out), nn.ReLU()]
        super().__init__(*layers)


class OfflineUNet(nn.Module):
    """Non-causal 1-D U-Net: max-pooling, concatenated skips, the whole record at once.

    Parameters
    ----------
    spec : NetSpec
        Gives the leads; `lookahead` must be 0, since an offline estimate has no delay.
    """

    def __init__(self, spec: NetSpec) -> None:
        super().__init__()
        self.spec = spec
        self.down = nn.ModuleList(
            _Double(c_in, c) for c_in, c in zip((len(spec.input_leads), *WIDTHS), WIDTHS, strict=False)
        )
        self.up = nn.ModuleList(_Double(WIDTHS[k + 1] + WIDTHS[k], WIDTHS[k]) for k in range(len(WIDTHS) - 1))
        self.mean = nn.Conv1d(WIDTHS[0], len(spec.target_leads), 1)
        self.scale = nn.Conv1d(WIDTHS[0], len(spec.target_leads), 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-scale, shape (batch, target, time), of inputs in mV of shape (batch, lead, time)."""
        n = x.shape[-1]
        x = F.pad(x, (0, -n % 2 ** (len(WIDTHS) - 1)))
        skips: list[Tensor] = []
        for k, block in enumerate(self.down):
            x = block(F.max_pool1d(x, 2) if k else x)
            skips.append(x)
        for k in reversed(range(len(WIDTHS) - 1)):
            x = self.up[k](torch.cat([x.repeat_interleave(2, dim=-1), skips[k]], dim=1))
        return self.mean(x)[..., :n], self.scale(x.detach())[..., :n].clamp(-6.0, 3.0)

    def n_parameters(self) -> int:
        """Count of trained numbers."""
        return sum(p.numel() for p in self.parameters())


class _Centred(CausalConv):
    """A causal convolution's weights, looking both ways."""

    def forward(self, x: Tensor) -> Tensor:
        """Whole record, shape (batch, channel, 1, time); half of the padding on each side."""
        return self._convolve(F.pad(x, (self.memory - self.memory // 2, self.memory // 2)))


def centred(model: UNet) -> UNet:
    """Let the encoder and the bottleneck of our network see the whole record, both ways: the offline row.

    Decoder, head and delay stay as they are, so that nothing but the causality differs.
    """
    for conv in (*model.body.encoder, *model.body.bottleneck):
        conv.__class__ = _Centred
    return model
