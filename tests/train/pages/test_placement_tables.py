"""The page of places: the best of each size first, one sentence each, the picture draws the same."""

from __future__ import annotations

from typing import Any

from ecg_edge.train.pages import placement_tables


def row(name: str, electrodes: list[str], rmse: float) -> dict[str, Any]:
    channels = [f"{electrodes[0]}-{other}" for other in electrodes[1:]] or [name]
    mean = {"rmse_mv": rmse, "r": 0.9}
    return {"name": name, "electrodes": electrodes, "channels": channels, "leads": {"V1": mean}, "over_eight": mean}


ROWS = [
    row("I", [], 0.14),
    row("RA, V4", ["RA", "V4"], 0.12),
    row("RA, V5", ["RA", "V5"], 0.11),
    row("RA, V2, V5", ["RA", "V2", "V5"], 0.07),
    row("RA, LA, V2, V5", ["RA", "LA", "V2", "V5"], 0.05),
]
DOC = {"study": "placement", "taps": 9, "records": {"train": 2, "test": 1}, "rows": ROWS}


def test_the_least_error_stands_first_and_is_said() -> None:
    table = placement_tables.table(DOC)
    assert [r[1] for r in table.rows] == ["I", "RA, V5", "RA, V4", "RA, V2, V5", "RA, LA, V2, V5"]
    assert "2 electrodes: RA, V5 leave 0.1100 mV" in table.note
    assert "no electrodes elsewhere" in table.note
    assert table.rows[0][5:7] == ["–", "–"]
    assert table.rows[0][7:] == ["exact", "exact", "0.140", *["exact"] * 5]


def test_the_picture_draws_the_best() -> None:
    drawn = placement_tables.picture(DOC)
    assert "RA, V5: 0.1100 mV" in drawn
    assert "RA, V4" not in drawn


def test_a_network_and_a_judge_fill_their_columns() -> None:
    judged = {**ROWS[3], "network": {"over_eight": {"rmse_mv": 0.0555, "r": 0.941}}, "diagnosis": {"auc": 0.893}}
    table = placement_tables.table({**DOC, "rows": [*ROWS[:3], judged, ROWS[4]]})
    assert table.rows[3][5:7] == ["0.0555, 0.941", "0.893"]
