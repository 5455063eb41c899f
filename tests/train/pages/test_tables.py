"""How a table prints, and how numbers are written in it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecg_edge.train.pages.tables import NONE, Table, number, percent, with_interval

CELLS = st.text(st.characters(exclude_categories=("C", "Z"), exclude_characters="\\"), min_size=1, max_size=8)


@given(st.integers(1, 5).flatmap(lambda n: st.lists(st.lists(CELLS, min_size=n, max_size=n), min_size=1, max_size=6)))
def test_every_line_of_a_markdown_table_has_the_columns_of_its_head(rows: list[list[str]]) -> None:
    head, *others = rows
    lines = Table("Title", head, others).markdown(3).splitlines()
    assert lines[0] == "### Title" and lines[1] == ""
    assert len(lines) == 2 + 2 + len(others)
    for line in lines[2:]:
        assert len(re.findall(r"(?<!\\)\|", line)) == len(head) + 1


def test_a_bar_in_a_cell_does_not_end_it() -> None:
    text = Table("T", ["a"], [["|x|"]]).markdown()
    assert text.splitlines()[-1] == "| \\|x\\| |"


def test_plain_columns_are_aligned_and_the_note_stands_below() -> None:
    text = Table("Title", ("lead", "r"), [("V1", "0.9"), ("mean of all", "0.85")], "A note.").plain()
    lines = text.splitlines()
    assert lines[0] == "Title" and lines[-1] == "A note."
    columns = [re.search(r"(r|0\.\d+)$", line) for line in lines[1:-1]]
    assert len({found.start() for found in columns if found}) == 1
    assert text.endswith("\n") and not text.endswith("\n\n")


def test_without_a_note_nothing_stands_below() -> None:
    assert Table("T", ["a"], [["1"]]).markdown() == "## T\n\n| a |\n|---|\n| 1 |\n"
    assert Table("T", ["a"], [["1"]], "N.").markdown().endswith("| 1 |\n\nN.\n")


@pytest.mark.parametrize(
    ("x", "digits", "scale", "text"),
    [
        (0.87654, 3, 1.0, "0.877"),
        (0.0123, 0, 1000.0, "12"),
        (-0.5, 1, 1.0, "-0.5"),
        (None, 3, 1.0, NONE),
        (0, 2, 1, "0.00"),
    ],
)
def test_numbers_have_the_decimals_asked_for(x: float | None, digits: int, scale: float, text: str) -> None:
    assert number(x, digits, scale) == text


def test_shares_are_percent() -> None:
    assert (percent(0.1234), percent(1.0, 0), percent(None)) == ("12.3", "100", NONE)


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ({"r": 0.878, "ci": {"r": [0.8741, 0.8819]}}, "0.878 [0.874, 0.882]"),
        ({"r": 0.878, "ci": {"r": None}}, "0.878"),
        ({"r": 0.878, "ci": None}, "0.878"),
        ({"r": 0.878}, "0.878"),
        ({"r": None, "ci": {"r": [0, 1]}}, NONE),
        ({}, NONE),
    ],
)
def test_an_interval_stands_in_brackets_where_there_is_one(row: dict[str, object], text: str) -> None:
    assert with_interval(row, "r") == text


def test_an_interval_has_the_scale_of_its_figure() -> None:
    assert with_interval({"bias_mv": 0.0125, "ci": {"bias_mv": [0.01, 0.015]}}, "bias_mv", 0, 1000) == "12 [10, 15]"
