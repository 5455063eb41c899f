"""Teachers that answer while their student trains, on the very inputs it sees: noisy, mixed, stretched in time."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ecg_edge.device.lead_algebra import missing_basis
from ecg_edge.firmware_bridge.errors import UsageError
from ecg_edge.train.network.inputs import input_matrix
from ecg_edge.train.network.unet import UNet


class Teacher(nn.Module):
    """Any network as one of some channels.

    Parameters
    ----------
    network : UNet
        Of these channels, or one that takes any leads or any electrodes.
    channels : sequence of str
        What the student measures.

    Raises
    ------
    UsageError
        The network measures something else.
    """

    def __init__(self, network: UNet, channels: Sequence[str]) -> None:
        super().__init__()
        spec, hidden = network.spec, missing_basis(channels)
        if not spec.any_lead and set(spec.input_leads) != set(channels):
            raise UsageError(
                f"a teacher measures {', '.join(spec.input_leads)}", f"give one of {', '.join(channels)}, or of any"
            )
        covariance = network.get_buffer("covariance").cpu().numpy() if spec.any_electrode else None
        matrix, constant = input_matrix(spec, channels, covariance)
        device = next(network.parameters()).device
        self.network = network.eval().requires_grad_(False)
        self.register_buffer("_matrix", torch.from_numpy(matrix).to(device))
        self.register_buffer("_constant", torch.from_numpy(constant).to(device)[None, :, None])
        self.register_buffer("_rows", torch.tensor([spec.target_leads.index(n) for n in hidden], device=device))

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        """Mean of the hidden leads, shape (batch, n_hidden, time), of channels, shape (batch, n_channels, time)."""
        values = self.get_buffer("_matrix") @ x
        constant = self.get_buffer("_constant").expand(len(x), -1, x.shape[-1])
        mean, _ = self.network(torch.cat([values, constant], dim=1))
        return torch.as_tensor(mean).index_select(1, self.get_buffer("_rows"))


def answer(teachers: Sequence[Teacher], x: Tensor) -> Tensor:
    """The mean of what several teachers say."""
    return torch.stack([teacher(x) for teacher in teachers]).mean(0)
