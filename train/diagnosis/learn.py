"""Training of a judge: one cycle of AdamW over crops of the records, averaged weights, resumable at every epoch."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ecg_edge.device.lead_algebra import BASIS
from ecg_edge.firmware_bridge.array_types import Float32Array
from ecg_edge.firmware_bridge.errors import CheckpointError
from ecg_edge.train.diagnosis.judge import Judge, JudgeSpec
from ecg_edge.train.runs.checkpoints import write_checkpoint

_BATCH_JUDGED = 256


@dataclass(frozen=True)
class LearnSpec:
    """How a judge is trained.

    Attributes
    ----------
    epochs, batch, lr, weight_decay, seed
        As usual; a tenth of the steps up, then half a cosine down.
    crop : int
        Samples of each record seen per epoch, cut at random.
    gain : float
        Records are scaled by up to this share, as by other recorders.
    noise_mv : float
        White noise of an RMS up to this.
    drop_lead : float
        Probability that a lead is silent in a record.
    ema : float
        Decay of the averaged weights.
    """

    epochs: int = 15
    batch: int = 128
    lr: float = 3e-3
    weight_decay: float = 0.05
    seed: int = 0
    crop: int = 700
    gain: float = 0.15
    noise_mv: float = 0.02
    drop_lead: float = 0.05
    ema: float = 0.998


@dataclass(frozen=True)
class Lessons:
    """Records and what is said of them, on the device that trains.

    Attributes
    ----------
    x : Tensor of shape (n_records, 8, n_samples)
        Basis leads, in steps of `scale` mV; of any number type.
    said : Tensor of shape (n_records, 5)
        See `labels.labels`.
    scale : float
        mV a step.
    """

    x: Tensor
    said: Tensor
    scale: float = 1.0

    def __len__(self) -> int:
        return len(self.x)


class JudgeTrainer:
    """Trains one judge; ``NAME.last.pt`` after every epoch, ``NAME.pt`` at the end.

    Parameters
    ----------
    spec, how : JudgeSpec, LearnSpec
        What and how.
    lessons : Lessons
        Training records.
    out : Path
        File of the judge.
    """

    def __init__(self, spec: JudgeSpec, how: LearnSpec, lessons: Lessons, out: Path) -> None:
        self.spec, self.how, self.out = spec, how, out
        self._lessons = lessons
        self._device = lessons.x.device
        torch.manual_seed(how.seed)
        self.judge = Judge(spec).to(self._device)
        self.average = copy.deepcopy(self.judge).eval()
        decay = [p for p in self.judge.parameters() if p.ndim > 1]
        plain = [p for p in self.judge.parameters() if p.ndim <= 1]
        groups = [{"params": decay, "weight_decay": how.weight_decay}, {"params": plain, "weight_decay": 0.0}]
        self._optimizer = torch.optim.AdamW(groups, lr=how.lr)
        self._steps = max(1, len(lessons) // how.batch)
        self.epoch = 0
        if self._last.is_file():
            self._resume()

    @property
    def _last(self) -> Path:
        return self.out.with_suffix(".last.pt")

    def fit(self, report: Callable[[int, float], None], seconds: float = math.inf) -> Judge:
        """Run the remaining epochs; the rate falls to nothing after `seconds` even if epochs are left.

        Parameters
        ----------
        report : callable
            Called with each epoch and its loss.
        seconds : float
            Time there is.
        """
        start = time.monotonic()
        while self.epoch < self.how.epochs:
            loss = self._run_epoch(lambda: (time.monotonic() - start) / seconds)
            self.epoch += 1
            going_on = {"model": self.judge.state_dict(), "optimizer": self._optimizer.state_dict()}
            write_checkpoint(self._last, self._state() | going_on)
            report(self.epoch, loss)
            if time.monotonic() - start > seconds:
                break
        write_checkpoint(self.out, self._state())
        self._last.unlink(missing_ok=True)
        return self.average

    def _run_epoch(self, spent: Callable[[], float]) -> float:
        self.judge.train()
        rng = np.random.default_rng([self.how.seed, self.epoch])
        order = torch.from_numpy(rng.permutation(len(self._lessons))).to(self._device)
        noise = torch.Generator(self._device).manual_seed(int(rng.integers(2**31)))
        torch.manual_seed(int(rng.integers(2**31)))  # dropout draws from torch's own
        total = torch.zeros((), device=self._device)
        for k in range(self._steps):
            step = self.epoch * self._steps + k
            done = max(step / (self._steps * self.how.epochs), min(1.0, spent()))
            for group in self._optimizer.param_groups:
                group["lr"] = self.how.lr * rate(done)
            total += self._step(order[k * self.how.batch : (k + 1) * self.how.batch], rng, noise, step)
        return float(total) / self._steps

    def _step(self, rows: Tensor, rng: np.random.Generator, noise: torch.Generator, step: int) -> Tensor:
        x = self._crops(rows, rng, noise)
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._device.type == "cuda"):
            logits = self.judge(x)
        loss = F.binary_cross_entropy_with_logits(logits.float(), self._lessons.said[rows])
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.judge.parameters(), 1.0)
        self._optimizer.step()
        self._update_average(min(self.how.ema, (1 + step) / (10 + step)))
        return loss.detach()

    def _crops(self, rows: Tensor, rng: np.random.Generator, noise: torch.Generator) -> Tensor:
        """Records as other recorders would show them; one cut for the whole batch."""
        how, n = self.how, self._lessons.x.shape[-1]
        crop = min(how.crop, n)
        start = int(rng.integers(n - crop + 1))
        x = self._lessons.x[rows, :, start : start + crop].float() * self._lessons.scale
        x = x[:, [BASIS.index(lead) for lead in self.spec.leads]]

        def uniform(*shape: int) -> Tensor:
            return torch.rand(shape, generator=noise, device=self._device)

        size = (len(x), 1, 1)
        white = torch.randn(x.shape, generator=noise, device=self._device)
        x = x * torch.exp((2 * uniform(*size) - 1) * math.log1p(how.gain)) + how.noise_mv * uniform(*size) * white
        kept: Tensor = uniform(len(x), x.shape[1], 1) >= (how.drop_lead if x.shape[1] > 2 else 0.0)
        return x * kept

    @torch.no_grad()
    def _update_average(self, decay: float) -> None:
        pairs = list(zip(self.average.state_dict().values(), self.judge.state_dict().values(), strict=True))
        moving = [(a, b) for a, b in pairs if a.is_floating_point()]
        torch._foreach_lerp_([a for a, _ in moving], [b for _, b in moving], 1 - decay)  # on a GPU, one launch for all
        for a, b in pairs:
            if not a.is_floating_point():
                a.copy_(b)

    def _state(self) -> dict[str, Any]:
        return {
            "judge": self.spec.to_dict(),
            "learn": asdict(self.how),
            "epoch": self.epoch,
            "average": self.average.state_dict(),
        }

    def _resume(self) -> None:
        state = _read(self._last)
        if JudgeSpec.from_dict(state["judge"]) != self.spec or state["learn"] != asdict(self.how):
            raise CheckpointError(f"{self._last} was trained with other settings", "give another folder")
        self.judge.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self._optimizer.load_state_dict(state["optimizer"])
        self.epoch = state["epoch"]


def rate(done: float) -> float:
    """Share of the highest rate when a share `done` of the work is done: a tenth up, then half a cosine down."""
    if done < 0.1:
        return 0.04 + 9.6 * done
    return 0.001 + 0.999 * 0.5 * (1 + math.cos(math.pi * min(1.0, (done - 0.1) / 0.9)))


def load_judge(path: Path) -> Judge:
    """Read a trained judge, ready to judge.

    Raises
    ------
    CheckpointError
        Missing, damaged or no judge.
    """
    state = _read(path)
    judge = Judge(JudgeSpec.from_dict(state["judge"]))
    try:
        judge.load_state_dict(state["average"])
    except RuntimeError as e:
        raise CheckpointError(f"{path} does not fit its own description: {e}", "train the judge again") from e
    return judge.eval()


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise CheckpointError(f"no judge {path}", "train it: ecg-edge reproduce diagnosis")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as e:  # torch raises whatever the damaged bytes lead it to
        raise CheckpointError(f"cannot read {path}: {e}", "delete it and train again") from e
    if not isinstance(state, dict) or not {"judge", "average", "epoch"} <= state.keys():
        raise CheckpointError(f"{path} is no judge of ecg-edge", "delete it and train again")
    return state


@torch.no_grad()
def probabilities(judge: Judge, x: Float32Array, first: int) -> Float32Array:
    """What a judge says of records, shape (n_records, 5).

    Parameters
    ----------
    judge : Judge
        In evaluation mode.
    x : ndarray of shape (n_records, n_samples, 8)
        Basis leads in mV.
    first : int
        Sample from which it looks.
    """
    device = next(judge.parameters()).device
    columns = [BASIS.index(lead) for lead in judge.spec.leads]
    found = []
    for k in range(0, len(x), _BATCH_JUDGED):
        part = np.ascontiguousarray(x[k : k + _BATCH_JUDGED, first:, columns].transpose(0, 2, 1))
        found.append(torch.sigmoid(judge(torch.from_numpy(part).to(device))).cpu().numpy())
    return np.concatenate(found)
