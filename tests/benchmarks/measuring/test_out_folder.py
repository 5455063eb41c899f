"""A report's folder is made before the work, or refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecg_edge.benchmarks.measuring.out_folder import made
from ecg_edge.firmware_bridge.errors import UsageError


def test_a_folder_is_made_with_those_above_it_and_may_be_there(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    assert made(folder) == folder and folder.is_dir()
    assert made(folder) == folder


def test_a_file_in_the_way_is_an_error_with_a_fix(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(UsageError, match="no folder can be made at") as caught:
            made(folder)
        assert "--out" in caught.value.fix
