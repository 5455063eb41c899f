"""The training of one network on a device, as one step of fixed shape that can be captured and replayed.

`Trainer` asks for each step's loss and draws its batches on the processor. On a GPU both cost more than the step
itself. Here a step draws, learns and averages without the processor. Many networks share one GPU, each on its own
stream (NVIDIA, "CUDA Graphs", CUDA C++ Programming Guide).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ecg_edge.device.lead_algebra import BASIS, missing_basis, of_basis
from ecg_edge.device.placement import guess_from
from ecg_edge.firmware_bridge.array_types import FloatArray
from ecg_edge.train.data.prepare import SCORED_FROM_S
from ecg_edge.train.gpu.draw import DeviceDraw, Drawn
from ecg_edge.train.gpu.live_teachers import Teacher, answer
from ecg_edge.train.learning.batches import loss_of
from ecg_edge.train.learning.spread_loss import lost_spread
from ecg_edge.train.learning.train_spec import TrainSpec
from ecg_edge.train.network.inputs import input_matrix
from ecg_edge.train.network.lead_subsets import SPECIALISTS
from ecg_edge.train.network.placement_draw import PLACES, Placements
from ecg_edge.train.network.unet import NetSpec, UNet, adopt

_WARM_STEPS = 4
Unseen = Callable[[Tensor, Tensor, Tensor], Tensor]


def rate(progress: float) -> float:
    """One cycle: linear to 1 over the first tenth, then half a cosine down to 1/500."""
    if progress < 0.1:
        return 0.04 + 9.6 * progress
    return 0.002 + 0.998 * 0.5 * (1 + math.cos(math.pi * min(1.0, (progress - 0.1) / 0.9)))


class DeviceTrainer:
    """Trains one network.

    Parameters
    ----------
    net, spec : NetSpec, TrainSpec
        What and how; `stretch` and `mixes` have no meaning here.
    x : Tensor of int16 or float32, shape (n_records, 8, n_samples)
        Training records on the device.
    step_mv : float
        Millivolts of one count of `x`.
    rows : ndarray of int64
        What an epoch shows: records, some of them perhaps several times.
    covariance : ndarray of shape (8, 8)
        Of the population in mV².
    init : UNet, optional
        Where it starts from.
    teachers : sequence of UNet
        Whose mean is learnt in place of the truth.
    unseen : callable, optional
        For `TrainSpec.diagnosis`: what a judge no longer sees, of the true and the estimated basis leads and each
        record's weight, see `feature_loss.lost_features`.
    pool : Placements, optional
        See `DeviceDraw`.
    layout : memory_format
        Of activations and weights; which is faster depends on the hardware.
    """

    def __init__(
        self,
        net: NetSpec,
        spec: TrainSpec,
        x: Tensor,
        step_mv: float,
        rows: npt.NDArray[np.int64],
        covariance: FloatArray,
        init: UNet | None = None,
        teachers: Sequence[UNet] = (),
        unseen: Unseen | None = None,
        pool: Placements | None = None,
        layout: torch.memory_format = torch.channels_last,
    ) -> None:
        device = x.device
        torch.manual_seed(spec.seed)
        self.net, self.spec, self.steps, self.losses = net, spec, 0, 0.0
        self.model = fresh(net, covariance)
        if init is not None:
            adopt(self.model, init)
        self.model.layout = layout
        self.model = self.model.to(device, memory_format=layout)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.model).eval()
        self._start = copy.deepcopy(self.average) if init is not None and spec.keep else None
        self._draw = DeviceDraw(x, step_mv, net, spec, covariance, pool)
        self._teachers = [Teacher(copy.deepcopy(t).to(device), net.input_leads) for t in teachers]
        self._unseen = unseen if spec.diagnosis else None
        self._targets = torch.tensor([BASIS.index(lead) for lead in net.target_leads], device=device)
        self._all, self._rng = np.asarray(rows, np.int64), np.random.default_rng(spec.seed)
        self.steps_per_epoch = max(1, len(rows) // spec.batch)
        self._order = torch.from_numpy(self._all).to(device)
        self._rows = torch.zeros(spec.batch, dtype=torch.int64, device=device)
        self._lr = torch.tensor(spec.lr * rate(0.0), device=device)
        self._share = torch.tensor(1.0, device=device)
        self._total = torch.zeros((), device=device)
        decay = [p for p in self.model.parameters() if p.ndim > 1]
        plain = [p for p in self.model.parameters() if p.ndim <= 1]
        groups = [{"params": decay, "weight_decay": spec.weight_decay}, {"params": plain, "weight_decay": 0.0}]
        fast: dict[str, Any] = {"fused": True, "capturable": True} if device.type == "cuda" else {}
        self._optimizer = torch.optim.AdamW(groups, lr=self._lr, **fast)
        pairs = zip(self.average.state_dict().values(), self.model.state_dict().values(), strict=True)
        moving = [(a, b) for a, b in pairs if a.is_floating_point() and a.dtype == torch.float32]
        self._averaged, self._trained = [a for a, _ in moving], [b for _, b in moving]
        self._graph: torch.cuda.CUDAGraph | None = None
        self.stream = torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]
        if self.stream is not None:
            torch.cuda.synchronize()  # what has been put on the device is there before the first step

    @property
    def epoch(self) -> float:
        """Epochs done."""
        return self.steps / self.steps_per_epoch

    def capture(self) -> None:
        """Record a step as a graph, after a few that are run as they are."""
        assert self.stream is not None
        torch.cuda.synchronize()
        with torch.cuda.stream(self.stream):
            for _ in range(_WARM_STEPS):
                self.step(0.0)
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=self.stream, capture_error_mode="thread_local"):
            self._once()
        self._graph = graph
        torch.cuda.synchronize()

    def step(self, progress: float) -> None:
        """Train on the next batch.

        Parameters
        ----------
        progress : float
            0 to 1: where in the rate's cycle.
        """
        k = self.steps % self.steps_per_epoch
        if k == 0:
            order = self._rng.permutation(self._all)
            self._order.copy_(torch.from_numpy(order), non_blocking=False)
        size = self.spec.batch
        self._rows.copy_(self._order[k * size : (k + 1) * size])
        self._lr.fill_(self.spec.lr * rate(progress))
        self._share.fill_(1 - min(self.spec.ema, (1 + self.steps) / (10 + self.steps)))
        if self._graph is None:
            self._once()
        else:
            self._graph.replay()
        self.steps += 1

    def mean_loss(self) -> float:
        """Mean loss since the last call; the processor waits for it."""
        value = float(self._total) / max(1, self.steps - int(self.losses))
        self._total.zero_()
        self.losses = self.steps
        return value

    def _once(self) -> None:
        self.model.train()
        self._optimizer.zero_grad(set_to_none=True)
        batch = self._draw.draw(self._rows)
        loss = self._loss(batch)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.model.parameters(), self.spec.clip, foreach=True)
        self._optimizer.step()
        with torch.no_grad():
            self._total += loss.detach()
            step = torch._foreach_sub(self._trained, self._averaged)
            torch._foreach_mul_(step, self._share)
            torch._foreach_add_(self._averaged, step)

    def _loss(self, batch: Drawn) -> Tensor:
        how, late, n = self.spec, self.net.lookahead, batch.inputs.shape[-1]
        mean, log_scale = self.model(batch.inputs)
        scored, shifted = slice(how.warmup_samples, n - late), slice(how.warmup_samples + late, n)
        mean, log_scale = mean[..., shifted], log_scale[..., shifted]
        basis = batch.basis[..., scored]
        truth = basis.index_select(1, self._targets)
        taught = answer(self._teachers, batch.inputs)[..., shifted] if self._teachers else None
        loss = loss_of(mean, log_scale, truth, how.r_weight, batch.wanted, None, taught, batch.sure)
        if how.spread and batch.beats is not None:
            loss = loss + how.spread * lost_spread(mean, truth, batch.beats[:, scored], self.net.fs, how.spread_share)
        if self._unseen is not None:
            there = batch.wanted[:, :, None]
            estimate = basis.index_copy(1, self._targets, mean * there + truth * (1 - there))
            loss = loss + how.diagnosis * self._unseen(basis, estimate, batch.sure[:, 0])
        return loss

    def release(self) -> None:
        """Free what only training needs."""
        self._graph = None
        self._teachers = []
        self._optimizer.zero_grad(set_to_none=True)

    @property
    def kept(self) -> UNet:
        """The averaged weights, with `TrainSpec.keep` of the starting ones."""
        if self._start is None:
            return self.average
        between = copy.deepcopy(self.average)
        with torch.no_grad():
            for a, b in zip(between.state_dict().values(), self._start.state_dict().values(), strict=True):
                if a.is_floating_point():
                    a.lerp_(b, self.spec.keep)
        return between

    def validate(self, x: Tensor, step_mv: float) -> dict[str, Any]:
        """Figures of the kept weights on validation records, per channel set: RMSE in mV and r, over hidden leads."""
        network = self.kept
        if not self.net.any_lead:
            return figures(network, x, step_mv, self.net.input_leads)
        places = (*SPECIALISTS, *PLACES) if self.net.any_electrode else SPECIALISTS
        each = {"+".join(names): figures(network, x, step_mv, names)["mean"] for names in places}
        mean = {key: float(np.mean([f[key] for f in each.values()])) for key in ("rmse_mv", "r")}
        return {"leads": each, "mean": mean}

    def state(self) -> dict[str, Any]:
        """The checkpoint of a run folder, see `runs.checkpoints`."""
        average = {k: v.detach().cpu().clone() for k, v in self.kept.state_dict().items()}
        epoch = round(self.epoch)
        return {"net": self.net.to_dict(), "spec": self.spec.to_dict(), "epoch": epoch, "average": average}


def fresh(net: NetSpec, covariance: FloatArray) -> UNet:
    """Build an untrained network whose head begins at the linear guess from its channels."""
    model = UNet(net)
    if net.any_electrode:
        model.get_buffer("covariance").copy_(torch.from_numpy(covariance))
    elif not net.any_lead:
        matrix = guess_from(net.input_leads, covariance).matrix[[BASIS.index(n) for n in net.target_leads]]
        model.start_from_guess(torch.from_numpy(matrix.astype(np.float32)))
    return model


@torch.no_grad()
def figures(network: UNet, x: Tensor, step_mv: float, channels: tuple[str, ...]) -> dict[str, Any]:
    """Mean over records of RMSE (mV) and r of each hidden lead, from 2.0 s on.

    Parameters
    ----------
    network : UNet
        In evaluation mode.
    x : Tensor of shape (n_records, 8, n_samples)
        Basis leads, in counts of `step_mv`.
    step_mv : float
        In mV.
    channels : tuple of str
        Measured ones.
    """
    covariance = network.get_buffer("covariance").cpu().numpy() if network.spec.any_electrode else None
    matrix, constant = (torch.from_numpy(a).to(x.device) for a in input_matrix(network.spec, channels, covariance))
    lift = matrix @ torch.from_numpy(of_basis(channels).astype(np.float32)).to(x.device)
    hidden = missing_basis(channels)
    outputs = [network.spec.target_leads.index(n) for n in hidden]
    columns = [BASIS.index(n) for n in hidden]
    late, first = network.spec.lookahead, round(SCORED_FROM_S * network.spec.fs)
    rows: list[Tensor] = []
    for k in range(0, len(x), 256):
        part = x[k : k + 256].float() * step_mv
        part = part[..., : part.shape[-1] // network.spec.hop * network.spec.hop]
        inputs = torch.cat([lift @ part, constant[None, :, None].expand(len(part), -1, part.shape[-1])], dim=1)
        estimate = network(inputs)[0][:, outputs, late + first :]
        truth = part[:, columns, first : part.shape[-1] - late]
        rmse = (estimate - truth).square().mean(-1).sqrt()
        e, t = estimate - estimate.mean(-1, keepdim=True), truth - truth.mean(-1, keepdim=True)
        r = (e * t).sum(-1) * torch.rsqrt((e.square().sum(-1) * t.square().sum(-1)).clamp(min=1e-9))
        rows.append(torch.stack([rmse, r]))
    rmse_r = torch.cat(rows, dim=1).mean(1).cpu().numpy()
    leads = {n: {"rmse_mv": float(rmse_r[0, k]), "r": float(rmse_r[1, k])} for k, n in enumerate(hidden)}
    mean = {"rmse_mv": float(rmse_r[0].mean()), "r": float(rmse_r[1].mean())}
    return {"leads": leads, "mean": mean}
