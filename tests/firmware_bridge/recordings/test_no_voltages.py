"""What is no voltage keeps its unit, and is called a lead by no reader."""

import json

import numpy as np
import pytest

from ecg_edge.device.cli.main import main
from ecg_edge.firmware_bridge.recordings.open_recording import open_recording
from ecg_edge.firmware_bridge.units import UNSTATED, names_other_quantity, split_unit
from tests.support import stored_files

MV = stored_files.beats(10)
WITH_UNITS = {"HR_bpm": "bpm", "SpO2_%": "%", "resp_mmHg": "mmHg", "temp_C": "C", "temp_°C": "°C", "acc_g": "g",
              "RR_ms": "ms", "resp_l/min": "l/min", "Temp [°C]": "°C"}  # fmt: skip
WITHOUT = ("HR", "SpO2", "Resp", "Temp", "Battery", "BPM", "ABP", "PPG_ir", "heart_rate", "Acc_X", "Pulse", "ECG HR",
           "Lead_off", "respiration rate", "Glucose", "NIBP sys", "Widget")  # fmt: skip


def columns(folder, names):
    """Leads I and II with further columns of constants."""
    x = np.c_[MV, np.tile(np.linspace(7, 9, len(names)), (len(MV), 1))]
    return stored_files.table(folder / "r.csv", x, heads=("time [s]", "I", "II", *names))


def told(capsys, *words):
    code = main([*map(str, words), "--json"])
    return code, json.loads(capsys.readouterr().out.splitlines()[-1])


def test_a_unit_behind_a_name_is_understood(tmp_path):
    found = open_recording(columns(tmp_path, WITH_UNITS)).signals
    assert [s.unit for s in found[2:]] == list(WITH_UNITS.values())
    assert all(s.mv_per_unit is None and not s.note for s in found[2:])


def test_without_a_unit_no_quantity_becomes_millivolts(tmp_path):
    found = open_recording(columns(tmp_path, WITHOUT)).signals
    assert [s.unit for s in found] == ["mV", "mV", *[UNSTATED] * len(WITHOUT)]
    assert [s.lead.lead for s in found] == ["I", "II", *[""] * len(WITHOUT)]


@pytest.mark.parametrize("name", ["ECG", "ch1", "Channel 2", "ECG_A", "value", "lead_1", "V5-RA", "ECG2"])
def test_what_may_be_an_ecg_is_still_taken_for_one(name, tmp_path):
    assert open_recording(columns(tmp_path, [name])).signals[2].mv_per_unit == 1


def test_every_verb_names_what_it_leaves_out(tmp_path, capsys):
    path = columns(tmp_path, ["HR", "SpO2_%"])
    code, document = told(capsys, "reconstruct", path, "--out", tmp_path / "o.csv")
    assert code == 0 and "HR in unstated, SpO2 in %" in " ".join(document["remarks"])
    code, document = told(capsys, "info", path)
    assert [s["unit"] for s in document["signals"]] == ["mV", "mV", UNSTATED, "%"]
    for verb in ("measure", "info"):
        code, document = told(capsys, verb, path)
        assert code == 0 and any("HR" in w and "no voltage" in w for w in document["warnings"])


@pytest.mark.parametrize("suffix", ["csv", "edf", "hea", "parquet"])
def test_units_go_with_the_signals(suffix, tmp_path, capsys):
    pytest.importorskip({"edf": "edfio", "parquet": "pyarrow"}.get(suffix, "numpy"))
    path = columns(tmp_path, ["HR", "SpO2_%", "resp_mmHg", "ECG_mV"])
    out = tmp_path / f"o.{suffix}"
    assert told(capsys, "convert", path, "--out", out)[0] == 0
    found = open_recording(out).signals
    assert [s.unit for s in found] == ["mV", "mV", UNSTATED, "%", "mmHg", "mV"]
    assert [s.name for s in found] == ["I", "II", "HR", "SpO2", "resp", "ECG"]


def test_an_array_of_millivolts_may_hold_others(tmp_path):
    names = ["I", "II", "HR", "Temp"]
    np.savez(tmp_path / "r.npz", mv=np.c_[MV, MV * 0 + 7], fs=250, leads=names)
    assert [s.unit for s in open_recording(tmp_path / "r.npz").signals] == ["mV", "mV", UNSTATED, UNSTATED]


def test_a_wfdb_signal_without_a_unit_is_no_millivolt_by_its_name(tmp_path):
    signal = lambda k, lead: f"r.dat 16 1000 16 0 0 0 0 {lead}"  # noqa: E731
    header = stored_files.wfdb_record(tmp_path, "r", MV, leads=("I", "ABP"), signal=signal)
    assert [s.unit for s in open_recording(header).signals] == ["mV", UNSTATED]


def test_words_that_name_quantities():
    assert all(map(names_other_quantity, ("HR2", "PPG_ir", "Skin Temp", "acc_x", "PLETH")))
    assert not any(map(names_other_quantity, ("I", "aVR", "V1", "ECG", "MLII", "Chest", "ch_1")))
    assert split_unit("ECG_C") == ("ECG_C", "") and split_unit("Temp_C") == ("Temp", "C")
