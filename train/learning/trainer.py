"""The training loop: one process or several, resumable bit for bit at every epoch."""

from __future__ import annotations

import copy
import errno
import io
import json
import math
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch

from ecg_edge.device.lead_algebra import BASIS, missing_basis
from ecg_edge.firmware_bridge.errors import CheckpointError, DiskFullError, EcgEdgeError, UsageError
from ecg_edge.firmware_bridge.progress import Progress
from ecg_edge.train.data.prepare import SCORED_FROM_S, Prepared
from ecg_edge.train.evaluation import metrics
from ecg_edge.train.learning.batch_feed import Feed
from ecg_edge.train.learning.batches import Batch, loss_of
from ecg_edge.train.learning.feature_loss import lost_features, whole
from ecg_edge.train.learning.hardware import open_fabric, share_batch_norms
from ecg_edge.train.learning.spread_loss import lost_spread
from ecg_edge.train.learning.train_spec import MAY_CHANGE, TrainSpec
from ecg_edge.train.network import lead_subsets as subsets
from ecg_edge.train.network.inputs import seen_by
from ecg_edge.train.network.placement_draw import PLACES
from ecg_edge.train.network.unet import NetSpec, UNet, adopt
from ecg_edge.train.runs.checkpoints import read_checkpoint, reconstruct, write_checkpoint

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from ecg_edge.train.diagnosis.judge import Judge


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
    fabric : Fabric, optional
        See `hardware.open_fabric`; one process on the processor unless told.
    workers : int
        Processes that draw batches ahead, see `batch_feed.Feed`.
    judge : Judge, optional
        Whose features `TrainSpec.diagnosis` weighs.
    """

    def __init__(
        self,
        net: NetSpec,
        spec: TrainSpec,
        train: Prepared,
        validation: Prepared,
        out: Path,
        fabric: Fabric | None = None,
        workers: int = 0,
        judge: Judge | None = None,
    ) -> None:
        if spec.diagnosis and judge is None:
            raise UsageError("diagnosis weighs what a judge sees, and there is none", "give a judge, or no diagnosis")
        self.net, self.spec, self.out = net, spec, out
        self.fabric = fabric or open_fabric()
        self._train, self._validation = train, validation
        self._judge = judge.to(self.fabric.device) if judge is not None and spec.diagnosis else None
        if spec.batch % self.fabric.world_size:
            raise UsageError(
                f"a batch of {spec.batch} cannot be shared by {self.fabric.world_size} processes",
                "give a multiple: --set batch=64",
            )
        torch.manual_seed(spec.seed)
        self.model: torch.nn.Module = self.build().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if self.fabric.world_size > 1:
            share_batch_norms(self.model)
        self.average = copy.deepcopy(self.model).eval().to(self.fabric.device)
        self._start: torch.nn.Module | None = None
        decay = [p for p in self.model.parameters() if p.ndim > 1]
        plain = [p for p in self.model.parameters() if p.ndim <= 1]
        self._optimizer = torch.optim.AdamW(
            [{"params": decay, "weight_decay": spec.weight_decay}, {"params": plain, "weight_decay": 0.0}],
            lr=spec.lr,
        )
        self._module, self._stepper = self.fabric.setup(self.model, self._optimizer)
        self._feed = Feed(train, net, spec, workers)
        if self._feed.covariance is not None:
            for model in (self.model, self.average):
                model.get_buffer("covariance").copy_(torch.from_numpy(self._feed.covariance))
        self._steps_per_epoch = self._feed.steps
        self.epoch, self.best, self.best_epoch = 0, math.inf, 0

    def build(self) -> torch.nn.Module:
        """A fresh network."""
        return UNet(self.net)

    @property
    def out_of_patience(self) -> bool:
        """Whether the validation figures have not become better for long enough to stop."""
        return 0 < self.spec.patience <= self.epoch - self.best_epoch

    def start_from(self, source: UNet) -> None:
        """Take over the weights of another network, perhaps one trained on other leads."""
        for model in (self.model, self.average):
            assert isinstance(model, UNet)
            adopt(model, source)
        if self.spec.keep:
            self._start = copy.deepcopy(self.average)

    @property
    def kept(self) -> UNet:
        """The network that is validated and kept: the averaged weights, with `TrainSpec.keep` of the starting ones."""
        if self._start is None:
            return cast(UNet, self.average)
        between = copy.deepcopy(self._start)
        _approach(between, self.average, 1 - self.spec.keep)
        return cast(UNet, between)

    def fit(self, report: Callable[[dict[str, Any]], None]) -> None:
        """Run the remaining epochs; call `report` with each epoch's figures.

        Raises
        ------
        EcgEdgeError
            The loss became NaN. The last checkpoint is intact.
        DiskFullError
            No space left for an epoch's files. The checkpoint before is intact.
        """
        for batches in self._feed.batches(self.epoch, self.spec.epochs):
            if self.out_of_patience:
                break
            start = time.monotonic()
            loss = self._run_epoch(batches)
            self.epoch += 1
            summary = self.fabric.broadcast(self.validate() if self.fabric.is_global_zero else None)
            assert summary is not None
            row = {
                "epoch": self.epoch,
                "loss": loss,
                "seconds": round(time.monotonic() - start, 1),
                "lr": self._optimizer.param_groups[0]["lr"],
                **summary,
            }
            better = summary["mean"]["rmse_mv"] < self.best
            if better:
                self.best, self.best_epoch = summary["mean"]["rmse_mv"], self.epoch
            if self.fabric.is_global_zero:
                self._keep(row, better)
            report(row)

    def _keep(self, row: dict[str, Any], better: bool) -> None:
        """Write what an epoch leaves behind, ``last.pt`` last: until then the epoch has not been."""
        try:
            if better:
                write_checkpoint(self.out / "best.pt", self._state() | {"average": self.kept.state_dict()})
            with (self.out / "history.jsonl").open("a") as f:
                f.write(json.dumps(row) + "\n")
            self.save(self.out / "last.pt")
        except OSError as e:
            if e.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise DiskFullError(
                f"no space left in {self.out}; last.pt holds epoch {self.epoch - 1}",
                "make room, then the same command with --resume auto",
            ) from e

    def _run_epoch(self, batches: Iterator[Batch]) -> float:
        self.model.train()
        total = 0.0
        stream = sys.stderr if self.fabric.is_global_zero else io.StringIO()
        with Progress(f"epoch {self.epoch + 1}/{self.spec.epochs}", self._steps_per_epoch, stream) as progress:
            for k, batch in enumerate(batches):
                # Every process draws the whole batch and takes its share: the same numbers for any count of them.
                mine = batch.part(self.fabric.global_rank, self.fabric.world_size).to(self.fabric.device)
                total += self._step(mine, self.epoch * self._steps_per_epoch + k)
                progress.step(note=f"loss {total / (k + 1):.4f}")
        return total / self._steps_per_epoch

    def _step(self, batch: Batch, step: int) -> float:
        for group in self._optimizer.param_groups:
            group["lr"] = self.spec.lr * self._rate(step)
        late, n = self.net.lookahead, batch.inputs.shape[-1]
        mean, log_scale = self._module(batch.inputs)
        scored = slice(self.spec.warmup_samples, n - late)
        shifted = slice(scored.start + late, n)
        truth = batch.truth[..., scored]
        taught = None if batch.taught is None else batch.taught[..., scored]
        loss = loss_of(
            mean[..., shifted], log_scale[..., shifted], truth, self.spec.r_weight, batch.wanted, batch.total, taught
        )
        if self.spec.spread and batch.beats is not None:
            lost = lost_spread(mean[..., shifted], truth, batch.beats[:, scored], self.net.fs, self.spec.spread_share)
            loss = loss + self.spec.spread * lost
        if self._judge is not None:
            seen = whole(self.net, batch.inputs[..., scored], truth)
            shown = self._shown(batch, mean[..., shifted], scored)
            loss = loss + self.spec.diagnosis * lost_features(self._judge, seen, shown)
        value = self._mean_over_processes(loss)
        if not math.isfinite(value):
            raise EcgEdgeError(
                f"the loss is {value} at step {step}; last.pt holds epoch {self.epoch}",
                "go on from there with a lower rate: the same command with --resume auto --set lr=1e-3",
            )
        self._stepper.zero_grad(set_to_none=True)
        self.fabric.backward(loss)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.spec.clip)
        self._stepper.step()
        self._update_average(step)
        return value

    def _shown(self, batch: Batch, mean: torch.Tensor, scored: slice) -> torch.Tensor:
        """What a judge is shown of the estimate: the eight basis leads, measured ones as they are."""
        if batch.wanted is not None:
            return torch.lerp(batch.truth[..., scored], mean, batch.wanted[:, :, None])
        return whole(self.net, batch.inputs[..., scored], mean)

    def _mean_over_processes(self, loss: torch.Tensor) -> float:
        value = loss.detach()
        if self.fabric.world_size > 1:
            value = self.fabric.all_reduce(value, reduce_op="mean")  # type: ignore[assignment]
        return float(value)

    def _rate(self, step: int) -> float:
        """One cycle: linear to 1 over the first tenth, then half a cosine down to 1/500."""
        total = self._steps_per_epoch * self.spec.epochs
        rise = max(1, total // 10)
        if step < rise:
            return 0.04 + 0.96 * step / rise
        return 0.002 + 0.998 * 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, total - rise)))

    def _update_average(self, step: int) -> None:
        _approach(self.average, self.model, 1 - min(self.spec.ema, (1 + step) / (10 + step)))

    def validate(self) -> dict[str, Any]:
        """Figures of the averaged weights on the validation records, from 2.0 s on.

        An any-lead network is validated on the specialists' lead sets, an any-electrode one on its listed places
        too; its mean is over those.
        """
        network = self.kept
        if not self.net.any_lead:
            return self._figures(network, self.net.input_leads)
        places = PLACES if self.net.any_electrode else ()
        each = {"+".join(names): self._figures(network, names) for names in (*subsets.SPECIALISTS, *places)}
        mean = {k: float(np.mean([s["mean"][k] for s in each.values()])) for k in ("rmse_mv", "r", "mse_mv2")}
        return {
            "records": len(self._validation),
            "leads": {name: s["mean"] for name, s in each.items()},
            "mean": mean,
            "subsets": each,
        }

    def _figures(self, network: UNet, channels: tuple[str, ...]) -> dict[str, Any]:
        parts = []
        scored = slice(round(SCORED_FROM_S * self.net.fs), None)
        hidden = missing_basis(channels)
        outputs = [self.net.target_leads.index(lead) for lead in hidden]
        columns = [BASIS.index(lead) for lead in hidden]
        for k in range(0, len(self._validation), 256):
            x = np.asarray(self._validation.x[k : k + 256])
            estimate = reconstruct(network, seen_by(network, x, channels))[:, :, outputs]
            parts.append(metrics.figures(x[:, : estimate.shape[1], columns][:, scored], estimate[:, scored], hidden))
        return metrics.concatenate(parts).summary()

    def save(self, path: Path) -> None:
        """Write a checkpoint by renaming: a killed process leaves the one before."""
        write_checkpoint(path, self._state())

    def _state(self) -> dict[str, Any]:
        """All that a run needs to go on."""
        state = {
            "net": self.net.to_dict(),
            "spec": self.spec.to_dict(),
            "epoch": self.epoch,
            "best": self.best,
            "best_epoch": self.best_epoch,
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self._optimizer.state_dict(),
        }
        return state if self._start is None else state | {"start": self._start.state_dict()}

    def load(self, path: Path) -> None:
        """Continue from a checkpoint of the same settings (but for `train_spec.MAY_CHANGE`).

        Raises
        ------
        CheckpointError
            Missing, damaged, or of other settings.
        """
        state = read_checkpoint(path)
        theirs = TrainSpec.from_dict(state["spec"])
        if NetSpec.from_dict(state["net"]) != self.net or not self.spec.continues(theirs):
            raise CheckpointError(
                f"{path} was trained with other settings",
                f"give the same settings (only {', '.join(MAY_CHANGE)} may change), or another --out",
            )
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self._optimizer.load_state_dict(state["optimizer"])
        if "start" in state:
            self._start = copy.deepcopy(self.average)
            self._start.load_state_dict(state["start"])
        self.epoch, self.best = state["epoch"], state["best"]
        self.best_epoch = state.get("best_epoch", self.epoch)
        if self.fabric.is_global_zero:
            self._forget_rows_beyond()

    def _forget_rows_beyond(self) -> None:
        """Take rows out of the history whose epoch has not been kept: it will run again."""
        file = self.out / "history.jsonl"
        if file.is_file():
            rows = [line for line in file.read_text().splitlines() if json.loads(line)["epoch"] <= self.epoch]
            file.write_text("".join(f"{line}\n" for line in rows))


@torch.no_grad()
def _approach(network: torch.nn.Module, other: torch.nn.Module, share: float) -> None:
    """Move all weights of `network` by a share of the way to those of another of its shape."""
    pairs = list(zip(network.state_dict().values(), other.state_dict().values(), strict=True))
    moving = [(a, b) for a, b in pairs if a.is_floating_point()]
    torch._foreach_lerp_([a for a, _ in moving], [b for _, b in moving], share)  # on a GPU, one launch for all
    for a, b in pairs:
        if not a.is_floating_point():
            a.copy_(b)
