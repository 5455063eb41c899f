"""Tremor and flutter are told from the harmonics of a rhythm."""

import numpy as np
import pytest

from ecg_edge.device.measurements.measure import measure_leads
from ecg_edge.device.measurements.overlaid_tone import overlaid_tone
from ecg_edge.train.intervals.known_beats import KnownBeats, make

FS, N = 250, 2500
T = np.arange(N) / FS


def heart(bpm, fs=FS):
    rr = 60 / bpm
    case = KnownBeats(bpm=bpm, qt_s=0.38 * rr**0.5, p_s=0.08, pr_s=min(0.15, 0.3 * rr), qrs_s=0.08)
    return make(case, fs, 10.0)[0][:, :2]


@pytest.mark.parametrize("hz", [4.0, 4.7, 6.0, 8.1])
@pytest.mark.parametrize("bpm", [50, 60, 75, 100])
def test_no_good_figure_is_stated_under_tremor(hz, bpm):
    tremor = 0.4 * np.sin(2 * np.pi * hz * T) * (1 + 0.5 * np.sin(2 * np.pi * 0.4 * T))
    m = measure_leads(heart(bpm) + np.c_[0.9 * tremor, tremor], FS, ("I", "II"), ["measured"] * 2)
    if m is None:
        return
    assert m.heart_rate is None or m.heart_rate.quality == "fair"
    assert m.p is None and m.pr is None and m.qt is None and m.t_axis is None
    assert any("Hz lies over the beats" in note for note in m.notes)


@pytest.mark.parametrize("bpm", [40, 50, 60, 70, 85, 100, 108, 120, 135])
@pytest.mark.parametrize("fs", [250, 500])
def test_a_rhythm_alone_is_no_tone(bpm, fs):
    mv = heart(bpm, fs)
    assert overlaid_tone(mv[:, 1], fs, 60 / bpm) is None
    assert not measure_leads(mv, fs, ("I", "II"), ["measured"] * 2).notes


def test_nothing_to_find():
    assert overlaid_tone(np.zeros(N), FS, 0.8) is None and overlaid_tone(np.full(N, np.nan), FS, 0.8) is None
    assert overlaid_tone(np.ones(10), FS, 0.8) is None and overlaid_tone(np.ones(N), FS, np.nan) is None
