"""Settings that contradict each other are reported before any work, all together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ecg_edge.firmware_bridge.errors import UsageError
from ecg_edge.train.jobs import job as jobs
from ecg_edge.train.jobs import recipe
from ecg_edge.train.jobs.job import Job, is_model

BASE = recipe.from_leads("I,II", [])


def job(folder: Path, init: Path | None = None, teachers: tuple[Path, ...] = (), **settings: Any) -> Job:
    one = replace(BASE, train=replace(BASE.train, **settings))
    return Job(one, folder / "run", init=init, teachers=teachers, judge=folder / "judge.pt")


@pytest.mark.parametrize(
    ("settings", "said", "fix"),
    [
        ({"keep": 0.5}, "keep is a share of the weights a run starts from", "--init"),
        ({"stretch": 0.9}, "stretch is of what teachers say", "--teacher"),
        ({"mix": 0.1}, "mix is of what teachers say", "--teacher"),
        ({"mixes": 2}, "there can be no 2 mixes where mix is 0", "mix=0.12"),
        ({"diagnosis": 0.3}, "there is none in", "reproduce diagnosis"),
    ],
)
def test_a_setting_needs_what_it_is_of(settings: dict[str, Any], said: str, fix: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        jobs._contradictions(job(tmp_path, **settings), started=False)
    assert fix in caught.value.fix


def test_all_contradictions_are_reported_together(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        jobs._contradictions(job(tmp_path, keep=0.5, stretch=0.9, diagnosis=0.3), started=False)
    for part in ("keep is a share", "stretch is of", "there is none in"):
        assert part in caught.value.message
    assert caught.value.fix.count(";") == 2


def test_what_is_there_is_no_contradiction(tmp_path: Path) -> None:
    (tmp_path / "judge.pt").write_bytes(b"")
    teacher, start = (tmp_path / "teacher",), tmp_path / "start"
    jobs._contradictions(job(tmp_path, start, teacher, keep=0.5, stretch=0.9, mix=0.1, mixes=3, diagnosis=0.3), False)
    jobs._contradictions(job(tmp_path, keep=0.5), started=True)  # what it started from is in the checkpoint
    jobs._contradictions(job(tmp_path), started=False)


@pytest.mark.parametrize(
    ("init", "model"),
    [
        (None, False),
        (Path("i-ii-int8"), True),
        (Path("x.tflite"), True),
        (Path("runs/i"), False),
        (Path("b.pt"), False),
    ],
)
def test_a_start_is_a_model_or_a_run(init: Path | None, model: bool) -> None:
    assert is_model(init) == model
