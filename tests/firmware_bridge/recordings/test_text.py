from datetime import date, datetime, time, timedelta, timezone
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecg_edge.firmware_bridge.errors import RecordingError
from ecg_edge.firmware_bridge.recordings.text import (
    calendar_date,
    clock_time,
    decode,
    moment,
    number,
    rate,
    rate_of,
    read_bytes,
    unreadable,
)

DATES = st.dates(date(1970, 1, 1), date(2068, 12, 31))
FORMS = ["%d/%m/%Y", "%d-%b-%Y", "%d.%m.%Y", "%Y-%m-%d", "%d/%m/%y", "%d-%B-%Y", "[%d/%m/%Y]"]
MOMENTS = ["%d/%m/%Y %H:%M:%S.%f", "%H:%M:%S.%f %d/%m/%Y", "%Y-%m-%dT%H:%M:%S.%f"]
TIMES = st.times().map(lambda t: t.replace(microsecond=t.microsecond // 1000 * 1000))


@given(day=DATES, form=st.sampled_from(FORMS))
def test_a_date_is_read_in_every_form(day, form):
    assert calendar_date(day.strftime(form)) == day


@pytest.mark.parametrize("text", ["", "1/2", "1/2/3/4", "32/1/2020", "29/2/2021", "a/b/c", "12:30:00", "1/13/2020"])
def test_what_is_no_date_is_none(text):
    assert calendar_date(text) is None


@given(at=TIMES)
def test_a_time_is_read_with_and_without_hours(at):
    assert clock_time(at.strftime("%H:%M:%S.%f")) == (at, 0) == clock_time(f"[{at.strftime('%H:%M:%S.%f')}]")
    plain = at.replace(hour=0)
    assert clock_time(plain.strftime("%M:%S.%f")) == (plain, 0)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("24:00:00", (time(), 1)),
        ("90:00", (time(1, 30), 0)),
        ("3600", (time(1), 0)),
        ("48:00:00", (time(), 2)),
        ("48:00:01", None),
        ("1:60:00", None),
        ("1:2:3:4", None),
        ("a:b", None),
        ("", None),
        ("-1:00", None),
    ],
)
def test_a_time_may_be_the_next_days_and_no_more(text, found):
    assert clock_time(text) == found


@given(
    day=DATES, at=TIMES, form=st.sampled_from(["%d/%m/%Y %H:%M:%S.%f", "%H:%M:%S.%f %d/%m/%Y", "%Y-%m-%dT%H:%M:%S.%f"])
)
def test_a_moment_is_its_date_and_time_in_either_order(day, at, form):
    when = datetime.combine(day, at)
    assert moment(when.strftime(form)) == when


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("20190305100000.000+0100", timedelta(hours=1)),
        ("2019-03-05T10:00:00Z", timedelta()),
        ("2019-03-05 10:00:00 +01:00", timedelta(hours=1)),
        ("2019-03-05T10:00:00.1234567-05:30", -timedelta(hours=5, minutes=30)),
        ("20190305100000", None),
        ("201903051000", None),
        ("20190305", None),
    ],
)
def test_a_moment_of_iso_dicom_or_hl7_keeps_its_zone(text, zone):
    found = moment(text)
    assert found.date() == date(2019, 3, 5) and found.hour == (0 if len(text) == 8 else 10)
    assert found.tzinfo == (None if zone is None else timezone(zone)) or found.utcoffset() == zone


@pytest.mark.parametrize("text", ["", "yesterday", "10:00:00", "20191305", "2019-13-05T10:00:00", "9" * 30])
def test_what_tells_no_day_is_no_moment(text):
    assert moment(text) is None


@given(value=st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_a_number_is_read_with_a_point_or_a_comma(value):
    assert number(repr(value)) == value == number(f" {value!r} ".replace(".", ","))


@pytest.mark.parametrize("text", ["", "nan", "inf", "1.2.3", "1,2,3", "one", "1e999"])
def test_what_is_no_finite_number_is_none(text):
    assert number(text) is None


@given(fs=st.fractions(Fraction(1, 100), 10_000, max_denominator=1000))
def test_a_rate_is_exact(fs):
    assert rate(str(fs)) == fs


@pytest.mark.parametrize(
    ("text", "fs"),
    [
        ("511.422", Fraction(255_711, 500)),
        ("250,5", Fraction(501, 2)),
        ("1e3", Fraction(1000)),
        ("500/2", Fraction(250)),
    ],
)
def test_rates_as_files_write_them(text, fs):
    assert rate(text) == fs


@pytest.mark.parametrize("text", ["", "0", "-250", "1/0", "1e400", "1e-400", "9" * 41, "Hz"])
def test_what_is_no_rate_is_none(text):
    assert rate(text) is None


@pytest.mark.parametrize("fs", ["250", "128", "0.5", "511.422", "333.3", "62.5"])
def test_a_computed_rate_is_the_short_decimal_it_stands_for(fs):
    assert rate_of(float(fs) * (1 + 3e-7)) == Fraction(fs)


@given(value=st.floats(0.01, 1e6))
def test_any_other_computed_rate_is_near(value):
    assert float(rate_of(value)) == pytest.approx(value, rel=1e-3)


@given(text=st.text(st.characters(codec="utf-8", exclude_characters="\0\ufeff"), max_size=20))
def test_text_is_read_in_utf_8_and_in_utf_16_with_a_mark(text):
    assert decode(text.encode()) == decode(b"\xef\xbb\xbf" + text.encode()) == text
    if text:
        marked = b"\xff\xfe" + text.encode("utf-16-le")
        assert b"\0" not in marked or decode(marked) == text


@given(data=st.binary(max_size=30))
def test_any_bytes_are_some_text(data):
    assert isinstance(decode(data), str)


def test_a_file_that_is_too_large_or_cannot_be_read_is_named(tmp_path):
    path = tmp_path / "f"
    path.write_bytes(b"1234")
    assert read_bytes(path, 4) == b"1234"
    with pytest.raises(RecordingError, match="is larger than 0 MB"):
        read_bytes(path, 3)
    with pytest.raises(RecordingError, match=r"cannot read .*No such file"):
        read_bytes(tmp_path / "none", 9)
    assert "strange" in unreadable(path, ValueError("strange")).message
