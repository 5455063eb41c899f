"""Regressors and weights of the head, in torch."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from ecg_edge.device.lead_algebra import BASIS
from ecg_edge.train.data.prepare import Prepared
from ecg_edge.train.network.unet import NetSpec, Reconstructor


def head_lags(spec: NetSpec) -> tuple[int, ...]:
    """Lags of the head's input taps, in samples relative to the output instant."""
    return tuple(lag for lag in range(-spec.taps_before, spec.lookahead + 1) if lag != 0)


@torch.no_grad()
def regressors(model: Reconstructor, x: Tensor) -> Tensor:
    """Design matrix of the head, in the order `spec.Head` fixes.

    Parameters
    ----------
    model : Reconstructor
        In evaluation mode.
    x : Tensor of shape (batch, lead, time)
        `time` a multiple of the hop.

    Returns
    -------
    Tensor of shape (batch, time, n_regressors)
        Row ``n`` belongs to the instant ``n - lookahead``.
    """
    late = model.spec.lookahead
    features = model.body(x[:, :, None, :])[:, :, 0]
    past = F.pad(x, (model.n_taps - 1, 0))
    n = x.shape[-1]
    lags = (0, *head_lags(model.spec))
    taps = [past[..., model.n_taps - 1 - late + lag :][..., :n] for lag in lags]
    one = torch.ones_like(x[:, :1])
    return torch.cat([features, *taps, one], dim=1).transpose(1, 2)


def head_weights(model: Reconstructor) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """The head as two matrices of shape (n_regressors, n_targets): mean and log-scale."""
    spec = model.spec
    taps = model.mean_taps.weight.detach().numpy()[:, :, 0]  # (target, lead, tap); tap 0 is the earliest
    order = [spec.taps_before + lag for lag in (0, *head_lags(spec))]
    rows = [model.mean_features.weight.detach().numpy()[:, :, 0, 0].T]
    rows += [taps[:, :, k].T for k in order]
    rows.append(_bias(model.mean_features)[None])
    mean = np.concatenate(rows)
    log_scale = np.zeros_like(mean)
    log_scale[: spec.n_features] = model.scale_features.weight.detach().numpy()[:, :, 0, 0].T
    log_scale[-1] = _bias(model.scale_features)
    return mean.astype(np.float32), log_scale.astype(np.float32)


def _bias(conv: torch.nn.Conv2d) -> npt.NDArray[np.float32]:
    assert conv.bias is not None
    return np.asarray(conv.bias.detach().numpy())


def inputs(model: Reconstructor, data: Prepared, rows: slice) -> Tensor:
    """Inputs of records as the network takes them, shape (batch, lead, time), time a multiple of the hop."""
    columns = [BASIS.index(lead) for lead in model.spec.input_leads]
    n = data.x.shape[1] // model.spec.hop * model.spec.hop
    return torch.from_numpy(np.ascontiguousarray(data.x[rows, :n][:, :, columns].transpose(0, 2, 1)))


def n_regressors(model: Reconstructor) -> int:
    """Return the number of columns of `regressors`."""
    return model.spec.n_features + len(model.spec.input_leads) * model.n_taps + 1
