from datetime import date, datetime, timezone
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecg_edge.device.sources import replay_source
from ecg_edge.device.sources.replay_source import about, patient_of, read_recording, split_rate
from ecg_edge.firmware_bridge.errors import RecordingError, UsageError
from ecg_edge.firmware_bridge.recordings.recording import Person, Recording, Signal


def signal(label="I", unit="mV", fs=100, length=300, **more):
    return Signal(label, unit, Fraction(fs), length, **more)


def made(*signals, values=None, **more):
    """A recording whose values are a function of lead and row: 1000 * column + row, in units of a thousandth."""

    def read(columns, start, stop):
        if values is not None:
            return values(columns, start, stop)
        return np.array([[k + 0.001 * row for k in columns] for row in range(start, stop)], np.float64)

    return Recording("r", "made", signals, read, **more)


@pytest.fixture
def play(monkeypatch):
    def play(recording, **more):
        monkeypatch.setattr(replay_source, "open_recording", lambda path, fs, unit="": recording)
        info, blocks = read_recording("r", **more)
        return info, list(blocks)

    return play


def joined(blocks, name):
    return np.concatenate([getattr(b, name) for b in blocks])


@pytest.mark.parametrize("fs", [100, 250, 360, 999])
def test_blocks_follow_each_other_and_are_frames_of_a_fiftieth_second(play, fs):
    info, blocks = play(made(signal(fs=fs, length=7 * fs), signal("II", fs=fs, length=7 * fs)))
    frame = max(1, round(0.02 * fs))
    assert info.samples_per_frame == frame and info.fs == fs and info.leads == ("I", "II")
    assert [b.index for b in blocks] == list(range(0, 7 * fs, frame))
    mv = joined(blocks, "mv")
    np.testing.assert_allclose(mv[:, 0], 0.001 * np.arange(7 * fs), rtol=1e-6)
    np.testing.assert_allclose(mv[:, 1], 1 + 0.001 * np.arange(7 * fs), rtol=1e-6)


def test_a_day_is_read_in_pieces_of_a_minute(play):
    asked = []

    def values(columns, start, stop):
        asked.append(stop - start)
        return np.zeros((stop - start, len(columns)))

    play(made(signal(length=100 * 150), values=values))
    assert asked == [6000, 6000, 6000, 3000]  # the first minute twice: it lends a past


@pytest.mark.parametrize(("unit", "factor"), [("mV", 1), ("V", 1000), ("uV", 1e-3), ("µV", 1e-3), ("nV", 1e-6)])
def test_every_unit_of_voltage_becomes_millivolts(play, unit, factor):
    _, blocks = play(made(signal(unit=unit)))
    np.testing.assert_allclose(joined(blocks, "mv")[:, 0], factor * 0.001 * np.arange(300), rtol=1e-5)


def test_counts_and_millivolts_agree_with_the_description(play):
    info, blocks = play(made(signal(lsb=0.005, zero=12.0, bits=16)))
    channel, counts = info.channels[0], joined(blocks, "counts")
    np.testing.assert_allclose(
        (counts[:, 0] - channel.offset) * channel.lsb_mv, joined(blocks, "mv")[:, 0], atol=0.0026
    )


def test_where_the_file_holds_no_sample_the_block_is_invalid(play):
    def values(columns, start, stop):
        x = np.ones((stop - start, len(columns)))
        x[50:60, 0] = np.nan
        return x

    _, blocks = play(made(signal(), signal("II"), values=values))
    valid = joined(blocks, "valid")
    assert (~valid[:, 0]).nonzero()[0].tolist() == list(range(50, 60)) and valid[:, 1].all()
    assert np.isfinite(joined(blocks, "mv")).all()


def test_a_slower_signal_is_played_at_the_leads_rate_and_said_so(play):
    info, blocks = play(made(signal(fs=100), signal("II", fs=50, length=150)))
    assert info.fs == 100 and len(joined(blocks, "mv")) == 300
    assert info.origin.remarks == ("II at 50 Hz is played at 100 Hz",)


def test_a_faster_signal_that_is_no_lead_does_not_set_the_rate(play):
    info, _ = play(made(signal(fs=100), signal("sound", unit="Pa", fs=4000, length=12_000)))
    assert info.fs == 100 and info.channels[1].unit == "Pa" and np.isnan(info.channels[1].lsb_mv)


def test_when_and_of_whom_it_was_taken_is_passed_on(play):
    at = datetime(2020, 1, 2, tzinfo=timezone.utc)
    recording = made(signal(), started=at, person=Person("p7", "A B"), comments=("sinus",), remarks=("cut short",))
    origin = play(recording)[0].origin
    assert origin.started == at and origin.patient == "p7" and origin.remarks == ("cut short",)
    assert origin.comments == ("sinus", "name: A B")


@pytest.mark.parametrize(
    ("signals", "why"),
    [
        ((signal(fs=40),), "40 Hz, too few for an ECG"),
        ((signal("air", unit="Pa"),), "holds no voltage: air in 'Pa'"),
        ((signal("I", unit="furlong"), signal("II")), "no unit of voltage"),
        ((signal(), signal("i")), "holds I twice"),
        ((signal(provenance="reconstructed"),), "no measured lead"),
    ],
)
def test_what_cannot_be_played_is_named(play, signals, why):
    with pytest.raises(RecordingError, match=why):
        play(made(*signals))


def test_channels_that_are_renamed_may_be_called_anything(play):
    info, _ = play(made(signal(), signal("i")), named=True)
    assert len(info.channels) == 2


@given(path=st.text("ab?=/:fs", max_size=12), fs=st.fractions(1, 1000, max_denominator=1000))
def test_a_rate_is_split_from_the_end(path, fs):
    assert split_rate(f"{path}?fs={fs}") == (path, fs)


@pytest.mark.parametrize("text", ["x?fs=", "x?fs=0", "x?fs=-1", "x?fs=abc", "x?fs=1e99"])
def test_what_is_no_rate_is_refused(text):
    with pytest.raises(UsageError, match="is no rate"):
        split_rate(text)


def test_a_path_without_a_rate_is_a_path():
    assert split_rate("a?b=c") == ("a?b=c", None)


def test_a_person_is_known_by_identifier_or_name():
    assert patient_of(Person("7", "N")) == "7" and patient_of(Person("", "N")) == "N" and patient_of(Person()) == ""


@pytest.mark.parametrize(
    ("comments", "person", "said"),
    [
        ((), Person(age="60", sex="male"), ("age: 60", "sex: male")),
        (("Age: 60",), Person(age="60"), ("Age: 60",)),
        (("patient: 7",), Person("7", "N"), ("name: N",)),
        ((), Person("", "N"), ()),
        ((), Person(birth=date(1950, 3, 4)), ("born: 1950-03-04",)),
    ],
)
def test_comments_say_what_is_known_of_the_person_once(comments, person, said):
    assert about(made(signal(), comments=comments, person=person)) == said
