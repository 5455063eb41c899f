"""Networks of other designs, for their cost alone: layer plans after published descriptions, random weights.

What a paper leaves open is chosen here and said in the docstring. The cost of a convolution does not
depend on its weights; nothing is claimed of accuracy.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class MaskedAutoencoder(nn.Module):
    """After MCMA (Chen et al. 2024): a UNet3+-like 1-D net over windows of 1024 samples of 12 channels, 18 M weights.

    Every decoder level reads every encoder level (full-scale skips). Assumed: kernel 13, five levels,
    widths chosen so that the published size comes out, skips of 32 channels each.
    """

    WINDOW, CHANNELS = 1024, 12

    def __init__(self, widths: tuple[int, ...] = (32, 64, 128, 256, 512), kernel: int = 13, skip: int = 64) -> None:
        super().__init__()
        n = len(widths)
        pairs = zip((self.CHANNELS, *widths[:-1]), widths, strict=True)
        self.down = nn.ModuleList(_double(a, b, kernel) for a, b in pairs)
        self.skips = nn.ModuleList(
            nn.ModuleList(
                nn.Conv1d(widths[k] if k <= level or k == n - 1 else n * skip, skip, 3, padding=1) for k in range(n)
            )
            for level in range(n - 1)
        )
        self.up = nn.ModuleList(_double(n * skip, n * skip, kernel, single=True) for _ in range(n - 1))
        self.out = nn.Conv1d(n * skip, self.CHANNELS, 1)

    def _skip(self, level: int, k: int) -> nn.Module:
        row = self.skips[level]
        assert isinstance(row, nn.ModuleList)
        return row[k]

    def forward(self, x: Tensor) -> Tensor:
        """(1, 12, 1024) → (1, 12, 1024)."""
        levels: list[Tensor] = []
        for k, block in enumerate(self.down):
            x = block(F.max_pool1d(x, 2) if k else x)
            levels.append(x)
        for level in reversed(range(len(self.up))):
            size = self.WINDOW >> level
            parts = [_to_size(levels[k], size) for k in range(len(levels))]
            joined = [self._skip(level, k)(p) for k, p in enumerate(parts)]
            levels[level] = self.up[level](torch.cat(joined, dim=1))
        return self.out(levels[0])  # type: ignore[no-any-return]


class PictureUNet(nn.Module):
    """After ECGrecover (Lence et al. 2024): a 2-D U-Net over the record as a picture of 12 rows and 512 columns.

    Assumed: four levels of two 3 × 7 convolutions, widths 16 to 128, pooling along time only.
    """

    WINDOW, CHANNELS = 512, 12

    def __init__(self, widths: tuple[int, ...] = (16, 32, 64, 128)) -> None:
        super().__init__()
        self.down = nn.ModuleList(_flat(a, b) for a, b in zip((1, *widths[:-1]), widths, strict=True))
        self.up = nn.ModuleList(_flat(widths[k + 1] + widths[k], widths[k]) for k in range(len(widths) - 1))
        self.out = nn.Conv2d(widths[0], 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(1, 12, 512) → (1, 12, 512)."""
        x, skips = x[:, None], list[Tensor]()
        for k, block in enumerate(self.down):
            x = block(F.max_pool2d(x, (1, 2)) if k else x)
            skips.append(x)
        for k in reversed(range(len(self.up))):
            x = self.up[k](torch.cat([F.interpolate(x, scale_factor=(1.0, 2.0)), skips[k]], dim=1))
        return self.out(x)[:, 0]  # type: ignore[no-any-return]


def _double(c_in: int, c_out: int, kernel: int, single: bool = False) -> nn.Sequential:
    layers: list[nn.Module] = []
    for c in (c_in,) if single else (c_in, c_out):
        layers += [nn.Conv1d(c, c_out, kernel, padding=kernel // 2), nn.BatchNorm1d(c_out), nn.ReLU()]
    return nn.Sequential(*layers)


def _flat(c_in: int, c_out: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for c in (c_in, c_out):
        layers += [nn.Conv2d(c, c_out, (3, 7), padding=(1, 3)), nn.BatchNorm2d(c_out), nn.ReLU()]
    return nn.Sequential(*layers)


def _to_size(x: Tensor, size: int) -> Tensor:
    """Pool or repeat to a number of frames."""
    n = x.shape[-1]
    if n > size:
        return F.max_pool1d(x, n // size)
    return F.interpolate(x, scale_factor=float(size // n)) if n < size else x
