"""The verbs from end to end on a small synthetic folder: train, evaluate, export, and their refusals."""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
from pathlib import Path

import pytest
import torch

from ecg_edge.device.cli.main import main
from ecg_edge.device.inference.load import load_model
from ecg_edge.device.verification.budget import Budget
from ecg_edge.export.cli import EXPORT
from ecg_edge.export.targets import own_name
from ecg_edge.firmware_bridge.cli.verb import Verb
from ecg_edge.firmware_bridge.errors import BudgetError, CheckpointError, DataFolderError, EcgEdgeError, UsageError
from ecg_edge.train.cli.evaluate import EVALUATE
from ecg_edge.train.cli.train import TRAIN

SMALL = ["--set", "channels=6,8,10,12", "--set", "dilations=1,2", "--set", "n_features=6", "--set", "batch=8"]


def call(verb: Verb, *args: str) -> int:
    parser = argparse.ArgumentParser()
    verb.configure(parser)
    return verb.run(parser.parse_args(args))


@pytest.fixture(scope="module")
def run(ptbxl: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "r"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ECG_EDGE_CACHE", str(tmp_path_factory.mktemp("cache2")))
        train_args = ["--leads", "I,II", "--data", str(ptbxl), "--out", str(out), *SMALL]
        assert call(TRAIN, *train_args, "--set", "epochs=2") == 0
    return out


def test_train_leaves_a_folder_that_explains_itself(run: Path) -> None:
    names = {p.name for p in run.iterdir()}
    assert {"config.json", "last.pt", "best.pt", "history.jsonl", "calibration.npz"} <= names
    config = json.loads((run / "config.json").read_text())
    assert config["net"]["input_leads"] == ["I", "II"]
    assert config["packages"]["torch"]
    assert config["dataset"]["licence"] == "CC BY 4.0"


def test_train_refuses_to_overwrite_and_resumes(
    run: Path, ptbxl: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    args = ["--leads", "I,II", "--data", str(ptbxl), *SMALL, "--set", "epochs=2"]
    with pytest.raises(CheckpointError, match="--resume"):
        call(TRAIN, *args, "--out", str(run))
    assert call(TRAIN, *args, "--out", str(run), "--resume") == 0
    assert "resumed after epoch 2" in capsys.readouterr().err


def test_every_wrong_setting_is_told_at_once(ptbxl: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"epochs.*not a int.*unknown setting 'colours'"):
        call(TRAIN, "--leads", "I", "--out", str(tmp_path / "x"), "--set", "epochs=many", "--set", "colours=red")
    with pytest.raises(UsageError, match="unknown lead"):
        call(TRAIN, "--leads", "V9", "--out", str(tmp_path / "x"), "--data", str(ptbxl))
    with pytest.raises(UsageError, match="cannot train on aVR"):
        call(TRAIN, "--leads", "I,aVR", "--out", str(tmp_path / "x"), "--data", str(ptbxl))
    with pytest.raises(UsageError, match="nothing is left"):
        call(TRAIN, "--leads", "I,II,V1,V2,V3,V4,V5,V6", "--out", str(tmp_path / "x"), "--data", str(ptbxl))


def test_evaluate_prints_the_contract(run: Path, ptbxl: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(EVALUATE, str(run), "--data", str(ptbxl), "--limit", "3", "--json") == 0
    out = capsys.readouterr()
    doc = json.loads(out.out.splitlines()[-1])
    assert doc["records"] == 3
    assert set(doc["leads"]) == {"V1", "V2", "V3", "V4", "V5", "V6"}
    for row in (*doc["leads"].values(), doc["mean"]):
        assert {"rmse_mv", "r", "mse_mv2"} <= set(row)
    assert set(doc["baselines"]) == {"zero", "ridge 1", "ridge 31"}
    assert doc["baselines"]["ridge 31"]["mean"]["rmse_mv"] < doc["baselines"]["zero"]["mean"]["rmse_mv"]
    assert "next:" in out.err


def test_export_proves_describes_and_names(run: Path, ptbxl: Path, tmp_path: Path, capsys) -> None:
    args = [
        str(run),
        "--int8",
        "--data",
        str(ptbxl),
        "--out",
        str(tmp_path),
        "--budget",
        "rmse=20%,st=100uV,rpeak=20ms",
    ]
    assert call(EXPORT, *args, "--json") == 0
    out = capsys.readouterr()
    report = json.loads(out.out.splitlines()[-1])
    assert report["ok"]
    assert all(c["ok"] for c in report["checks"])
    for line in ("✓ ONNX fp32 against torch", "✓ TFLite int8 V1: RMSE", "✓ int8 ONNX against TFLite"):
        assert line in out.err
    int8, fp32 = (load_model(tmp_path / f"r-{p}.onnx") for p in ("int8", "fp32"))
    assert load_model(tmp_path / "r-int8.tflite").spec.model_id == int8.spec.model_id
    assert all(line.startswith("✓ ONNX int8 ") for line in int8.spec.accuracy["checks"])
    assert int8.spec.model_id == fp32.spec.model_id == report["model_id"]
    assert int8.spec.accuracy["int8"]["leads"].keys() == {"V1", "V2", "V3", "V4", "V5", "V6"}
    assert int8.path.stat().st_size < fp32.path.stat().st_size
    card = (tmp_path / "r.md").read_text()
    for text in ("not for diagnosis", "CC BY 4.0", int8.file_sha256, "V6"):
        assert text in card
    assert not list(tmp_path.glob("*.part"))
    remarks = int8.spec.accuracy["remarks"]
    assert len(remarks) == 3 and all(f"**{text}**" in card and text in out.err for text in remarks)
    assert remarks[0].startswith("Worse than ") and "ridge" in remarks[0]  # two epochs on 24 records
    assert call(EVALUATE, str(int8.path), "--data", str(ptbxl), "--json") == 0
    doc = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert "int8 streamed" in doc["how"]
    assert doc["baselines"]["ridge 1"]["windows"] == doc["records"] == 5


def test_a_broken_budget_leaves_no_file_under_the_final_name(
    run: Path,
    ptbxl: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "r-int8.onnx").write_bytes(b"an older file")
    # No 8-bit file is half as wrong as its fp32 twin: a budget that nothing can meet.
    monkeypatch.setattr("ecg_edge.device.verification.budget.Budget.parse", lambda text: Budget(rmse=-0.5))
    monkeypatch.setattr("ecg_edge.export.eight_bits.qat.STEPS", 5)
    args = [str(run), "--int8", "--qat", "--data", str(ptbxl), "--out", str(tmp_path), "--force"]
    with pytest.raises(BudgetError, match="rejected") as caught:
        call(EXPORT, *args)
    assert caught.value.exit_code == 3
    assert {p.name: p.read_bytes() for p in tmp_path.glob("*.onnx")} == {"r-int8.onnx": b"an older file"}
    kinds = ("int8.onnx", "fp32.onnx", "int8.tflite", "fp32.tflite")
    assert {p.name for p in tmp_path.glob("*.rejected")} == {f"r-{kind}.rejected" for kind in kinds}
    report = json.loads((tmp_path / "r.rejected.json").read_text())
    assert not report["ok"]
    assert any(not c["ok"] and c["name"].startswith("ONNX int8 V") for c in report["checks"])
    said = capsys.readouterr().err
    # Before it gave up, it fine-tuned the body, then kept the three dearest convolutions in float, one after the other.
    dearest = [c["name"] for c in report["sensitivity"][:3]]
    assert "✗" in said and all(f"{name} in float" in said for name in dearest)
    assert said.index("fine-tuned for 8 bits") < said.index(f"{dearest[0]} in float")
    assert report["fine_tuning"]["after_uv"] <= report["fine_tuning"]["before_uv"]
    assert set(report["float_convolutions"]) >= set(dearest) and len(report["float_convolutions"]) == 5


def test_an_export_takes_no_name_that_is_anothers(run: Path, ptbxl: Path, tmp_path: Path) -> None:
    args = [str(run), "--data", str(ptbxl), "--out", str(tmp_path), "--limit", "2", "--format", "onnx"]
    with pytest.raises(UsageError, match="name of a shipped model"):
        call(EXPORT, *args, "--name", "i-ii")
    assert call(EXPORT, *args, "--name", "bed 7".replace(" ", "-")) == 0
    first = (tmp_path / "bed-7-fp32.onnx").read_bytes()
    assert call(EXPORT, *args, "--name", "bed-7") == 0  # the same run again
    other = shutil.copytree(run, tmp_path / "bed-7")
    net = torch.load(other / "best.pt", weights_only=True)
    weights = net["average"]
    for key in weights:
        if weights[key].is_floating_point():
            weights[key] = weights[key] * 1.5
    torch.save(net, other / "best.pt")
    args[0] = str(other)
    with pytest.raises(UsageError, match="another run"):
        call(EXPORT, *args)
    assert (tmp_path / "bed-7-fp32.onnx").read_bytes() == first
    assert call(EXPORT, *args, "--force") == 0 and (tmp_path / "bed-7-fp32.onnx").read_bytes() != first


@pytest.mark.parametrize(
    ("folder", "name"),
    [("i-ii", "i-ii-own"), ("any", "any-own"), ("mine", "mine"), ("a b/ü", "a-b-ü"), ("..", "model")],
)
def test_the_files_are_named_by_the_run(folder: str, name: str) -> None:
    assert own_name(folder) == name


def next_commands(said: str) -> list[list[str]]:
    """Every command of the next lines."""
    return [shlex.split(x.removeprefix("next: "))[1:] for x in said.splitlines() if x.startswith("next: ")]


def test_the_next_lines_run_as_printed(ptbxl: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Train, evaluate, export, decode: each line of each, from a folder with a space in its name."""
    out = tmp_path / "a b" / "r"
    few = {"evaluate": ["--limit", "2", "--no-delineation", "--resamples", "20"], "run": ["--fast", "--seconds", "1"]}
    few |= {"export": ["--limit", "2", "--budget", "rmse=99%,st=900uV,rpeak=90ms", "--calibration-records", "8"]}
    waiting = [["train", "--leads", "I,II", "--data", str(ptbxl), "--out", str(out), *SMALL, "--set", "epochs=1"]]
    done = set()
    while waiting:
        verb, *words = waiting.pop()
        if verb in done or verb not in (*few, "train"):
            continue
        done.add(verb)
        words = [w for w in words if w != "--monitor"]
        assert main([verb, *words, *few.get(verb, [])]) == 0, (verb, words)
        waiting += next_commands(capsys.readouterr().err)
    assert done == {"train", "evaluate", "export", "run"}


@pytest.mark.parametrize("budget", ["rmse", "rmse=x", "r=1%", "rmse=-1%", "st=1mm", "rpeak=5000ms"])
def test_bad_budgets(run: Path, ptbxl: Path, tmp_path: Path, budget: str) -> None:
    with pytest.raises(UsageError, match="--budget rmse=1%"):
        call(EXPORT, str(run), "--data", str(ptbxl), "--out", str(tmp_path), "--budget", budget)


def test_things_that_are_not_runs_or_data(run: Path, tmp_path: Path, ptbxl: Path) -> None:
    with pytest.raises(CheckpointError, match="not a training run"):
        call(EXPORT, str(tmp_path), "--data", str(ptbxl))
    with pytest.raises(EcgEdgeError, match="cannot read model"):
        call(EVALUATE, str(tmp_path / "nothing.onnx"), "--data", str(ptbxl))
    with pytest.raises(DataFolderError, match="not a PTB-XL folder"):
        call(EVALUATE, str(run), "--data", str(tmp_path))
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(CheckpointError, match="no checkpoint"):
        call(EVALUATE, str(tmp_path), "--data", str(ptbxl))


@pytest.mark.parametrize("leads", ["1,2", "I,X", "II,II"])
def test_leads_that_are_none_are_refused_with_the_right_fix(leads: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--leads") as caught:
        call(TRAIN, "--leads", leads, "--out", str(tmp_path / "run"))
    assert "--leads I,II" in caught.value.fix and "24,32" not in caught.value.fix
