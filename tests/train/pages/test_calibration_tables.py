"""Tables of personal calibration, from a made-up document."""

from __future__ import annotations

from typing import Any

from ecg_edge.train.pages.calibration_tables import tables

TARGETS = ["V1", "V2"]


def half(r: float, rmse: float, cover: tuple[float, float], **more: Any) -> dict[str, Any]:
    leads = {lead: {"r": r, "rmse_mv": rmse} for lead in TARGETS}
    interval = {lead: {"coverage": share} for lead, share in zip(TARGETS, cover, strict=True)}
    mean = {"r": r, "rmse_mv": rmse, "ci": {"r": [r - 0.01, r + 0.01], "rmse_mv": None}}
    return {"mean": mean, "leads": leads, "interval": interval, **more}


SHAPE = {"amplitude": {"V1": {"variance_ratio": 0.7}, "V2": {"variance_ratio": 0.9}}, "st": {"V1": {"mae_mv": 0.02}}}
VARIANT = {"r": 0.95, "rmse_mv": 0.06, "records": 40, "harmed": 0.1}
DOC = {
    "model": "i-ii-int8",
    "targets": TARGETS,
    "rows": [
        {
            "configuration": "same record", "records": 100, "harmed": 0.031,
            "before": half(0.88, 0.11, (0.88, 0.93)), "after": half(0.95, 0.06, (0.9, 0.91), **SHAPE),
        }
    ],
    "variants": [
        {"configuration": "the head", "same": VARIANT | {"records": 100}, "next": VARIANT},
        {"configuration": "all layers", "same": VARIANT, "next": None},
    ],
    "checks": [
        {"check": "leads swapped", "hits": 45, "of": 50, "false_alarms": 1, "of_sound": 100},
        {"check": "never tried", "hits": 0, "of": 0, "false_alarms": 0, "of_sound": 100},
    ],
}  # fmt: skip


def test_there_is_a_table_for_each_question() -> None:
    assert [table.title for table in tables(DOC)] == [
        "Personal calibration", "Calibrated, per lead: same record", "What else a reference could be used for",
        "What is wrong with a reference: seen, and falsely seen",
    ]  # fmt: skip
    for table in tables(DOC):
        assert all(len(row) == len(table.head) for row in table.rows), table.title


def test_before_and_after_stand_below_each_other() -> None:
    before, after = tables(DOC)[0].rows
    assert before[2:5] == ["the model's", "0.8800 [0.8700, 0.8900]", "0.1100"]
    assert after[2:5] == ["calibrated", "0.9500 [0.9400, 0.9600]", "0.0600"]
    assert (before[5:], after[5:]) == (["–", "–", "88.0–93.0 %", "–"], ["0.80", "20", "90.0–91.0 %", "3.1 %"])


def test_each_lead_shows_what_became_of_it() -> None:
    rows = {row[0]: list(row[1:]) for row in tables(DOC)[1].rows}
    assert rows["r"] == ["0.880 → 0.950"] * 2
    assert rows["R: variance ratio"] == ["– → 0.70", "– → 0.90"]
    assert rows["ST at J+60: mean error µV"] == ["– → 20", "– → –"]
    assert rows["90 % interval covers"] == ["88.0 % → 90.0 %", "93.0 % → 91.0 %"]


def test_a_fit_that_has_no_next_recording_has_dashes() -> None:
    head, layers = tables(DOC)[2].rows
    assert head == ["the head", "0.9500, 0.0600", "0.9500, 0.0600", "10.0 % of 40"]
    assert layers == ["all layers", "0.9500, 0.0600", "–", "–"]
    assert tables(DOC)[2].note.startswith("Same record: 100 of fold 10")


def test_a_check_that_was_never_tried_is_left_out() -> None:
    assert list(map(list, tables(DOC)[3].rows)) == [["leads swapped", "90.0 % of 50", "1.0 % of 100"]]
