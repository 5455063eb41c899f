"""Bootstrap intervals and the tables built on them, against their definitions."""

from __future__ import annotations

import numpy as np
import pytest

from ecg_edge.train.data.prepare import Prepared
from ecg_edge.train.evaluation import metrics
from ecg_edge.train.evaluation.bootstrap import MIN_UNITS, Bootstrap, interval
from ecg_edge.train.evaluation.metrics_table import diagnostic_groups, full_table, rows_of

LEADS = ("V1", "V2")


def of_records(n: int, resamples: int = 2000, seed: int = 0) -> Bootstrap:
    return Bootstrap.of([""] * n, list(range(n)), resamples, seed)


def test_the_interval_of_a_mean_is_the_textbooks() -> None:
    x = np.random.default_rng(0).normal(3, 2, (400, 1))
    low, high = interval((of_records(400).sums(x) / 400)[:, 0]) or (0, 0)
    half = 1.96 * x.std() / np.sqrt(400)
    assert low == pytest.approx(x.mean() - half, abs=0.03)
    assert high == pytest.approx(x.mean() + half, abs=0.03)


def test_the_seed_decides_the_draws() -> None:
    assert np.array_equal(of_records(30).weights, of_records(30).weights)
    assert not np.array_equal(of_records(30).weights, of_records(30, seed=1).weights)


def test_whole_patients_are_drawn() -> None:
    """Copies of a record carry no news: ten of each must not narrow the interval."""
    values = np.random.default_rng(1).normal(size=40)
    once = interval((of_records(40).sums(values[:, None]) / 40)[:, 0])
    copies = np.repeat(values, 10)[:, None]
    boot = Bootstrap.of([f"{k // 10}" for k in range(400)], list(range(400)), 2000)
    assert boot.over == "patients"
    ten = interval((boot.sums(copies) / 400)[:, 0])
    assert once and ten
    assert ten[1] - ten[0] == pytest.approx(once[1] - once[0], rel=0.1)


def test_unknown_patients_stand_for_their_records_and_pieces_stay_together() -> None:
    assert of_records(9).over == "records"
    mixed = Bootstrap.of(["a", "a", "", ""], [1, 2, 3, 3])
    assert mixed.over == "patients, records where unknown"
    assert mixed.unit[0] == mixed.unit[1] != mixed.unit[2] == mixed.unit[3]


def test_few_patients_give_no_interval() -> None:
    boot = of_records(MIN_UNITS - 1)
    assert interval(boot.sums(np.ones((MIN_UNITS - 1, 1)))[:, 0]) is None
    assert boot.describe()["resamples"] == 0


def truth_and_guess(n: int = 12) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    t = rng.normal(0.1, 1, (n, 300, 2)) * rng.uniform(0.5, 2, (n, 1, 1))
    return t, t + rng.normal(0, 0.5, t.shape)


def test_full_table_against_the_definitions() -> None:
    t, e = truth_and_guess()
    doc = full_table(metrics.figures(t, e, LEADS), of_records(len(t)))
    row, error = doc["leads"]["V2"], (t - e)[..., 1]
    centred = t[..., 1] - t[..., 1].mean(axis=1, keepdims=True)
    assert row["r2"] == pytest.approx(1 - (error**2).sum() / (centred**2).sum())
    assert row["prd"] == pytest.approx(np.mean(100 * np.sqrt((error**2).sum(axis=1) / (t[..., 1] ** 2).sum(axis=1))))
    r = [np.corrcoef(a, b)[0, 1] for a, b in zip(t[..., 1], e[..., 1], strict=True)]
    assert row["r_p5"] == pytest.approx(np.percentile(r, 5))
    assert doc["mean"]["prd"] == pytest.approx((doc["leads"]["V1"]["prd"] + row["prd"]) / 2)
    for name in ("rmse_mv", "r", "mse_mv2", "r2", "prd"):
        for place in (row, doc["mean"]):
            low, high = place["ci"][name]
            assert low < place[name] < high


def test_a_flat_truth_spoils_no_mean() -> None:
    t, e = truth_and_guess()
    t[0, :, 0] = 0.0
    doc = full_table(metrics.figures(t, e, LEADS), of_records(len(t)))
    assert doc["leads"]["V1"]["r_undefined"] == 1
    assert np.isfinite(doc["leads"]["V1"]["prd"])
    rest = full_table(metrics.figures(t[1:], e[1:], LEADS))
    assert doc["leads"]["V1"]["prd"] == pytest.approx(rest["leads"]["V1"]["prd"])


def prepared(diagnoses: list[str]) -> Prepared:
    n = len(diagnoses)
    return Prepared(np.zeros((n, 10, 8), np.float32), list(range(n)), [""] * n, diagnoses, {})


def test_a_record_counts_in_each_of_its_superclasses() -> None:
    groups = diagnostic_groups(prepared(["NORM", "MI;CD", "CD", ""]))
    assert {k: v.tolist() for k, v in groups.items()} == {
        "NORM": [True, False, False, False],
        "MI": [False, True, False, False],
        "CD": [False, True, True, False],
    }
    t, e = truth_and_guess(4)
    figures = metrics.figures(t, e, LEADS)
    assert full_table(rows_of(figures, groups["CD"])) == full_table(metrics.figures(t[1:3], e[1:3], LEADS))


def test_other_diagnoses_are_groups_while_they_are_few() -> None:
    assert set(diagnostic_groups(prepared(["Healthy control", "Myocarditis", ""]))) == {
        "Healthy control",
        "Myocarditis",
    }
    assert diagnostic_groups(prepared([f"code {k}" for k in range(40)])) == {}
