"""The linear study of placements: sums give what records give, and a stopped study goes on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ecg_edge.device.lead_algebra import BASIS, measured
from ecg_edge.train.data.prepare import Prepared
from ecg_edge.train.evaluation import metrics
from ecg_edge.train.head import ridge
from ecg_edge.train.network.placement_draw import LISTED
from ecg_edge.train.studies import placement
from tests.support.places import any_electrode_file

FS = 100


@pytest.fixture(scope="module")
def data() -> Prepared:
    rng = np.random.default_rng(0)
    root = rng.normal(size=(8, 8))
    x = (rng.standard_normal((12, 1000, 8)).cumsum(1) * 0.02 @ root).astype(np.float32)
    return Prepared(x, list(range(12)), [""] * 12, [""] * 12, {}, [str(k) for k in range(12)])


def test_sums_give_what_a_fit_on_records_gives(data: Prepared) -> None:
    channels = ("RA-V5", "V1-V3")
    sums = placement.products(data, FS, each=False), placement.products(data, FS, each=True)
    row = placement.score(channels, *sums)
    weights = ridge.fit(data, channels, BASIS, FS, placement.TAPS)
    said = np.stack([ridge.predict(measured(x, channels), weights) for x in data.x])
    want = metrics.figures(data.x[:, 200:], said[:, 200:], BASIS).summary()
    assert row["mean"]["rmse_mv"] == pytest.approx(want["mean"]["rmse_mv"], rel=1e-3)
    assert row["mean"]["r"] == pytest.approx(want["mean"]["r"], abs=1e-3)


def test_exact_leads_count_as_known_over_eight(data: Prepared) -> None:
    sums = placement.products(data, FS, each=False), placement.products(data, FS, each=True)
    row = placement.score(("I", "II", "V1", "V1-V5"), *sums)
    assert row["exact"] == ["I", "II", "V1", "V5"] and list(row["leads"]) == ["V2", "V3", "V4", "V6"]
    assert row["over_eight"]["rmse_mv"] == pytest.approx(row["mean"]["rmse_mv"] / 2)


def test_every_set_is_there_once_and_a_stopped_study_goes_on(data: Prepared, tmp_path: Path) -> None:
    names = [name for name, _ in placement.placements()]
    usual = set(placement.USUAL.values()) | set(LISTED)
    assert len(names) == len(set(names)) == len(usual) + 36 + 84 + 126
    out = tmp_path / "placement.json"
    doc = placement.linear(data, data, FS, out)
    kept = {**doc, "rows": [{**row, "name": row["name"], "mark": k} for k, row in enumerate(doc["rows"][:250])]}
    out.write_text(json.dumps(kept))
    again = placement.linear(data, replace(data), FS, out)
    assert [row["name"] for row in again["rows"]] == [row["name"] for row in doc["rows"]]
    assert sum("mark" in row for row in again["rows"]) == 250
    assert len(placement.best(doc)) == len(usual) + 15


def test_a_network_is_scored_once_on_each_placement_it_is_asked_for(data: Prepared, tmp_path: Path) -> None:
    out, model = tmp_path / "placement.json", str(any_electrode_file(tmp_path))
    doc = placement.linear(data, data, FS, out)
    doc["rows"] = [row for row in doc["rows"] if row["name"] in ("CM5", "RA, V2, V5", "V1, V3, V6")]
    done = placement.network(doc, data, model, out)
    found = {row["name"]: row["network"] for row in done["rows"]}
    assert set(found) == {"CM5", "RA, V2, V5", "V1, V3, V6"}
    assert found["CM5"]["over_eight"]["rmse_mv"] == found["CM5"]["mean"]["rmse_mv"]  # nothing follows exactly
    stamp = out.stat().st_mtime_ns
    placement.network(done, data, model, out)
    assert out.stat().st_mtime_ns == stamp
