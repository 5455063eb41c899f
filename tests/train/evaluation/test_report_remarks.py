"""What a report says of its own figures."""

from __future__ import annotations

from typing import Any

import pytest

from ecg_edge.train.pages.report_tables import remarks


def doc(**more: Any) -> dict[str, Any]:
    tables = {"zero": {"mean": {"rmse_mv": 0.2}}, "ridge 31": {"mean": {"rmse_mv": 0.1}}}
    return {"fold": None, "mean": {"rmse_mv": 0.05}, "baselines": tables, "patients_in_training": 0} | more


@pytest.mark.parametrize(("rmse", "said"), [(0.15, "Worse than ridge 31:"), (0.3, "Worse than zero and ridge 31:")])
def test_a_network_that_gains_nothing_is_said_to(rmse: float, said: str) -> None:
    assert said in " ".join(remarks(doc(mean={"rmse_mv": rmse})))


@pytest.mark.parametrize(("fold", "said"), [(10, "test fold"), (3, "training fold"), (9, ""), (None, "")])
def test_the_fold_is_said(fold: int | None, said: str) -> None:
    found = " ".join(remarks(doc(fold=fold)))
    assert said in found and bool(found) == bool(said)


def test_patients_seen_in_training_are_counted() -> None:
    assert "training folds hold too: 2" in " ".join(remarks(doc(patients_in_training=2)))
