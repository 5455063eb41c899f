"""EDF of any writer: gaps, rates, units, notes."""

from datetime import datetime

import numpy as np
import pytest

from ecg_edge.firmware_bridge.errors import RecordingError
from ecg_edge.firmware_bridge.recordings.open_recording import open_recording
from tests.support import stored_files

MV = stored_files.beats()
PAIR = [(f"ECG {lead}", "uV", x * 1000, 250) for lead, x in zip(("I", "II"), MV.T, strict=True)]


def test_samples_start_and_person(tmp_path):
    about = {"patient": "7 F 01-JAN-1980 Luczak_A", "kind": "EDF+C", "about": "Startdate 05-MAR-2019 X X X"}
    recording = open_recording(stored_files.edf(tmp_path / "r.edf", PAIR, **about))
    np.testing.assert_allclose(recording.mv([0, 1]), MV, atol=1e-4)
    assert recording.started == datetime(2019, 3, 5, 10)
    p = recording.person
    assert (p.identifier, p.sex, p.name, str(p.birth)) == ("7", "female", "Luczak A", "1980-01-01")


def test_a_gap_of_a_discontinuous_file_stays_a_gap(tmp_path):
    onsets = [0, 1, 2, 5, 6, 7, 8, 9, 10, 11]
    recording = open_recording(stored_files.edf(tmp_path / "r.edf", PAIR, kind="EDF+D", onsets=onsets))
    x = recording.mv([1])[:, 0]
    assert len(x) == 12 * 250 and np.isnan(x[750:1250]).all()
    np.testing.assert_allclose(x[1250:], MV[750:, 1], atol=1e-4)
    assert "nothing from 3 s to 5 s" in recording.remarks


def test_records_that_overlap_are_refused(tmp_path):
    path = stored_files.edf(tmp_path / "r.edf", PAIR, kind="EDF+D", onsets=[0, 0.5, *range(2, 10)])
    with pytest.raises(RecordingError, match="before the one before it ends"):
        open_recording(path)


def test_an_emg_at_another_rate_is_no_hindrance(tmp_path):
    noise = np.random.default_rng(0).normal(0, 50, 10000)
    recording = open_recording(stored_files.edf(tmp_path / "r.edf", [*PAIR, ("EMG", "uV", noise, 1000)]))
    assert recording.leads() == {"I": 0, "II": 1} and recording.signals[2].fs == 1000
    np.testing.assert_allclose(recording.mv([0, 1]), MV, atol=1e-4)
    np.testing.assert_allclose(recording.values([2])[:, 0], noise, atol=0.1)


def test_own_files_know_their_invalid_value(tmp_path):
    pytest.importorskip("edfio")
    from ecg_edge.device.recording.edf_writer import write_edf
    from ecg_edge.device.recording.stored_recording import read_stored

    header = stored_files.wfdb_record(tmp_path, "r", MV)
    counts = np.fromfile(tmp_path / "r.dat", "<i2").reshape(-1, 2)
    counts[1000:1040, 1] = -32768
    counts.tofile(tmp_path / "r.dat")
    write_edf(read_stored(str(header)), tmp_path / "out.edf")
    x = open_recording(tmp_path / "out.edf").mv([1])[:, 0]
    assert np.isnan(x[1000:1040]).all() and np.isfinite(np.delete(x, range(1000, 1040))).all()
    np.testing.assert_allclose(np.delete(x, range(1000, 1040)), np.delete(MV[:, 1], range(1000, 1040)), atol=6e-4)


@pytest.mark.parametrize("name", ["Müller-Łuczak 7", "Ærø Þór", "李"])
def test_letters_that_edf_lacks_are_kept_in_a_note(tmp_path, name):
    pytest.importorskip("edfio")
    from ecg_edge.device.recording.edf_writer import write_edf
    from ecg_edge.device.recording.stored_recording import read_stored

    header = stored_files.wfdb_record(tmp_path, "r", MV, comments=[f"patient: {name}"])
    stored = read_stored(str(header))
    write_edf(stored, tmp_path / "out.edf", stored.patient)
    assert open_recording(tmp_path / "out.edf").person.identifier == name
