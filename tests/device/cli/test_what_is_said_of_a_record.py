"""Every verb reports what it had to assume of a stored recording, what it left out, and how late its rows are."""

import json

import pytest

from ecg_edge.device.cli.main import main
from ecg_edge.firmware_bridge.lead_names import LEADS
from ecg_edge.firmware_bridge.recordings.open_recording import open_recording
from tests.support import stored_files

ASSUMED = "uncalibrated: 200 counts/mV assumed"


@pytest.fixture
def uncalibrated(tmp_path):
    mv = stored_files.twelve(12)
    stored_files.wfdb_record(
        tmp_path, "r", mv, leads=LEADS, gain=200, signal=lambda k, lead: f"r.dat 16 0(0)/mV 16 0 0 0 0 {lead}"
    )
    return str(tmp_path / "r")


@pytest.mark.parametrize("verb", ["measure", "report", "convert", "reconstruct"])
def test_a_gain_of_zero_is_reported(uncalibrated, tmp_path, capsys, verb):
    out = {"measure": [], "report": ["--out", str(tmp_path / "p.png")]}.get(verb, ["--out", str(tmp_path / "c.csv")])
    record = uncalibrated + (".hea" if verb == "reconstruct" else "")
    if verb == "report":
        pytest.importorskip("matplotlib")
    assert main([verb, record, *out]) == 0
    err = capsys.readouterr().err
    assert f" I: {ASSUMED}" in err and f" II: {ASSUMED}" in err
    again = [] if verb == "measure" else ["--force"]
    assert main([verb, record, *out, *again, "--json"]) == 0
    document = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert f"I: {ASSUMED}" in document["remarks" if verb == "reconstruct" else "warnings"]


@pytest.mark.parametrize("late", [None, 0.044])
def test_the_delay_of_a_record_is_carried_on(tmp_path, late):
    comments = [] if late is None else [f"delay_s: {late:.6f}"]
    stored_files.wfdb_record(tmp_path, "r", stored_files.beats(12), comments=comments)
    assert main(["reconstruct", str(tmp_path / "r.hea"), "--out", str(tmp_path / "t.hea")]) == 0
    got = open_recording(str(tmp_path / "t"))
    assert got.delay_s == (late or 0)
    [said] = [c for c in got.comments if c.startswith("alignment:")]
    assert ("no delay" in said) == (late is None) and ("0.0440 s late" in said) == (late is not None)


@pytest.mark.parametrize("suffix", [".json", ".dcm"])
def test_what_a_format_does_not_hold_is_not_counted(tmp_path, capsys, suffix):
    if suffix == ".dcm":
        pytest.importorskip("pydicom")
    assert main(["run", "synthetic:", "--seconds", "6", "--fast", "--out", str(tmp_path)]) == 0
    [header] = [p for p in tmp_path.glob("*.hea") if not p.stem.endswith("_measured")]
    twelve = tmp_path / "t.hea"
    assert main(["reconstruct", str(header.with_name(f"{header.stem}_measured.hea")), "--out", str(twelve)]) == 0
    capsys.readouterr()
    assert main(["convert", str(twelve), "--out", str(tmp_path / f"c{suffix}")]) == 0
    said = capsys.readouterr()
    assert ": 12 signals, " in said.out and said.out.endswith(" 0 notes\n")
    assert "left out" in said.err and "interval V1" in said.err and "notes" in said.err
    assert main(["convert", str(twelve), "--out", str(tmp_path / "c.csv"), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert len(document["signals"]) == 18 and not any("left out" in w for w in document["warnings"])
