"""A path is a path before it is used."""

from pathlib import Path

import pytest

from ecg_edge.firmware_bridge.errors import UsageError
from ecg_edge.firmware_bridge.private_files import exact_path


def test_a_name_and_a_path_are_paths():
    assert exact_path("a/b", "folder") == exact_path(Path("a/b"), "folder") == Path("a/b")


@pytest.mark.parametrize("given", [None, 5, "", "a\0b", b"a", ["a"]])
def test_anything_else_is_refused_by_the_parameters_name(given):
    with pytest.raises(UsageError, match=r"folder=.* is no path"):
        exact_path(given, "folder")
