"""Studies: their rows, the designs they compare, and that a finished row is not done again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ecg_edge.train.data.prepare import Prepared
from ecg_edge.train.network.offline_unet import OfflineUNet, centred
from ecg_edge.train.network.unet import NetSpec, UNet
from ecg_edge.train.pages.findings import ordinal
from ecg_edge.train.studies.grid import STUDIES, configurations, rows
from ecg_edge.train.studies.noise_test import CONDITIONS
from ecg_edge.train.studies.study import run_row, with_leads


def test_fifteen_configurations_two_designs() -> None:
    assert len(set(configurations())) == 15
    assert [len(rows(s, 4)) for s in STUDIES] == [30, 7, 3, 13]
    widths = [rows("width", 4)[k].net.channels for k in range(3)]
    assert widths == [(12, 16, 32, 48), (24, 32, 64, 96), (36, 48, 96, 144)]
    assert all(len({r.name for r in rows(s, 4)}) == len(rows(s, 4)) for s in STUDIES)


def test_the_seeds_network_sees_the_future_and_ours_only_its_lookahead(small: NetSpec) -> None:
    x = torch.randn(1, 2, 160)
    y = x.clone()
    y[..., 150:] += 1.0
    seed = OfflineUNet(replace(small, lookahead=0)).eval()
    with torch.no_grad():
        assert not torch.equal(seed(x)[0][..., :140], seed(y)[0][..., :140])
        net = UNet(small).eval()
        assert torch.equal(net(x)[0][..., :144], net(y)[0][..., :144])  # a hop of 8 is one step: it ends at 152
        assert not torch.equal(centred(net)(x)[0][..., :144], centred(net)(y)[0][..., :144])


def test_lead_three_takes_the_column_of_two(parts: tuple[Prepared, Prepared]) -> None:
    data = parts[1]
    np.testing.assert_allclose(with_leads(data, ("I", "III")).x[..., 1], data.x[..., 1] - data.x[..., 0])
    assert with_leads(data, ("I", "II")) is data


@pytest.mark.parametrize("study", ["gradowski2025", "lookahead"])
def test_a_finished_row_is_not_done_again(study: str, parts: tuple[Prepared, Prepared], tmp_path: Path) -> None:
    row = replace(rows(study, 1, smaller=True)[-1])
    row = replace(row, train=replace(row.train, batch=8))
    first = run_row(row, (*parts, parts[1]), tmp_path)
    assert run_row(row, (*parts, parts[1]), tmp_path) == json.loads((tmp_path / f"{row.name}.json").read_text())
    assert first["figures"]["records"] == len(parts[1])


def test_an_augmentation_is_scored_on_every_disturbance(parts: tuple[Prepared, Prepared], tmp_path: Path) -> None:
    from ecg_edge.train.pages.results_tables import disturbances

    found = []
    for name in ("none", "muscle"):
        row = next(r for r in rows("augmentation", 1, smaller=True) if r.configuration == name)
        found.append(
            run_row(replace(row, train=replace(row.train, batch=8)), (*parts, parts[1]), tmp_path, disturb=True)
        )
    assert all(list(doc["disturbed"]) == list(CONDITIONS) for doc in found)
    clean, muscle = (found[0]["disturbed"][k] for k in ("clean", "muscle 100 µV"))
    assert clean["rmse_mv"] != muscle["rmse_mv"]
    table = disturbances(found)
    assert table is not None
    assert [r[0] for r in table.rows] == ["none: RMSE mV", "muscle"]


def test_the_two_findings_in_words() -> None:
    said = ordinal({"V1": 0.01, "V2": 0.03, "V3": 0.04, "V4": 0.02, "V5": 0.015, "V6": 0.008})
    assert said.startswith("V1 and V6 come back best, V3 comes back worst")
    assert "do not come back best" in ordinal({"V1": 0.05, "V2": 0.03, "V3": 0.04, "V6": 0.008})


def test_what_the_any_lead_model_can_serve_of_the_grid(ptbxl: Path) -> None:
    from ecg_edge.device.conditioning.spec import ConditioningSpec
    from ecg_edge.train.data.prepare import prepare
    from ecg_edge.train.pages.results_tables import study
    from ecg_edge.train.studies import any_lead as reproduce_any
    from ecg_edge.train.studies.grid import configurations

    assert reproduce_any.measured_as(("I", "III")) == ("I", "II")
    assert reproduce_any.measured_as(("III",)) == ()
    rows = reproduce_any.rows(prepare(ptbxl, (10,), ConditioningSpec(), 2))
    assert [r["configuration"] for r in rows] == ["+".join(c) for c in configurations() if c != ("III",)]
    by = {r["configuration"]: r["figures"] for r in rows}
    assert by["I+II"] == by["I+III"]
    assert set(by["I+II+V2"]["leads"]) == {"V1", "V3", "V4", "V5", "V6"}
    own = {**rows[2], "design": "ours", "epochs": 4, "records": {"train": 9}}
    table = study("gradowski2025", [own, *rows])
    assert [row[1] for row in table.rows if row[0] == "I+II"] == ["ours", reproduce_any.DESIGN]
    assert "any-lead" in table.note


def test_the_any_lead_model_beside_each_specialist(ptbxl: Path) -> None:
    from ecg_edge.device.conditioning.spec import ConditioningSpec
    from ecg_edge.train.data.prepare import prepare
    from ecg_edge.train.network import lead_subsets as subsets
    from ecg_edge.train.pages.results_tables import any_lead
    from ecg_edge.train.studies import any_lead as reproduce_any

    doc = reproduce_any.beside_specialists(prepare(ptbxl, (10,), ConditioningSpec(), 2))
    assert [tuple(row["leads"]) for row in doc["rows"]] == list(subsets.SPECIALISTS)
    for row in doc["rows"]:
        mine, theirs = (row[k]["figures"]["mean"]["rmse_mv"] for k in ("any", "specialist"))
        assert row["rmse_ratio"] == mine / theirs != 1
        assert row["any"]["model"] != row["specialist"]["model"]
    table = any_lead(doc)
    worst = max(row["rmse_ratio"] for row in doc["rows"]) - 1
    assert f"the furthest is {100 * worst:.1f} %" in table.note and len(table.rows) == 6
