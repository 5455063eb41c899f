"""What goes wrong at hour three: each ends in a clear message, and the run goes on from where it was."""

from __future__ import annotations

import argparse
import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from ecg_edge.firmware_bridge.errors import DataFolderError, DiskFullError, EcgEdgeError
from ecg_edge.train.cli.train import TRAIN
from ecg_edge.train.learning.trainer import Trainer
from ecg_edge.train.runs.checkpoints import read_checkpoint
from ecg_edge.train.runs.run_folder import RunFolder
from tests.support.ptbxl_folder import write_folder

SMALL = ["--set", "channels=6,8,10,12", "--set", "dilations=1,2", "--set", "n_features=6", "--set", "batch=4"]


def call(*args: str) -> int:
    parser = argparse.ArgumentParser()
    TRAIN.configure(parser)
    return TRAIN.run(parser.parse_args([*args, *SMALL]))


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ECG_EDGE_CACHE", str(tmp_path / "cache"))
    return write_folder(tmp_path / "data", {1: 8, 9: 3})


def test_corrupt_records_are_left_out_and_listed(data: Path, tmp_path: Path) -> None:
    folder = data / "records100" / "00000"
    (folder / "00001_lr.dat").write_bytes((folder / "00001_lr.dat").read_bytes()[:777])
    (folder / "00002_lr.hea").write_text("nonsense")
    (folder / "00003_lr.dat").unlink()
    samples = np.frombuffer((folder / "00004_lr.dat").read_bytes(), "<i2").copy()
    samples[100] = -32768  # WFDB's mark of a missing sample
    (folder / "00004_lr.dat").write_bytes(samples.tobytes())
    out = tmp_path / "run"
    assert call("--leads", "I", "--data", str(data), "--out", str(out), "--set", "epochs=1") == 0
    config = RunFolder(out).read_config()
    assert sorted(config["excluded"]) == ["1", "2", "3", "4"]
    assert config["records"]["train"] == 4
    assert all(reason for reason in config["excluded"].values())


def test_a_missing_fold_column_is_told_before_any_work(data: Path, tmp_path: Path) -> None:
    table = data / "ptbxl_database.csv"
    with table.open() as f:
        rows = list(csv.DictReader(f))
    with table.open("w", newline="") as f:
        writer = csv.DictWriter(f, ["ecg_id", "filename_lr"], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    with pytest.raises(DataFolderError, match="no column strat_fold"):
        call("--leads", "I", "--data", str(data), "--out", str(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def losses(out: Path) -> list[float]:
    return [row["loss"] for row in RunFolder(out).history()]


@pytest.mark.parametrize("full", ["last.part", "best.part", "history.jsonl"])
def test_a_full_disk_keeps_the_epoch_before(data: Path, tmp_path: Path, full: str) -> None:
    """The file ends on a device that is always full; then there is room again."""
    args = ["--leads", "I", "--data", str(data), "--set", "epochs=3"]
    assert call(*args, "--out", str(tmp_path / "whole")) == 0
    out = tmp_path / "run"
    fit = Trainer.fit

    def fill_after_the_first(self: Trainer, report: object) -> None:
        def reported(row: dict) -> None:
            report(row)  # type: ignore[operator]
            if row["epoch"] == 1:
                (out / full).unlink(missing_ok=True)
                (out / full).symlink_to("/dev/full")

        fit(self, reported)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "fit", fill_after_the_first)
        with pytest.raises(DiskFullError, match=r"last\.pt holds epoch 1") as caught:
            call(*args, "--out", str(out))
    assert "--resume auto" in caught.value.fix
    assert read_checkpoint(out / "last.pt")["epoch"] == 1
    (out / full).unlink(missing_ok=True)
    if full == "history.jsonl":
        shutil.copy(tmp_path / "whole" / full, out)  # its own rows are on the full device
    assert call(*args, "--out", str(out), "--resume", "auto") == 0
    assert losses(out) == losses(tmp_path / "whole")
    a, b = (read_checkpoint(p / "last.pt")["average"] for p in (out, tmp_path / "whole"))
    assert all(torch.equal(a[k], b[k]) for k in a)


def test_a_loss_that_is_not_a_number_can_be_gone_on_from(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    args = ["--leads", "I", "--data", str(data), "--out", str(out), "--set", "epochs=3"]
    step, seen = Trainer._step, []

    def poisoned(self: Trainer, batch: object, k: int) -> float:
        seen.append(k)
        if len(seen) == 4:
            with torch.no_grad():
                next(self.model.parameters()).fill_(float("nan"))
        return step(self, batch, k)  # type: ignore[arg-type]

    monkeypatch.setattr(Trainer, "_step", poisoned)
    with pytest.raises(EcgEdgeError, match=r"the loss is nan at step 3; last\.pt holds epoch 1") as caught:
        call(*args)
    assert "--set lr=1e-3" in caught.value.fix
    assert "the loss is nan" in (out / "run.log").read_text()
    assert call(*args, "--resume", "auto", "--set", "lr=1e-3") == 0
    assert [row["epoch"] for row in RunFolder(out).history()] == [1, 2, 3]
    assert RunFolder(out).calibration_file.is_file()


def test_a_killed_run_goes_on_bit_for_bit(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    args = ["--leads", "any", "--data", str(data), "--set", "epochs=3"]
    assert call(*args, "--out", str(tmp_path / "whole")) == 0
    step, steps = Trainer._step, []

    def interrupted(self: Trainer, batch: object, k: int) -> float:
        steps.append(k)
        if len(steps) == 4:
            raise KeyboardInterrupt
        return step(self, batch, k)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "_step", interrupted)
        assert call(*args, "--out", str(tmp_path / "cut")) == 130
    assert call(*args, "--out", str(tmp_path / "cut"), "--resume", "auto") == 0
    a, b = (read_checkpoint(tmp_path / n / "last.pt") for n in ("cut", "whole"))
    assert a["epoch"] == b["epoch"] == 3
    assert all(torch.equal(a["average"][k], b["average"][k]) for k in a["average"])
    assert losses(tmp_path / "cut") == losses(tmp_path / "whole")
