"""A network that learns from others in place of the truth."""

from __future__ import annotations

import argparse
import errno
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ecg_edge.device.inference.load import load_model as load_shipped
from ecg_edge.device.lead_algebra import BASIS
from ecg_edge.export.model_card import model_card
from ecg_edge.firmware_bridge.errors import DiskFullError, EcgEdgeError, UsageError
from ecg_edge.train.cli.train import TRAIN
from ecg_edge.train.data.prepare import Prepared
from ecg_edge.train.head.figures import HeadFigures
from ecg_edge.train.jobs import recipe, recipe_queue
from ecg_edge.train.jobs.job import Job
from ecg_edge.train.learning import teachers
from ecg_edge.train.learning.batches import draw, loss_of
from ecg_edge.train.learning.train_spec import TrainSpec
from ecg_edge.train.network.unet import NetSpec, UNet
from ecg_edge.train.runs.checkpoints import reconstruct
from ecg_edge.train.runs.run_folder import RunFolder

Parts = tuple[Prepared, Prepared]
TINY = "network: {channels: [6, 8, 10, 12], dilations: [1, 2], n_features: 6}\ntraining: {epochs: 2, batch: 8}\n"


def call(*args: str) -> int:
    parser = argparse.ArgumentParser()
    TRAIN.configure(parser)
    return TRAIN.run(parser.parse_args(args))


@pytest.fixture
def two(small: NetSpec) -> list[UNet]:
    found = []
    for seed in range(2):
        torch.manual_seed(seed)
        found.append(UNet(small).eval())
    return found


def test_the_mean_of_the_teachers_is_taught(small: NetSpec, parts: Parts, two: list[UNet]) -> None:
    data = teachers.taught(*parts, small, two, ratio=0.0)
    assert data.taught is not None and parts[0].taught is None
    x = np.asarray(data.x)
    each = [reconstruct(t, x[:, :, :2]) for t in two]
    n = each[0].shape[1]
    np.testing.assert_allclose(data.taught[:, :n], (each[0] + each[1]) / 2, atol=1e-5)
    truth = x[:, :, [BASIS.index(lead) for lead in small.target_leads]]
    np.testing.assert_array_equal(data.taught[:, n:], truth[:, n:])
    assert n < x.shape[1]


def test_they_are_asked_once(small: NetSpec, parts: Parts, two: list[UNet], monkeypatch: pytest.MonkeyPatch) -> None:
    first = teachers.taught(*parts, small, two, ratio=0.9)

    def never(*_: Any) -> Any:
        raise AssertionError("asked again")

    monkeypatch.setattr(teachers, "reconstruct", never)
    again = teachers.taught(*parts, small, two, ratio=0.9)
    np.testing.assert_array_equal(first.taught, again.taught)
    for others, ratio in ((two[:1], 0.9), (two, 0.8)):
        with pytest.raises(AssertionError, match="asked again"):
            teachers.taught(*parts, small, others, ratio)


def test_what_they_say_can_be_stretched(small: NetSpec, parts: Parts) -> None:
    def shy(_: UNet, seen: Any) -> Any:
        (data,) = (d for d in parts if np.array_equal(d.x[:, :, :2], seen))
        truth = np.asarray(data.x)[:, :988, 2:]
        return truth.mean(axis=0) + 0.6 * (truth - truth.mean(axis=0))

    one = [UNet(small).eval()]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(teachers, "reconstruct", shy)
        plain = teachers.taught(*parts, small, one, ratio=0.0).taught
        high = teachers.taught(*parts, small, one, ratio=0.9).taught
    assert plain is not None and high is not None
    assert np.abs(high - plain).max() > 0.05
    assert np.array_equal(high[plain <= 0], plain[plain <= 0])


