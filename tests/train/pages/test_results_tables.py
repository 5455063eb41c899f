"""Tables over several evaluations, from made-up documents."""

from __future__ import annotations

from typing import Any

import pytest

from ecg_edge.device.lead_algebra import BASIS
from ecg_edge.train.pages import results_tables as tables
from ecg_edge.train.pages.published import DATA_SETS, PUBLISHED

CHEST = ("V1", "V2", "V3", "V4", "V5", "V6")


def document(model: str, inputs: tuple[str, ...] = ("I", "II"), **more: Any) -> dict[str, Any]:
    leads = {x: {"r": 0.9, "mse_mv2": 0.01 * (k + 1)} for k, x in enumerate(BASIS) if x not in inputs}
    mean = {"r": 0.9, "rmse_mv": 0.1, "mse_mv2": 0.01, "r_p5": 0.5, "r2": 0.7}
    ridge = {"ridge 31": {"mean": {"r": 0.8, "rmse_mv": 0.14}}}
    return {
        "model": model,
        "inputs": list(inputs),
        "records": 2198,
        "leads": leads,
        "mean": mean,
        "baselines": ridge,
        **more,
    }


def cells(table: Any) -> list[list[str]]:
    assert all(len(row) == len(table.head) for row in table.rows), table.title
    return [list(row) for row in table.rows]


def test_the_summary_shows_what_is_there_and_dashes_elsewhere() -> None:
    covered = {"leads": {"V1": {"coverage": 0.88}, "V2": {"coverage": 0.91}}}
    first, second = cells(tables.summary([document("a", limit=50), document("b", interval=covered)]))
    assert first[:5] == ["`a`", "I+II", "the first 2198", "0.1000", "0.0100"]
    assert first[-3:] == ["0.1400, 0.800", "–", "–"]
    assert second[2] == "2198" and second[-1] == "88.0–91.0 %"


def test_information_says_the_findings_of_limb_leads_alone() -> None:
    docs = [document("a"), document("b", ("I", "II", "V2"))]
    table = tables.information(docs)
    assert cells(table)[0][:3] == ["I+II", "–", "–"]
    assert table.note.count("From I+II ") == 1 and "From I+II+V2" not in table.note
    assert tables.information(docs, "r", 3).note == ""


@pytest.mark.parametrize(("low", "said"), [(0.80, "missed in V1 0.80"), (0.86, "met")])
def test_the_aim_of_the_variance_is_judged_for_the_three_leads_it_is_set_for(low: float, said: str) -> None:
    amplitude = {"r": {"V1": {"variance_ratio": low, "slope": 0.8}, "V3": {"variance_ratio": 0.9}, "V4": {}}}
    docs = [document("a", ("I", "II", "V2"), amplitude=amplitude), document("b")]
    table = tables.regression_to_the_mean(docs, "r")
    assert table is not None
    assert f"Aim for I+II+V2, at least 0.85 per lead: {said}." in table.note
    ratio, slope = cells(table)
    column = 2 + BASIS.index("V1")
    assert (ratio[1], ratio[column]) == ("variance ratio", f"{low:.2f}")
    assert (slope[1], slope[column]) == ("slope", "0.80")
    assert tables.regression_to_the_mean([document("b")], "r") is None


def test_st_needs_records_to_say_anything() -> None:
    row = {"records": 100, "mae_mv": 0.0214, "wrong_events": 0.333}
    truth = {"0.5 Hz": {"V1": row, "V2": {"records": 0}}, "0.05 Hz": {}}
    table = tables.st([document("a", st={"truth": truth})])
    assert table is not None
    first, second = cells(table)
    assert first[1] == "0.5 Hz" and first[2 + BASIS.index("V1")] == "21, 33" and first[2 + BASIS.index("V2")] == "–"
    assert second[2:] == ["–"] * 8
    assert tables.st([document("a")]) is None


def test_other_data_sets_say_how_to_get_what_is_missing() -> None:
    models = [document("a"), document("b")]
    sets = {"ptbdb": [document("a", patients=1)], "mine": [document("a"), document("b")]}
    table = tables.cross_database(sets, models)
    rows = cells(table)
    assert [r[0] for r in rows[:2]] == [DATA_SETS["ptbdb"][0]] * 2
    assert rows[0][2] == "2198 (1 patient)"
    assert rows[1][1] == "`b`" and "--data ptbdb:DIR --json-out docs/results/MODEL.ptbdb.json" in rows[1][4]
    assert {r[1] for r in rows if r[0] == "LUDB"} == {"every model"}
    assert [r[1] for r in rows if r[0] == "mine"] == ["`a`", "`b`"]
    assert len(rows) == 2 + (len(DATA_SETS) - 1) + 2


