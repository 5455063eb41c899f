"""The run folder: how it was made, and where the data are."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import torch

from ecg_edge.firmware_bridge.errors import CheckpointError, DataFolderError
from ecg_edge.train.data.datasets import Dataset
from ecg_edge.train.runs import run_folder
from ecg_edge.train.runs.run_folder import RunFolder, data_root, environment


def test_settings_read_back_with_the_versions_beside_them(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "new" / "run")
    run.write_config({"net": {"fs": 100}, "init": ""})
    found = run.read_config()
    assert (found["net"], found["init"]) == ({"fs": 100}, "")
    assert found["packages"]["torch"] == torch.__version__.partition("+")[0] or torch.__version__ in str(found)
    assert found["python"].count(".") == 2
    assert run.config_file.read_text().endswith("}\n")


def test_a_machine_without_git_records_no_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object, **__: object) -> None:
        raise FileNotFoundError("git")

    monkeypatch.setattr(run_folder.subprocess, "run", missing)
    assert environment()["commit"] == ""
    monkeypatch.undo()

    def outside(*command: object, **__: object) -> None:
        raise subprocess.CalledProcessError(128, "git")

    monkeypatch.setattr(run_folder.subprocess, "run", outside)
    assert environment()["commit"] == ""


@pytest.mark.parametrize("text", [None, "", "{", "[1]"])
def test_what_is_no_run_is_refused(text: str | None, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "config.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"is not a training run|is damaged") as caught:
        RunFolder(tmp_path).read_config()
    assert "train" in caught.value.fix


def test_the_history_is_every_epoch_so_far(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    assert run.history() == []
    (tmp_path / "history.jsonl").write_text("".join(json.dumps({"epoch": k}) + "\n" for k in (1, 2, 3)))
    assert [row["epoch"] for row in run.history()] == [1, 2, 3]
    assert run.calibration_file == tmp_path / "calibration.npz"


def test_ptb_xl_is_found_itself_and_in_the_folder_above(ptbxl: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert data_root(str(ptbxl)) == ptbxl
    monkeypatch.setenv("ECG_EDGE_DATA", str(ptbxl))
    assert data_root(None) == ptbxl


def test_the_folder_inside_comes_before_the_one_above(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "ptb-xl"):
        folder.mkdir(exist_ok=True)
        (folder / "ptbxl_database.csv").write_text("")
    assert data_root(str(tmp_path)) == tmp_path / "ptb-xl"


def test_a_named_kind_opens_another_data_set(ptbxl: Path) -> None:
    found = data_root(f"ptb-xl:{ptbxl}")
    assert isinstance(found, Dataset) and found.kind == "ptb-xl"


def test_nowhere_is_an_error_that_names_both_ways(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("ECG_EDGE_DATA", raising=False)
    with pytest.raises(DataFolderError, match="where is PTB-XL") as caught:
        data_root(None)
    assert "--data" in caught.value.fix and "ECG_EDGE_DATA" in caught.value.fix
    assert data_root(str(tmp_path / "nothing")) == tmp_path / "nothing"  # whoever reads it says what is wrong
