import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecg_edge.device.verification.fiducials import beats_of, compare

FS, N = 100, 1000
SHIFTS = st.integers(-3, 3)


def beats(st_mv=0.0, late=0, height=1.0, n=N):
    """A beat every 0.8 s: QRS of one sample's width, a level `st_mv` from 40 ms after it, T."""
    t = ((np.arange(n) - 40 + 40) % 80 - 40) / FS
    x = 0.25 * np.exp(-0.5 * ((t - 0.3) / 0.03) ** 2) + st_mv * ((t >= 0.05) & (t < 0.2))
    return x + height * np.exp(-0.5 * ((t - late / FS) / 0.012) ** 2)


def shift(a, b, first=200):
    lead = beats()[None]
    return compare(a[None, :, None], b[None, :, None], lead, FS, first)


def test_the_beats_are_where_the_waves_are():
    found = beats_of(beats(), FS)
    assert set(np.diff(found)) == {80} and abs(found[0] % 80 - 40) <= 1


def test_an_estimate_does_not_differ_from_itself():
    same = shift(beats(), beats())
    assert same.beats >= 8
    assert same.st_uv.tolist() == same.rpeak_ms.tolist() == same.moved.tolist() == [0.0]


@settings(max_examples=25)
@given(level=st.floats(-0.5, 0.5))
def test_a_raised_level_is_its_difference_in_microvolts(level):
    assert shift(beats(), beats(level)).st_uv[0] == pytest.approx(1000 * abs(level), abs=1)
    assert shift(beats(level), beats()).st_uv[0] == pytest.approx(1000 * abs(level), abs=1)


@settings(max_examples=10)
@given(late=SHIFTS)
def test_a_late_wave_is_its_shift_in_milliseconds(late):
    found = shift(beats(), beats(late=late))
    assert found.rpeak_ms[0] == 10 * abs(late) and found.moved[0] == (1.0 if late else 0.0)


def test_an_upside_down_wave_has_its_peak_in_the_same_place():
    assert shift(beats(), beats(height=-1.0)).rpeak_ms[0] == 0


def test_a_lead_without_a_wave_to_see_has_not_moved():
    flat = 0.01 * np.random.default_rng(0).normal(size=N)
    assert shift(flat, beats()).moved[0] == 0 and shift(flat, beats()).rpeak_ms[0] == 0


def test_without_a_beat_nothing_is_read():
    none = compare(np.zeros((1, N, 2)), np.ones((1, N, 2)), np.zeros((1, N)), FS, 0)
    assert none.beats == 0 and none.st_uv.tolist() == [0, 0] == none.rpeak_ms.tolist()


def test_beats_before_the_first_sample_do_not_count():
    late = beats()
    late[:500] += np.linspace(0, 5, 500)
    assert shift(beats(), late, 520).st_uv[0] == 0 < shift(beats(), late, 0).beats


def test_records_are_averaged_and_leads_are_apart():
    a = np.stack([np.stack([beats(), beats()], 1)] * 2)
    b = np.stack([np.stack([beats(0.2), beats()], 1), np.stack([beats(), beats()], 1)])
    found = compare(a, b, np.stack([beats()] * 2), FS, 200)
    assert found.st_uv[0] == pytest.approx(100, abs=1) and found.st_uv[1] == 0
