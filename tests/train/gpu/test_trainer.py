"""The training of one network on a device: its figures, its checkpoint, and where it starts from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats

from ecg_edge.device.lead_algebra import BASIS
from ecg_edge.train.data.prepare import SCORED_FROM_S
from ecg_edge.train.gpu.trainer import DeviceTrainer, figures, fresh
from ecg_edge.train.learning.train_spec import TrainSpec
from ecg_edge.train.network.lead_subsets import SPECIALISTS
from ecg_edge.train.network.unet import NetSpec, UNet
from ecg_edge.train.runs.checkpoints import load_network, reconstruct, write_checkpoint

COVARIANCE = np.eye(8) * 0.02 + 0.01
THIN = NetSpec(("I", "II"), channels=(4, 4, 4, 8), n_features=4, dilations=(1,))
STEP_MV = 0.004
X = torch.from_numpy((np.random.default_rng(0).standard_normal((6, 8, 600)).cumsum(-1) * 5).astype(np.int16))
ROWS = np.arange(6)


def trainer(net: NetSpec = THIN, init: UNet | None = None, **how: float) -> DeviceTrainer:
    spec = replace(TrainSpec(batch=3, crop=400, epochs=1), **how)
    return DeviceTrainer(net, spec, X, STEP_MV, ROWS, COVARIANCE, init)


def test_figures_are_those_of_whole_records_from_two_seconds_on() -> None:
    network = fresh(THIN, COVARIANCE).eval()
    found = figures(network, X, STEP_MV, ("I", "II"))
    basis = X.numpy().transpose(0, 2, 1) * np.float32(STEP_MV)
    guess = reconstruct(network, basis[..., :2])
    first, column = round(SCORED_FROM_S * 100), BASIS.index("V3")
    truth = basis[:, first : guess.shape[1], column]
    mine = guess[:, first:, THIN.target_leads.index("V3")]
    rmse = np.sqrt(((mine - truth) ** 2).mean(axis=1)).mean()
    r = np.mean([stats.pearsonr(a, b).statistic for a, b in zip(mine, truth, strict=True)])
    assert found["leads"]["V3"]["rmse_mv"] == pytest.approx(rmse, rel=1e-4)
    assert found["leads"]["V3"]["r"] == pytest.approx(r, abs=1e-4)
    assert set(found["leads"]) == set(THIN.target_leads)
    assert found["mean"]["r"] == pytest.approx(np.mean([row["r"] for row in found["leads"].values()]), abs=1e-5)


def test_an_any_lead_network_is_judged_on_each_specialists_leads() -> None:
    net = replace(THIN, input_leads=BASIS, any_lead=True, any_electrode=True)
    found = trainer(net).validate(X, STEP_MV)
    assert {"+".join(leads) for leads in SPECIALISTS} <= set(found["leads"])
    assert found["mean"]["rmse_mv"] == pytest.approx(np.mean([f["rmse_mv"] for f in found["leads"].values()]))


def test_a_checkpoint_holds_what_is_kept(tmp_path: object) -> None:
    one = trainer(lr=1e-2)
    for k in range(3):
        one.step(k / 3)
    state = one.state()
    assert state["epoch"] == round(3 / 2) and one.steps_per_epoch == 2
    file = tmp_path / "best.pt"  # type: ignore[operator]
    write_checkpoint(file, state)
    again, x = load_network(file), torch.randn(1, 2, 160)
    with torch.no_grad():
        torch.testing.assert_close(again(x)[0], one.kept(x)[0])


@pytest.mark.parametrize("keep", [0.0, 0.4, 1.0])
def test_a_share_of_the_weights_it_starts_from_is_kept(keep: float) -> None:
    start = fresh(THIN, COVARIANCE)
    one = trainer(init=start, keep=keep, lr=1e-2, ema=0.5)
    for k in range(4):
        one.step(k / 4)
    for name, kept in one.kept.state_dict().items():
        if kept.is_floating_point():
            learnt, before = one.average.state_dict()[name], start.state_dict()[name]
            torch.testing.assert_close(kept, learnt + keep * (before - learnt), atol=1e-5, rtol=1e-4)


def test_every_record_is_shown_once_an_epoch() -> None:
    one, shown = trainer(), list[int]()
    draw = one._draw.draw

    def look(rows: torch.Tensor) -> object:
        shown.extend(rows.tolist())
        return draw(rows)

    one._draw.draw = look  # type: ignore[method-assign, assignment]
    for _ in range(4):
        one.step(0.5)
    assert sorted(shown[:6]) == sorted(shown[6:]) == list(range(6))
    assert shown[:6] != shown[6:], "another order in every epoch"
    assert one.epoch == 2


def test_the_mean_loss_is_since_the_last_look() -> None:
    one = trainer()
    one.step(0.0)
    first = one.mean_loss()
    assert np.isfinite(first) and first != 0
    assert one.mean_loss() == 0, "nothing has been learnt since"
    one.step(0.5)
    assert one.mean_loss() != 0


def test_what_only_training_needs_is_freed_and_the_network_stays() -> None:
    one = trainer()
    one.step(0.0)
    one.release()
    assert all(p.grad is None for p in one.model.parameters())
    assert one.kept.n_parameters() > 0
