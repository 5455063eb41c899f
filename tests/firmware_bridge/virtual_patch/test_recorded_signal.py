import sys
from fractions import Fraction

import numpy as np
import pytest

from ecg_edge.firmware_bridge.errors import RecordingError, UsageError
from ecg_edge.firmware_bridge.events import NO_VALUE
from ecg_edge.firmware_bridge.virtual_patch.recorded_signal import record_source, resample
from ecg_edge.firmware_bridge.virtual_patch.signal_source import ArraySource, SyntheticSource, plain_info, to_counts

FS, N = 360, 3600
T = np.arange(N) / FS
MV = np.stack([np.sin(2 * np.pi * T), 0.5 * np.cos(2 * np.pi * 3 * T), T / 100], axis=1)


@pytest.fixture
def record(kit, tmp_path):
    """Three signals: II before I, in different cases, and one that is no standard lead."""

    def write(mv=MV, names=("ii", "I", "MLII"), units=("mV", "mV", "mV")):
        gains = [100_000.0 if unit == "mV" else 100.0 for unit in units]
        return kit.write_record(tmp_path, "rec", FS, mv, names, units, gains)

    return write


def everything(source):
    counts, lead_off = source.read(10**6)
    assert lead_off == 0
    return counts


def test_leads_are_found_in_any_case_and_order(record):
    source = record_source(record(), ["mlii", "i"])
    assert source.info.leads == ("II", "I")
    assert source.info.fs == Fraction(360)
    np.testing.assert_allclose(everything(source) * 0.0005, MV[:, [2, 1]], atol=0.0003)


def test_without_a_wish_it_is_i_and_ii_or_all_there_is(record):
    assert record_source(record()).info.leads == ("I", "II")
    assert record_source(record(names=("MLII", "v5", "resp"))).info.leads == ("II", "V5", "resp")


def test_a_label_written_so_goes_before_a_lead_and_a_name_twice_is_refused(record):
    np.testing.assert_allclose(everything(record_source(record(), ["ii"]))[:, 0] * 0.0005, MV[:, 0], atol=0.0003)
    with pytest.raises(RecordingError, match="V3 twice: signals 1 and 3"):
        record_source(record(names=("V3", "I", "v3")), ["V3"])


def test_the_extension_may_be_given_and_the_lsb_chosen(record):
    source = record_source(record() + ".hea", ["II"], lsb_mv=0.001)
    assert source.info.channels[0].lsb_mv == 0.001
    np.testing.assert_allclose(everything(source)[:, 0] * 0.001, MV[:, 0], atol=0.00051)


def test_units_are_converted(record):
    path = record(mv=MV * [1000, 1, 1], units=("uV", "mV", "mV"))
    np.testing.assert_allclose(everything(record_source(path, ["II"]))[:, 0] * 0.0005, MV[:, 0], atol=0.006)
    path = record(units=("mmHg", "mV", "mV"))
    with pytest.raises(RecordingError, match="mmHg"):
        record_source(path, ["II"])


def test_missing_samples_are_stale_before_and_after_resampling(record):
    mv = MV.copy()
    mv[1000:1100, 0] = np.nan
    path = record(mv=mv)
    counts = everything(record_source(path, ["II", "I"]))
    assert np.flatnonzero(counts[:, 0] == NO_VALUE).tolist() == list(range(1000, 1100))
    assert not (counts[:, 1] == NO_VALUE).any()
    stale = np.flatnonzero(everything(record_source(path, ["II"], fs=Fraction(180)))[:, 0] == NO_VALUE)
    assert stale.tolist() == list(range(500, 550))


@pytest.mark.parametrize("fs", [Fraction(250), Fraction(500), Fraction(360), Fraction(32768, 131)])
def test_resampling_keeps_the_signal_in_place(record, fs):
    counts = everything(record_source(record(), ["II", "I"], fs=fs))
    t = np.arange(len(counts)) / float(fs)
    assert len(counts) == int(np.ceil(N * fs / FS))
    inner = (t > 0.2) & (t < 9.8)
    truth = np.stack([np.sin(2 * np.pi * t), 0.5 * np.cos(2 * np.pi * 3 * t)], axis=1)
    np.testing.assert_allclose(counts[inner] * 0.0005, truth[inner], atol=0.005)


def test_a_channel_all_missing_resamples_to_all_missing():
    assert np.isnan(resample(np.full((100, 1), np.nan), Fraction(100), Fraction(50))).all()


def test_rates_without_a_small_ratio_are_kept_exactly():
    t = np.arange(36_000) / 360
    rate = Fraction(100_003, 997)
    got = resample(np.sin(2 * np.pi * 5 * t)[:, None], Fraction(360), rate)[:, 0]
    want = np.sin(2 * np.pi * 5 * np.arange(len(got)) / float(rate))
    assert np.abs(got - want)[20:-20].max() < 1e-3


def test_what_is_not_there_is_told(record, tmp_path):
    path = record()
    with pytest.raises(UsageError, match="no signal 'V9'") as caught:
        record_source(path, ["V9"])
    assert "ii, I, MLII" in caught.value.fix
    with pytest.raises(RecordingError, match="there is no recording") as caught:
        record_source(str(tmp_path / "nothing"))
    assert "EDF" in caught.value.fix
    (tmp_path / "rec.dat").unlink()
    with pytest.raises(RecordingError, match=r"rec\.dat, which is missing"):
        record_source(path)


def test_a_wfdb_record_needs_no_package(record, monkeypatch):
    path = record()
    monkeypatch.setitem(sys.modules, "wfdb", None)
    assert record_source(path).info.fs == 360


def test_a_loop_has_no_end_and_the_rest_does(kit):
    counts = np.arange(20, dtype=np.int32).reshape(10, 2)
    looped = ArraySource(kit.two_leads(), counts, loop=True)
    taken = np.concatenate([looped.read(n)[0] for n in (7, 25, 4)])
    np.testing.assert_array_equal(taken, np.resize(counts, (36, 2)))
    once = ArraySource(kit.two_leads(), counts)
    assert [len(once.read(n)[0]) for n in (7, 7, 7)] == [7, 3, 0]
    with pytest.raises(UsageError, match="without samples"):
        ArraySource(kit.two_leads(), counts[:0])


def test_counts_are_rounded_held_at_the_rails_and_marked():
    mv = np.array([[0.0, 0.00026], [-0.00026, 1e9], [-1e9, np.nan], [np.inf, -np.inf]])
    rail = 2**23 - 1
    assert to_counts(mv, 0.0005).tolist() == [[0, 1], [-1, rail], [-rail, NO_VALUE], [rail, -rail]]
    for lsb in (0.0, -1.0, np.nan):
        with pytest.raises(UsageError, match="LSB"):
            to_counts(mv, lsb)


def test_a_synthetic_heart_becomes_counts():
    class Sine:
        def __init__(self):
            self.at = 0

        def read(self, n):
            t = np.arange(self.at, self.at + n) / 250
            self.at += n
            return np.stack([np.sin(t), np.cos(t)], axis=1)

    source = SyntheticSource(Sine(), ("I", "II"), Fraction(250), lsb_mv=0.001)
    got = np.concatenate([source.read(n)[0] for n in (3, 100, 1)])
    assert source.info.leads == ("I", "II") and source.info.fs == 250
    np.testing.assert_array_equal(got, to_counts(Sine().read(104), 0.001))
    assert source.info.channels == plain_info("", Fraction(250), ("I", "II"), 0.001).channels
