"""The README's table of models: a row each, between two marks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ecg_edge.device.inference.shipped import shipped_models
from ecg_edge.firmware_bridge.errors import UsageError
from ecg_edge.train.pages.models_table import BEGIN, END, models_table, paged

ROOT = Path(__file__).parents[3]


def document(name: str) -> dict[str, Any]:
    ridge = {"mean": {"r": 0.8, "rmse_mv": 0.14}}
    mean = {"r": 0.8784, "rmse_mv": 0.10893}
    return {
        "model": f"device/models/{name}.onnx",
        "inputs": ["I", "II"],
        "mean": mean,
        "baselines": {"ridge 31": ridge},
    }


def test_a_row_links_its_card_and_says_its_size(tmp_path: Path) -> None:
    file = tmp_path / "i-ii-int8.onnx"
    file.write_bytes(bytes(280_400))
    (row,) = models_table([document("i-ii-int8")], {"i-ii-int8": file}).splitlines()[2:]
    assert row == "| [`i-ii-int8`](device/models/i-ii.md) | I, II | 0.878 | 0.1089 | 0.800 | 0.1400 | 280 |"


def test_a_file_that_is_not_at_hand_has_a_dash() -> None:
    table = models_table([document("x-fp32")], {})
    assert "[`x-fp32`](device/models/x.md)" in table and table.splitlines()[-1].endswith("| – |")
    assert {line.count("|") for line in table.splitlines()} == {8}


def test_what_stands_around_the_marks_stays_and_twice_is_once() -> None:
    page = f"before\n\n{BEGIN}\nold\n{END}\n\nafter {END}\n"
    once = paged(page, "new\n")
    assert once == f"before\n\n{BEGIN}\nnew\n{END}\n\nafter {END}\n"
    assert paged(once, "new\n") == once


@pytest.mark.parametrize("page", ["", BEGIN, END, f"{END}\n{BEGIN}\n"])
def test_a_page_without_its_marks_is_refused_with_the_lines_to_put_in(page: str) -> None:
    with pytest.raises(UsageError, match="no place for the table") as caught:
        paged(page, "new\n")
    assert BEGIN in caught.value.fix and END in caught.value.fix


@pytest.mark.parametrize("name", sorted(shipped_models()))
def test_every_shipped_model_has_the_card_that_its_row_links(name: str) -> None:
    assert (ROOT / "device" / "models" / f"{name.rsplit('-', 1)[0]}.md").is_file()
