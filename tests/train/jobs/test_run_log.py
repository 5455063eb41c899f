"""What a run leaves behind: a recipe that trains it again, and a card that says how it came to be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ecg_edge.train.jobs import recipe
from ecg_edge.train.jobs.run_log import RunLog, card, leave_settings, settings_yaml
from ecg_edge.train.runs.run_folder import RunFolder

ROW = {"loss": 0.5, "seconds": 12.0, "lr": 1e-3, "leads": {"V1": {"r": 0.8, "rmse_mv": 0.12}}}


def row(epoch: int, rmse_mv: float) -> dict[str, Any]:
    return {"epoch": epoch, "mean": {"r": 0.9, "rmse_mv": rmse_mv}, **ROW}


def config(found: recipe.Recipe, **more: Any) -> dict[str, Any]:
    """As JSON has it, which knows no tuples."""
    doc = {
        "net": found.net.to_dict(), "train": found.train.to_dict(), "teachers": list(found.teachers),
        "records": {"train": 12_345, "validation": 2_000}, "excluded": {"7": "flat"}, "init": "", "commit": "",
        "dataset": {"name": "PTB-XL", "licence": "CC BY 4.0"}, "packages": {"torch": "2.0"}, **more,
    }  # fmt: skip
    return dict(json.loads(json.dumps(doc)))


@pytest.mark.parametrize("name", recipe.shipped())
def test_a_run_leaves_the_recipe_it_was_trained_by(name: str, tmp_path: Path) -> None:
    found = recipe.read(recipe.find(name))
    path = leave_settings(RunFolder(tmp_path), settings_yaml(name, found.init, found.data, config(found)))
    assert recipe.read(path) == found


def test_settings_from_the_command_line_are_in_the_recipe_that_is_left(tmp_path: Path) -> None:
    found = recipe.from_leads("I,V2", ["channels=8,8,8,8", "lr=1e-3", "epochs=3"], "mine")
    path = leave_settings(RunFolder(tmp_path), settings_yaml(found.name, "", found.data, config(found)))
    again = recipe.read(path)
    assert again == found and again.net.channels == (8, 8, 8, 8) and again.train.lr == 1e-3


def test_the_card_shows_the_best_epoch_and_where_everything_is_from() -> None:
    found = recipe.from_leads("I,II", [])
    text = card(config(found, hardware="1 x cpu", commit="abc123"), [row(1, 0.13), row(2, 0.11), row(3, 0.12)])
    assert "# A training run: I, II" in text
    assert "12,345 records to train, 2,000 to validate, 1 left out; CC BY 4.0" in text
    assert "- 3 of 20 epochs; best: epoch 2, r 0.9000, RMSE 0.1100 mV" in text
    assert "started from: nothing; commit abc123; torch 2.0" in text
    assert "| V1 | 0.8000 | 0.1200 |" in text and "learned what" not in text
    taught = card(config(found, teachers=["runs/wide"], init="runs/any"), [row(1, 0.13)])
    assert "learned what runs/wide say, not the truth" in taught
    assert "started from: runs/any; commit unknown" in taught and "device: unknown" in taught


def test_the_log_has_a_line_for_each_line_and_the_card_is_written_at_the_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = RunFolder(tmp_path)
    run.write_config(config(recipe.from_leads("any", [])))
    (tmp_path / "history.jsonl").write_text(json.dumps(row(1, 0.13)) + "\n")
    log = RunLog(run, now=lambda: "noon")
    log.epoch(row(1, 0.13))
    log.close()
    assert (tmp_path / "run.log").read_text() == (
        "noon  epoch 1: loss 0.5000  validation r 0.9000 RMSE 0.1300 mV  (V1 0.800)  12 s\n"
    )
    assert "epoch 1: loss" in capsys.readouterr().err
    assert "# A training run: any leads" in (tmp_path / "README.md").read_text()
    assert (tmp_path / "curves.png").is_file()


def test_without_an_epoch_there_is_no_card(tmp_path: Path) -> None:
    RunLog(RunFolder(tmp_path)).close()
    assert not list(tmp_path.iterdir())
