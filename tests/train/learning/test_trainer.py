"""Training: learns, resumes bit for bit, refuses what does not fit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from ecg_edge.firmware_bridge.errors import CheckpointError, EcgEdgeError
from ecg_edge.train.data.prepare import Prepared
from ecg_edge.train.learning.train_spec import TrainSpec
from ecg_edge.train.learning.trainer import Trainer
from ecg_edge.train.network.unet import NetSpec, UNet
from ecg_edge.train.runs.checkpoints import load_network, read_checkpoint

SPEC = TrainSpec(epochs=3, batch=8, lr=3e-3)


def train(small: NetSpec, parts: tuple[Prepared, Prepared], out: Path, spec: TrainSpec = SPEC) -> Trainer:
    out.mkdir(exist_ok=True)
    t = Trainer(small, spec, *parts, out)
    t.fit(lambda row: None)
    return t


def test_it_learns(small: NetSpec, parts: tuple[Prepared, Prepared], tmp_path: Path) -> None:
    t = Trainer(small, TrainSpec(epochs=6, batch=4, lr=1e-2, ema=0.9), *parts, tmp_path)
    before = t.validate()["mean"]["rmse_mv"]
    t.fit(lambda row: None)
    assert t.best < 0.7 * before
    rows = [json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()]
    assert [r["epoch"] for r in rows] == [1, 2, 3, 4, 5, 6]
    assert rows[-1]["loss"] < rows[0]["loss"]


def test_resume_is_bit_exact(small: NetSpec, parts: tuple[Prepared, Prepared], tmp_path: Path) -> None:
    whole = train(small, parts, tmp_path / "whole")
    (tmp_path / "cut").mkdir()

    class Stop(Exception):
        pass

    def interrupt(row: dict) -> None:
        if row["epoch"] == 2:
            raise Stop

    with pytest.raises(Stop):
        Trainer(small, SPEC, *parts, tmp_path / "cut").fit(interrupt)
    resumed = Trainer(small, SPEC, *parts, tmp_path / "cut")
    resumed.load(tmp_path / "cut" / "last.pt")
    assert resumed.epoch == 2
    resumed.fit(lambda row: None)
    for a, b in zip(whole.average.state_dict().values(), resumed.average.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_a_share_of_the_starting_weights_is_kept(
    small: NetSpec, parts: tuple[Prepared, Prepared], tmp_path: Path
) -> None:
    start = load_network(train(small, parts, tmp_path / "first").out)
    spec = TrainSpec(epochs=2, batch=8, lr=3e-3, keep=0.25)
    (tmp_path / "second").mkdir()

    def begin(spec: TrainSpec) -> Trainer:
        trainer = Trainer(small, spec, *parts, tmp_path / "second")
        trainer.start_from(start)
        return trainer

    t = begin(spec)
    t.best = 0.0  # no epoch is better than that: last.pt alone is written
    t.fit(lambda row: None)
    resumed = Trainer(small, spec, *parts, tmp_path / "second")
    resumed.load(tmp_path / "second" / "last.pt")
    between = resumed.kept.state_dict()
    moved = 0.0
    for name, new in resumed.average.state_dict().items():
        old = start.state_dict()[name]
        if new.is_floating_point():
            torch.testing.assert_close(between[name], 0.25 * old + 0.75 * new)
            moved += float((new - old).abs().sum())
    assert moved > 0
    resumed.best, resumed.spec = 1e9, TrainSpec(**spec.to_dict() | {"epochs": 3})
    resumed.fit(lambda row: None)
    best = load_network(tmp_path / "second").state_dict()
    assert all(torch.equal(best[name], value) for name, value in resumed.kept.state_dict().items())
    plain = begin(TrainSpec(**spec.to_dict() | {"keep": 0.0}))
    assert plain.kept is plain.average


def test_the_seed_decides(small: NetSpec, parts: tuple[Prepared, Prepared], tmp_path: Path) -> None:
    one = TrainSpec(epochs=1, batch=8)
    a, b = (train(small, parts, tmp_path / k, one) for k in "ab")
    c = train(small, parts, tmp_path / "c", TrainSpec(epochs=1, batch=8, seed=1))
    assert a.best == b.best != c.best


def test_nan_ends_clearly_and_keeps_the_checkpoint(
    small: NetSpec, parts: tuple[Prepared, Prepared], tmp_path: Path
) -> None:
    t = train(small, parts, tmp_path, TrainSpec(epochs=2, batch=8))
    t.spec = TrainSpec(epochs=3, batch=8)
    with torch.no_grad():
        next(t.model.parameters()).fill_(float("nan"))
    with pytest.raises(EcgEdgeError, match="loss is nan"):
        t.fit(lambda row: None)
    assert read_checkpoint(tmp_path / "last.pt")["epoch"] == 2


def test_checkpoints_that_do_not_fit(small: NetSpec, parts: tuple[Prepared, Prepared], tmp_path: Path) -> None:
    train(small, parts, tmp_path, TrainSpec(epochs=1, batch=8))
    other = Trainer(small, TrainSpec(epochs=1, batch=8, crop=400), *parts, tmp_path)
    with pytest.raises(CheckpointError, match="other settings"):
        other.load(tmp_path / "last.pt")
    blob = (tmp_path / "best.pt").read_bytes()
    (tmp_path / "cut.pt").write_bytes(blob[: len(blob) // 2])
    with pytest.raises(CheckpointError, match="cannot read"):
        read_checkpoint(tmp_path / "cut.pt")
    with pytest.raises(CheckpointError, match="no checkpoint"):
        load_network(tmp_path / "nowhere")
    torch.save({"hello": torch.zeros(1)}, tmp_path / "foreign.pt")
    with pytest.raises(CheckpointError, match="not a checkpoint of ecg-edge"):
        read_checkpoint(tmp_path / "foreign.pt")
    state = read_checkpoint(tmp_path / "best.pt")
    state["net"]["channels"] = [7, 8, 10, 12]
    torch.save(state, tmp_path / "liar.pt")
    with pytest.raises(CheckpointError, match="does not fit its own description"):
        load_network(tmp_path / "liar.pt")
    state["net"]["colour"] = "red"
    torch.save(state, tmp_path / "new.pt")
    with pytest.raises(CheckpointError, match="unknown network settings"):
        load_network(tmp_path / "new.pt")


@pytest.mark.parametrize("lookahead", [0, 7, 12, 30])
def test_streaming_in_torch_equals_offline(lookahead: int) -> None:
    torch.manual_seed(0)
    net = UNet(NetSpec(("I",), channels=(4, 6, 8), kernels=(5, 6, 4), dilations=(1, 3), lookahead=lookahead))
    net.eval()
    x = torch.randn(3, 1, 1, 120)
    with torch.no_grad():
        whole = net.body(x)
        state, parts = net.body.initial_state(3), []
        for k in range(0, 120, 4):
            y, state = net.body.step(x[..., k : k + 4], state)
            parts.append(y)
    torch.testing.assert_close(torch.cat(parts, dim=-1), whole, atol=1e-6, rtol=1e-5)


def test_causal_and_of_finite_memory() -> None:
    """An impulse shows nowhere before its hop, and nowhere after the receptive field."""
    torch.manual_seed(0)
    net = UNet(NetSpec(("I", "II"), channels=(4, 6, 8), kernels=(5, 6, 4), dilations=(1, 3))).eval()
    n, at = 400, 101
    x = torch.zeros(1, 2, 1, n)
    with torch.no_grad():
        quiet = net.body(x)
        x[..., at] = 1.0
        changed = np.flatnonzero((net.body(x) - quiet).abs().sum(dim=(0, 1, 2)).numpy())
    hop = net.spec.hop
    assert changed[0] >= at // hop * hop
    assert changed[-1] < at + net.body.receptive_field()
    assert changed[-1] >= at + net.body.receptive_field() - 2 * hop, "the stated field must not be a loose bound"


def test_the_spread_of_amplitudes_can_be_asked_for(
    small: NetSpec, parts: tuple[Prepared, Prepared], tmp_path: Path
) -> None:
    losses = []
    for name, weight in (("a", 0.0), ("b", 1.0), ("c", 2.0)):
        (tmp_path / name).mkdir()
        trainer = Trainer(small, TrainSpec(epochs=1, batch=24, spread=weight), *parts, tmp_path / name)
        with torch.no_grad():  # says the same of every record: all spread is lost
            trainer.model.mean_features.weight.zero_()
            trainer.model.mean_taps.weight.zero_()
        trainer.fit(lambda row: losses.append(row["loss"]))
    assert [b - losses[0] for b in losses] == pytest.approx([0, 1, 2], abs=0.01)
