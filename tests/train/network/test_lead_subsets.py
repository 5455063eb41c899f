"""Any-lead training: subsets, masks, and starting a specialist from it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from ecg_edge.device.lead_algebra import BASIS
from ecg_edge.firmware_bridge.errors import CheckpointError
from ecg_edge.train.data.prepare import Prepared
from ecg_edge.train.learning.batches import loss_of
from ecg_edge.train.learning.train_spec import TrainSpec
from ecg_edge.train.learning.trainer import Trainer
from ecg_edge.train.network import lead_subsets as subsets
from ecg_edge.train.network.unet import NetSpec, UNet, adopt
from tests.support.nets import SMALL, lively


def test_drawn_subsets_are_never_empty_nor_whole() -> None:
    drawn = subsets.draw(400, 80, np.random.default_rng(0))
    there = drawn.masks.sum(axis=1)
    assert there.min() >= 1 and there.max() <= 7
    assert np.array_equal(drawn.wanted, 1 - drawn.masks[:, :, -1])
    sizes = {int(n) for n in there[:, -1]}
    assert sizes == set(range(1, 8))


def test_electrodes_fall_off_but_never_come_back() -> None:
    drawn = subsets.draw(400, 80, np.random.default_rng(1))
    change = np.diff(drawn.masks, axis=2)
    assert (change <= 0).all()
    assert 0.02 < (change < 0).any(axis=(1, 2)).mean() < 0.2


def test_only_wanted_leads_count() -> None:
    rng = torch.Generator().manual_seed(0)
    mean, truth, log_scale = (torch.randn(3, 2, 50, generator=rng) for _ in range(3))
    wanted = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    worse = mean.clone()
    worse[0, 1] += 5
    assert torch.equal(loss_of(mean, log_scale, truth, 0.1, wanted), loss_of(worse, log_scale, truth, 0.1, wanted))
    worse[0, 0] += 5
    assert loss_of(worse, log_scale, truth, 0.1, wanted) > loss_of(mean, log_scale, truth, 0.1, wanted)


def test_an_any_lead_network_learns_and_reports_each_lead_set(parts: tuple[Prepared, Prepared], tmp_path: Path) -> None:
    net = NetSpec(BASIS, any_lead=True, **SMALL)  # type: ignore[arg-type]
    assert (net.n_inputs, len(net.target_leads)) == (16, 8)
    trainer = Trainer(net, TrainSpec(epochs=6, batch=4, lr=1e-2, ema=0.9), *parts, tmp_path)
    before = trainer.validate()
    trainer.fit(lambda row: None)
    assert trainer.best < 0.8 * before["mean"]["rmse_mv"]
    after = trainer.validate()
    assert set(after["subsets"]) == {"+".join(s) for s in subsets.SPECIALISTS}
    assert set(after["subsets"]["I+II+V2"]["leads"]) == {"V1", "V3", "V4", "V5", "V6"}


@pytest.mark.parametrize("leads", [("II",), ("I", "II"), ("I", "II", "V2", "V5")])
def test_a_specialist_starts_where_the_any_lead_network_stands(leads: tuple[str, ...]) -> None:
    source = lively(NetSpec(BASIS, any_lead=True, **SMALL))  # type: ignore[arg-type]
    model = UNet(NetSpec(leads, **SMALL)).eval()  # type: ignore[arg-type]
    adopt(model, source)
    x = torch.randn(2, len(leads), 240, generator=torch.Generator().manual_seed(3))
    mask = torch.from_numpy(subsets.mask_of(leads))[None, :, None].expand(2, 8, 240)
    values = torch.zeros(2, 8, 240)
    values[:, [BASIS.index(n) for n in leads]] = x
    rows = [BASIS.index(n) for n in model.spec.target_leads]
    with torch.no_grad():
        whole, part = source(torch.cat([values, mask], dim=1))[0][:, rows], model(x)[0]
    settled = model.body.receptive_field()
    assert settled < 240, "the masks' zero padding at the start is all that may differ"
    torch.testing.assert_close(part[..., settled:], whole[..., settled:], atol=1e-4, rtol=1e-4)


def test_a_network_of_another_geometry_is_refused() -> None:
    other = lively(NetSpec(("I", "II"), **{**SMALL, "n_features": 9}))  # type: ignore[arg-type]
    with pytest.raises(CheckpointError, match="more than their leads"):
        adopt(UNet(NetSpec(("I",), **SMALL)), other)  # type: ignore[arg-type]
