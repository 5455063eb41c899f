"""What may be false is no figure, or not a good one: pacing, shiver, flutter, fused waves, noise, compressions."""

import numpy as np
import pytest

from ecg_edge.device.measurements.doubts import FEW_ALIKE, PACED
from ecg_edge.device.measurements.measure import PERIODIC, measure_leads
from ecg_edge.device.measurements.sharp_edges import is_stepped, without_pulses

SECONDS = 10
NAMES = ("p", "pr", "qrs", "qt", "qtc_bazett", "longest_rr", "heart_rate")


def heart(fs, times, r=1.0, width=0.011, p=0.12, pr=0.16, s=-0.2, t=0.25, late=0.28, broad=0.05):
    x = np.arange(SECONDS * fs) / fs
    waves = ((p, -pr, 0.022), (-0.1 * r, -0.025, 0.008), (r, 0, width), (s * r, 0.028, 0.01), (t, late, broad))
    return sum(a * np.exp(-0.5 * ((x - b - d) / w) ** 2) for b in times for a, d, w in waves)


def every(bpm, first=0.4):
    return np.arange(first, SECONDS, 60 / bpm)


def measured(y, fs, seed=1):
    y = y + np.random.default_rng(seed).normal(0, 0.004, len(y))
    return measure_leads(np.c_[0.6 * y, y], fs, ("I", "II"), ["measured"] * 2)


def value(m, name):
    figure = getattr(m, name)
    return figure.value if figure else None


def good(m):
    return {name for name in NAMES if m and (f := getattr(m, name)) and f.quality == "good"}


@pytest.mark.parametrize("fs", [250, 500])
@pytest.mark.parametrize("mv", [0.3, 0.5, 1.5, 5.0, -3.0])
@pytest.mark.parametrize("width", [1, 2])
def test_a_pacing_pulse_is_no_part_of_a_beat(fs, mv, width):
    y = heart(fs, every(70), p=0)
    for at in every(70):
        k = round((at - 0.05) * fs)
        y[k : k + width] += mv
    m = measured(y, fs)
    assert PACED in m.notes and m.p is None and m.pr is None
    assert value(m, "qrs") == pytest.approx(88, abs=8) and m.qrs.quality == "fair"
    assert value(m, "heart_rate") == pytest.approx(70, abs=1)


def test_a_narrow_qrs_complex_and_noise_are_no_pulses():
    y = heart(250, every(70), width=0.008, r=3.0)
    assert without_pulses(y[:, None], 250)[1] == 0
    assert without_pulses(np.random.default_rng(1).normal(0, 0.2, (2500, 2)), 250)[1] == 0
    assert without_pulses(np.zeros((5, 2)), 250)[1] == without_pulses(y[:, None], 100)[1] == 0


@pytest.mark.parametrize("hz", [10, 12, 16, 20, 25])
@pytest.mark.parametrize("fs", [250, 500])
@pytest.mark.parametrize("mv", [0.12, 0.15])
def test_under_shiver_no_interval_is_good(hz, fs, mv):
    t = np.arange(SECONDS * fs) / fs
    m = measured(heart(fs, every(70)) + mv * np.sin(2 * np.pi * hz * t) * (1 + 0.3 * np.sin(np.pi * t)), fs)
    assert not good(m) & {"p", "pr", "qrs", "qt"}


@pytest.mark.parametrize("fs", [250, 500])
@pytest.mark.parametrize("share", [2, 3, 4])
@pytest.mark.parametrize("shape", ["sine", "two", "saw"])
def test_under_flutter_nothing_is_read_from_p_or_t(fs, share, shape):
    t = np.arange(SECONDS * fs) / fs
    wave = {
        "sine": 0.15 * np.sin(10 * np.pi * t),
        "two": 0.1 * np.sin(10 * np.pi * t) + 0.05 * np.sin(20 * np.pi * t + 1),
        "saw": 0.2 * ((5 * t) % 1 - 0.5),
    }[shape]
    m = measured(heart(fs, every(300 / share), p=0, t=0.05) + wave, fs)
    assert not good(m) & {"p", "pr", "qt", "qtc_bazett"}
    if share > 2:
        assert m.p is None and m.pr is None and m.qt is None
        assert PERIODIC in m.notes or any("lies over the beats" in note for note in m.notes)


@pytest.mark.parametrize("fs", [250, 500])
@pytest.mark.parametrize("ventricles", [38, 40, 43])
@pytest.mark.parametrize("atria", [75, 80, 88])
def test_no_pr_where_p_waves_go_their_own_way(fs, ventricles, atria):
    alone = {"r": 0.12, "width": 0.022, "p": 0, "s": 0, "t": 0}
    m = measured(heart(fs, every(ventricles), p=0) + heart(fs, every(atria, 0.33), **alone), fs)
    assert m is None or (m.pr is None and (m.heart_rate is None or m.heart_rate.value < 50))


