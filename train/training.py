"""The training loop: one process, one device, resumable bit for bit at every epoch."""

from __future__ import annotations

import copy
import json
import math
import pickle
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ecg_edge.device.leads import BASIS, missing_basis
from ecg_edge.device.progress import Progress
from ecg_edge.firmware_bridge.errors import CheckpointError, EcgEdgeError
from ecg_edge.train import augment, metrics, subsets
from ecg_edge.train.augment import Augmentation
from ecg_edge.train.network import NetSpec, Reconstructor, adopt
from ecg_edge.train.prepare import Prepared

SCORED_FROM_S = 2.0


@dataclass(frozen=True)
class TrainSpec:
    """How to train.

    Attributes
    ----------
    epochs, batch, lr, weight_decay, seed
        As usual; the rate follows one cycle (a tenth of the steps up, cosine down).
    crop : int
        Samples of each record seen per epoch, cut at random: every crop is a cold start.
    warmup_samples : int
        Samples after the cold start that do not count in the loss.
    r_weight : float
        Weight of ``1 - r`` beside the RMSE.
    gain, band, noise_mv, colour, shift : float
        See `augment.Augmentation`.
    ema : float
        Decay of the averaged weights that are validated and kept.
    """

    epochs: int = 20
    batch: int = 64
    lr: float = 4e-3
    weight_decay: float = 0.02
    seed: int = 0
    crop: int = 800
    warmup_samples: int = 60
    r_weight: float = 0.15
    gain: float = 0.25
    band: float = 0.25
    noise_mv: float = 0.02
    colour: float = 1.0
    shift: float = 0.0
    ema: float = 0.999

    @property
    def augmentation(self) -> Augmentation:
        """What is done to each crop."""
        return Augmentation(self.gain, self.band, self.noise_mv, self.colour, self.shift)

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionary for a checkpoint."""
        return asdict(self)

    @classmethod
    def from_dict(cls, d: dict[str, Any]) -> TrainSpec:
        """Read back what `to_dict` wrote."""
        if unknown := set(d) - {f.name for f in fields(cls)}:
            raise CheckpointError(f"unknown training settings {sorted(unknown)}", "train again with this version")
        return cls(**d)


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
    """

    inputs: Tensor
    truth: Tensor
    wanted: Tensor | None


def loss_of(mean: Tensor, log_scale: Tensor, truth: Tensor, r_weight: float, wanted: Tensor | None = None) -> Tensor:
    """Training loss of one batch.

    Parameters
    ----------
    mean, log_scale, truth : Tensor of shape (batch, target, time)
        Aligned and cut to the scored stretch; mV.
    r_weight : float
        Weight of ``1 - r``.
    wanted : Tensor of shape (batch, target), optional
        Weight of each record's leads.

    Returns
    -------
    Tensor
        Mean over records and leads of the per-record RMSE (in units of 0.1 mV) and of ``1 - r``, plus
        the Gaussian negative log-likelihood of the scale with the mean held fixed.
    """
    error = mean - truth
    rmse = (error.square().mean(-1) + 1e-6).sqrt()
    tc, mc = truth - truth.mean(-1, keepdim=True), mean - mean.mean(-1, keepdim=True)
    r = (tc * mc).sum(-1) / (tc.square().sum(-1) * mc.square().sum(-1) + 1e-3).sqrt()
    nll = (0.5 * (error.detach() * torch.exp(-log_scale)).square() + log_scale).mean(-1)
    each = 10 * rmse + 10 * r_weight * (1 - r) + 0.1 * nll
    return each.mean() if wanted is None else (each * wanted).sum() / wanted.sum()


