"""What the model file needs beside the weights: moments, interval, baselines, settling time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from ecg_edge.device.leads import BASIS
from ecg_edge.device.progress import Progress
from ecg_edge.firmware_bridge.errors import CheckpointError
from ecg_edge.train import ridge
from ecg_edge.train.network import NetSpec, Reconstructor
from ecg_edge.train.prepare import Prepared

LEVEL = 0.9
BATCH = 128
SCORED_FROM_S = 2.0
_MAX_SETTLING_S = 2.0


@dataclass(frozen=True)
class Calibration:
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

    moments: npt.NDArray[np.float32]
    interval_factors: npt.NDArray[np.float32]
    settling_s: float
    ridge: dict[str, npt.NDArray[np.float32]]
    shrink: npt.NDArray[np.float32] | None = None

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
    def load(cls, path: Path) -> Calibration:
        """Read what `save` wrote.

        Raises
        ------
        CheckpointError
            Missing or damaged.
        """
        try:
            with np.load(path, allow_pickle=False) as z:
                names = [k for k in z.files if k.startswith("ridge_")]
                return cls(
                    z["moments"],
                    z["interval_factors"],
                    float(z["settling_s"]),
                    {k.removeprefix("ridge_"): z[k] for k in names},
                    z["shrink"] if "shrink" in z.files else None,
                )
        except (OSError, ValueError, KeyError) as e:
            raise CheckpointError(
                f"the run has no usable {path.name}: {e}", "let training finish: ecg-edge train … --resume"
            ) from e


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


def finalise(model: Reconstructor, train: Prepared, validation: Prepared) -> Calibration:
    """Measure everything a model file says beside the weights."""
    from ecg_edge.train import shrinkage  # it needs the regressors above

    spec = model.spec
    weights = {str(t): ridge.fit(train, spec.input_leads, spec.target_leads, spec.fs, t) for t in ridge.TAPS}
    moments = _moments(model, train)
    factors, settling = _interval_and_settling(model, validation)
    return Calibration(moments, factors, settling, weights, shrinkage.learn(model, train, moments))


def _batches(data: Prepared) -> list[slice]:
    return [slice(k, k + BATCH) for k in range(0, len(data), BATCH)]


def inputs(model: Reconstructor, data: Prepared, rows: slice) -> Tensor:
    """Inputs of records as the network takes them, shape (batch, lead, time), time a multiple of the hop."""
    columns = [BASIS.index(lead) for lead in model.spec.input_leads]
    n = data.x.shape[1] // model.spec.hop * model.spec.hop
    return torch.from_numpy(np.ascontiguousarray(data.x[rows, :n][:, :, columns].transpose(0, 2, 1)))


def _moments(model: Reconstructor, data: Prepared) -> npt.NDArray[np.float32]:
    skip = round(SCORED_FROM_S * model.spec.fs) + model.spec.lookahead
    total: npt.NDArray[np.float64] | None = None
    count = 0
    with Progress("second moments", len(data)) as progress:
        for rows in _batches(data):
            a = regressors(model, inputs(model, data, rows))[:, skip:].reshape(-1, _n_regressors(model)).numpy()
            part = (a.T @ a).astype(np.float64)
            total = part if total is None else total + part
            count += len(a)
            progress.step(min(BATCH, len(data) - rows.start))
    assert total is not None
    return (total / count).astype(np.float32)


def _n_regressors(model: Reconstructor) -> int:
    return model.spec.n_features + len(model.spec.input_leads) * model.n_taps + 1


@torch.no_grad()
def _interval_and_settling(model: Reconstructor, data: Prepared) -> tuple[npt.NDArray[np.float32], float]:
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


def settling_of(rms: npt.NDArray[np.float64], fs: int) -> float:
    """First time after which the error, averaged over half a second, stays within 5 % of its later mean."""
    width = fs // 2
    smooth = np.sqrt(np.convolve(rms**2, np.ones(width) / width, mode="valid"))
    steady = float(np.sqrt((rms[5 * fs :] ** 2).mean())) if len(rms) > 6 * fs else float(rms.mean())
    early = smooth[: round(_MAX_SETTLING_S * fs)]
    above = np.flatnonzero(early > 1.05 * steady)
    return float(min(_MAX_SETTLING_S, (int(above[-1]) + 1 + width // 2) / fs)) if len(above) else 0.0
