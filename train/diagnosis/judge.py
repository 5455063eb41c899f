"""Two networks that read the five superclasses off twelve leads: one for training, another that only judges.

`residual` follows the xresnet1d of Strodthoff et al. 2021 ("Deep Learning for ECG Analysis: Benchmarks and Insights
from PTB-XL"), `inception` the InceptionTime of Ismail Fawaz et al. 2020; both are thinner.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ecg_edge.device.lead_algebra import BASIS, twelve_from_basis
from ecg_edge.firmware_bridge.errors import CheckpointError

DESIGNS = ("residual", "inception")
N_CLASSES = 5


@dataclass(frozen=True)
class JudgeSpec:
    """Shape of a judge.

    Attributes
    ----------
    design : {"residual", "inception"}
        Which of the two.
    leads : tuple of str
        Basis leads that it reads; with fewer than eight it is the rival on measured leads alone.
    fs : int
        Rate in Hz.
    width : int
        Channels of the first level.
    dropout : float
        Share of the pooled features left out while it learns.
    """

    design: str = "residual"
    leads: tuple[str, ...] = BASIS
    fs: int = 100
    width: int = 40
    dropout: float = 0.3

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionary for a checkpoint."""
        return asdict(self)

    @classmethod
    def from_dict(cls, d: dict[str, Any]) -> JudgeSpec:
        """Read back what `to_dict` wrote."""
        if unknown := set(d) - {f.name for f in fields(cls)}:
            raise CheckpointError(f"unknown judge settings {sorted(unknown)}", "train the judge again")
        settings: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in d.items()}
        return cls(**settings)


class Judge(nn.Module):
    """Logits of the five superclasses, and what it looked at on the way.

    Records of any length are read: what is seen is pooled over time in the end.
    """

    def __init__(self, spec: JudgeSpec) -> None:
        super().__init__()
        if spec.design not in DESIGNS:
            raise CheckpointError(f"unknown judge {spec.design!r}", f"there are: {', '.join(DESIGNS)}")
        self.spec = spec
        n = len(spec.leads)
        matrix = torch.tensor(twelve_from_basis(), dtype=torch.float32) if spec.leads == BASIS else torch.eye(n)
        self.register_buffer("matrix", matrix, persistent=False)
        levels = _residual if spec.design == "residual" else _inception
        self.levels, wide = levels(len(matrix), spec.width)
        self.drop = nn.Dropout(spec.dropout)
        self.answer = nn.Linear(2 * wide, N_CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """Logits, shape (batch, 5), of records of shape (batch, n_leads, time) in mV."""
        return self.seen(x)[1]

    def seen(self, x: Tensor) -> tuple[list[Tensor], Tensor]:
        """What each level sees, and the logits.

        Parameters
        ----------
        x : Tensor of shape (batch, n_leads, time)
            In mV; leads as `JudgeSpec.leads`.

        Returns
        -------
        levels : list of Tensor of shape (batch, channels, time at that level)
        logits : Tensor of shape (batch, 5)
        """
        x = torch.einsum("ij,bjt->bit", self.matrix, x)
        found = []
        for level in self.levels:
            x = level(x)
            found.append(x)
        pooled = torch.cat([x.mean(-1), x.amax(-1)], dim=1)
        return found, self.answer(self.drop(pooled))


def _residual(n_in: int, width: int) -> tuple[nn.ModuleList, int]:
    """A stem of two convolutions, then four levels of two residual blocks; each level but the first halves the rate."""
    stem = nn.Sequential(_Conv(n_in, width, 7, 2), nn.ReLU(), _Conv(width, width, 5), nn.ReLU())
    widths = (width, width * 3 // 2, width * 5 // 2, width * 4)
    levels: list[nn.Module] = [stem]
    for before, wide in zip((width, *widths), widths, strict=False):
        first = _Block(before, wide, 1 if before == wide else 2)
        levels.append(nn.Sequential(first, _Block(wide, wide)))
    return nn.ModuleList(levels), widths[-1]


def _inception(n_in: int, width: int) -> tuple[nn.ModuleList, int]:
    """A stem, then three levels of two inception modules and a shortcut around both."""
    stem = nn.Sequential(_Conv(n_in, 2 * width, 9, 2), nn.ReLU())
    wide = 4 * (width * 4 // 5)
    return nn.ModuleList([stem, _Mixed(2 * width, wide), _Mixed(wide, wide, 2), _Mixed(wide, wide, 2)]), wide


class _Conv(nn.Sequential):
    """Centred convolution without bias, and batch norm."""

    def __init__(self, c_in: int, c_out: int, k: int, stride: int = 1) -> None:
        conv = nn.Conv1d(c_in, c_out, k, stride, padding=k // 2, bias=False)
        super().__init__(conv, nn.BatchNorm1d(c_out))


class _Block(nn.Module):
    """Two convolutions of 7, channels weighed by what the whole record holds, and a shortcut."""

    def __init__(self, c_in: int, c_out: int, stride: int = 1) -> None:
        super().__init__()
        self.convs = nn.Sequential(_Conv(c_in, c_out, 7, stride), nn.ReLU(), _Conv(c_out, c_out, 7))
        self.weigh = nn.Sequential(nn.Linear(c_out, c_out // 4), nn.ReLU(), nn.Linear(c_out // 4, c_out), nn.Sigmoid())
        self.around = nn.Identity() if c_in == c_out else _Conv(c_in, c_out, 1)
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Shape (batch, c_in, time) → (batch, c_out, time / stride)."""
        y = self.convs(x)
        y = y * self.weigh(y.mean(-1))[..., None]
        short = F.avg_pool1d(x, self.stride, ceil_mode=True) if self.stride > 1 else x
        return F.relu(y + self.around(short))


class _Inception(nn.Module):
    """Kernels of four lengths side by side behind a bottleneck."""

    KERNELS = (5, 11, 23)

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        each = c_out // 4
        self.narrow = nn.Conv1d(c_in, each, 1, bias=False)
        self.convs = nn.ModuleList(nn.Conv1d(each, each, k, padding=k // 2, bias=False) for k in self.KERNELS)
        self.highest = nn.Conv1d(c_in, each, 1, bias=False)
        self.norm = nn.BatchNorm1d(c_out)

    def forward(self, x: Tensor) -> Tensor:
        """Shape (batch, c_in, time) → (batch, c_out, time)."""
        narrow = self.narrow(x)
        beside = self.highest(F.max_pool1d(x, 3, 1, padding=1))
        return F.relu(self.norm(torch.cat([*(conv(narrow) for conv in self.convs), beside], dim=1)))


class _Mixed(nn.Module):
    """Two inception modules and a shortcut, at a lower rate."""

    def __init__(self, c_in: int, c_out: int, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride
        self.mix = nn.Sequential(_Inception(c_in, c_out), _Inception(c_out, c_out))
        self.around = _Conv(c_in, c_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Shape (batch, c_in, time) → (batch, c_out, time / stride)."""
        if self.stride > 1:
            x = F.avg_pool1d(x, self.stride, ceil_mode=True)
        return F.relu(self.mix(x) + self.around(x))
