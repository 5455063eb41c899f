"""What a receiver reads of a person is what the recording states, and what a format cannot hold is reported."""

from dataclasses import replace
from datetime import datetime
from fractions import Fraction

import numpy as np
import pytest

from ecg_edge.device.hand_on.dicom_writer import unheld
from ecg_edge.device.hand_on.fhir import _comments
from ecg_edge.device.recording.page_content import page_content
from ecg_edge.device.recording.stored_recording import Signal, Stored
from ecg_edge.firmware_bridge.recordings.recording import Person


def stored(**person):
    counts = np.zeros((1000, 1), np.int32)
    return Stored("r", Fraction(100), datetime(2026, 1, 2), 0, (Signal("II", "measured", 1000.0, 0),), counts,
                  np.ones(counts.shape, bool), (), (), Person(**person))  # fmt: skip


@pytest.mark.parametrize(
    ("age", "written", "left"), [("3 months", "3 months", 0), (">89", "90 or over", 1), ("300", "90 or over", 1)]
)
def test_page_and_dicom_state_the_age_with_its_unit(age, written, left):
    record = stored(age=age)
    assert page_content(record).born == f"age {written}"
    told = _comments(replace(record, comments=(f"age: {age}",)))
    assert told == [f"age: {written}"]
    assert len(unheld(record)) == left and all(written in text for text in unheld(record))


def test_an_identifier_that_dicom_cannot_hold_is_reported():
    assert "no backslash" in unheld(stored(identifier="a\\b"))[0]
    assert "64 of its 300 letters" in unheld(stored(identifier="x" * 300))[0]
    assert not unheld(replace(stored(identifier="A1", age="60")))


def test_dicom_holds_them(tmp_path):
    pydicom = pytest.importorskip("pydicom")
    from ecg_edge.device.hand_on.dicom_writer import _general

    def written(**person):
        data = pydicom.Dataset()
        _general(data, stored(**person), pydicom.uid.generate_uid)
        return data

    assert [written(age=a).PatientAge for a in ("3 months", "5 d", "12 weeks", "300", ">89")] == [
        "003M",
        "005D",
        "012W",
        "",
        "",
    ]
    assert written(identifier="a\\b").PatientID == "a/b" and "90 or over" in written(age="300").PatientComments
    assert len(written(identifier="x" * 300).PatientID) == 64
