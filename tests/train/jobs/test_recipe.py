"""Recipes, the queue of them, and what a run leaves behind."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from ecg_edge.device.conditioning.spec import ConditioningSpec
from ecg_edge.device.inference.load import load_model
from ecg_edge.firmware_bridge.errors import CheckpointError, EcgEdgeError, UsageError
from ecg_edge.train.cli.train import TRAIN
from ecg_edge.train.jobs import recipe, recipe_queue
from ecg_edge.train.jobs.job import INTERRUPTED, Job
from ecg_edge.train.learning.train_spec import TrainSpec
from ecg_edge.train.network.unet import NetSpec
from ecg_edge.train.runs.checkpoints import read_checkpoint
from ecg_edge.train.runs.run_folder import RunFolder

TINY = """
network: {channels: [6, 8, 10, 12], dilations: [1, 2], n_features: 6}
training: {epochs: 2, batch: 8}
"""


def call(*args: str) -> int:
    parser = argparse.ArgumentParser()
    TRAIN.configure(parser)
    return TRAIN.run(parser.parse_args(args))


def test_every_shipped_recipe_reads_and_says_every_setting() -> None:
    assert {"i", "ii", "i-ii", "i-ii-v2", "i-ii-v3", "i-ii-v2-v5", "any", "i-ii-250hz"} <= set(recipe.shipped())
    for name in recipe.shipped():
        found = recipe.read(recipe.find(name))
        assert found.name == name
        text = recipe.find(name).read_text()
        said = yaml.safe_load(text)
        assert set(said["training"]) == set(TrainSpec.__dataclass_fields__), name
        assert set(said["network"]) == set(NetSpec.__dataclass_fields__) - recipe.GIVEN_BY_LEADS, name
        assert text.startswith("#") and text.count("#") > 15


@pytest.mark.parametrize("name", ["i", "ii", "i-ii", "i-ii-v2", "i-ii-v3", "i-ii-v2-v5", "any"])
def test_a_shipped_model_was_trained_by_its_recipe(name: str) -> None:
    trained = load_model(f"{name}-int8").spec.training
    found = recipe.read(recipe.find(name))
    settings = trained["settings"]
    assert {k: v for k, v in found.train.to_dict().items() if k in settings} == settings
    net = {k: list(v) if isinstance(v, tuple) else v for k, v in found.net.to_dict().items()}
    assert {k: v for k, v in net.items() if k in trained["network"]} == trained["network"]


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text(
        "leads: [I, aVR]\ncolour: red\ndata: mitdb\n"
        "network: {channels: [8, 8], lookahead: -1, wings: 2}\n"
        "training: {epochs: many, lr: 0, batch: 0, ema: 1.5, keep: 1.0}\n"
    )
    with pytest.raises(UsageError) as caught:
        recipe.read(bad, ["epochs=1.5", "feathers=3"])
    for part in (
        "cannot train on aVR",
        "unknown key 'colour'",
        "data: 'mitdb'",
        "2 channels but 4 kernels",
        "lookahead: -1 is negative",
        "unknown setting 'wings'",
        "epochs: 'many' is not a int",
        "epochs: '1.5' is not a int",
        "lr: 0.0 is not positive",
        "batch: 0 is less than 1",
        "ema: 1.5",
        "keep: 1.0",
        "unknown setting 'feathers'",
    ):
        assert part in str(caught.value), part


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["channels=8", "kernels=5"], "channels: 8 alone is one level"),
        (["decoder_kernel=4"], "decoder_kernel: 4 is even"),
        (["crop=70"], "a crop of 70 leaves nothing behind warm-up and look-ahead"),
        (["channels="], "channels: '' is not a list of whole numbers"),
        (["kernels=9,8,x,4"], "kernels: '9,8,x,4' is not a list of whole numbers"),
        (["input_leads=V1"], "unknown setting 'input_leads'"),
    ],
)
def test_a_network_that_cannot_be_built_or_exported_is_refused(settings: list[str], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        recipe.from_leads("I,II", settings)
    assert said in caught.value.message


def test_a_network_of_every_lead_has_no_teachers(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("leads: any\nteachers: [wide]\n" + TINY)
    with pytest.raises(UsageError, match="learns from the truth alone"):
        recipe.read(tmp_path / "r.yaml")
    (tmp_path / "r.yaml").write_text("leads: [I]\nteachers: {a: 1}\n" + TINY)
    with pytest.raises(UsageError, match="teachers: a list of names"):
        recipe.read(tmp_path / "r.yaml")
    with pytest.raises(UsageError, match="nothing is left to reconstruct"):
        recipe.from_leads("I,II,V1,V2,V3,V4,V5,V6", [])


@pytest.mark.parametrize("text", ["- a\n- b\n", "leads: [I", "network: 3\nleads: I\n", "training: {}\n", "leads: V9\n"])
def test_files_that_are_no_recipes(text: str, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(UsageError):
        recipe.read(tmp_path / "x.yaml")
    with pytest.raises(UsageError, match="no recipe nowhere"):
        recipe.find("nowhere")


def test_a_second_stage_asks_for_the_first(ptbxl: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="goes on from i-ii-first") as caught:
        call("--recipe", "i-ii", "--data", str(ptbxl))
    assert "--recipe i-ii-first" in caught.value.fix
    assert not (tmp_path / "runs").exists()


def test_what_a_judge_sees_needs_a_judge(ptbxl: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "r.yaml").write_text("leads: [I, II]\n" + TINY)
    with pytest.raises(UsageError, match="there is none in runs") as caught:
        call("--recipe", "r.yaml", "--data", str(ptbxl), "--out", "x", "--set", "diagnosis=0.3")
    assert "reproduce diagnosis" in caught.value.fix
    assert not (tmp_path / "x").exists()


def test_nothing_can_be_kept_of_a_fresh_start(ptbxl: Path, tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("leads: [I, II]\n" + TINY)
    with pytest.raises(UsageError, match="keep is a share"):
        call(
            "--recipe",
            str(tmp_path / "r.yaml"),
            "--data",
            str(ptbxl),
            "--out",
            str(tmp_path / "x"),
            "--set",
            "keep=0.5",
        )


def test_a_chain_that_its_version_does_not_describe_trains_nothing(
    ptbxl: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "r.yaml").write_text("leads: [I, II]\n" + TINY)
    monkeypatch.setattr("ecg_edge.device.conditioning.resampler._CUTOFF", 0.4)
    with pytest.raises(UsageError, match="the conditioning responds as") as caught:
        call("--recipe", str(tmp_path / "r.yaml"), "--data", str(ptbxl), "--out", str(tmp_path / "x"))
    assert "CONDITIONING_VERSION" in caught.value.fix
    assert not (tmp_path / "x").exists()


def test_a_run_behind_another_conditioning_is_refused(tmp_path: Path) -> None:
    spec = ConditioningSpec().to_dict()
    (tmp_path / "config.json").write_text(json.dumps({"conditioning": spec}))
    assert RunFolder(tmp_path).conditioning() == ConditioningSpec()
    (tmp_path / "config.json").write_text(json.dumps({"conditioning": spec | {"version": 2}}))
    with pytest.raises(CheckpointError, match="trained on records of conditioning version 2"):
        RunFolder(tmp_path).conditioning()


def test_settings_override_a_recipe() -> None:
    found = recipe.read(recipe.find("i-ii"), ["epochs=3", "channels=8,8,8,8", "lr=1e-3"])
    assert (found.train.epochs, found.train.lr, found.net.channels) == (3, 1e-3, (8, 8, 8, 8))


def folder(path: Path, **recipes: str) -> Path:
    path.mkdir()
    for name, text in recipes.items():
        (path / f"{name}.yaml").write_text(text + TINY)
    return path


def test_a_run_explains_itself_and_its_recipe_trains_it_again(
    ptbxl: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "r.yaml").write_text("leads: [I, II]\n" + TINY)
    out = tmp_path / "one"
    assert call("--recipe", str(tmp_path / "r.yaml"), "--data", str(ptbxl), "--out", str(out)) == 0
    names = {p.name for p in out.iterdir()}
    assert {"recipe.yaml", "config.json", "run.log", "history.jsonl", "curves.png", "README.md"} <= names
    assert {"last.pt", "best.pt", "calibration.npz", "tensorboard"} <= names
    assert list((out / "tensorboard").glob("events.*"))
    log, card = (out / "run.log").read_text(), (out / "README.md").read_text()
    assert "epoch 2: loss" in log and "next: ecg-edge evaluate" in log
    assert "2 of 2 epochs" in card and "CC BY 4.0" in card
    assert call("--recipe", str(out / "recipe.yaml"), "--data", str(ptbxl), "--out", str(tmp_path / "two")) == 0
    a, b = (RunFolder(p).history() for p in (out, tmp_path / "two"))
    assert [r["loss"] for r in a] == [r["loss"] for r in b]
    capsys.readouterr()


def test_tensorboard_holds_every_epoch(ptbxl: Path, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (tmp_path / "r.yaml").write_text("leads: [I]\n" + TINY)
    out = tmp_path / "r"
    assert call("--recipe", str(tmp_path / "r.yaml"), "--data", str(ptbxl), "--out", str(out)) == 0
    events = EventAccumulator(str(out / "tensorboard"))
    events.Reload()
    rows = RunFolder(out).history()
    assert [round(e.value, 5) for e in events.Scalars("train/loss")] == [round(r["loss"], 5) for r in rows]
    assert len(events.Scalars("validation/r/V6")) == 2


def test_a_queue_trains_what_others_start_from_first_and_goes_on(
    ptbxl: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    recipes = folder(tmp_path / "recipes", a="leads: [I, II]\ninit: z\n", z="leads: any\n", b="leads: [II]\n")
    args = ["--queue", str(recipes), "--data", str(ptbxl), "--out", str(tmp_path / "runs")]
    order: list[str] = []

    def cut(text: str) -> None:
        order.append(text)
        if text.startswith("epoch 1") and sum(line.startswith("epoch 1") for line in order) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr("ecg_edge.train.jobs.run_log.hint", cut)
    assert call(*args) == INTERRUPTED
    finished = {p.parent.name for p in (tmp_path / "runs").glob("*/calibration.npz")}
    assert finished == {"b"}
    monkeypatch.undo()
    monkeypatch.setenv("ECG_EDGE_CACHE", str(tmp_path / "cache"))
    capsys.readouterr()
    assert call(*args) == 0
    said = capsys.readouterr().err
    assert "1 of 3: b is finished" in said and "resumed after epoch" in said
    assert said.index("2 of 3: z") < said.index("3 of 3: a")
    assert RunFolder(tmp_path / "runs" / "a").read_config()["init"].endswith("z")
    assert all((tmp_path / "runs" / n / "calibration.npz").is_file() for n in "abz")
    assert call(*args) == 0
    assert capsys.readouterr().err.count("is finished") == 3


def test_one_that_fails_does_not_stop_those_that_can_do_without_it(tmp_path: Path) -> None:
    recipes = folder(tmp_path / "r", a="leads: [I]\n", b="leads: [II]\ninit: a\n", c="leads: [I, II]\n")
    queue = recipe_queue.jobs(recipes, tmp_path, [])
    done: list[str] = []

    def work(job: Job) -> int:
        if job.recipe.name == "a":
            raise EcgEdgeError("the loss is nan", "")
        done.append(job.recipe.name)
        return 0

    assert recipe_queue.run(queue, work) == 1
    assert done == ["c"]


def test_queues_that_cannot_be_done(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no recipe in"):
        recipe_queue.jobs(tmp_path / "nothing", tmp_path, [])
    ring = folder(tmp_path / "ring", a="leads: [I]\ninit: b\n", b="leads: [II]\ninit: a\n")
    with pytest.raises(UsageError, match="start from each other"):
        recipe_queue.jobs(ring, tmp_path, [])
    bad = folder(tmp_path / "bad", a="leads: [X]\n", b="leads: [II]\nname: c\n", c="leads: [II]\n", d="leads: [Y]\n")
    with pytest.raises(UsageError, match=r"a.yaml.*d.yaml.*two recipes are called c"):
        recipe_queue.jobs(bad, tmp_path, [])


def test_a_rate_may_change_on_the_way_and_little_else(ptbxl: Path, tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("leads: [I]\n" + TINY)
    args = ["--recipe", str(tmp_path / "r.yaml"), "--data", str(ptbxl), "--out", str(tmp_path / "r")]
    assert call(*args) == 0
    with pytest.raises(EcgEdgeError, match="already holds a run"):
        call(*args)
    assert call(*args, "--resume", "auto", "--set", "lr=1e-3") == 0
    with pytest.raises(EcgEdgeError, match="other settings"):
        call(*args, "--resume", "auto", "--set", "crop=400")
    assert read_checkpoint(tmp_path / "r" / "last.pt")["epoch"] == 2


def test_training_stops_when_it_gets_no_better(parts: tuple, small: NetSpec, tmp_path: Path) -> None:
    from ecg_edge.train.learning.trainer import Trainer

    # a rate of nothing: the averaged weights stay where they are after the first epoch
    spec = TrainSpec(epochs=9, batch=8, lr=1e-12, weight_decay=0.0, patience=2)
    out = tmp_path / "r"
    out.mkdir()
    trainer = Trainer(small, spec, *parts, out)
    trainer.validate = lambda: {"mean": {"rmse_mv": 1.0, "r": 0.5}, "leads": {}}  # type: ignore[method-assign]
    trainer.fit(lambda row: None)
    assert (trainer.epoch, trainer.best_epoch, trainer.out_of_patience) == (3, 1, True)
    again = Trainer(small, spec, *parts, out)
    again.load(out / "last.pt")
    assert again.out_of_patience
    more = Trainer(small, replace(spec, patience=0), *parts, out)
    more.load(out / "last.pt")
    assert not more.out_of_patience


def test_the_log_is_silent_where_it_should_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from ecg_edge.train.jobs.run_log import RunLog

    log = RunLog(RunFolder(tmp_path), silent=True)
    log.say("nothing")
    log.epoch({"epoch": 1, "loss": 1.0, "seconds": 1, "lr": 1, "mean": {"r": 0, "rmse_mv": 0}, "leads": {}})
    log.close()
    assert not list(tmp_path.iterdir())
    assert capsys.readouterr().err == ""
    loud = RunLog(RunFolder(tmp_path), now=lambda: "noon")
    loud.say("a\nb")
    assert (tmp_path / "run.log").read_text() == "noon  a\nnoon  b\n"
    assert json.dumps(capsys.readouterr().err) == '"a\\nb\\n"'
