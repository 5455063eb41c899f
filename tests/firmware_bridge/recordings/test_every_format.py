"""One suite for all formats: what is read, parts, person, cuts, and other bytes in its place."""

from datetime import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecg_edge.firmware_bridge.errors import MissingExtraError, RecordingError
from ecg_edge.firmware_bridge.recordings.open_recording import open_recording
from tests.firmware_bridge.recordings.test_hostile_files import FUZZ, ODD, is_read_or_refused
from tests.support import recording_samples
from tests.support.stored_files import TWELVE


@pytest.fixture(params=recording_samples.KINDS)
def sample(request, tmp_path):
    if request.param == "dicom":
        pytest.importorskip("pydicom")
    return request.param, recording_samples.make(tmp_path, request.param)


def test_every_lead_at_its_rate_and_scale(sample):
    kind, path = sample
    recording = open_recording(path)
    leads = recording.leads()
    assert set(leads) == set(TWELVE)
    columns = [leads[x] for x in TWELVE]
    assert recording.one_rate(columns) == recording_samples.FS
    x = recording.mv(columns)
    np.testing.assert_allclose(x, recording_samples.mv(), atol=1e-5 if kind in recording_samples.EXACT else 1.3e-3)
    np.testing.assert_array_equal(recording.mv(columns[3:5], 777, 1801), x[777:1801, 3:5])
    assert recording.started == (datetime(2019, 3, 5, 10) if kind in recording_samples.DATED else None)
    assert not recording.remarks and recording.source


@pytest.mark.parametrize("kind", ["aecg", "dicom"])
def test_a_person_is_kept_letter_by_letter(tmp_path, kind):
    if kind == "dicom":
        pytest.importorskip("pydicom")
    person = open_recording(recording_samples.make(tmp_path, kind)).person
    assert (person.identifier, person.sex, str(person.birth)) == ("7", "female", "1959-01-01")
    assert person.name.startswith("Müller")


def test_a_cut_file_is_read_or_refused(sample):
    _, path = sample
    file = path if path.is_file() else path.with_name("s1.dat")
    data = file.read_bytes()
    for n in (0, 1, 100, len(data) // 3, len(data) - 1):
        file.write_bytes(data[:n])
        is_read_or_refused(path)


@FUZZ
@given(st.sampled_from(["npz", "mat", "aecg", "bdf"]), st.data())
def test_other_bytes_are_read_or_refused(tmp_path, kind, data):
    path = recording_samples.make(tmp_path, kind) if not _KEPT.get(kind) else tmp_path / _KEPT[kind][0]
    _KEPT.setdefault(kind, (path.name, path.read_bytes()))
    text = bytearray(_KEPT[kind][1])
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, min(len(text), 3000) - 1))
        piece = data.draw(st.binary(min_size=1, max_size=6) | ODD.map(lambda s: s.encode("utf-8", "replace")))
        text[at : at + (len(piece) if data.draw(st.booleans()) else 0)] = piece
    path.write_bytes(text)
    is_read_or_refused(path)


_KEPT: dict = {}


def test_rows_that_are_missing_from_an_index_are_gaps(tmp_path):
    np.savez(tmp_path / "g.npz", mv=np.ones((4, 1)), index=[10, 11, 14, 15], fs=250, leads=["II"])
    x = open_recording(tmp_path / "g.npz").mv([0])[:, 0]
    assert np.isnan(x).tolist() == [False, False, True, True, False, False]
    np.savez(tmp_path / "g.npz", mv=np.ones((2, 1)), index=[0, 10**15], fs=250, leads=["II"])
    with pytest.raises(RecordingError, match="leaps"):
        open_recording(tmp_path / "g.npz")


def test_counts_without_a_unit_are_refused_by_name(tmp_path):
    from scipy.io import savemat

    savemat(tmp_path / "c.mat", {"val": np.rint(recording_samples.mv().T * 1000), "fs": 250})
    recording = open_recording(tmp_path / "c.mat")
    with pytest.raises(RecordingError, match="'signal 2' is in 'no unit, with values of"):
        recording.mv([1])


@pytest.mark.parametrize(
    "text", ["<a/>", "<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a 'b'>]><AnnotatedECG>&a;</AnnotatedECG>"]
)
def test_other_xml_is_refused(tmp_path, text):
    (tmp_path / "x.xml").write_text(text)
    with pytest.raises(RecordingError):
        open_recording(tmp_path / "x.xml")


def test_dicom_without_the_package_names_the_extra(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "pydicom", None)
    (tmp_path / "x.dcm").write_bytes(b"\0" * 128 + b"DICM")
    with pytest.raises(MissingExtraError, match="dicom"):
        open_recording(tmp_path / "x.dcm")
