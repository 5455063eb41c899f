"""Names letter by letter, true dates, and what is not as it should be."""

from datetime import datetime

import numpy as np
import pytest

from ecg_edge.firmware_bridge.errors import RecordingError
from ecg_edge.firmware_bridge.recordings.open_recording import open_recording
from tests.support import stored_files

MV = stored_files.beats()


def test_names_of_files_and_patients_keep_every_letter(tmp_path):
    stored_files.wfdb_record(tmp_path, "bed1", MV * 0.5)
    stored_files.wfdb_record(tmp_path, "bed1ä", MV, comments=["patient: Müller-Łuczak 7"])
    recording = open_recording(tmp_path / "bed1ä")
    assert recording.person.identifier == "Müller-Łuczak 7"
    assert np.nanmax(recording.mv([1])) == pytest.approx(1, 0.01)
    with pytest.raises(RecordingError, match="no recording"):
        open_recording(tmp_path / "bed1ö")


@pytest.mark.parametrize(
    ("rest", "when"),
    [
        ("10:00:00 05/03/2019", datetime(2019, 3, 5, 10)),
        ("10:00:00 3/5/89", datetime(1989, 5, 3, 10)),
        ("24:00:00 1/1/2020", datetime(2020, 1, 2)),
        ("05-May-2020 09:49:17", datetime(2020, 5, 5, 9, 49, 17)),
        ("18:28:00 29/12/2130", datetime(2130, 12, 29, 18, 28)),
        ("10:00:00", None),
        ("99:99:99 77/77/7777", None),
    ],
)
def test_dates_as_headers_write_them(tmp_path, rest, when):
    header = stored_files.wfdb_record(tmp_path, "r", MV, line=f"r 2 250 {len(MV)} {rest}")
    assert open_recording(header).started == when


@pytest.mark.parametrize("line", ["a/r 2 250 2500", "r.mat 2 250 2500 05-May-2020 09:49:17", "r 2 250", "r 2 250 0"])
def test_record_lines_of_strangers(tmp_path, line):
    recording = open_recording(stored_files.wfdb_record(tmp_path, "r", MV, line=line))
    assert recording.signals[0].length == len(MV)


def test_a_cut_file_is_read_as_far_as_it_goes_and_says_so(tmp_path):
    header = stored_files.wfdb_record(tmp_path, "r", MV)
    with header.with_suffix(".dat").open("r+b") as f:
        f.truncate(4 * 2000 + 1)
    recording = open_recording(header)
    assert recording.signals[0].length == 2000
    assert recording.remarks == ("cut short: the header says 10 s, the files hold 8 s",)


def test_a_signal_without_description_has_a_place_for_a_name(tmp_path):
    header = stored_files.wfdb_record(tmp_path, "r", MV, signal=lambda k, lead: "r.dat 16 1000/mV")
    assert [s.label for s in open_recording(header).signals] == ["signal 1", "signal 2"]


def test_age_and_sex_of_comments(tmp_path):
    person = open_recording(stored_files.wfdb_record(tmp_path, "r", MV, comments=["Age: 60", "Sex: Female"])).person
    assert (person.age, person.sex) == ("60", "female")


def test_an_unknown_file_is_refused_with_a_list(tmp_path):
    (tmp_path / "x.bin").write_bytes(b"\1\2\3")
    with pytest.raises(RecordingError) as e:
        open_recording(tmp_path / "x.bin")
    assert "EDF" in e.value.fix and "WFDB" in e.value.fix and ".csv" in e.value.fix
