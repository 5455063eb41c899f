"""What an estimate loses of the spread of R amplitudes from person to person, as a term of the loss."""

from __future__ import annotations

import torch
from torch import Tensor

from ecg_edge.train.learning.r_amplitudes import r_amplitudes


def lost_spread(mean: Tensor, truth: Tensor, at: Tensor, fs: int, share: float = 1.0) -> Tensor:
    """How far the spread of an estimate's R amplitudes is from the one wanted.

    The best estimate of what cannot be known varies less than the truth does: regression to the mean. With
    several processes each looks at its share of the batch.

    Parameters
    ----------
    mean, truth : Tensor of shape (batch, target, time)
        Estimate and truth, aligned, in mV.
    at : Tensor of shape (batch, time)
        Beats of the truth.
    fs : int
        In Hz.
    share : float
        Wanted standard deviation over the records, in units of the truth's.

    Returns
    -------
    Tensor
        Mean over leads of the squared difference to it.
    """
    estimated, true = (r_amplitudes(v, at, fs).std(0) for v in (mean, truth))
    return torch.square(share - estimated / (true + 1e-3)).mean()