@pytest.mark.parametrize("bpm", [140, 150, 160, 175])
def test_fused_p_and_t_have_no_good_figure(bpm):
    for late, broad in ((0.28, 0.05), (0.22, 0.04), (0.16, 0.045)):
        m = measured(heart(500, every(bpm), late=late, broad=broad), 500)
        assert m is None or not good(m) & {"p", "pr", "qt", "qtc_bazett"}


@pytest.mark.parametrize("name", ["saw", "square", "pulses"])
def test_what_rises_in_one_sample_is_no_heart(name):
    t = np.arange(2500) / 250
    y = {"saw": (1.3 * t) % 1, "square": 0.5 * np.sign(np.sin(5 * t)), "pulses": (t % 1 < 0.02) * 1.0}[name]
    assert measured(y, 250) is None
    assert not is_stepped(y, 100, [100]) and not is_stepped(y, 250, [])


@pytest.mark.parametrize("case", ["compressions", "triangles", "tachycardia", "tombstone", "tiny"])
def test_a_wave_that_may_be_no_qrs_complex_has_no_good_interval(case):
    t = np.arange(2500) / 250
    y = {
        "compressions": 1.2 * np.maximum(0, np.sin(2 * np.pi * 110 / 60 * t)) ** 4,
        "triangles": (np.abs((110 / 60 * t) % 1 - 0.5) * 2) ** 3 * 1.5 + 0.2 * np.sin(2 * np.pi * 220 / 60 * t + 1),
        "tachycardia": heart(250, every(180), width=0.045, p=0, s=-0.3, t=-0.5, late=0.17, broad=0.04),
        "tombstone": heart(250, every(80), r=0.4, p=0.1, t=1.0, late=0.2, broad=0.09),
        "tiny": heart(250, every(60), r=0.08, p=0.05, t=0.1),
    }[case]
    assert not good(measured(y, 250))


def test_early_atrial_beats_have_no_false_pr():
    m = measured(heart(250, np.cumsum([0.8, 0.8, 0.5] * 4)), 250)
    assert m.pr is None or m.pr.quality == "fair" or m.pr.value == pytest.approx(182, abs=12)


@pytest.mark.parametrize("low, high", [(3, 7), (2, 4), (2, 8)])
@pytest.mark.parametrize("seed", range(6))
def test_fibrillation_has_no_rate(low, high, seed):
    spectrum = np.fft.rfft(np.random.default_rng(seed).normal(0, 1, 2500))
    hz = np.fft.rfftfreq(2500, 1 / 250)
    spectrum[(hz < low) | (hz > high)] = 0
    y = np.fft.irfft(spectrum, 2500)
    m = measured(0.5 * y / y.std(), 250)
    assert m is None or (m.heart_rate is None and not good(m))


def test_waves_between_the_beats_are_not_counted_as_beats():
    tapping = heart(250, np.arange(0.1, SECONDS, 1 / 2.2), r=0.8, width=0.02, p=0, s=-0.3, t=0)
    tapped = measured(heart(250, every(60)) + tapping, 250)
    assert tapped is None or (tapped.heart_rate is None and FEW_ALIKE in tapped.notes)
    tall = measured(heart(250, every(60), r=0.6, width=0.035, p=0, t=1.2, late=0.3, broad=0.03), 250)
    assert tall is None or tall.heart_rate is None or tall.heart_rate.value == pytest.approx(60, abs=2)
    t = np.arange(2500) / 250
    fast = (0.3 + 0.9 * np.abs(np.sin(np.pi * t / 2))) * np.sin(
        2 * np.pi * 220 / 60 * t + 0.6 * np.sin(0.6 * np.pi * t)
    )
    for y in (np.sin(10 * np.pi * t) + 0.05 * np.sin(20 * np.pi * t), fast):
        m = measured(y, 250)
        assert m is None or m.heart_rate is None


def test_no_longest_interval_where_there_may_be_beats_between():
    sinus, early = every(40), every(40, 0.95)
    m = measured(heart(250, sinus) + heart(250, early, r=0.25, width=0.04, p=0, t=-0.1), 250)
    assert m.longest_rr is None and m.pr is None


@pytest.mark.parametrize("bpm", [50, 60, 75, 100, 120])
@pytest.mark.parametrize("fs", [250, 500])
def test_a_plain_heart_keeps_its_good_figures(bpm, fs):
    m = measured(heart(fs, every(bpm), late=0.28 * min(1, (60 / bpm) ** 0.5)), fs)
    assert good(m) >= {"pr", "qrs", "qt", "heart_rate", "longest_rr"}
    assert value(m, "qrs") == pytest.approx(88, abs=6) and value(m, "pr") == pytest.approx(180, abs=16)


@pytest.mark.parametrize("fs", [100, 250, 500])
def test_a_sample_that_is_missing_now_and_then_costs_nothing(fs):
    y = heart(fs, every(70))
    y[50::100] = np.nan
    m = measured(y, fs)
    assert value(m, "heart_rate") == pytest.approx(70, abs=1) and m.found == m.beats >= 9
    y[round(3 * fs) : round(3.5 * fs)] = np.nan
    assert measured(y, fs).found < m.found
