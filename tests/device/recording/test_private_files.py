"""What is written of a person is for its owner alone, whatever writes it."""

import os
import stat
import sys

import pytest

from ecg_edge.device.cli.main import main
from ecg_edge.firmware_bridge.errors import UsageError
from ecg_edge.firmware_bridge.private_files import VARIABLE, file_mode, private_folder, private_open

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="other permissions")


@pytest.fixture(autouse=True)
def open_umask():
    before = os.umask(0o022)
    yield
    os.umask(before)


def modes(folder):
    return {p.name: stat.S_IMODE(p.stat().st_mode) for p in [folder, *folder.rglob("*")]}


def test_a_recording_its_edf_and_its_page_are_for_the_owner_alone(model, tmp_path):
    folder = tmp_path / "a" / "recordings"
    run = ["run", "synthetic:", "--fast", "--seconds", "12", "--model", str(model.path), "--out", str(folder)]
    assert main(run) == 0
    record = str(next(p for p in folder.glob("*.hea") if "measured" not in p.name).with_suffix(""))
    pytest.importorskip("edfio")
    for verb, suffix in (("convert", "edf"), ("report", "pdf")):
        assert main([verb, record, "--out", str(folder / f"x.{suffix}")]) == 0
    found = modes(tmp_path / "a")
    assert {found.pop("a"), found.pop("recordings")} == {0o700}
    assert set(found.values()) == {0o600} and len(found) == 8


def test_a_group_may_be_let_in(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "640")
    private_folder(tmp_path / "g")
    with private_open(tmp_path / "g" / "x", "w") as f:
        f.write("x")
    assert modes(tmp_path / "g") == {"g": 0o750, "x": 0o640}


@pytest.mark.parametrize("mode", ["777", "044", "x", "1000600", "400"])
def test_a_mode_that_makes_no_sense_is_refused(mode, monkeypatch):
    monkeypatch.setenv(VARIABLE, mode)
    with pytest.raises(UsageError, match=VARIABLE):
        file_mode()