class Trainer:
    """Trains one network and writes its run folder.

    Parameters
    ----------
    net, spec : NetSpec, TrainSpec
        What and how.
    train, validation : Prepared
        Conditioned records.
    out : Path
        Run folder: ``last.pt`` after every epoch, ``best.pt`` (by RMSE on the validation
        records), ``history.jsonl``.
    """

    def __init__(self, net: NetSpec, spec: TrainSpec, train: Prepared, validation: Prepared, out: Path) -> None:
        self.net, self.spec, self.out = net, spec, out
        self._train, self._validation = train, validation
        self._leads = net.input_leads if net.any_lead else (*net.input_leads, *net.target_leads)
        self._columns = [BASIS.index(lead) for lead in self._leads]
        torch.manual_seed(spec.seed)
        self.model = Reconstructor(net).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.model).eval()
        decay = [p for p in self.model.parameters() if p.ndim > 1]
        plain = [p for p in self.model.parameters() if p.ndim <= 1]
        self._optimizer = torch.optim.AdamW(
            [{"params": decay, "weight_decay": spec.weight_decay}, {"params": plain, "weight_decay": 0.0}],
            lr=spec.lr,
        )
        self._steps_per_epoch = max(1, len(train) // spec.batch)
        self.epoch = 0
        self.best = math.inf

    def start_from(self, source: Reconstructor) -> None:
        """Take over the weights of a network trained on other leads."""
        for model in (self.model, self.average):
            adopt(model, source)

    def fit(self, report: Callable[[dict[str, Any]], None]) -> None:
        """Run the remaining epochs; call `report` with each epoch's figures.

        Raises
        ------
        EcgEdgeError
            The loss became NaN. The last checkpoint is intact.
        """
        while self.epoch < self.spec.epochs:
            start = time.monotonic()
            loss = self._run_epoch()
            self.epoch += 1
            summary = self.validate()
            row = {
                "epoch": self.epoch,
                "loss": loss,
                "seconds": round(time.monotonic() - start, 1),
                **summary,
            }
            best = summary["mean"]["rmse_mv"] < self.best
            self.best = min(self.best, summary["mean"]["rmse_mv"])
            self.save(self.out / "last.pt")
            if best:
                self.save(self.out / "best.pt")
            with (self.out / "history.jsonl").open("a") as f:
                f.write(json.dumps(row) + "\n")
            report(row)

    def _run_epoch(self) -> float:
        rng = np.random.default_rng([self.spec.seed, self.epoch])
        order = rng.permutation(len(self._train))
        self.model.train()
        total = 0.0
        with Progress(f"epoch {self.epoch + 1}/{self.spec.epochs}", self._steps_per_epoch) as progress:
            for k in range(self._steps_per_epoch):
                rows = order[k * self.spec.batch : (k + 1) * self.spec.batch]
                total += self._step(self._batch(rows, rng), self.epoch * self._steps_per_epoch + k)
                progress.step(note=f"loss {total / (k + 1):.4f}")
        return total / self._steps_per_epoch

    def _batch(self, rows: npt.NDArray[np.int64], rng: np.random.Generator) -> Batch:
        """Crops of the given records, augmented."""
        crop = min(self.spec.crop, self._train.x.shape[1]) // self.net.hop * self.net.hop
        starts = rng.integers(0, self._train.x.shape[1] - crop + 1, len(rows))
        x = np.stack([self._train.x[r, s : s + crop] for r, s in zip(rows, starts, strict=True)])
        x = np.ascontiguousarray(x[:, :, self._columns].transpose(0, 2, 1), dtype=np.float32)
        how, fs, n_in = self.spec.augmentation, self.net.fs, len(self.net.input_leads)
        x = augment.recorded(x, fs, how, rng)
        inputs = augment.measured(x, self._leads, n_in, fs, how, rng)
        if self.net.any_lead:
            drawn = subsets.draw(len(x), crop, rng)
            inputs = np.concatenate([inputs * drawn.masks, drawn.masks], axis=1)
            return Batch(torch.from_numpy(inputs), torch.from_numpy(x), torch.from_numpy(drawn.wanted))
        return Batch(torch.from_numpy(inputs), torch.from_numpy(x[:, n_in:]), None)

    def _step(self, batch: Batch, step: int) -> float:
        for group in self._optimizer.param_groups:
            group["lr"] = self.spec.lr * self._rate(step)
        late, n = self.net.lookahead, batch.inputs.shape[-1]
        mean, log_scale = self.model(batch.inputs)
        scored = slice(self.spec.warmup_samples, n - late)
        shifted = slice(scored.start + late, n)
        loss = loss_of(
            mean[..., shifted], log_scale[..., shifted], batch.truth[..., scored], self.spec.r_weight, batch.wanted
        )
        value = float(loss.detach())
        if not math.isfinite(value):
            raise EcgEdgeError(
                f"the loss is {value} at step {step}; last.pt holds the epoch before",
                "train again with a lower rate and another --out: --set lr=1e-3",
            )
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 5.0)
        self._optimizer.step()
        self._update_average(step)
        return value

    def _rate(self, step: int) -> float:
        """One cycle: linear to 1 over the first tenth, then half a cosine down to 1/500."""
        total = self._steps_per_epoch * self.spec.epochs
        rise = max(1, total // 10)
        if step < rise:
            return 0.04 + 0.96 * step / rise
        return 0.002 + 0.998 * 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, total - rise)))

    @torch.no_grad()
    def _update_average(self, step: int) -> None:
        decay = min(self.spec.ema, (1 + step) / (10 + step))
        for a, b in zip(self.average.state_dict().values(), self.model.state_dict().values(), strict=True):
            if a.is_floating_point():
                a.lerp_(b, 1 - decay)
            else:
                a.copy_(b)

    def validate(self) -> dict[str, Any]:
        """Figures of the averaged weights on the validation records, from 2.0 s on.

        An any-lead network is validated on the specialists' lead sets; its mean is over those.
        """
        if not self.net.any_lead:
            return self._figures(self.net.input_leads)
        each = {"+".join(leads): self._figures(leads) for leads in subsets.SPECIALISTS}
        mean = {k: float(np.mean([s["mean"][k] for s in each.values()])) for k in ("rmse_mv", "r", "mse_mv2")}
        return {
            "records": len(self._validation),
            "leads": {name: s["mean"] for name, s in each.items()},
            "mean": mean,
            "subsets": each,
        }

    def _figures(self, leads: tuple[str, ...]) -> dict[str, Any]:
        parts, mask = [], subsets.mask_of(leads)
        scored = slice(round(SCORED_FROM_S * self.net.fs), None)
        hidden = missing_basis(leads)
        outputs = [self.net.target_leads.index(lead) for lead in hidden]
        columns = [BASIS.index(lead) for lead in hidden]
        for k in range(0, len(self._validation), 256):
            x = np.asarray(self._validation.x[k : k + 256])
            seen = x[:, :, [BASIS.index(lead) for lead in self.net.input_leads]]
            if self.net.any_lead:
                seen = np.concatenate([seen * mask, np.broadcast_to(mask, seen.shape)], axis=2)
            estimate = reconstruct(self.average, seen)[:, :, outputs]
            parts.append(metrics.figures(x[:, : estimate.shape[1], columns][:, scored], estimate[:, scored], hidden))
        return metrics.concatenate(parts).summary()

    def save(self, path: Path) -> None:
        """Write a checkpoint by renaming: a killed process leaves the one before."""
        part = path.with_suffix(".part")
        torch.save(
            {
                "net": self.net.to_dict(),
                "spec": self.spec.to_dict(),
                "epoch": self.epoch,
                "best": self.best,
                "model": self.model.state_dict(),
                "average": self.average.state_dict(),
                "optimizer": self._optimizer.state_dict(),
            },
            part,
        )
        part.replace(path)

    def load(self, path: Path) -> None:
        """Continue from a checkpoint of the same settings."""
        state = read_checkpoint(path)
        if NetSpec.from_dict(state["net"]) != self.net or TrainSpec.from_dict(state["spec"]) != self.spec:
            raise CheckpointError(f"{path} was trained with other settings", "give the same settings, or another --out")
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self._optimizer.load_state_dict(state["optimizer"])
        self.epoch, self.best = state["epoch"], state["best"]


