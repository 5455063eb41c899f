"""The verb reproduce: which study is run, and what is said at its end."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest

from ecg_edge.firmware_bridge.errors import UsageError
from ecg_edge.train.cli import reproduce
from ecg_edge.train.cli.reproduce import REPRODUCE
from ecg_edge.train.network.placement_draw import LISTED
from ecg_edge.train.studies import bandwidth, placement


def call(*words: str) -> int:
    parser = argparse.ArgumentParser()
    REPRODUCE.configure(parser)
    return REPRODUCE.run(parser.parse_args(words))


def test_every_study_is_known_and_no_other() -> None:
    parser = argparse.ArgumentParser()
    REPRODUCE.configure(parser)
    for study in reproduce._STUDIES:
        assert parser.parse_args([study]).study == study
    with pytest.raises(SystemExit):
        parser.parse_args(["nothing"])


@pytest.mark.parametrize("study", ["placement", "bandwidth"])
def test_a_stopped_study_says_how_it_goes_on(
    study: str, ptbxl: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(placement, "linear", stop)
    monkeypatch.setattr(bandwidth, "run", stop)
    assert call(study, "--data", str(ptbxl), "--out", str(tmp_path / "out"), "--quick") == 130
    assert "the same command goes on where it stopped" in capsys.readouterr().err


def test_bandwidth_is_a_study_of_ptb_xl_alone(tmp_path: Path, ptbxl: Path) -> None:
    with pytest.raises(UsageError, match="needs PTB-XL, not"):
        call("bandwidth", "--data", f"ptb-xl:{ptbxl}", "--out", str(tmp_path / "out"))


def test_a_quick_study_of_places_shows_the_usual_and_the_best(
    ptbxl: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def few(n: int) -> list[tuple[str, ...]]:
        return [("RA", "LA", "LL", "V1")[:n], ("RA", "V2", "V5", "V6")[:n]]

    monkeypatch.setattr(placement, "electrode_sets", few)
    out = tmp_path / "out"
    assert call("placement", "--data", str(ptbxl), "--out", str(out), "--quick") == 0
    shown = capsys.readouterr()
    assert "CM5" in shown.out and "RMSE" in shown.out and f"wrote {out / 'placement.json'}" in shown.err
    doc = json.loads((out / "placement.json").read_text())
    assert len(doc["rows"]) == len({*placement.USUAL.values(), *LISTED}) + 6
    assert call("placement", "--data", str(ptbxl), "--out", str(out), "--quick", "--json") == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["rows"] == doc["rows"]


def test_rows_of_networks_end_with_a_picture_and_a_summary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def row(design: str, best: str) -> dict[str, Any]:
        chest = [best, *(v for v in ("V1", "V2", "V4", "V5", "V6", "V3") if v != best)]
        leads = {lead: {"r": 0.9, "mse_mv2": 0.01 * k} for k, lead in enumerate(chest, 1)}
        mean = {"r": 0.9, "rmse_mv": 0.1}
        return {
            "configuration": "I+II",
            "design": design,
            "inputs": ["I", "II"],
            "figures": {"leads": leads, "mean": mean},
        }

    args = argparse.Namespace(study="gradowski2025", json=True)
    assert reproduce._finish(args, tmp_path, [row("ours", "V6"), row("offline U-Net", "V1")]) == 0
    shown = capsys.readouterr()
    assert "I+II, ours                   r 0.9000  RMSE 0.1000 mV" in shown.out
    assert "V3 comes back worst" in shown.out
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary == json.loads(shown.out.splitlines()[-1]) and len(summary["words"]) == 2
    assert (tmp_path / "gradowski2025.png").is_file()
