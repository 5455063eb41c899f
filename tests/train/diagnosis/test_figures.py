"""AUC and F1 beside scikit-learn's, and their intervals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecg_edge.firmware_bridge.array_types import Float32Array
from ecg_edge.train.diagnosis import figures
from ecg_edge.train.evaluation.bootstrap import Bootstrap


def some(seed: int, n: int = 60, steps: int = 12) -> tuple[Float32Array, Float32Array]:
    rng = np.random.default_rng(seed)
    true = (rng.random((n, 5)) < 0.4).astype(np.float32)
    said = np.round((true + rng.normal(0, 1, true.shape)) * steps / 4) / steps  # with ties
    return true, said.astype(np.float32)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 1000), st.integers(1, 12))
def test_area_is_the_share_of_pairs_in_order(seed: int, steps: int) -> None:
    true, said = some(seed, 25, steps)
    for k, area in enumerate(figures.areas(true, said)[0]):
        ill, well = (said[true[:, k] == v, k] for v in (1, 0))
        ordered = (ill[:, None] > well).sum() + 0.5 * (ill[:, None] == well).sum()
        assert area == pytest.approx(ordered / (len(ill) * len(well)))


def test_weights_are_records_counted_several_times() -> None:
    true, said = some(3)
    times = np.random.default_rng(0).integers(0, 4, len(true))
    rows = np.repeat(np.arange(len(true)), times)
    weights, limits = times[None].astype(np.float64), np.full(5, 0.3)
    np.testing.assert_allclose(figures.areas(true, said, weights), figures.areas(true[rows], said[rows]))
    np.testing.assert_allclose(figures.f1(true, said, limits, weights), figures.f1(true[rows], said[rows], limits))


def test_one_answer_alone_has_no_area() -> None:
    true, said = some(1)
    true[:, 2] = 0
    assert np.isnan(figures.areas(true, said)[0, 2])


def test_f1_is_that_of_the_counts() -> None:
    true, said = some(5)
    found = figures.f1(true, said, np.full(5, 0.4))[0]
    for k in range(5):
        yes, right = said[:, k] > 0.4, true[:, k] > 0
        hit = (yes & right).sum()
        assert found[k] == pytest.approx(2 * hit / (yes.sum() + right.sum()))


def test_no_limit_tried_is_better_than_the_best() -> None:
    true, said = some(7, 400, 200)
    best = figures.f1(true, said, figures.best_limits(true, said))
    for limit in np.linspace(-1, 2, 40):
        assert (figures.f1(true, said, np.full(5, limit)) <= best + 0.02).all()


def test_the_table_and_what_is_lost() -> None:
    true, said = some(9, 300, 100)
    worse = (said + np.random.default_rng(1).normal(0, 2, said.shape)).astype(np.float32)
    boot = Bootstrap.of([str(k // 2) for k in range(300)], list(range(300)), 200)
    doc = figures.table(true, said, figures.best_limits(true, said), boot)
    low, high = doc["auc"]["ci"]
    assert low < doc["auc"]["macro"] < high and 0 < doc["f1"]["macro"] < 1
    assert set(doc["auc"]["classes"]) == {"NORM", "MI", "STTC", "CD", "HYP"}
    gone = figures.lost(true, worse, said, boot)
    assert gone["auc"] > 0 and gone["ci"][0] > 0
    assert figures.lost(true, said, said, boot)["auc"] == 0
