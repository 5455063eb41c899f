"""What a program may rely on: a name leaves or enters this list by intention only."""

import ast
import importlib
import re
from pathlib import Path

import pytest

import ecg_edge

FRONT = Path(ecg_edge.__file__)
PAGE = Path(__file__).resolve().parents[3] / "docs/python.md"


def test_all_is_what_is_documented():
    rows = [line.split("|")[1] for line in PAGE.read_text().split("## What is checked")[0].splitlines() if "|" in line]
    documented = [name for row in rows for name in re.findall("`([A-Za-z_]+)`", row)]
    assert sorted(ecg_edge.__all__) == sorted(documented)
    assert len(ecg_edge.__all__) == len(set(ecg_edge.__all__))


def test_names_for_mypy_are_those_of_the_table():
    tree = ast.parse(FRONT.read_text())
    block = next(n for n in tree.body if isinstance(n, ast.If))
    seen = {}
    for node in block.body:
        if isinstance(node, ast.ImportFrom) and node.module.startswith("ecg_edge."):
            assert all(a.asname == a.name for a in node.names), "only `X as X` is exported to type checkers"
            seen |= {a.name: node.module for a in node.names}
    assert set(seen) == set(ecg_edge.__all__)
    for name, module in seen.items():
        assert getattr(importlib.import_module(module), name) is getattr(ecg_edge, name)


def test_dir_and_version():
    assert set(ecg_edge.__all__) <= set(dir(ecg_edge))
    assert not [name for name in dir(ecg_edge) if name.startswith("_") and not name.endswith("__")]
    assert ecg_edge.__version__.count(".") == 2 and "__version__" in dir(ecg_edge)
    with pytest.raises(AttributeError, match="no attribute 'reconstuct'"):
        _ = ecg_edge.reconstuct


def test_a_star_gives_all_of_it():
    names = {}
    exec("from ecg_edge import *", names)  # noqa: S102 -- a star is for modules only
    assert set(ecg_edge.__all__) <= set(names)


def test_typed():
    assert (FRONT.parent / "py.typed").is_file()
