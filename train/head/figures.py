"""What the model file needs beside the weights: moments, interval, baselines, settling time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ecg_edge.device.lead_algebra import BASIS
from ecg_edge.firmware_bridge.array_types import Float32Array, FloatArray
from ecg_edge.firmware_bridge.errors import CheckpointError
from ecg_edge.firmware_bridge.progress import Progress
from ecg_edge.train.data.prepare import SCORED_FROM_S, Prepared
from ecg_edge.train.head import ridge
from ecg_edge.train.head.design import inputs, regressors
from ecg_edge.train.network.unet import UNet

LEVEL = 0.9
BATCH = 128
_MAX_SETTLING_S = 2.0


@dataclass(frozen=True)
class HeadFigures:
    """Figures measured once after training.

    Attributes
    ----------
    moments : ndarray of float32, shape (n_regressors, n_regressors)
        Mean outer product of the head's regressors over the training records.
    interval_factors : ndarray of float32, shape (n_targets,)
        Calibrated on the validation records for `LEVEL`.
    settling_s : float
        Measured on the validation records.
    ridge : dict of str to ndarray
        Weights per number of taps, fitted on the training records.
    shrink : ndarray of float32, shape (n_regressors, n_targets), or None
        See `shrinkage.learn`.
    """

    moments: Float32Array
    interval_factors: Float32Array
    settling_s: float
    ridge: dict[str, Float32Array]
    shrink: Float32Array | None = None

    def save(self, path: Path) -> None:
        """Write as npz."""
        optional = {f"ridge_{k}": v for k, v in self.ridge.items()}
        if self.shrink is not None:
            optional["shrink"] = self.shrink
        np.savez(
            path,
            moments=self.moments,
            interval_factors=self.interval_factors,
            settling_s=np.float64(self.settling_s),
            **optional,  # type: ignore[arg-type]
        )

    @classmethod
    def load(cls, path: Path) -> HeadFigures:
        """Read what `save` wrote.

        Raises
        ------
        CheckpointError
            Missing or damaged.
        """
        with arrays_of(path) as z:
            names = [k for k in z.files if k.startswith("ridge_")]
            return cls(
                z["moments"],
                z["interval_factors"],
                float(z["settling_s"]),
                {k.removeprefix("ridge_"): z[k] for k in names},
                z["shrink"] if "shrink" in z.files else None,
            )


@contextmanager
def arrays_of(path: Path) -> Iterator[Any]:
    """Open an npz file of figures while it is read.

    Raises
    ------
    CheckpointError
        Missing or damaged, or what is read from it is not there.
    """
    try:
        with np.load(path, allow_pickle=False) as z:
            yield z
    except (OSError, ValueError, KeyError) as e:
        raise CheckpointError(
            f"the run has no usable {path.name}: {e}", "let training finish: ecg-edge train … --resume"
        ) from e


def finalise(model: UNet, train: Prepared, validation: Prepared) -> HeadFigures:
    """Measure everything a model file says beside the weights."""
    from ecg_edge.train.head import shrinkage

    spec = model.spec
    weights = {str(t): ridge.fit(train, spec.input_leads, spec.target_leads, spec.fs, t) for t in ridge.TAPS}
    moments = _moments(model, train)
    factors, settling = _interval_and_settling(model, validation)
    return HeadFigures(moments, factors, settling, weights, shrinkage.learn(model, train, moments))


def gram_of(rows: torch.Tensor) -> tuple[FloatArray, int]:
    """Sum of the outer products of regressors of shape (batch, time, n_regressors), and their number."""
    a = rows.reshape(-1, rows.shape[-1]).numpy()
    return (a.T @ a).astype(np.float64), len(a)


def _batches(data: Prepared) -> list[slice]:
    return [slice(k, k + BATCH) for k in range(0, len(data), BATCH)]


def _moments(model: UNet, data: Prepared) -> Float32Array:
    skip = round(SCORED_FROM_S * model.spec.fs) + model.spec.lookahead
    total: FloatArray | None = None
    count = 0
    with Progress("second moments", len(data)) as progress:
        for rows in _batches(data):
            gram, n = gram_of(regressors(model, inputs(model, data, rows))[:, skip:])
            total = gram if total is None else total + gram
            count += n
            progress.step(min(BATCH, len(data) - rows.start))
    assert total is not None
    return (total / count).astype(np.float32)


@torch.no_grad()
def _interval_and_settling(model: UNet, data: Prepared) -> tuple[Float32Array, float]:
    """Factor per target so that mean ± factor × scale covers `LEVEL`; time until the error has settled."""
    spec = model.spec
    late, columns = spec.lookahead, [BASIS.index(lead) for lead in spec.target_leads]
    ratios, square = [], []
    for rows in _batches(data):
        x = inputs(model, data, rows)
        mean, log_scale = model(x)
        truth = data.x[rows, : x.shape[-1] - late][:, :, columns]
        error = mean.numpy().transpose(0, 2, 1)[:, late:] - truth
        ratio = np.abs(error) / np.exp(log_scale.numpy().transpose(0, 2, 1)[:, late:])
        skip = round(SCORED_FROM_S * spec.fs)
        ratios.append(ratio[:, skip::4].reshape(-1, len(columns)))
        square.append((error.astype(np.float64) ** 2).mean(axis=2).sum(axis=0))
    factors = np.quantile(np.concatenate(ratios), LEVEL, axis=0).astype(np.float32)
    return factors, settling_of(np.sqrt(np.sum(square, axis=0) / len(data)), spec.fs)


def settling_of(rms: FloatArray, fs: int) -> float:
    """First time after which the error, averaged over half a second, stays within 5 % of its later mean."""
    width = fs // 2
    smooth = np.sqrt(np.convolve(rms**2, np.ones(width) / width, mode="valid"))
    steady = float(np.sqrt((rms[5 * fs :] ** 2).mean())) if len(rms) > 6 * fs else float(rms.mean())
    early = smooth[: round(_MAX_SETTLING_S * fs)]
    above = np.flatnonzero(early > 1.05 * steady)
    return float(min(_MAX_SETTLING_S, (int(above[-1]) + 1 + width // 2) / fs)) if len(above) else 0.0
