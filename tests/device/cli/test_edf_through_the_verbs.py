"""EDF through the verbs: own gaps stay gaps, a µ of one byte is a µ, a signal at another rate hinders nobody."""

from pathlib import Path

import numpy as np
import pytest

from ecg_edge.device.cli.main import main
from ecg_edge.firmware_bridge.recordings.open_recording import open_recording
from tests.support import stored_files

CALIBRATE = ["calibrate", "--model", "i-ii-int8", "--patient", "P", "--out", "x.cal", "--reference"]
MV = stored_files.twelve(12, 500)


@pytest.fixture
def edfio(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return pytest.importorskip("edfio")


def signals(edfio):
    return [
        edfio.EdfSignal(
            MV[:, k] * 1000, 500, label=f"ECG {lead}", physical_dimension="uV", physical_range=(-5000, 5000)
        )
        for k, lead in enumerate(stored_files.TWELVE)
    ]


def test_a_gap_is_the_same_gap_in_our_own_edf(edfio, capsys):
    stored_files.wfdb_record(".", "r", MV, fs=500, leads=stored_files.TWELVE)
    counts = np.fromfile("r.dat", "<i2").reshape(-1, 12)
    counts[3000:3040, 8] = -32768
    counts.tofile("r.dat")
    assert main(["convert", "r"]) == 0
    lost = np.flatnonzero(np.isnan(open_recording("r.edf").mv([8])[:, 0]))
    assert lost.tolist() == list(range(3000, 3040))
    for path in ("r", "r.edf"):
        assert main([*CALIBRATE, path]) == 1
        assert "has samples missing" in capsys.readouterr().err


def test_a_micro_sign_of_one_byte_is_one(edfio):
    edfio.Edf(signals(edfio)).write("r.edf")
    path = Path("r.edf")
    path.write_bytes(path.read_bytes().replace(b"uV      ", b"\xb5V      "))
    assert main([*CALIBRATE, "r.edf"]) == 0
    assert open_recording("r.edf").mv([1])[:, 0] == pytest.approx(MV[:, 1], abs=0.001)


def test_an_emg_at_another_rate_hinders_no_verb(edfio):
    noise = np.random.default_rng(0).normal(0, 50, 12_000)
    emg = edfio.EdfSignal(noise, 1000, label="EMG", physical_dimension="uV", physical_range=(-500, 500))
    edfio.Edf([*signals(edfio), emg]).write("r.edf")
    assert main([*CALIBRATE, "r.edf"]) == 0
    for words in (["measure", "r.edf"], ["replay", "r.edf", "--fast"], ["convert", "r.edf", "--out", "o.csv"]):
        assert main(words) == 0
