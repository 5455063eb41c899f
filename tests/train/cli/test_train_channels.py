"""The verb `train` on channels between electrodes: one pair, any electrodes, and weights that come from elsewhere."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from ecg_edge.firmware_bridge.cli.verb import Verb
from ecg_edge.firmware_bridge.errors import CheckpointError
from ecg_edge.train.cli.evaluate import EVALUATE
from ecg_edge.train.cli.train import TRAIN
from ecg_edge.train.head import figures_any_lead
from ecg_edge.train.network.placement_draw import LISTED
from ecg_edge.train.runs.checkpoints import load_network

THIN = ["--set", "channels=6,8,10,12", "--set", "dilations=1,2", "--set", "n_features=6", "--set", "batch=8"]
QUICK = ["--no-delineation", "--resamples", "20"]
ONCE = [*THIN, "--set", "epochs=1"]


def call(verb: Verb, *args: str) -> int:
    parser = argparse.ArgumentParser()
    verb.configure(parser)
    return verb.run(parser.parse_args(args))


def test_a_pair_trains_and_is_evaluated(ptbxl: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "ra-v5"
    assert call(TRAIN, "--leads", "ra-v5", "--data", str(ptbxl), "--out", str(out), *ONCE) == 0
    assert load_network(out).spec.input_leads == ("RA-V5",)
    assert len(load_network(out).spec.target_leads) == 8
    capsys.readouterr()
    assert call(EVALUATE, str(out), "--data", str(ptbxl), "--json", *QUICK) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["inputs"] == ["RA-V5"]


def test_any_electrodes_train(ptbxl: Path, tmp_path: Path) -> None:
    out = tmp_path / "any-electrode"
    assert call(TRAIN, "--leads", "any-electrode", "--data", str(ptbxl), "--out", str(out), *ONCE) == 0
    model = load_network(out)
    assert model.spec.any_electrode and not torch.equal(model.get_buffer("covariance"), torch.eye(8).double())
    sets, _ = figures_any_lead.load(out / "calibration.npz")
    assert {s.leads for s in sets} == set(LISTED)
    one = next(s for s in sets if s.leads == ("RA-V2", "RA-V5"))
    assert one.moments.shape == (6 + 29 * 2 + 1,) * 2 and np.isfinite(one.moments).all()
    assert "any-electrode" in (out / "recipe.yaml").read_text()


def test_weights_from_elsewhere_are_finished(ptbxl: Path, tmp_path: Path) -> None:
    args = ["--leads", "RA-V2,RA-V5", "--data", str(ptbxl)]
    first, out = tmp_path / "first", tmp_path / "out"
    assert call(TRAIN, *args, "--out", str(first), *ONCE) == 0
    out.mkdir()
    (out / "best.pt").write_bytes((first / "best.pt").read_bytes())
    with pytest.raises(CheckpointError, match="already holds a run"):
        call(TRAIN, *args, "--out", str(out), *ONCE)
    with pytest.raises(CheckpointError, match="another shape"):
        call(TRAIN, *args, "--out", str(out), "--resume")
    assert call(TRAIN, *args, "--out", str(out), *ONCE, "--resume") == 0
    with np.load(first / "calibration.npz") as one, np.load(out / "calibration.npz") as two:
        np.testing.assert_array_equal(one["moments"], two["moments"])
    assert json.loads((out / "config.json").read_text())["net"]["input_leads"] == ["RA-V2", "RA-V5"]
