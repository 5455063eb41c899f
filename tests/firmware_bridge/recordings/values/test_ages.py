import numpy as np
import pytest

from ecg_edge.firmware_bridge.recordings.open_recording import open_recording
from ecg_edge.firmware_bridge.recordings.values.ages import age_of, written_age


@pytest.mark.parametrize(("text", "written", "dicom"), [
    ("60", "60", "060Y"), ("47y", "47", "047Y"), ("60.0 years", "60", "060Y"), ("4.5", "4.5", "054M"),
    ("3 months", "3 months", "003M"), ("5 d", "5 days", "005D"), ("12 weeks", "12 weeks", "012W"),
    ("003M", "3 months", "003M"), ("1 week", "1 week", "001W"), ("60 sex: F", "60", "060Y"),
    (">89", "90 or over", ""), ("300", "90 or over", ""), ("90+", "90 or over", ""), ("> 89 years", "90 or over", ""),
])  # fmt: skip
def test_an_age_is_read_with_its_unit(text, written, dicom):
    found = age_of(text)
    assert found is not None and (str(found), found.dicom) == (written, dicom) and written_age(text) == written


@pytest.mark.parametrize("text", ["", "nan", "-3", "999", "adult", "0x3C", "60abc", "1e9"])
def test_what_is_no_age_is_kept_as_it_is(text):
    assert age_of(text) is None and written_age(text) == text


def header(tmp_path, *comments):
    np.zeros((2500, 1), "<i2").tofile(tmp_path / "r.dat")
    lines = ["r 1 250 2500", "r.dat 16 1000/mV 16 0 0 0 0 II", *(f"# {c}" for c in comments)]
    (tmp_path / "r.hea").write_text("\n".join(lines) + "\n")
    return open_recording(str(tmp_path / "r"))


def table(tmp_path, *lines):
    rows = [f"{k / 250:.3f},{k % 7 / 10}" for k in range(2500)]
    path = tmp_path / "r.csv"
    path.write_text("\n".join([*(f"# {line}" for line in lines), "time_s,II_mV", *rows]) + "\n")
    return open_recording(str(path))


@pytest.mark.parametrize("read", [header, table])
@pytest.mark.parametrize("age", ["3 months", "47y", ">89", "60.0 years", "4.5", "300"])
def test_readers_keep_an_age_with_its_unit(tmp_path, read, age):
    recording = read(tmp_path, f"age: {age}", "sex: F")
    assert (recording.person.age, recording.person.sex) == (age, "female")
    assert not any("is stated" in text for text in recording.assumed)


@pytest.mark.parametrize("read", [header, table])
def test_lines_that_contradict_each_other_are_reported(tmp_path, read):
    recording = read(tmp_path, "patient: A", "patient: B", "age: 60", "age: 71", "sex: F", "sex: female")
    assert "patient is stated as A and as B: A is taken" in recording.assumed
    assert "age is stated as 60 and as 71: 60 is taken" in recording.assumed
    assert not any(text.startswith("sex") for text in recording.assumed)
    assert recording.person.identifier == "A" and recording.person.age == "60"
