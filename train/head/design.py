"""Regressors and weights of the head, in torch."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ecg_edge.device.inference.head import RegressorLayout
from ecg_edge.device.lead_algebra import measured
from ecg_edge.firmware_bridge.array_types import Float32Array
from ecg_edge.train.data.prepare import Prepared
from ecg_edge.train.network.unet import NetSpec, UNet


def head_lags(spec: NetSpec) -> tuple[int, ...]:
    """Lags of the head's input taps, in samples relative to the output instant."""
    return tuple(lag for lag in range(-spec.taps_before, spec.lookahead + 1) if lag != 0)


def head_layout(spec: NetSpec, n_leads: int | None = None) -> RegressorLayout:
    """Order of the head's regressors, of all input leads or of fewer."""
    return RegressorLayout(spec.n_features, len(spec.input_leads) if n_leads is None else n_leads, head_lags(spec))


@torch.no_grad()
def regressors(model: UNet, x: Tensor, leads: tuple[str, ...] | None = None, channels: Tensor | None = None) -> Tensor:
    """Design matrix of the head, in the order of `RegressorLayout`: the torch twin of its `matrix`.

    Parameters
    ----------
    model : UNet
        In evaluation mode.
    x : Tensor of shape (batch, lead, time)
        `time` a multiple of the hop.
    leads : tuple of str, optional
        Leads whose inputs are regressors; all of the model's if not given.
    channels : Tensor of shape (batch, channel, time), optional
        What is measured, where it is not the inputs: its taps are regressors in their place.

    Returns
    -------
    Tensor of shape (batch, time, n_regressors)
        Row ``n`` belongs to the instant ``n - lookahead``.
    """
    spec, n = model.spec, x.shape[-1]
    there = spec.input_leads if leads is None else leads
    back = spec.lookahead + head_layout(spec).history
    features = model.body(x[:, :, None, :])[:, :, 0]
    seen = x[:, [spec.input_leads.index(lead) for lead in there]] if channels is None else channels
    past = F.pad(seen, (back, 0))
    taps = [past[..., back - spec.lookahead + lag :][..., :n] for lag in head_layout(spec).taps]
    return torch.cat([features, *taps, torch.ones_like(x[:, :1])], dim=1).transpose(1, 2)


def head_weights(model: UNet) -> tuple[Float32Array, Float32Array]:
    """The head as two matrices of shape (n_regressors, n_targets): mean and log-scale."""
    spec, layout = model.spec, head_layout(model.spec)
    mean, log_scale = np.zeros((2, layout.size, len(spec.target_leads)), np.float32)
    taps = model.mean_taps.weight.detach().numpy()[:, :, 0]  # (target, lead, tap); tap 0 is the earliest
    for k, lag in enumerate(layout.taps):
        mean[layout.tap(k)] = taps[:, :, spec.taps_before + lag].T
    for rows, conv in ((mean, model.mean_features), (log_scale, model.scale_features)):
        rows[: spec.n_features] = conv.weight.detach().numpy()[:, :, 0, 0].T
        rows[-1] = _bias(conv)
    return mean, log_scale


def _bias(conv: torch.nn.Conv2d) -> Float32Array:
    assert conv.bias is not None
    return np.asarray(conv.bias.detach().numpy())


def inputs(model: UNet, data: Prepared, rows: slice) -> Tensor:
    """Inputs of records as the network takes them, shape (batch, lead, time), time a multiple of the hop."""
    n = data.x.shape[1] // model.spec.hop * model.spec.hop
    return torch.from_numpy(np.ascontiguousarray(measured(data.x[rows, :n], model.spec.input_leads).transpose(0, 2, 1)))
