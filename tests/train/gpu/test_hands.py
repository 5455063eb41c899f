"""The hands of a run: a plan read back, records put on the device."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

from ecg_edge.firmware_bridge.errors import DataFolderError
from ecg_edge.train.data.prepare import Prepared
from ecg_edge.train.gpu import archives, hands, pieces, plan
from ecg_edge.train.gpu.farm import Entry
from ecg_edge.train.network import placement_draw


@pytest.fixture
def work(parts: tuple[Prepared, Prepared], tmp_path: Path) -> Path:
    train, validation = parts
    (piece,) = pieces.pack(train, validation, None, tmp_path / "pieces", 50, processes=1)
    pieces.join(piece, tmp_path / "work", 1, lambda _: None)
    return tmp_path / "work"


def test_a_plan_reads_back_as_it_was_laid(tmp_path: Path) -> None:
    laid = [
        Entry("a", "i-ii", 0.0, 10.0, ("epochs=1",), ("b", "c"), "any"),
        Entry("b", "ra-v5", 5.0, 20.0, (), None, None),
    ]
    (tmp_path / "plan.json").write_text(json.dumps([asdict(entry) for entry in laid]))
    assert hands.plan_of(tmp_path / "plan.json") == laid


def test_records_that_judge_are_not_trained_on(work: Path, parts: tuple[Prepared, Prepared]) -> None:
    found = hands.records(work, torch.device("cpu"))
    train, validation = parts
    assert (len(found.train), len(found.validation)) == (len(train), len(validation))
    np.testing.assert_array_equal(found.train[0].numpy(), pieces.counts(train.x[0]))
    np.testing.assert_array_equal(found.validation[-1].numpy(), pieces.counts(validation.x[-1]))
    assert not found.field.any() and found.step_mv == pieces.STEP_MV and found.pool is None


def test_a_trial_takes_the_first_records_and_the_drawn_placements(work: Path) -> None:
    pool = placement_draw.draw(5, np.eye(8) * 0.02 + 0.01, np.random.default_rng(0))
    np.savez(work / "pool.npz", **{str(k): v for k, v in enumerate(vars(pool).values())})  # type: ignore[arg-type]
    found = hands.records(work, torch.device("cpu"), 3)
    assert len(found.train) == len(found.validation) == 3
    assert found.pool is not None
    np.testing.assert_array_equal(found.pool.channels, pool.channels)
    np.testing.assert_array_equal(found.pool.loses, pool.loses)


def test_no_records_say_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(DataFolderError, match="no records"):
        hands.records(tmp_path, torch.device("cpu"))


def test_a_judge_a_second_and_rivals_of_the_measured_leads() -> None:
    lessons = {name: spec for name, spec, _ in hands._lessons()}
    assert list(lessons)[:2] == [hands.JUDGE, hands.SECOND]
    assert lessons[hands.JUDGE].design != lessons[hands.SECOND].design, "the second must not share its blind spots"
    assert lessons["rival-i-ii"].leads == ("I", "II")
    assert all(len(spec.leads) < 8 for name, spec in lessons.items() if name.startswith("rival"))


def test_windows_are_laid_into_the_time_there_is() -> None:
    windows = [plan.Window("a", stop=0.5), plan.Window("b", "i-ii", 0.25, 1.0, ("epochs=2",))]
    one, two = plan.entries(windows, 100, 300, ("batch=8",))
    assert (one.recipe, one.start_s, one.stop_s, one.settings) == ("a", 100, 200, ("batch=8",))
    assert (two.recipe, two.start_s, two.stop_s, two.settings) == ("i-ii", 150, 300, ("epochs=2", "batch=8"))
    tried = plan.for_a_try(windows)
    assert [(w.start, w.stop) for w in tried] == [(0.0, plan.TRY_SHARE), (0.0, 1.0)]


def test_nothing_to_hand_back_makes_no_archive(tmp_path: Path) -> None:
    assert archives.gather([], tmp_path, tmp_path / "out", print) == []
    assert (tmp_path / "out").is_dir()
