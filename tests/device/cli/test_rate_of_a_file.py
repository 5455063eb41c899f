"""A file that states no rate: every verb that reads one takes the rate that its error asks for."""

import pytest

from ecg_edge.device.cli.main import main
from tests.support import stored_files


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = stored_files.twelve(11)
    return str(stored_files.table(tmp_path / "x.csv", rows, heads=[f"{x} [mV]" for x in stored_files.TWELVE], tick=0))


@pytest.mark.parametrize(
    ("verb", "more"),
    [
        ("replay", ["--fast", "--json"]),
        ("convert", ["--out", "y.csv"]),
        ("report", ["--out", "y.png"]),
        ("measure", []),
        ("reconstruct", ["--out", "y.hea"]),
    ],
)
def test_the_fix_of_the_error_works(path, capsys, verb, more):
    assert main([verb, path, *more]) == 1
    flag = "--in-fs" if verb == "reconstruct" else "--fs"
    assert "does not state its rate" in (said := capsys.readouterr().err) and flag in said
    assert main([verb, path, *more, flag, "250"]) == 0


def test_what_is_no_rate_is_refused(path, capsys):
    for text in ("nan", "-1", "x", "1e999", "0"):
        assert main(["convert", path, "--out", "y.csv", "--fs", text]) == 2
    assert "is no rate" in capsys.readouterr().err
