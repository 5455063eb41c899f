"""What the file of an any-lead network needs beside the weights: one set of figures per listed lead set."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from ecg_edge.device.inference.any_lead import behind_guess
from ecg_edge.device.inference.lead_subset import LeadSubset
from ecg_edge.device.lead_algebra import BASIS, measured, missing_basis
from ecg_edge.device.personal_calibration.fit import SKIP_S
from ecg_edge.device.placement import guess_from
from ecg_edge.firmware_bridge.array_types import Float32Array, FloatArray
from ecg_edge.firmware_bridge.progress import Progress
from ecg_edge.train.data.prepare import SCORED_FROM_S, Prepared
from ecg_edge.train.head import ridge, shrinkage
from ecg_edge.train.head.design import head_layout, head_weights, regressors
from ecg_edge.train.head.figures import BATCH, LEVEL, arrays_of, gram_of, settling_of
from ecg_edge.train.network import lead_subsets as subsets
from ecg_edge.train.network import placement_draw
from ecg_edge.train.network.inputs import seen_by
from ecg_edge.train.network.unet import NetSpec, UNet

_MOMENT_RECORDS = 4096
"""Second moments of a hundred regressors over as many records of 8 s are known to a percent."""
_SHRINK_PAIRS = 400
"""Pairs of recordings that teach what of a calibration lasts, for each of two dozen placements."""


def finalise_any(model: UNet, train: Prepared, validation: Prepared, path: Path) -> None:
    """Measure every listed lead set and write the figures to `path`."""
    arrays: dict[str, Float32Array] = {}
    every = max(1, len(train) // _MOMENT_RECORDS)
    part = replace(train, x=train.x[::every], ids=train.ids[::every])
    settling = 0.0
    sets = listed(model.spec)
    with Progress("lead sets", len(sets)) as progress:
        for leads in sets:
            name = "+".join(leads)
            factors, settled = _interval(model, validation, leads)
            settling = max(settling, settled)
            arrays[f"{name}/factors"] = factors
            arrays[f"{name}/moments"] = _moments(model, part, leads)
            for taps in ridge.TAPS:
                arrays[f"{name}/ridge_{taps}"] = ridge.fit(part, leads, missing_basis(leads), model.spec.fs, taps)
            found = _shrink(model, train, leads, arrays[f"{name}/moments"]) if model.spec.any_electrode else None
            if found is not None:
                arrays[f"{name}/shrink"] = found
            progress.step()
    np.savez(path, settling_s=np.float64(settling), **arrays)  # type: ignore[arg-type]


def load(path: Path) -> tuple[tuple[LeadSubset, ...], float]:
    """Read what `finalise_any` wrote: the lead sets, and the settling time in seconds.

    Raises
    ------
    CheckpointError
        Missing or damaged.
    """
    with arrays_of(path) as z:
        found = [
            LeadSubset(
                leads,
                z[f"{'+'.join(leads)}/moments"],
                z[f"{'+'.join(leads)}/factors"],
                {str(t): z[f"{'+'.join(leads)}/ridge_{t}"] for t in ridge.TAPS},
                z[f"{'+'.join(leads)}/shrink"] if f"{'+'.join(leads)}/shrink" in z.files else None,
            )
            for leads in (tuple(name.partition("/")[0].split("+")) for name in z.files if name.endswith("/factors"))
        ]
        return tuple(found), float(z["settling_s"])


def listed(spec: NetSpec) -> tuple[tuple[str, ...], ...]:
    """Channel sets whose figures go into the file of a network."""
    return placement_draw.LISTED if spec.any_electrode else subsets.LISTED


def _shrink(model: UNet, data: Prepared, leads: tuple[str, ...], moments: Float32Array) -> Float32Array | None:
    """Shrink factors of a placement, see `shrinkage.learn`."""
    spec = model.spec
    found = guess_from(leads, model.get_buffer("covariance").cpu().numpy())
    hidden = [BASIS.index(lead) for lead in missing_basis(leads)]
    weights = behind_guess(head_layout(spec), head_weights(model)[0][:, hidden], found.matrix)
    first = round(SKIP_S * spec.fs)

    def record(k: int) -> tuple[FloatArray, FloatArray]:
        rows = slice(k, k + 1)
        seen = _regressors(model, _tensor(model, data, rows, leads), data, rows, leads)[0].numpy()[spec.lookahead :]
        truth = data.x[k, : len(seen), hidden].T
        return seen[first:].astype(np.float64), np.asarray(truth[first:], np.float64)

    return shrinkage.factors(shrinkage.pairs_of(data)[:_SHRINK_PAIRS], weights, moments, record, spec.fs)


def _tensor(model: UNet, data: Prepared, rows: slice, leads: tuple[str, ...]) -> torch.Tensor:
    n = data.x.shape[1] // model.spec.hop * model.spec.hop
    x = seen_by(model, np.asarray(data.x[rows, :n]), leads)
    return torch.from_numpy(np.ascontiguousarray(x.transpose(0, 2, 1)))


def _moments(model: UNet, data: Prepared, leads: tuple[str, ...]) -> Float32Array:
    """As `design.regressors` orders them, of the leads that are there."""
    skip = round(SCORED_FROM_S * model.spec.fs) + model.spec.lookahead
    total, count = np.zeros(()), 0
    for k in range(0, len(data), BATCH):
        x = _tensor(model, data, slice(k, k + BATCH), leads)
        gram, n = gram_of(_regressors(model, x, data, slice(k, k + BATCH), leads)[:, skip:])
        total, count = total + gram, count + n
    return np.asarray(total / count, np.float32)


def _regressors(model: UNet, x: torch.Tensor, data: Prepared, rows: slice, leads: tuple[str, ...]) -> torch.Tensor:
    if not model.spec.any_electrode:
        return regressors(model, x, leads)
    channels = measured(data.x[rows, : x.shape[-1]], leads).transpose(0, 2, 1)
    return regressors(model, x, leads, torch.from_numpy(np.ascontiguousarray(channels)))


@torch.no_grad()
def _interval(model: UNet, data: Prepared, leads: tuple[str, ...]) -> tuple[Float32Array, float]:
    """Factor per basis lead so that mean ± factor × scale covers `figures.LEVEL`, and the settling time."""
    spec, ratios, square = model.spec, [], []
    hidden = [BASIS.index(lead) for lead in missing_basis(leads)]
    for k in range(0, len(data), BATCH):
        x = _tensor(model, data, slice(k, k + BATCH), leads)
        mean, log_scale = (t.numpy().transpose(0, 2, 1)[:, spec.lookahead :] for t in model(x))
        error = mean - np.asarray(data.x[k : k + BATCH, : mean.shape[1]])
        ratio = np.abs(error) / np.exp(log_scale)
        ratios.append(ratio[:, round(SCORED_FROM_S * spec.fs) :: 4].reshape(-1, len(BASIS)))
        square.append((error[:, :, hidden].astype(np.float64) ** 2).mean(axis=2).sum(axis=0))
    factors = np.quantile(np.concatenate(ratios), LEVEL, axis=0)
    return factors.astype(np.float32), settling_of(np.sqrt(np.sum(square, axis=0) / len(data)), spec.fs)
