"""A day with two readings, or a time of day that nobody wrote, is no start: it is left out and named."""

from datetime import date, datetime

import pytest

from ecg_edge.device.cli.main import main
from ecg_edge.firmware_bridge.recordings.open_recording import open_recording
from ecg_edge.firmware_bridge.recordings.text import calendar_date, date_orders, start
from tests.support import stored_files


@pytest.mark.parametrize(
    ("texts", "orders"),
    [
        (["03/04/2024 10:00:00"], ["dmy", "mdy"]),
        (["03-04-2024"], ["dmy", "mdy"]),
        (["04/04/2024"], ["dmy"]),
        (["25/04/2024"], ["dmy"]),
        (["04/25/2024"], ["mdy"]),
        (["03.04.2024"], ["dmy"]),
        (["03.04.24"], ["dmy"]),
        (["24-03-05"], ["dmy", "ymd"]),
        (["03/04/05"], ["dmy", "mdy", "ymd"]),
        (["2024-03-04"], ["dmy"]),
        (["05-May-2020"], ["dmy"]),
        (["03/04/2024 23:59:59", "03/05/2024 00:00:01"], ["mdy"]),
        (["03/04/2024 23:59:59", "04/04/2024 00:00:01"], ["dmy"]),
        (["03/04/2024", "2024-04-03T10:00:00Z"], ["dmy"]),
        (["noon"], []),
        (["03/04/2024", "noon"], []),
    ],
)
def test_the_orders_in_which_dates_can_be_read(texts, orders):
    assert date_orders(texts) == orders


def test_a_month_in_letters_is_the_month():
    assert calendar_date("May-06-2020") == date(2020, 5, 6) == calendar_date("06-May-2020")
    assert calendar_date("2020-06-May") is None


@pytest.mark.parametrize("text", ["2024-03-01", "20240301", "01.03.2024", "20240301+0100"])
def test_a_date_alone_is_no_start(text):
    at, said = start([text])
    assert at is None and said == f"start left out: {text!r} states no time of day"


@pytest.mark.parametrize("text", ["2024-03-01T00:00", "202403010000", "20240301000000.000+0100", "1.3.2024 00:00:00"])
def test_a_midnight_that_is_written_is_one(text):
    at, said = start([text])
    assert at.replace(tzinfo=None) == datetime(2024, 3, 1) and not said


def table(path, days, above=""):
    rows = "".join(f"{day} 10:00:{k / 250:06.3f},{row[0]:.4f},{row[1]:.4f}\n"
                   for k, (day, row) in enumerate(zip(days, stored_files.beats(12), strict=True)))  # fmt: skip
    path.write_text(f"{above}Date Time,I [mV],II [mV]\n{rows}")
    return path


@pytest.mark.parametrize(
    ("day", "when"),
    [("03/04/2024", None), ("13/04/2024", datetime(2024, 4, 13, 10)), ("04/13/2024", datetime(2024, 4, 13, 10))],
)
def test_a_table_starts_when_its_dates_say(tmp_path, day, when):
    found = open_recording(table(tmp_path / "t.csv", [day] * len(stored_files.beats(12))))
    assert found.started == when and found.signals[0].fs == 250
    assert any("may be 2024-04-03 or 2024-03-04" in remark for remark in found.remarks) == (when is None)


def test_a_birth_that_has_two_readings_is_left_out(tmp_path):
    path = table(tmp_path / "t.csv", ["2024-03-01"] * len(stored_files.beats(12)), "Date of birth,03/04/1980\n")
    found = open_recording(path)
    assert found.person.birth is None and "day of birth left out" in found.remarks[0]


@pytest.mark.parametrize("verb", ["measure", "report", "convert", "reconstruct", "replay", "info"])
def test_every_verb_says_it(tmp_path, monkeypatch, capsys, verb):
    monkeypatch.chdir(tmp_path)
    path = table(tmp_path / "t.csv", ["03/04/2024"] * len(stored_files.beats(12)))
    if verb == "report":
        pytest.importorskip("matplotlib")
    more = {"report": ["--out", "p.png"], "convert": ["--out", "c.csv"], "reconstruct": ["--out", "c.csv"],
            "replay": ["--fast", "--json"]}.get(verb, [])  # fmt: skip
    assert main([verb, str(path), *more]) == 0
    assert "may be 2024-04-03 or 2024-03-04" in capsys.readouterr().err


def test_a_dicom_or_aecg_day_without_a_time_is_no_start(tmp_path):
    pydicom = pytest.importorskip("pydicom")
    hea = stored_files.wfdb_record(tmp_path, "r", stored_files.twelve(12), leads=stored_files.TWELVE)
    assert main(["convert", str(hea), "--out", str(tmp_path / "d.dcm")]) == 0
    data = pydicom.dcmread(tmp_path / "d.dcm")
    data.AcquisitionDateTime, data.StudyTime, data.StudyDate = "20240301", "", "20240301"
    data.save_as(tmp_path / "d.dcm")
    found = open_recording(tmp_path / "d.dcm")
    assert found.started is None and "states no time of day" in found.remarks[0]