def test_they_answer_for_mixed_leads_as_well(small: NetSpec, parts: Parts, two: list[UNet]) -> None:
    plain = teachers.taught(*parts, small, two, ratio=0.0)
    data = teachers.taught(*parts, small, two, ratio=0.0, mix=0.1)
    n, out = len(parts[0]), [BASIS.index(lead) for lead in small.target_leads]
    assert plain.taught is not None and data.taught is not None
    assert len(data) == 2 * n and data.x.shape == (2 * n, *parts[0].x.shape[1:])
    np.testing.assert_array_equal(data.x[:n], parts[0].x)
    np.testing.assert_array_equal(data.taught[:n], plain.taught)
    for own, mixed in zip(np.asarray(data.x[:n, :, :2]), np.asarray(data.x[n:, :, :2]), strict=True):
        matrix = np.linalg.lstsq(own, mixed, rcond=None)[0]
        np.testing.assert_allclose(own @ matrix, mixed, atol=1e-4)
        assert 0.01 < np.abs(matrix - np.eye(2)).max() < 0.5
    answer = np.mean([reconstruct(t, np.asarray(data.x[n:, :, :2])) for t in two], axis=0)
    m = answer.shape[1]
    np.testing.assert_allclose(data.taught[n:, :m], answer, atol=1e-5)
    beyond = np.asarray(data.x)[:, :m, out] - data.taught[:, :m]
    np.testing.assert_allclose(beyond[n:], beyond[:n], atol=1e-5)


def test_mixes_differ_and_the_first_are_the_same_in_any_number(small: NetSpec, parts: Parts, two: list[UNet]) -> None:
    one, three = (teachers.taught(*parts, small, two, ratio=0.0, mix=0.1, mixes=k) for k in (1, 3))
    n = len(parts[0])
    assert (len(one), len(three)) == (2 * n, 4 * n) == (len(one.x), len(three.x))
    assert one.taught is not None and three.taught is not None and three.taught.shape[0] == 4 * n
    np.testing.assert_array_equal(three.x[: 2 * n], one.x)
    np.testing.assert_array_equal(three.taught[: 2 * n], one.taught)
    for a in range(4):
        for b in range(a):
            assert np.abs(three.x[a * n : (a + 1) * n] - three.x[b * n : (b + 1) * n]).max() > 0.01
    assert teachers.taught(*parts, small, two, ratio=0.0, mix=0.0, mixes=3).x.shape == parts[0].x.shape


def test_a_teacher_measures_what_its_student_does(small: NetSpec, parts: Parts, two: list[UNet]) -> None:
    other = UNet(replace(small, input_leads=("I", "V2")))
    with pytest.raises(UsageError, match="teacher 2 measures I, V2 at 100 Hz"):
        teachers.taught(*parts, small, [two[0], other], 0.0)
    anything = replace(small, input_leads=BASIS, any_lead=True)
    with pytest.raises(UsageError, match="teacher 1"):
        teachers.taught(*parts, anything, [UNet(anything)], 0.0)


