"""Networks trained beside each other: a student waits for its teacher, time ends them, one in trouble is given up."""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import torch

from ecg_edge.firmware_bridge.errors import UsageError
from ecg_edge.train.gpu.farm import DONE, Entry, Farm, Records
from ecg_edge.train.gpu.live_teachers import Teacher
from ecg_edge.train.gpu.trainer import DeviceTrainer, fresh, rate
from ecg_edge.train.learning.train_spec import TrainSpec
from ecg_edge.train.network import placement_draw
from ecg_edge.train.network.unet import NetSpec
from ecg_edge.train.runs.checkpoints import load_network

COVARIANCE = np.eye(8) * 0.02 + 0.01
LEARNS = "epochs: 2, batch: 8, mix: 0.1, diagnosis: 0.5"
THIN = "network: {channels: [4, 4, 4, 8], n_features: 4, dilations: [1]}\n"


@pytest.fixture(scope="module")
def records() -> Records:
    rng = np.random.default_rng(0)
    x = torch.from_numpy((rng.standard_normal((24, 8, 1000)) * 50).astype(np.int16))
    pool = placement_draw.draw(20, COVARIANCE, rng)
    return Records(x, x[:4], np.arange(24) >= 20, 0.004, COVARIANCE, pool)


def recipe(folder: Path, name: str, leads: str, more: str = "", training: str = "epochs: 2, batch: 8") -> Entry:
    (folder / f"{name}.yaml").write_text(f"name: {name}\nleads: {leads}\n{THIN}{more}training: {{{training}}}\n")
    return Entry(name, str(folder / f"{name}.yaml"), stop_s=1e6)


def test_a_student_waits_for_its_teachers(records: Records, tmp_path: Path) -> None:
    plan = [
        recipe(
            tmp_path, "student", "[RA-V5]", "teachers: [wide, every]\n", "epochs: 2, batch: 8, mix: 0.1, diagnosis: 0.5"
        ),
        recipe(tmp_path, "wide", "[RA-V5]"),
        recipe(tmp_path, "every", "any-electrode", training="epochs: 1, batch: 8, warp: 0.1"),
    ]
    said: list[str] = []
    farm = Farm(
        plan, records, tmp_path, lambda: lambda t, e, w: ((t - e).abs().mean((1, 2)) * w).mean(), say=said.append
    )
    farm.run(1e6)
    started = [line.split(":")[0] for line in said if "started" in line]
    assert started[-1] == "student"
    for name in ("student", "wide", "every"):
        assert (tmp_path / name / DONE).exists()
        model = load_network(tmp_path / name)
        assert all(torch.isfinite(p).all() for p in model.parameters())
        rows = [json.loads(line) for line in (tmp_path / name / "history.jsonl").read_text().splitlines()]
        assert rows[-1]["epoch"] == pytest.approx(1 if name == "every" else 2, abs=0.4)
    np.testing.assert_allclose(load_network(tmp_path / "every").get_buffer("covariance"), COVARIANCE)


def test_the_clock_ends_a_training(records: Records, tmp_path: Path) -> None:
    ticks = count()
    entry = recipe(tmp_path, "one", "[I]", training="epochs: 1000, batch: 8")
    farm = Farm([entry], records, tmp_path, clock=lambda: float(next(ticks)), say=lambda _: None)
    farm.run(60.0)
    assert load_network(tmp_path / "one").n_parameters() > 0
    assert json.loads((tmp_path / "one" / "history.jsonl").read_text().splitlines()[-1])["epoch"] < 30


def test_one_in_trouble_does_not_stop_the_others(records: Records, tmp_path: Path) -> None:
    said: list[str] = []
    plan = [
        recipe(tmp_path, "mad", "[I]", training="epochs: 5, batch: 8, lr: 1e30, clip: 1e30"),
        recipe(tmp_path, "sane", "[II]", training="epochs: 1, batch: 8"),
        recipe(tmp_path, "orphan", "[I, II]", "init: mad\n"),
    ]
    ticks = count()
    Farm(plan, records, tmp_path, say=said.append, clock=lambda: next(ticks) * 0.3).run(60.0)
    assert (tmp_path / "sane" / DONE).exists()
    assert not (tmp_path / "orphan" / DONE).exists()
    assert any("given up" in line for line in said)


def test_what_is_done_is_not_done_again(records: Records, tmp_path: Path) -> None:
    plan = [recipe(tmp_path, "one", "[I]", training="epochs: 1, batch: 8")]
    Farm(plan, records, tmp_path, say=lambda _: None).run(1e6)
    before = (tmp_path / "one" / "best.pt").stat().st_mtime_ns
    Farm(plan, records, tmp_path, say=lambda _: None).run(1e6)
    assert (tmp_path / "one" / "best.pt").stat().st_mtime_ns == before


def test_field_records_are_shown_so_often(records: Records) -> None:
    rows = records.rows(3)
    assert len(rows) == 20 + 3 * 4
    assert (np.bincount(rows)[20:] == 3).all() and not (records.rows(0) >= 20).any()


def test_any_network_answers_as_one_of_the_students_channels() -> None:
    every = fresh(
        NetSpec(("I", "II", "V1", "V2", "V3", "V4", "V5", "V6"), any_lead=True, any_electrode=True), COVARIANCE
    )
    x = torch.randn(2, 2, 160)
    assert Teacher(every, ("RA-V5", "RA-V2"))(x).shape == (2, 8, 160)
    assert Teacher(every, ("I", "V2"))(x).shape == (2, 6, 160)
    twisted = fresh(NetSpec(("II", "I")), COVARIANCE).eval()
    torch.testing.assert_close(Teacher(twisted, ("I", "II"))(x), twisted(x[:, [1, 0]])[0])
    with pytest.raises(UsageError, match="a teacher measures II, I"):
        Teacher(twisted, ("I", "V2"))


def test_a_fresh_head_begins_at_the_linear_guess() -> None:
    from ecg_edge.device.placement import guess_from

    model = fresh(NetSpec(("RA-V5",)), COVARIANCE).eval()
    torch.nn.init.zeros_(model.mean_features.weight)
    assert model.mean_features.bias is not None
    torch.nn.init.zeros_(model.mean_features.bias)
    x = torch.randn(1, 1, 160)
    expected = torch.from_numpy(guess_from(("RA-V5",), COVARIANCE).matrix).float() @ x
    torch.testing.assert_close(model(x)[0][..., 12:].detach(), expected[..., :-12])


def test_the_average_follows_the_weights(records: Records) -> None:
    net = NetSpec(("I",), channels=(4, 4, 4, 8), n_features=4, dilations=(1,))
    one = DeviceTrainer(net, TrainSpec(batch=8, ema=0.5), records.train, 0.004, records.rows(1), COVARIANCE)
    start = [p.detach().clone() for p in one.model.parameters()]
    for k in range(6):
        one.step(k / 6)
    now, average = ([p.detach() for p in m.parameters()] for m in (one.model, one.average))
    moved = [float((a - b).abs().max()) for a, b in zip(start, now, strict=True)]
    apart = [float((a - b).abs().max()) for a, b in zip(average, now, strict=True)]
    assert max(moved) > 0 and 0 < max(apart) < max(moved)


def test_the_rate_rises_and_falls() -> None:
    assert rate(0.0) == pytest.approx(0.04) and rate(0.1) == pytest.approx(1.0) and rate(1.0) == pytest.approx(0.002)
    assert all(rate(a) > rate(a + 0.05) for a in np.arange(0.1, 0.95, 0.05))
