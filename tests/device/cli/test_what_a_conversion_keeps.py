"""What a recording says of itself, in every file that is made of it."""

import json
import stat

import numpy as np
import pytest

from ecg_edge.device.cli.main import main
from ecg_edge.firmware_bridge.lead_names import read_label
from ecg_edge.firmware_bridge.recordings.open_recording import open_recording
from tests.support import stored_files


def told(capsys, *words):
    code = main([*map(str, words), "--json"])
    return code, json.loads(capsys.readouterr().out.splitlines()[-1])


@pytest.mark.parametrize("suffix", ["csv", "edf", "hea", "parquet", "dcm"])
def test_an_unreadable_time_is_no_midnight(suffix, tmp_path, capsys):
    for extra in {"dcm": ["pydicom"], "parquet": ["pyarrow"], "edf": ["edfio"]}.get(suffix, []):
        pytest.importorskip(extra)
    stored_files.wfdb_record(tmp_path, "r", stored_files.beats(10), line="r 2 250 2500 25:61:00 01/01/2020")
    code, _ = told(capsys, "convert", tmp_path / "r", "--out", tmp_path / f"o.{suffix}")
    made = open_recording(tmp_path / f"o.{suffix}")
    assert code == 0 and made.started is None
    assert any("25:61:00 01/01/2020" in text for text in (*made.comments, *(t for _, t in made.notes)))


@pytest.mark.parametrize("suffix", ["csv", "edf", "hea", "parquet", "dcm"])
def test_what_was_assumed_is_in_the_file(suffix, tmp_path, capsys):
    for extra in {"dcm": ["pydicom"], "parquet": ["pyarrow"], "edf": ["edfio"]}.get(suffix, []):
        pytest.importorskip(extra)
    signal = lambda k, lead: f"r.dat 16 0(0)/mV 16 0 0 0 0 {lead}"  # noqa: E731
    stored_files.wfdb_record(tmp_path, "r", stored_files.beats(10), gain=200, signal=signal, comments=["reader: x"])
    assert told(capsys, "convert", tmp_path / "r", "--out", tmp_path / f"o.{suffix}")[0] == 0
    made = open_recording(tmp_path / f"o.{suffix}")
    said = [*made.comments, *(t for _, t in made.notes)]
    assert any("uncalibrated" in text for text in said) and "reader: x" in " ".join(said)


@pytest.mark.parametrize("suffix", ["csv", "edf", "json"])
def test_a_file_of_a_person_is_its_owners_alone(suffix, tmp_path, capsys):
    if suffix == "edf":
        pytest.importorskip("edfio")
    stored_files.wfdb_record(tmp_path, "r", stored_files.beats(10), comments=["patient: P"])
    assert told(capsys, "convert", tmp_path / "r", "--out", tmp_path / f"o.{suffix}")[0] == 0
    assert stat.S_IMODE((tmp_path / f"o.{suffix}").stat().st_mode) == 0o600


def two_rates(folder):
    slow, fast = stored_files.beats(10, 250)[:, 0], stored_files.beats(10, 500)[:, 1]
    frames = np.stack([slow, fast[0::2], fast[1::2]], axis=1)
    np.rint(frames * 1000).astype("<i2").tofile(folder / "r.dat")
    lines = ["r 2 250 2500", "r.dat 16 1000(0)/mV 16 0 0 0 0 I", "r.dat 16x2 1000(0)/mV 16 0 0 0 0 II"]
    (folder / "r.hea").write_text("\n".join(lines) + "\n")
    return folder / "r"


def test_a_lead_of_another_rate_is_written_and_said(tmp_path, capsys):
    code, document = told(capsys, "convert", two_rates(tmp_path), "--out", tmp_path / "o.csv")
    assert code == 0 and document["signals"] == ["I", "II"]
    assert document["warnings"] == ["I at 250 Hz: written at 500 Hz"]
    made = open_recording(tmp_path / "o.csv")
    assert np.nanmax(made.mv([0])) == pytest.approx(0.6, abs=0.02) and made.signals[0].fs == 500


@pytest.mark.parametrize("suffix", ["csv", "edf"])
def test_a_lead_that_is_there_twice_is_refused_as_everywhere(suffix, tmp_path, capsys):
    mv = stored_files.beats(10)
    stored_files.wfdb_record(tmp_path, "r", np.c_[mv, mv[:, 0]], leads=("I", "II", "ECG I"))
    code, document = told(capsys, "convert", tmp_path / "r", "--out", tmp_path / f"o.{suffix}")
    assert code == 1 and "twice" in document["error"]


def test_the_age_is_in_dicom(tmp_path, capsys):
    pydicom = pytest.importorskip("pydicom")
    stored_files.wfdb_record(tmp_path, "r", stored_files.beats(10), comments=["age: 71", "sex: F"])
    assert told(capsys, "convert", tmp_path / "r", "--out", tmp_path / "o.dcm")[0] == 0
    assert pydicom.dcmread(tmp_path / "o.dcm").PatientAge == "071Y"


def test_our_parquet_is_measured(tmp_path, capsys):
    pytest.importorskip("pyarrow")
    stored_files.wfdb_record(tmp_path, "r", stored_files.beats(10), comments=["age: 71", "patient: Ü"])
    assert told(capsys, "convert", tmp_path / "r", "--out", tmp_path / "o.parquet")[0] == 0
    made = open_recording(tmp_path / "o.parquet")
    assert made.person.age == "71" and made.person.identifier == "Ü"
    code, document = told(capsys, "measure", tmp_path / "o.parquet")
    assert code == 0 and document["heart_rate"]["value"] == 60
    (tmp_path / "o.parquet").write_bytes((tmp_path / "o.parquet").read_bytes()[:2000])
    code, document = told(capsys, "measure", tmp_path / "o.parquet")
    assert code == 1 and document["fix"]


def test_info_describes_a_recording(tmp_path, capsys):
    stored_files.edf(
        tmp_path / "c.edf", [(x, "uV", stored_files.beats(10)[:, 1], 250) for x in ("EKG I", "Lead II Ref")]
    )
    code, document = told(capsys, "info", tmp_path / "c.edf")
    assert code == 0 and [s["lead"] for s in document["signals"]] == ["I", "II"] and document["seconds"] == 10
    assert main(["info", str(tmp_path / "c.edf")]) == 0 and "Lead II Ref" in capsys.readouterr().out


@pytest.mark.parametrize(("label", "lead"), [("Lead II Ref", "II"), ("EKG I", "I"), ("ECG V1-Ref", "V1"), ("Ref", "")])
def test_a_reference_behind_a_lead_is_no_part_of_its_name(label, lead):
    assert read_label(label).lead == lead