def test_a_full_disk_is_told_and_leaves_nothing(
    small: NetSpec, parts: Parts, two: list[UNet], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    before = set(cache.iterdir())
    monkeypatch.setattr(teachers, "_lesson", full)
    with pytest.raises(DiskFullError, match="ECG_EDGE_CACHE") as caught:
        teachers.taught(*parts, small, two, ratio=0.77, mix=0.1)
    assert "no space left" in caught.value.message
    assert set(cache.iterdir()) == before


def test_the_mean_learns_what_is_taught_and_the_scale_the_truth() -> None:
    g = torch.Generator().manual_seed(0)
    truth, taught = torch.randn(4, 3, 200, generator=g), torch.randn(4, 3, 200, generator=g)
    zero = torch.zeros_like(truth)
    assert float(loss_of(taught, zero, truth, 0.15, taught=taught)) < float(
        loss_of(truth, zero, truth, 0.15, taught=taught)
    )
    wide = (taught - truth).square().mean().sqrt().log()
    scales = [loss_of(taught, zero + wide + k, truth, 0.15, taught=taught) for k in (-0.5, 0.0, 0.5)]
    assert scales[1] < scales[0] and scales[1] < scales[2]


def test_a_crop_holds_what_is_taught_as_it_was_recorded(small: NetSpec, parts: Parts) -> None:
    columns = [BASIS.index(lead) for lead in small.target_leads]
    data = replace(parts[0], taught=2 * np.asarray(parts[0].x)[:, :, columns])
    spec = TrainSpec(batch=8, crop=400, gain=0.5, band=1.0, muscle_mv=0.2)
    batch = draw(data, np.arange(8), small, spec, np.random.default_rng(0))
    assert batch.taught is not None
    torch.testing.assert_close(batch.taught, 2 * batch.truth, atol=1e-4, rtol=1e-4)
    half = batch.part(1, 2)
    assert half.taught is not None and torch.equal(half.taught, batch.taught[4:])


def test_a_run_with_teachers_says_so_and_its_recipe_trains_it_again(ptbxl: Path, tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("leads: [I, II]\n" + TINY)
    first, data = tmp_path / "first", ["--data", str(ptbxl)]
    assert call("--recipe", str(tmp_path / "r.yaml"), *data, "--out", str(first)) == 0
    out = tmp_path / "student"
    args = ["--recipe", str(tmp_path / "r.yaml"), *data, "--out", str(out), "--set", "stretch=0.9", "--set", "mix=0.1"]
    with pytest.raises(UsageError, match=r"stretch is of what teachers say.*mix is of what teachers say"):
        call(*args)
    with pytest.raises(UsageError, match="no 3 mixes where mix is 0"):
        call(*args[:6], "--set", "mixes=3")
    with pytest.raises(UsageError, match="teacher 1 measures I at 100 Hz"):
        call(*args, "--teacher", "i-int8", "--data", str(tmp_path / "nowhere"))  # before records are looked for
    assert call(*args, "--init", str(first), "--teacher", str(first), "--teacher", "i-ii-int8") == 0
    assert RunFolder(out).read_config()["teachers"] == [str(first), "i-ii-int8"]
    of_run = [RunFolder(p) for p in (first, out)]
    assert of_run[0].read_config()["records"] == of_run[1].read_config()["records"], "mixed records are no records"
    own, student = (HeadFigures.load(run.calibration_file).ridge for run in of_run)
    for taps, weights in own.items():
        np.testing.assert_array_equal(student[taps], weights, "a baseline fitted on mixed records")
    assert f"learned what {first}, i-ii-int8 say" in (out / "README.md").read_text()
    assert call("--recipe", str(out / "recipe.yaml"), *data, "--out", str(tmp_path / "again")) == 0
    a, b = (RunFolder(p).history() for p in (out, tmp_path / "again"))
    assert [r["loss"] for r in a] == [r["loss"] for r in b]
    with pytest.raises(UsageError, match="belong to one run"):
        call("--queue", str(tmp_path), "--teacher", str(first))


def test_a_queue_trains_teachers_first(tmp_path: Path) -> None:
    for name, text in {
        "a": "leads: [I]\nteachers: [b, z]\ninit: b\n",
        "b": "leads: [I]\n",
        "z": "leads: [I]\n",
    }.items():
        (tmp_path / f"{name}.yaml").write_text(text + TINY)
    queue = recipe_queue.jobs(tmp_path, tmp_path / "out", [])
    assert [j.recipe.name for j in queue] == ["b", "z", "a"]
    assert queue[-1].teachers == (tmp_path / "out" / "b", tmp_path / "out" / "z")
    done: list[str] = []

    def work(job: Job) -> int:
        if job.recipe.name == "z":
            raise EcgEdgeError("the loss is nan", "")
        done.append(job.recipe.name)
        return 0

    assert recipe_queue.run(queue, work) == 1
    assert done == ["b"]


def test_wrong_teachers_are_told(tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    for text, said in (
        ("leads: [I]\nteachers: i\n", "teachers: a list"),
        ("leads: any\nteachers: [i]\n", "truth alone"),
    ):
        bad.write_text(text + TINY)
        with pytest.raises(UsageError, match=said):
            recipe.read(bad)


def test_the_card_says_who_taught() -> None:
    spec = load_shipped("i-ii-int8").spec
    assert "say, not the truth" not in model_card(spec, [])
    taught = replace(spec, training=spec.training | {"teachers": ["one", "two"]})
    assert "- learned what one, two say, not the truth" in model_card(taught, [])
