"""Leads whose unit is no voltage: nothing states them in mV, and what keeps the unit keeps it."""

import json

import pytest

from ecg_edge.device.cli.main import main
from ecg_edge.firmware_bridge.recordings.open_recording import open_recording
from tests.support import stored_files

VERBS = pytest.mark.parametrize("verb", [["measure"], ["report", "--out", "p.pdf"], ["convert", "--out", "o.json"]])


def told(capsys, *words):
    code = main([*map(str, words), "--json"])
    return code, json.loads(capsys.readouterr().out.splitlines()[-1])


def twelve(folder, units):
    def signal(k, lead):
        return f"r.dat 16 1000(0)/{units.get(lead, 'mV')} 16 0 0 0 0 {lead}"

    stored_files.wfdb_record(folder, "r", stored_files.twelve(), 250, stored_files.TWELVE, signal=signal)
    return folder / "r"


@pytest.mark.parametrize("unit", ["kV", "counts", "adu", "pm", "uV/div", "mV/cm", "mmHg"])
@VERBS
def test_a_record_of_no_voltage_is_refused_by_lead_and_unit(unit, verb, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code, document = told(capsys, verb[0], twelve(tmp_path, dict.fromkeys(stored_files.TWELVE, unit)), *verb[1:])
    assert code == 1 and f"I is in {unit!r}" in document["error"]
    assert ("--unit" in document["fix"]) == (unit != "mmHg")
    assert not (tmp_path / "p.pdf").exists() and not (tmp_path / "o.json").exists()


@pytest.mark.parametrize("unit", ["kV", "adu", "mmHg"])
@VERBS
def test_one_lead_of_no_voltage_is_left_out_and_named(unit, verb, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code, document = told(capsys, verb[0], twelve(tmp_path, {"I": unit}), *verb[1:])
    assert code == 0 and any(f"I is in {unit!r}, which is no unit of voltage" in w for w in document["warnings"])
    if verb[0] == "measure":
        assert "I" not in document["amplitudes"] and "II" in document["amplitudes"]
    if verb[0] == "convert":
        leads = [c["code"]["text"] for c in json.loads((tmp_path / "o.json").read_text())["component"]]
        assert "Lead I" not in leads and "Lead II" in leads


def test_dicom_holds_no_lead_that_is_no_voltage(tmp_path, capsys):
    pytest.importorskip("pydicom")
    code, _ = told(capsys, "convert", twelve(tmp_path, {"II": "kV"}), "--out", tmp_path / "o.dcm")
    assert code == 0
    assert [s.name for s in open_recording(tmp_path / "o.dcm").signals] == [x for x in stored_files.TWELVE if x != "II"]


def test_a_blank_dimension_of_edf_is_left_out_and_named(tmp_path, capsys):
    i, ii = stored_files.beats(10).T
    file = tmp_path / "x.edf"
    stored_files.edf(file, [("I", "", i, 250), ("II", "mV", ii, 250)])
    code, document = told(capsys, "measure", file)
    assert code == 0 and document["warnings"] == ["I is without a unit"] and list(document["amplitudes"]) == ["II"]
    stored_files.edf(file, [("I", "", i, 250), ("II", "", ii, 250)])
    code, document = told(capsys, "measure", file)
    assert code == 1 and "I is without a unit" in document["error"]


def test_a_format_that_states_units_keeps_them(tmp_path, capsys):
    code, _ = told(capsys, "convert", twelve(tmp_path, {"II": "adu"}), "--out", tmp_path / "o.hea")
    assert code == 0
    assert [s.unit for s in open_recording(tmp_path / "o.hea").signals][:2] == ["mV", "adu"]


def test_a_page_of_two_leads_prints_them(tmp_path, capsys):
    stored_files.wfdb_record(tmp_path, "two", stored_files.beats(10))
    code, _ = told(capsys, "report", tmp_path / "two", "--out", tmp_path / "p.pdf")
    assert code == 0 and (tmp_path / "p.pdf").stat().st_size > 5000
