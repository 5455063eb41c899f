"""What one step of training learns from, and what it costs to be wrong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ecg_edge.device.lead_algebra import BASIS, of_basis
from ecg_edge.firmware_bridge.array_types import Float32Array, FloatArray
from ecg_edge.train.data.prepare import Prepared
from ecg_edge.train.learning import augment
from ecg_edge.train.learning import r_amplitudes as amplitudes
from ecg_edge.train.learning.train_spec import TrainSpec
from ecg_edge.train.network import lead_subsets as subsets
from ecg_edge.train.network import placement_draw
from ecg_edge.train.network.unet import NetSpec


@dataclass(frozen=True)
class Batch:
    """What one step learns from.

    Attributes
    ----------
    inputs : Tensor of shape (batch, n_inputs, time)
        What the network sees.
    truth : Tensor of shape (batch, target, time)
        Not yet delayed.
    wanted : Tensor of shape (batch, target) or None
        1 for the leads that count; None where all do.
    total : float or None
        What the loss of weighted leads is divided by.
    beats : Tensor of shape (batch, time) or None
        Where the truth's beats are, see `amplitudes.beats`; None where nobody asks.
    taught : Tensor of shape (batch, target, time) or None
        What the mean learns in place of the truth.
    """

    inputs: Tensor
    truth: Tensor
    wanted: Tensor | None
    total: float | None = None
    beats: Tensor | None = None
    taught: Tensor | None = None

    def part(self, rank: int, of: int) -> Batch:
        """The share of one of several processes; the mean of their losses is the loss of the whole."""
        if of == 1:
            return self
        n = len(self.inputs) // of
        mine = slice(rank * n, (rank + 1) * n)
        beats, taught, wanted = (None if v is None else v[mine] for v in (self.beats, self.taught, self.wanted))
        total = None if self.wanted is None else float(self.wanted.sum()) / of
        return Batch(self.inputs[mine], self.truth[mine], wanted, total, beats, taught)

    def to(self, device: torch.device) -> Batch:
        """The same on a device."""
        moved = (None if v is None else v.to(device) for v in (self.wanted, self.beats, self.taught))
        wanted, beats, taught = moved
        return Batch(self.inputs.to(device), self.truth.to(device), wanted, self.total, beats, taught)


def draw(
    data: Prepared,
    rows: npt.NDArray[np.int64],
    net: NetSpec,
    spec: TrainSpec,
    rng: np.random.Generator,
    covariance: FloatArray | None = None,
) -> Batch:
    """Crops of the given records, augmented; all randomness comes from `rng`.

    Parameters
    ----------
    data : Prepared
        Training records.
    rows : ndarray of int
        Which of them.
    net, spec : NetSpec, TrainSpec
        What and how.
    rng : Generator
        Of this step.
    covariance : ndarray of shape (8, 8), optional
        Of the population; an any-electrode network needs it.
    """
    if net.any_electrode or not set(net.input_leads) <= set(BASIS):
        return _of_channels(data, rows, net, spec, rng, covariance)
    leads = net.input_leads if net.any_lead else (*net.input_leads, *net.target_leads)
    columns = [BASIS.index(lead) for lead in leads]
    crop = min(spec.crop, data.x.shape[1]) // net.hop * net.hop
    starts = rng.integers(0, data.x.shape[1] - crop + 1, len(rows))
    x = _cut(data.x, rows, starts, crop)[:, columns]
    how, fs, n_in = spec.augmentation, net.fs, len(net.input_leads)
    said = None if data.taught is None else _cut(data.taught, rows, starts, crop)
    x = augment.recorded(x if said is None else np.concatenate([x, said], axis=1), fs, how, rng)
    x, said = x[:, : len(leads)], None if said is None else x[:, len(leads) :]
    beats = torch.from_numpy(amplitudes.beats(x, fs)) if spec.spread else None
    inputs = augment.measured(x, leads, n_in, fs, how, rng)
    if net.any_lead:
        drawn = subsets.draw(len(x), crop, rng, spec.specialists)
        inputs = np.concatenate([inputs * drawn.masks, drawn.masks], axis=1)
        return Batch(torch.from_numpy(inputs), torch.from_numpy(x), torch.from_numpy(drawn.wanted), None, beats)
    taught = None if said is None else torch.from_numpy(said)
    return Batch(torch.from_numpy(inputs), torch.from_numpy(x[:, n_in:]), None, None, beats, taught)


def _of_channels(
    data: Prepared,
    rows: npt.NDArray[np.int64],
    net: NetSpec,
    spec: TrainSpec,
    rng: np.random.Generator,
    covariance: FloatArray | None,
) -> Batch:
    """As `draw`, for channels that are no basis leads, or for guesses from drawn placements."""
    crop = min(spec.crop, data.x.shape[1]) // net.hop * net.hop
    starts = rng.integers(0, data.x.shape[1] - crop + 1, len(rows))
    how, fs = spec.augmentation, net.fs
    x = augment.recorded(_cut(data.x, rows, starts, crop), fs, how, rng)
    beats = torch.from_numpy(amplitudes.beats(x, fs)) if spec.spread else None
    if not net.any_electrode:
        matrix = of_basis(net.input_leads).astype(np.float32)
        inputs = augment.measured(matrix @ x, net.input_leads, len(matrix), fs, how, rng)
        truth = x[:, [BASIS.index(lead) for lead in net.target_leads]]
        return Batch(torch.from_numpy(inputs), torch.from_numpy(truth), None, None, beats)
    assert covariance is not None
    drawn = placement_draw.draw(len(x), covariance, rng)
    seen = augment.measured(drawn.channels @ x, ("",) * placement_draw.MOST, placement_draw.MOST, fs, how, rng)
    fallen = np.where(drawn.loses, rng.integers(0, crop, len(x)), 0)[:, None, None] > np.arange(crop)
    values = np.where(fallen, drawn.before @ seen, drawn.after @ seen)
    known = np.where(fallen, drawn.known_before[:, :, None], drawn.known_after[:, :, None])
    inputs = np.concatenate([values, known], axis=1)
    return Batch(torch.from_numpy(inputs), torch.from_numpy(x), torch.from_numpy(drawn.wanted), None, beats)


def _cut(x: Float32Array, rows: npt.NDArray[np.int64], starts: npt.NDArray[np.int64], crop: int) -> Float32Array:
    """A stretch of each record, shape (n, leads, crop)."""
    cut = np.stack([x[r, s : s + crop] for r, s in zip(rows, starts, strict=True)])
    return np.ascontiguousarray(cut.transpose(0, 2, 1), dtype=np.float32)


def loss_of(
    mean: Tensor,
    log_scale: Tensor,
    truth: Tensor,
    r_weight: float,
    wanted: Tensor | None = None,
    total: float | None = None,
    taught: Tensor | None = None,
    sure: Tensor | None = None,
) -> Tensor:
    """Training loss of one batch.

    Parameters
    ----------
    mean, log_scale, truth : Tensor of shape (batch, target, time)
        Aligned and cut to the scored stretch; mV.
    r_weight : float
        Weight of ``1 - r``.
    wanted : Tensor of shape (batch, target), optional
        Weight of each record's leads.
    total : float, optional
        Sum of the weights to divide by; their own unless told.
    taught : Tensor of shape (batch, target, time), optional
        What the mean shall be in place of the truth; the scale is the truth's in any case.
    sure : Tensor of shape (batch, 1), optional
        0 for records whose truth says nothing of the scale.

    Returns
    -------
    Tensor
        Mean over records and leads of the per-record RMSE (in units of 0.1 mV) and of ``1 - r``.
        The Gaussian negative log-likelihood of the scale, with the mean held fixed, is added.
    """
    target = truth if taught is None else taught
    error = mean - truth
    rmse = ((mean - target).square().mean(-1) + 1e-6).sqrt()
    tc, mc = target - target.mean(-1, keepdim=True), mean - mean.mean(-1, keepdim=True)
    r = (tc * mc).sum(-1) / (tc.square().sum(-1) * mc.square().sum(-1) + 1e-3).sqrt()
    nll = (0.5 * (error.detach() * torch.exp(-log_scale)).square() + log_scale).mean(-1)
    nll = nll if sure is None else nll * sure
    each = 10 * rmse + 10 * r_weight * (1 - r) + 0.1 * nll
    return each.mean() if wanted is None else (each * wanted).sum() / (wanted.sum() if total is None else total)
