"""The study of what a diagnosis keeps: every row is there, and nothing is done twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ecg_edge.train.diagnosis import learn
from ecg_edge.train.diagnosis.kept import shown
from ecg_edge.train.pages.diagnosis_tables import tables
from ecg_edge.train.studies import diagnosis

MODEL = "i-ii-int8"


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("diagnosis")


def test_every_row_is_there_and_a_second_run_asks_nobody(
    ptbxl: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    doc = diagnosis.run(ptbxl, out, epochs=1, models=[MODEL])
    estimates = [row["estimate"] for row in doc["rows"]]
    assert estimates[:2] == [diagnosis.REAL, MODEL]
    assert set(estimates[2:]) == {
        f"{MODEL}, {diagnosis.BEFORE}", f"{MODEL}, {diagnosis.AFTER}",
        diagnosis.RIDGE, diagnosis.ZERO, diagnosis.RIVAL,
    }  # fmt: skip
    assert doc["rows"][0]["lost"]["auc"] == 0
    assert "I and II" in doc["sentence"]
    text = "".join(t.markdown() for t in tables(doc))
    assert all(name in text for name in ("NORM", "MI", "STTC", "CD", "HYP", "Diagnosis kept", doc["sentence"]))

    def never(*_: Any) -> Any:
        raise AssertionError("asked again")

    monkeypatch.setattr(diagnosis, "shown", never)
    monkeypatch.setattr(diagnosis, "_worn", never)
    monkeypatch.setattr(learn.JudgeTrainer, "fit", never)
    again = diagnosis.run(ptbxl, out, epochs=1, models=[MODEL])
    assert again["rows"] == doc["rows"]


def test_hidden_leads_are_the_estimate_and_the_others_the_truth() -> None:
    x = np.random.default_rng(0).normal(size=(2, 50, 8)).astype(np.float32)
    found = shown(x, ("I", "II"), ("V1", "V6"), lambda seen: seen[:40] * 2, "test")
    assert found.shape == (2, 40, 8)
    np.testing.assert_array_equal(found[:, :, [2, 7]], x[:, :40, :2] * 2)
    np.testing.assert_array_equal(found[:, :, [0, 1, 3, 4, 5, 6]], x[:, :40][:, :, [0, 1, 3, 4, 5, 6]])
    pair = shown(x, ("RA-V5",), ("V1",), lambda seen: seen, "test")
    np.testing.assert_allclose(pair[:, :, 2], x[:, :, 6] + (x[:, :, 0] + x[:, :, 1]) / 3, atol=1e-5)
