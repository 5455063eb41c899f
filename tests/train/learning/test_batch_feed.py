"""Batches are the same whoever draws them."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from pathlib import Path

import pytest
import torch

from ecg_edge.train.data.prepare import Prepared
from ecg_edge.train.learning.batch_feed import Feed, fitting_workers
from ecg_edge.train.learning.batches import Batch
from ecg_edge.train.learning.train_spec import TrainSpec
from ecg_edge.train.learning.trainer import Trainer
from ecg_edge.train.network.unet import NetSpec

pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create")  # on a machine of one core
SPEC = TrainSpec(epochs=3, batch=8, crop=400, spread=1.0, muscle_mv=0.1)


def drawn(feed: Feed, first: int = 0) -> list[Batch]:
    return list(chain.from_iterable(feed.batches(first, SPEC.epochs)))


def same(a: list[Batch], b: list[Batch]) -> bool:
    return len(a) == len(b) and all(
        torch.equal(x.inputs, y.inputs) and torch.equal(x.truth, y.truth) and torch.equal(x.beats, y.beats)
        for x, y in zip(a, b, strict=True)
    )


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_draw_what_one_process_draws(small: NetSpec, parts: tuple[Prepared, Prepared], workers: int) -> None:
    alone = drawn(Feed(parts[0], small, SPEC))
    assert len(alone) == 3 * 3
    assert same(alone, drawn(Feed(parts[0], small, SPEC, workers)))
    assert not same(alone, drawn(Feed(parts[0], small, replace(SPEC, seed=1))))
    assert not same(alone[:3], alone[3:6])


def test_a_later_start_draws_what_would_have_come(small: NetSpec, parts: tuple[Prepared, Prepared]) -> None:
    feed = Feed(parts[0], small, SPEC)
    assert same(drawn(feed)[2 * feed.steps :], drawn(feed, first=2))
    assert drawn(feed, first=3) == []


def test_training_is_the_same_with_workers(small: NetSpec, parts: tuple[Prepared, Prepared], tmp_path: Path) -> None:
    losses: dict[int, list[float]] = {0: [], 2: []}
    for workers, found in losses.items():
        out = tmp_path / str(workers)
        out.mkdir()
        Trainer(small, SPEC, *parts, out, workers=workers).fit(lambda row, found=found: found.append(row["loss"]))
    assert losses[0] == losses[2]
    assert len(losses[0]) == 3


def test_processors_that_train_draw_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 16)
    assert fitting_workers(on_gpu=False) == 0
    assert fitting_workers(on_gpu=True) == 15
    assert fitting_workers(on_gpu=True, processes=4) == 3
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    assert fitting_workers(on_gpu=True) == 1
