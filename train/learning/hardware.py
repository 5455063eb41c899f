"""On what a network is trained: one process or several, on processors or GPUs, through Lightning Fabric."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ecg_edge.firmware_bridge.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def open_fabric(
    accelerator: str = "cpu", devices: int | None = None, nodes: int | None = None, precision: str = "32"
) -> Fabric:
    """Launch what training runs on.

    Under ``torchrun`` the number of processes and nodes is torchrun's; otherwise several devices are
    several processes that Fabric starts itself.

    Parameters
    ----------
    accelerator : {"auto", "cpu", "cuda"}
        ``auto`` takes a GPU where there is one.
    devices, nodes : int, optional
        Processes on this machine, and machines; one unless told.
    precision : {"32", "mixed"}
        ``32`` is 32 bits everywhere: a GPU's shortened ones (TF32) are switched off. ``mixed`` computes
        convolutions in bfloat16 where the hardware has it, and in 32 bits elsewhere.

    Raises
    ------
    UsageError
        What was asked for is not there.
    MissingExtraError
        Lightning Fabric is not installed.
    """
    try:
        from lightning_fabric import Fabric
    except ImportError:
        raise MissingExtraError("lightning-fabric", "train") from None
    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if accelerator == "auto":
        accelerator = "cuda" if there else "cpu"
    local, world = int(os.environ.get("LOCAL_WORLD_SIZE", "0")), int(os.environ.get("WORLD_SIZE", "0"))
    if local:
        devices, nodes = local, world // local
    devices, nodes = devices or 1, nodes or 1
    if accelerator == "cuda" and devices > there:
        raise UsageError(f"{devices} GPUs asked for, {there} found", "give --accelerator cpu, or fewer --devices")
    torch.backends.cudnn.allow_tf32 = precision != "32"
    fast = precision == "mixed" and accelerator == "cuda" and torch.cuda.is_bf16_supported()
    several = devices * nodes > 1
    fabric = Fabric(
        accelerator=accelerator,
        devices=devices,
        num_nodes=nodes,
        strategy="ddp" if several else "auto",
        precision="bf16-mixed" if fast else "32-true",
    )
    if several:
        fabric.launch()
    return fabric


@contextmanager
def launched(
    accelerator: str = "cpu", devices: int | None = None, nodes: int | None = None, precision: str = "32"
) -> Iterator[Fabric]:
    """As `open_fabric`; the processes part in the end: left to the interpreter, one may abort."""
    fabric = open_fabric(accelerator, devices, nodes, precision)
    try:
        yield fabric
    finally:
        if fabric.world_size > 1 and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


class _SumOverAll(torch.autograd.Function):
    """Sum over all processes; the gradient of a sum that all of them use is the sum of their gradients."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        x = x.clone()
        torch.distributed.all_reduce(x)
        return x

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        grad = grads[0].contiguous().clone()
        torch.distributed.all_reduce(grad)
        return grad


def _sum_over_all(x: Tensor) -> Tensor:
    total: Tensor = _SumOverAll.apply(x)  # type: ignore[no-untyped-call]
    return total


class SharedBatchNorm(nn.BatchNorm2d):
    """Batch norm over the batches of all processes, on any hardware (torch's own needs a GPU).

    Moments are summed in two passes, as one process would: the loss then is the one of a single process
    to rounding.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalise; in training by the moments over all processes."""
        if not self.training:
            return super().forward(x)
        assert self.running_mean is not None and self.running_var is not None and self.momentum is not None
        each = x.numel() // x.shape[1]
        n = each * torch.distributed.get_world_size()
        mean = _sum_over_all(x.sum(dim=(0, 2, 3))) / n
        centred = x - mean[:, None, None]
        var = _sum_over_all(centred.square().sum(dim=(0, 2, 3))) / n
        with torch.no_grad():
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(var * n / max(1, n - 1), self.momentum)
            if self.num_batches_tracked is not None:
                self.num_batches_tracked += 1
        scale = self.weight * torch.rsqrt(var + self.eps)
        y: Tensor = centred * scale[:, None, None] + self.bias[:, None, None]
        return y


def share_batch_norms(model: nn.Module) -> nn.Module:
    """Replace every batch norm by one that all processes share, with the same parameters and names."""
    for name, child in model.named_children():
        if isinstance(child, nn.BatchNorm2d):
            shared = SharedBatchNorm(child.num_features, child.eps, child.momentum)
            shared.load_state_dict(child.state_dict())
            setattr(model, name, shared)
        else:
            share_batch_norms(child)
    return model
