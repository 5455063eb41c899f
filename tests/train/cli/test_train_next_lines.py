"""The next lines of the training verbs work as printed, on small data."""

from __future__ import annotations

import hashlib
import shlex
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from ecg_edge.device.cli.main import main
from ecg_edge.train.data.download import SUMS
from ecg_edge.train.studies import placement
from tests.train.data.test_download import Server

RESULTS = Path(__file__).resolve().parents[3] / "docs" / "results"


def next_line(capsys: pytest.CaptureFixture[str]) -> str:
    return next(x for x in capsys.readouterr().err.splitlines() if x.startswith("next: ")).removeprefix("next: ")


def run_line(line: str) -> None:
    """Run what a line says: our own verbs here, other programs as they are."""
    for command in line.split(" && "):
        program, *words = shlex.split(command)
        if program == "ecg-edge":
            assert main(words) == 0
        else:
            subprocess.run([program, *words], check=True, stdout=subprocess.DEVNULL)


def test_the_line_of_data_looks_at_what_was_fetched(
    ptbxl: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with Server() as server:
        files = {str(p.relative_to(ptbxl)): p.read_bytes() for p in ptbxl.rglob("*") if p.is_file()}
        sums = "".join(f"{hashlib.sha256(data).hexdigest()} {name}\n" for name, data in files.items())
        server.files = files | {SUMS: sums.encode()}
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        assert main(["data", "get", "ptb-xl", "--url", server.url, "--dest", "a b/ptb-xl"]) == 0
        server.shutdown()
    run_line(next_line(capsys))
    assert "35" in capsys.readouterr().out


def test_the_lines_of_reproduce_and_of_results_lead_to_the_page(
    ptbxl: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def few(n: int) -> list[tuple[str, ...]]:
        return [("RA", "LA", "LL", "V1")[:n], ("RA", "V2", "V5", "V6")[:n]]

    monkeypatch.setattr(placement, "electrode_sets", few)
    monkeypatch.chdir(tmp_path)
    shutil.copytree(RESULTS, tmp_path / "docs" / "results")
    subprocess.run(["git", "init", "-q"], check=True)
    assert main(["reproduce", "placement", "--data", str(ptbxl), "--out", "out", "--quick"]) == 0
    run_line(next_line(capsys))
    assert (tmp_path / "docs" / "results.md").is_file()
    run_line(next_line(capsys))