def test_a_published_figure_stands_beside_ours_of_the_same_leads_data_and_band() -> None:
    ours = document("i-ii-int8", literature_band={"mean": {"r": 0.91, "rmse_mv": 0.09}})
    ptb = document("i-ii-v2-int8", ("I", "II", "V2"))
    rows = cells(tables.published([ours], [ptb]))
    assert len(rows) == len(PUBLISHED)
    for p, row in zip(PUBLISHED, rows, strict=True):
        on_ptb = p.data.startswith("PTB,") or p.data == "PTB"
        known = p.inputs == (("I", "II", "V2") if on_ptb else ("I", "II"))
        assert (row[4] != "–") == known, p
        if known and p.literature_band:
            assert row[4] == "r 0.910, RMSE 0.0900 mV (literature's band)"
        elif known:
            assert row[4] == "r 0.900, RMSE 0.1000 mV (device's conditioner)"


def study_row(configuration: str, design: str = "ours", **more: Any) -> dict[str, Any]:
    figures = {"leads": {"V1": {"r": 0.91}}, "mean": {"r": 0.9, "rmse_mv": 0.1}}
    return {"configuration": configuration, "design": design, "figures": figures, "records": {"train": 4000}, **more}


def test_designs_of_a_configuration_stand_together() -> None:
    rows = [study_row("I", epochs=12), study_row("I+II", epochs=12), study_row("I", "offline U-Net", epochs=12)]
    table = tables.study("gradowski2025", rows)
    assert [r[:2] for r in cells(table)] == [["I", "ours"], ["I", "offline U-Net"], ["I+II", "ours"]]
    assert "4000 training records, 12 epochs" in table.note and "any-lead" not in table.note
    shipped = tables.study("gradowski2025", [*rows, study_row("V1")])
    assert "any-lead model: one int8 file" in shipped.note


def test_only_the_study_of_width_counts_parameters() -> None:
    table = tables.study("width", [study_row("x1", epochs=1, parameters=263_000)])
    assert table.title == "What width buys" and cells(table)[0][-1] == "263,000"
    assert "parameters" not in tables.study("lookahead", [study_row("0 ms", epochs=1)]).head


def test_disturbed_records_are_changes_against_no_augmentation() -> None:
    def row(name: str, clean: float, muscle: float) -> dict[str, Any]:
        return study_row(name, disturbed={"clean": {"rmse_mv": clean}, "muscle": {"rmse_mv": muscle}})

    table = tables.disturbances([row("none", 0.1, 0.2), row("muscle", 0.101, 0.15), study_row("not scored")])
    assert table is not None
    assert cells(table) == [["none: RMSE mV", "0.1000", "0.2000"], ["muscle", "+1.0 %", "-25.0 %"]]
    assert tables.disturbances([study_row("not scored")]) is None


def test_the_any_lead_model_is_judged_by_its_furthest_row() -> None:
    def row(leads: list[str], mine: float, theirs: float) -> dict[str, Any]:
        one, other = (
            {"figures": {"mean": {"rmse_mv": v, "r": 0.9}}, "records": {"test": 2198}} for v in (mine, theirs)
        )
        return {"leads": leads, "any": one, "specialist": other, "rmse_ratio": mine / theirs}

    table = tables.any_lead({"rows": [row(["I"], 0.103, 0.1), row(["I", "II"], 0.099, 0.1)]})
    assert [r[-1] for r in cells(table)] == ["+3.0 %", "-1.0 %"]
    assert "the furthest is 3.0 %" in table.note


def test_bandwidth_is_held_against_the_better_network_at_100_hz() -> None:
    def row(name: str, fs: int, rmse: float, epochs: int = 12) -> dict[str, Any]:
        qrs = {"amplitude_ratio": 0.9, "amplitude_error_uv": 80, "same_turns": 0.8, "notches_found": 0.5}
        figures = {
            "mean": {"r": 0.9, "rmse_mv": rmse}, "rmse_each_mv": [rmse, 2 * rmse, rmse], "qrs": qrs,
            "above_40_hz": {"power_ratio": 0.5, "coherence": 0.3},
        }  # fmt: skip
        records = 4000 if epochs else 0
        return {
            "configuration": name,
            "fs": fs,
            "epochs": epochs,
            "records": records,
            "macs_per_s": 6e6,
            "figures": figures,
        }

    rows = [row("thin", 100, 0.12), row("wide", 100, 0.1), row("fast", 250, 0.09), row("truth", 100, 0.01, epochs=0)]
    table = tables.bandwidth({"rows": rows, "test_records": 2198})
    change = {r[0]: r[5] for r in cells(table)}
    assert change["wide"] == "–", "it is what the others are held against"
    assert change["thin"] == "+20.0 [+20.0, +20.0]" and change["fast"] == "-10.0 [-10.0, -10.0]"
    assert "2198 records of fold 10" in table.note and "(4000 records" in table.note
