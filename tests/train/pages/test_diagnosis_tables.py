"""Tables of what a classifier of diagnoses still sees, from a made-up document."""

from __future__ import annotations

from typing import Any

from ecg_edge.train.evaluation.metrics_table import SUPERCLASSES
from ecg_edge.train.pages.diagnosis_tables import tables


def figure(macro: float, ci: list[float] | None = None, missing: str = "") -> dict[str, Any]:
    classes = {n: {"value": None if n == missing else macro, "ci": None} for n in SUPERCLASSES}
    return {"macro": macro, "ci": ci, "classes": classes}


def row(configuration: str, estimate: str, lost: float, missing: str = "") -> dict[str, Any]:
    return {
        "configuration": configuration, "estimate": estimate, "records": 2158,
        "auc": figure(0.93 - lost, [0.92 - lost, 0.94 - lost], missing), "f1": figure(0.7),
        "lost": {"auc": lost, "ci": [lost - 0.005, lost + 0.005]},
    }  # fmt: skip


DOC = {
    "sentence": "What is lost is little.",
    "judge": {"seconds": [2.0, 10.0], "design": "residual", "parameters": 1_000_000},
    "rows": [
        row("all", "the real leads", 0.0),
        row("I, II", "i-ii-int8", 0.02),
        row("I, II", "i-ii-int8, seconds 5–10", 0.021, missing="HYP"),
        row("I, II", "ridge 31", 0.06),
    ],
}


def test_one_table_of_means_and_one_for_each_figure_by_class() -> None:
    titles = [table.title for table in tables(DOC)]
    assert titles == ["Diagnosis kept", "Diagnosis kept: AUC by superclass", "Diagnosis kept: F1 by superclass"]


def test_the_loss_stands_beside_its_interval() -> None:
    macro = tables(DOC)[0]
    assert list(macro.rows[1]) == ["I, II", "`i-ii-int8`", "0.910 [0.900, 0.920]", "0.020 [0.015, 0.025]", "0.700"]
    assert macro.note.startswith("What is lost is little. PTB-XL fold 10, 2158 records")
    assert "seconds 2 to 10" in macro.note and "(residual, 1000000 parameters)" in macro.note


def test_models_are_set_as_code_and_others_as_words() -> None:
    assert [r[1] for r in tables(DOC)[0].rows] == [
        "the real leads", "`i-ii-int8`", "`i-ii-int8`, seconds 5–10", "ridge 31",
    ]  # fmt: skip


def test_a_class_without_a_figure_has_a_dash() -> None:
    by_class = tables(DOC)[1]
    assert list(by_class.head[2:]) == list(SUPERCLASSES)
    assert by_class.rows[2][2 + SUPERCLASSES.index("HYP")] == "–"
    assert all(len(r) == len(by_class.head) for r in by_class.rows)
