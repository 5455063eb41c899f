"""Several processes train as one does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from ecg_edge.firmware_bridge.errors import UsageError
from ecg_edge.train.learning.batches import Batch, loss_of
from ecg_edge.train.learning.hardware import SharedBatchNorm, open_fabric, share_batch_norms
from ecg_edge.train.network.unet import NetSpec, UNet
from ecg_edge.train.runs.run_folder import RunFolder

SMALL = ["channels=6,8,10,12", "dilations=1,2", "n_features=6", "batch=8", "epochs=2"]


@pytest.mark.parametrize("leads", ["I,II", "any"])
def test_torchrun_with_two_processes_has_the_loss_of_one(ptbxl: Path, tmp_path: Path, leads: str) -> None:
    args = ["-m", "ecg_edge", "train", "--leads", leads, "--data", str(ptbxl), "--accelerator", "cpu"]
    args += [word for pair in SMALL for word in ("--set", pair)]
    two = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    # One process of two threads: what it sums in two halves as well is rounded alike. Adam's first steps go by the
    # sign of a gradient, however small, so that other rounding soon shows (1e-4 between one thread and two).
    for command, name, threads in (([sys.executable], "one", "2"), (two, "two", "1")):
        env = {**os.environ, "OMP_NUM_THREADS": threads, "ECG_EDGE_CACHE": str(tmp_path / "cache")}
        where = ["--threads", threads, "--out", str(tmp_path / name)]
        done = subprocess.run([*command, *args, *where], env=env, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
    a, b = (RunFolder(tmp_path / n) for n in ("one", "two"))
    assert "2 x cpu" in b.read_config()["hardware"]
    for mine, theirs in zip(a.history(), b.history(), strict=True):
        assert theirs["loss"] == pytest.approx(mine["loss"], rel=1e-4)
        assert theirs["mean"]["rmse_mv"] == pytest.approx(mine["mean"]["rmse_mv"], rel=1e-3)
    assert (tmp_path / "two" / "run.log").read_text().count("epoch 1:") == 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_has_the_loss_of_the_processor(ptbxl: Path, tmp_path: Path) -> None:
    args = ["-m", "ecg_edge", "train", "--leads", "I,II", "--data", str(ptbxl)]
    args += [word for pair in SMALL for word in ("--set", pair)]
    env = {**os.environ, "ECG_EDGE_CACHE": str(tmp_path / "cache")}
    for name in ("cpu", "cuda"):
        where = ["--accelerator", name, "--out", str(tmp_path / name)]
        done = subprocess.run([sys.executable, *args, *where], env=env, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
    for mine, theirs in zip(*(RunFolder(tmp_path / n).history() for n in ("cpu", "cuda")), strict=True):
        assert theirs["loss"] == pytest.approx(mine["loss"], rel=1e-3)


def test_shares_of_a_batch_add_up_to_its_loss() -> None:
    g = torch.Generator().manual_seed(0)
    mean, scale, truth = (torch.randn(8, 5, 100, generator=g) for _ in range(3))
    wanted = (torch.rand(8, 5, generator=g) < 0.5).float()
    for weights in (None, wanted):
        whole = Batch(mean, truth, weights)
        expected = loss_of(mean, scale, truth, 0.15, weights)
        parts = [whole.part(rank, 4) for rank in range(4)]
        each = [
            loss_of(p.inputs, scale[2 * k : 2 * k + 2], p.truth, 0.15, p.wanted, p.total) for k, p in enumerate(parts)
        ]
        torch.testing.assert_close(torch.stack(each).mean(), expected)


def test_a_shared_batch_norm_of_one_process_is_torchs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.distributed, "all_reduce", lambda x: None)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 1)
    torch.manual_seed(0)
    own = nn.BatchNorm2d(5)
    nn.init.normal_(own.weight)
    shared = share_batch_norms(nn.Sequential(own))[0]  # type: ignore[index]
    assert isinstance(shared, SharedBatchNorm)
    x = torch.randn(4, 5, 1, 30)
    xs = [x.clone().requires_grad_() for _ in range(2)]
    ys = [norm(v) for norm, v in zip((own, shared), xs, strict=True)]
    torch.testing.assert_close(ys[0], ys[1])
    for y in ys:
        y.square().sum().backward()
    torch.testing.assert_close(xs[0].grad, xs[1].grad, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(own.running_var, shared.running_var)
    torch.testing.assert_close(own.eval()(x), shared.eval()(x))


def test_names_stay_when_norms_are_shared(small: NetSpec) -> None:
    model = UNet(small)
    names = list(model.state_dict())
    assert list(share_batch_norms(model).state_dict()) == names


def test_what_is_not_there_is_told() -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(UsageError, match="1 GPUs asked for, 0 found"):
        open_fabric("cuda")
    assert open_fabric("auto", precision="mixed").device.type == "cpu"


def test_a_batch_that_cannot_be_shared_is_refused(ptbxl: Path, tmp_path: Path) -> None:
    args = ["-m", "ecg_edge", "train", "--leads", "I", "--data", str(ptbxl), "--accelerator", "cpu"]
    args += ["--out", str(tmp_path / "r"), "--set", "batch=7"]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "ECG_EDGE_CACHE": str(tmp_path / "cache")}
    two = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run([*two, *args], env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode != 0
    assert "a batch of 7 cannot be shared by 2 processes" in done.stderr
