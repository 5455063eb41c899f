"""The study of personal calibration: its protocols, and that it tells help from harm."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ecg_edge.device.inference.load import Model, load_model
from ecg_edge.device.lead_algebra import BASIS
from ecg_edge.firmware_bridge.lead_names import LEADS
from ecg_edge.firmware_bridge.synthetic_heart.heart import SyntheticHeart
from ecg_edge.train.data.prepare import Prepared, prepare
from ecg_edge.train.data.ptbxl import TEST_FOLD, VALIDATION_FOLD
from ecg_edge.train.pages.calibration_tables import tables
from ecg_edge.train.studies import calibration as study
from ecg_edge.train.studies.calibration_checks import rates
from ecg_edge.train.studies.calibration_variants import compare

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model("i-ii-int8")


@pytest.fixture(scope="module")
def people() -> Prepared:
    """Four people with three recordings each, and one with a single one whose name is not known."""
    columns = [LEADS.index(lead) for lead in BASIS]
    records = []
    for seed in range(4):
        heart = SyntheticHeart(100, seed=seed)
        # Another chest for everybody: what the limb leads cannot tell.
        mix = np.eye(8) + np.pad(np.random.default_rng(seed).normal(0, 0.3, (6, 6)), ((2, 0), (2, 0)))
        records += [heart.read(1000)[:, columns] @ mix for _ in range(3)]
    records.append(records[0])
    names = [f"p{k // 3}" for k in range(12)] + [""]
    return Prepared(np.array(records, np.float32), list(range(13)), names, [()] * 13, {})


def test_who_is_fitted_and_who_is_scored(people: Prepared) -> None:
    same = study.same_record(people, 100)
    assert len(same) == 13 and all(len(t.reference) == 500 and t.first == 500 for t in same)
    following = study.next_recording(people, 100)
    assert [(t.patient, t.ecg_id) for t in following] == [("p0", 1), ("p1", 4), ("p2", 7), ("p3", 10)]
    assert following[1].reference is not None and np.array_equal(following[1].reference, people.x[3])
    others = study.of_others(following)
    assert all(not np.array_equal(o.reference, people.x[3 * int(o.patient[1])]) for o in others)


def test_calibration_helps_its_own_patient_and_is_counted_as_harm_to_others(model: Model, people: Prepared) -> None:
    own = study.score(model, study.next_recording(people, 100), "again", "own", None)
    assert own["harmed"] == 0 and own["after"]["mean"]["rmse_mv"] < 0.8 * own["before"]["mean"]["rmse_mv"]
    same = study.score(model, study.same_record(people, 100), "same", "same", None)
    assert same["after"]["mean"]["rmse_mv"] < 0.5 * same["before"]["mean"]["rmse_mv"]
    assert set(same["after"]["interval"]) == set(model.spec.target_leads)
    foreign = study.score(model, study.of_others(study.next_recording(people, 100)), "same", "foreign", None)
    assert foreign["harmed"] > 0.5


def test_the_document_becomes_tables(model: Model, people: Prepared) -> None:
    following = study.next_recording(people, 100)
    same = study.same_record(people, 100)[:3]
    doc = {
        "model": "i-ii-int8",
        "targets": list(model.spec.target_leads),
        "rows": [study.score(model, same, "same", "same record", None)],
        "variants": compare(model, same, following, people),
        "checks": rates(model, people, following),
    }
    text = "\n".join(t.markdown() for t in tables(json.loads(json.dumps(doc))))
    assert "% of 4" in text and "–" in text
    by = {row["configuration"]: row for row in doc["variants"]}
    assert by["the model's own head"]["next"]["harmed"] == 0
    assert by["the same from two references, pooled"]["next"]["records"] == 4
    assert by["the same from two references, pooled"]["same"] is None
    foreign = next(c for c in doc["checks"] if c["check"].startswith("a second reference"))
    assert foreign["hits"] >= 6 and foreign["false_alarms"] == 0


def test_the_committed_study_meets_its_bars() -> None:
    """Patients of fold 10; see docs/results.md."""
    doc = json.loads((ROOT / "docs/results/calibration.json").read_text())
    assert doc["file_sha256"] == load_model("i-ii-int8").file_sha256
    same, following = doc["rows"][:2]
    assert (same["configuration"], following["configuration"]) == ("same record, fold 10", "next recording, fold 10")
    assert same["after"]["mean"]["r"] >= 0.968 and same["after"]["mean"]["rmse_mv"] <= 0.043
    assert following["after"]["mean"]["r"] >= 0.868 and following["after"]["mean"]["rmse_mv"] <= 0.121
    assert following["harmed"] <= 0.05
    assert all(0.88 <= row["coverage"] <= 0.92 for row in same["after"]["interval"].values())
    page = (ROOT / "docs/how-to/calibrate.md").read_text()
    for row in (same, following):
        for name in ("r", "rmse_mv"):
            told = "{} → **{}**".format(*(f"{row[when]['mean'][name]:.3f}"[1:] for when in ("before", "after")))
            assert told in page


@pytest.mark.data
def test_on_real_patients_a_reference_helps(model: Model, real_data: Path) -> None:
    data = prepare(real_data / "ptb-xl", (VALIDATION_FOLD, TEST_FOLD), model.spec.conditioning, 900)
    trials = study.next_recording(data, model.spec.fs)
    assert len(trials) >= 5
    found = study.score(model, trials, "again", "next recording", None)
    assert found["after"]["mean"]["rmse_mv"] < 0.93 * found["before"]["mean"]["rmse_mv"]
    same = study.score(model, study.same_record(data, model.spec.fs)[:25], "same", "same record", None)
    assert same["after"]["mean"]["rmse_mv"] < 0.5 * same["before"]["mean"]["rmse_mv"]
