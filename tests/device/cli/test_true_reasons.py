"""What cannot be measured ends in the true reason; a flag without effect is refused; no lead goes silently."""

import json
from pathlib import Path

import numpy as np
import pytest

from ecg_edge.device.cli.main import main
from tests.support import stored_files


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def record(mv, leads, **more):
    stored_files.wfdb_record(".", "r", mv, leads=leads, **more)
    return "r"


@pytest.mark.parametrize("words", [["measure", "r"], ["report", "r", "--out", "p.pdf"]])
def test_signals_that_name_no_lead_are_named(capsys, words):
    record(stored_files.beats(12), ["ECG", "ECG2"])
    assert main(words) == 1
    err = capsys.readouterr().err
    assert "holds none of the twelve leads; it holds ECG, ECG2" in err and "--leads" in err and "three beats" not in err


def test_an_unknown_unit_is_the_reason(capsys):
    record(stored_files.beats(12), ["I", "II"], unit="adu")
    assert main(["measure", "r"]) == 1
    assert "'adu', which is no unit of voltage" in capsys.readouterr().err


def test_a_lead_whose_samples_are_missing_is_reported(capsys):
    mv = stored_files.twelve(12)
    record(mv, stored_files.TWELVE)
    counts = np.fromfile("r.dat", "<i2").reshape(-1, 12)
    counts[500:, 8] = -32768
    counts.tofile("r.dat")
    assert main(["measure", "r"]) == 0
    assert "lead V3 is left out: 100 % of its samples are missing" in capsys.readouterr().err
    assert main(["measure", "r", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert "V3" not in document["amplitudes"] and any("V3" in warning for warning in document["warnings"])
    counts[:] = -32768
    counts.tofile("r.dat")
    assert main(["measure", "r"]) == 1
    assert "hold no sample of a lead" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "flag"),
    [
        ("reconstruct r.hea --out o.csv --patient p", "--patient"),
        ("reconstruct r.hea --out o.csv --placement same", "--placement"),
        ("reconstruct r.hea --out o.csv --workers 2", "--workers"),
        ("reconstruct r.hea --out o.csv --scheduler tcp://127.0.0.1:1", "--scheduler"),
        ("calibrate --model i-ii-int8 --reference r --patient p --out c.json --gain 24", "--gain"),
        ("calibrate --model i-ii-int8 --reference r --patient p --out c.json --channels I,II", "--channels"),
        ("calibrate --model i-ii-int8 --reference r --patient p --out c.json --patch-channels a", "--patch-channels"),
        ("calibrate --model i-ii-int8 --patch r --reference r --patient p --out c.json", "--model"),
    ],
)
def test_a_flag_without_effect_is_refused(capsys, tmp_path, words, flag):
    record(stored_files.twelve(12), stored_files.TWELVE)
    assert main(words.split()) == 2
    err = capsys.readouterr().err
    assert f"{flag} would do nothing here" in err and "fix: " in err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["r.dat", "r.hea"]


@pytest.mark.parametrize("comments", [["age: 61", "sex: f"], ["Age: 61", "Sex: F"]])
def test_fhir_keeps_age_and_sex(comments):
    record(stored_files.twelve(12), stored_files.TWELVE, comments=comments)
    assert main(["convert", "r", "--out", "o.json"]) == 0
    said = [n["text"].lower() for n in json.loads(Path("o.json").read_text(encoding="utf-8"))["note"]]
    assert said.count("age: 61") == 1 and sum(text.startswith("sex: f") for text in said) == 1


def test_fhir_keeps_age_and_sex_of_a_file_that_has_fields_for_them():
    pytest.importorskip("edfio")
    record(stored_files.twelve(12), stored_files.TWELVE, comments=["age: 61", "sex: f"])
    assert main(["convert", "r", "--out", "o.edf"]) == 0
    assert main(["convert", "o.edf", "--out", "o.json"]) == 0
    assert any(n["text"] == "sex: female" or n["text"] == "sex: f"
               for n in json.loads(Path("o.json").read_text(encoding="utf-8"))["note"])  # fmt: skip
