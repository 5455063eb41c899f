"""What a judge of diagnoses sees in real leads and no longer sees in reconstructed ones, as a term of the loss.

A squared error is least where everything uncertain is flat: regression to the mean. The features of a classifier
do not become less wrong by that (Johnson et al. 2016, "Perceptual losses for real-time style transfer").
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ecg_edge.device.lead_algebra import BASIS, known_basis
from ecg_edge.firmware_bridge.errors import CheckpointError
from ecg_edge.train.diagnosis.judge import Judge
from ecg_edge.train.diagnosis.learn import load_judge
from ecg_edge.train.network.unet import NetSpec

ANSWER = 2.0
"""Weight of the answer beside the features; both are near 1 where nothing of the hidden leads is kept."""


def load(path: Path, device: torch.device) -> Judge:
    """Return a trained judge that gradients pass through and that does not itself learn.

    Raises
    ------
    CheckpointError
        It is missing or damaged, or reads fewer than the eight basis leads.
    """
    judge = load_judge(path).to(device)
    if judge.spec.leads != BASIS:
        raise CheckpointError(f"{path} reads {', '.join(judge.spec.leads)} alone", "give a judge of the eight leads")
    return judge.requires_grad_(False)


def lost_features(judge: nn.Module, truth: Tensor, estimate: Tensor, weight: Tensor | None = None) -> Tensor:
    """How far what a judge sees in an estimate is from what it sees in the truth.

    Parameters
    ----------
    judge : Judge
        From `load`.
    truth, estimate : Tensor of shape (batch, 8, time)
        Basis leads in mV, aligned; measured leads the same in both.
    weight : Tensor of shape (batch,), optional
        How much each record counts; all alike without.

    Returns
    -------
    Tensor
        Mean over records and levels of the squared distance of the features, in units of their variance. Added to it
        is `ANSWER` times the relative entropy of the two answers.
    """
    assert isinstance(judge, Judge)
    with torch.no_grad():
        wanted, sure = judge.seen(truth)
    found, answer = judge.seen(estimate)
    each = torch.stack([_distance(a, b) for a, b in zip(found, wanted, strict=True)]).mean(0)
    each = each + ANSWER * _entropy(answer, sure)
    return each.mean() if weight is None else (each * weight).sum() / weight.sum().clamp(min=1)


def _distance(found: Tensor, wanted: Tensor) -> Tensor:
    """Per record, shape (batch,)."""
    spread = wanted.var(dim=(0, 2)).mean()
    return (found - wanted).square().mean(dim=(1, 2)) / (spread + 1e-6)


def _entropy(answer: Tensor, sure: Tensor) -> Tensor:
    """Kullback-Leibler divergence of the estimate's yes and no from the truth's, mean over classes, per record."""
    p = torch.sigmoid(sure)
    said = [F.binary_cross_entropy_with_logits(v, p, reduction="none").mean(1) for v in (answer, sure)]
    return said[0] - said[1]


def whole(net: NetSpec, inputs: Tensor, outputs: Tensor) -> Tensor:
    """The eight basis leads of a batch: what is measured, or is algebra of it, and the others as they are given.

    Parameters
    ----------
    net : NetSpec
        Which channels are measured.
    inputs : Tensor of shape (batch, n_inputs, time)
        What the network sees, at the same instants as `outputs`.
    outputs : Tensor of shape (batch, target, time)
        Estimates or truth.

    Returns
    -------
    Tensor of shape (batch, 8, time)
        `outputs` itself where a network has all eight for targets.
    """
    if net.target_leads == BASIS:
        return outputs
    known, matrix = known_basis(net.input_leads)
    seen = torch.einsum("ij,bjt->bit", torch.as_tensor(matrix, dtype=inputs.dtype, device=inputs.device), inputs)
    names = (*known, *net.target_leads)
    return torch.cat([seen, outputs], dim=1)[:, [names.index(lead) for lead in BASIS]]
