"""What a judge no longer sees, as a term of the loss."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ecg_edge.device.lead_algebra import BASIS
from ecg_edge.firmware_bridge.errors import CheckpointError, UsageError
from ecg_edge.train.data.prepare import Prepared
from ecg_edge.train.diagnosis import learn
from ecg_edge.train.diagnosis.judge import DESIGNS, Judge, JudgeSpec
from ecg_edge.train.learning import feature_loss
from ecg_edge.train.learning.train_spec import TrainSpec
from ecg_edge.train.learning.trainer import Trainer
from ecg_edge.train.network.unet import NetSpec


@pytest.fixture(params=DESIGNS)
def judge(request: pytest.FixtureRequest) -> Judge:
    torch.manual_seed(0)
    found = Judge(JudgeSpec(request.param, width=20))
    with torch.no_grad():
        for _ in range(20):
            found(torch.randn(16, 8, 300))
    return found.eval().requires_grad_(False)


def test_nothing_is_lost_where_nothing_is_missing_and_more_the_more_is(judge: Judge) -> None:
    truth = torch.randn(6, 8, 300)
    each = [float(feature_loss.lost_features(judge, truth, share * truth)) for share in (1.0, 0.9, 0.5, 0.0)]
    assert each[0] == pytest.approx(0, abs=1e-6)
    assert each == sorted(each) and each[1] > 1e-4


def test_going_down_its_slope_brings_features_back(judge: Judge) -> None:
    truth = torch.randn(4, 8, 300)
    estimate = (0.5 * truth).requires_grad_(True)
    before = feature_loss.lost_features(judge, truth, estimate)
    (slope,) = torch.autograd.grad(before, estimate)
    after = feature_loss.lost_features(judge, truth, estimate.detach() - 0.3 * slope / slope.norm())
    assert float(after) < float(before.detach())
    assert all(p.grad is None for p in judge.parameters())


def test_records_of_no_weight_do_not_count(judge: Judge) -> None:
    truth, estimate = torch.randn(4, 8, 300), torch.randn(4, 8, 300)
    weight = torch.tensor([1.0, 0.0, 1.0, 0.0])
    other = estimate.clone()
    other[[1, 3]] = 7.0
    found = [float(feature_loss.lost_features(judge, truth, e, weight)) for e in (estimate, other)]
    assert found[0] == pytest.approx(found[1])
    full = torch.ones(4)
    plain = feature_loss.lost_features(judge, truth, estimate)
    torch.testing.assert_close(feature_loss.lost_features(judge, truth, estimate, full), plain)
    assert not float(feature_loss.lost_features(judge, truth, estimate, torch.zeros(4)))


def test_the_whole_is_measured_leads_algebra_of_them_and_the_others() -> None:
    x = torch.randn(2, 8, 50)
    at = [BASIS.index(lead) for lead in BASIS]
    for leads in (("I", "II"), ("V2", "I"), ("V5-V1", "V1", "II")):
        net = NetSpec(leads)
        channels = {"V5-V1": x[:, at[BASIS.index("V1")]] - x[:, at[BASIS.index("V5")]]}
        inputs = torch.stack([channels.get(n, x[:, BASIS.index(n)] if n in BASIS else x[:, 0]) for n in leads], 1)
        outputs = x[:, [BASIS.index(lead) for lead in net.target_leads]]
        torch.testing.assert_close(feature_loss.whole(net, inputs, outputs), x)
    net = NetSpec(BASIS, any_lead=True)
    assert feature_loss.whole(net, torch.zeros(2, 16, 50), x) is x


def saved(path: Path, spec: JudgeSpec) -> Path:
    how = learn.LearnSpec(epochs=1, batch=4, crop=200)
    data = learn.Lessons(torch.randn(4, 8, 300), torch.ones(4, 5))
    learn.JudgeTrainer(spec, how, data, path).fit(lambda *_: None)
    return path


def test_a_judge_of_fewer_leads_is_refused(tmp_path: Path) -> None:
    file = saved(tmp_path / "rival.pt", JudgeSpec(leads=("I", "II"), width=20))
    with pytest.raises(CheckpointError, match="I, II alone"):
        feature_loss.load(file, torch.device("cpu"))


@pytest.mark.parametrize("any_lead", [False, True])
def test_a_trainer_minds_the_judge(
    parts: tuple[Prepared, Prepared], small: NetSpec, tmp_path: Path, any_lead: bool
) -> None:
    net = replace(small, input_leads=BASIS, any_lead=True) if any_lead else small
    judge = feature_loss.load(saved(tmp_path / "judge.pt", JudgeSpec(width=20)), torch.device("cpu"))
    losses = []
    for weight in (0.0, 1.0):
        spec = TrainSpec(epochs=1, batch=8, diagnosis=weight)
        out = tmp_path / f"{weight}"
        out.mkdir()
        Trainer(net, spec, *parts, out, judge=judge).fit(lambda row: losses.append(row["loss"]))
    assert losses[1] > losses[0] + 0.01 and math.isfinite(losses[1])


def test_a_weight_needs_a_judge(parts: tuple[Prepared, Prepared], small: NetSpec, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="judge"):
        Trainer(small, TrainSpec(diagnosis=0.5), *parts, tmp_path)
