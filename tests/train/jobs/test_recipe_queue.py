"""The order of a queue: whoever others start or learn from comes first."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecg_edge.firmware_bridge.errors import EcgEdgeError
from ecg_edge.train.jobs import recipe, recipe_queue
from ecg_edge.train.jobs.job import Job
from ecg_edge.train.jobs.recipe import Recipe

BASE = recipe.from_leads("I", [])


@given(st.randoms(use_true_random=False), st.integers(1, 8))
def test_every_recipe_comes_after_what_it_needs(random: object, n: int) -> None:
    """Whatever the files are called: each may need any that was made before it."""
    made: list[Recipe] = []
    for k in range(n):
        names = [r.name for r in made]
        needed = [name for name in names if random.random() < 0.4]  # type: ignore[attr-defined]
        init = needed.pop() if needed else "runs/elsewhere"
        made.append(Recipe(f"r{k}", BASE.net, BASE.train, init, teachers=tuple(needed)))
    shuffled = list(made)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    done: set[str] = set()
    for r in recipe_queue._in_order(shuffled):
        assert not {r.init, *r.teachers} & {m.name for m in made} - done
        done.add(r.name)
    assert len(done) == n


def job(name: str, out: Path, init: Path | None = None) -> Job:
    return Job(Recipe(name, BASE.net, BASE.train), out / name, init=init)


def test_runs_of_the_queue_lie_beside_each_other_and_others_where_they_say(tmp_path: Path) -> None:
    tiny = "network: {channels: [4, 4, 4, 8]}\n"
    (tmp_path / "a.yaml").write_text("leads: [I]\ninit: b\nteachers: [b, runs/far]\n" + tiny)
    (tmp_path / "b.yaml").write_text("leads: [I]\ninit: i-int8\n" + tiny)
    second, first = recipe_queue.jobs(tmp_path, tmp_path / "out", ["epochs=2"])[::-1]
    assert (first.recipe.name, first.init) == ("b", Path("i-int8"))
    assert second.init == tmp_path / "out" / "b"
    assert second.teachers == (tmp_path / "out" / "b", Path("runs/far"))
    assert second.resume and second.recipe.train.epochs == 2
    (moved,) = recipe_queue.with_data([first], "field:DIR", 7)
    assert (moved.data, moved.limit, moved.recipe) == ("field:DIR", 7, first.recipe)


def test_what_needs_a_failed_one_is_left_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    queue = [job("a", tmp_path), job("b", tmp_path, tmp_path / "a"), job("c", tmp_path, tmp_path / "b")]

    def work(one: Job) -> int:
        raise EcgEdgeError("the disk is full", "make room")

    assert recipe_queue.run(queue, work) == 1
    said = capsys.readouterr().err
    assert "a failed: the disk is full\n  fix: make room" in said
    assert "not done: b: needs a" in said and "not done: c: needs b" in said


def test_an_interrupted_job_ends_the_queue(tmp_path: Path) -> None:
    seen: list[str] = []

    def work(one: Job) -> int:
        seen.append(one.recipe.name)
        return 130

    assert recipe_queue.run([job("a", tmp_path), job("b", tmp_path)], work) == 130
    assert seen == ["a"]


def test_a_finished_job_is_not_done_again(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "calibration.npz").write_bytes(b"")
    assert job("a", tmp_path).finished
    assert recipe_queue.run([job("a", tmp_path)], lambda _: pytest.fail("done again")) == 0