@torch.no_grad()
def reconstruct(model: Reconstructor, x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Estimate the missing leads of whole records.

    Parameters
    ----------
    model : Reconstructor
        In evaluation mode.
    x : ndarray of shape (n_records, n_samples, n_inputs)
        Conditioned, in mV.

    Returns
    -------
    ndarray of shape (n_records, m, n_targets)
        Row ``t`` belongs to input row ``t``; the last rows, whose future is not there, are left out.
    """
    hop, late = model.spec.hop, model.spec.lookahead
    n = x.shape[1] // hop * hop
    mean, _ = model(torch.from_numpy(np.ascontiguousarray(x[:, :n].transpose(0, 2, 1))))
    return np.asarray(mean.numpy().transpose(0, 2, 1)[:, late:])


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Load a checkpoint written by `Trainer.save`, without unpickling code.

    Raises
    ------
    CheckpointError
        Missing, truncated, or not ours.
    """
    if not path.is_file():
        raise CheckpointError(f"no checkpoint {path}", "train first: ecg-edge train --out RUN")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, OSError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as e:
        raise CheckpointError(f"cannot read {path}: {e}", "use last.pt or train again") from e
    if not isinstance(state, dict) or not {"net", "spec", "average", "epoch"} <= state.keys():
        raise CheckpointError(f"{path} is not a checkpoint of ecg-edge", "give the run folder or its best.pt")
    return state


def load_model(run: Path) -> Reconstructor:
    """The averaged network of a run folder (``best.pt``) or of a checkpoint file, ready for evaluation."""
    path = run if run.is_file() else run / "best.pt"
    state = read_checkpoint(path)
    model = Reconstructor(NetSpec.from_dict(state["net"]))
    try:
        model.load_state_dict(state["average"])
    except RuntimeError as e:
        raise CheckpointError(f"{path} does not fit its own description: {e}", "train again") from e
    return model.eval()
