from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from ecg_edge.firmware_bridge.errors import UsageError
from ecg_edge.firmware_bridge.lead_names import LEADS
from ecg_edge.firmware_bridge.synthetic_heart.heart import SyntheticHeart


@settings(max_examples=40, deadline=None)
@given(cuts=st.lists(st.integers(0, 2500), max_size=8), seed=st.integers(0, 3))
def test_cutting_the_stream_changes_no_bit(cuts: list[int], seed: int) -> None:
    kwargs = {"seed": seed, "mains_uv": 20.0}
    whole = SyntheticHeart(250, **kwargs).read(sum(cuts))
    heart = SyntheticHeart(250, **kwargs)
    parts = [heart.read(n) for n in cuts]
    assert [len(part) for part in parts] == cuts
    assert np.array_equal(np.concatenate([np.empty((0, 12)), *parts]), whole)


def test_one_sample_at_a_time_is_the_same_stream() -> None:
    heart = SyntheticHeart(125, ("II",))
    single = np.concatenate([heart.read(1) for _ in range(2100)])
    assert np.array_equal(single, SyntheticHeart(125, ("II",)).read(2100))


def test_seed_decides_everything() -> None:
    assert np.array_equal(SyntheticHeart(500, seed=1).read(3000), SyntheticHeart(500, seed=1).read(3000))
    assert not np.allclose(SyntheticHeart(500, seed=1).read(3000), SyntheticHeart(500, seed=2).read(3000))


def test_leads_hold_to_einthoven_and_goldberger_with_all_noise_on() -> None:
    x = SyntheticHeart(500, noise_uv=50, mains_uv=300, wander_uv=200).read(5000)
    lead = dict(zip(LEADS, x.T, strict=True))
    residuals = [
        lead["I"] + lead["III"] - lead["II"],
        lead["aVR"] + (lead["I"] + lead["II"]) / 2,
        lead["aVL"] - (lead["I"] - lead["III"]) / 2,
        lead["aVF"] - (lead["II"] + lead["III"]) / 2,
    ]
    assert np.abs(residuals).max() < 1e-14


def test_a_choice_of_leads_is_a_choice_of_columns() -> None:
    every = SyntheticHeart(500, seed=4).read(3000)
    some = SyntheticHeart(500, ("v5", "AVR", "I"), seed=4)
    assert some.leads == ("V5", "aVR", "I")
    assert np.array_equal(some.read(3000), every[:, [LEADS.index(lead) for lead in some.leads]])


def test_the_same_heart_beats_at_every_sampling_rate() -> None:
    fast, slow = (SyntheticHeart(fs, seed=2, noise_uv=0, mains_uv=30).read(fs * 8) for fs in (1000, 500))
    assert np.allclose(fast[::2], slow, atol=1e-9)


def mean_beat(heart: SyntheticHeart, seconds: int) -> np.ndarray:
    """Mean of the beats over -0.25..0.5 s about the R peak, above the TP segment."""
    fs = int(heart.fs)
    x = heart.read(seconds * fs)
    at = [round(r * fs) for r in heart.r_times(seconds - 1) if r > 0.5]
    beat = np.mean([x[k - fs // 4 : k + fs // 2] for k in at], axis=0)
    return beat - beat[:10].mean(axis=0)


# Lead: least and greatest R, S (or Q) in mV, for a normal adult.
NORMAL = {
    "I": (0.25, 1.1, -0.3, 0.0),
    "II": (0.6, 1.8, -0.4, 0.0),
    "III": (0.05, 1.4, -0.5, 0.0),
    "aVR": (0.0, 0.3, -1.3, -0.5),
    "aVL": (0.0, 0.6, -0.6, 0.0),
    "aVF": (0.3, 1.6, -0.4, 0.0),
    "V1": (0.1, 0.6, -1.8, -0.5),
    "V2": (0.2, 0.9, -1.9, -0.6),
    "V3": (0.5, 1.7, -1.7, -0.4),
    "V4": (0.8, 2.2, -1.1, -0.1),
    "V5": (0.9, 2.1, -0.6, 0.0),
    "V6": (0.6, 1.8, -0.4, 0.0),
}


@pytest.mark.parametrize("seed", range(12))
def test_every_lead_looks_as_in_a_healthy_adult(seed: int) -> None:
    beat = mean_beat(SyntheticHeart(500, seed=seed), 30)
    qrs, t_wave, p_wave = beat[95:160], beat[200:330], beat[25:90]
    for k, lead in enumerate(LEADS):
        low_r, high_r, low_s, high_s = NORMAL[lead]
        assert low_r <= qrs[:, k].max() <= high_r, lead
        assert low_s <= qrs[:, k].min() <= high_s, lead
    r = dict(zip(LEADS, qrs.max(axis=0), strict=True))
    s = dict(zip(LEADS, qrs.min(axis=0), strict=True))
    assert r["V1"] < r["V2"] < r["V3"] < r["V4"]
    assert r["V1"] < -s["V1"]
    assert r["V5"] > -s["V5"]
    # the septal r comes before the S in V1
    assert qrs[:, LEADS.index("V1")].argmax() < qrs[:, LEADS.index("V1")].argmin()
    for lead in ("I", "II", "V3", "V4", "V5", "V6"):
        t_peak = t_wave[:, LEADS.index(lead)].max()
        assert 0.03 < t_peak < 0.9, lead
        assert t_peak > -t_wave[:, LEADS.index(lead)].min(), lead
    assert t_wave[:, LEADS.index("aVR")].min() < -0.1
    assert 0.05 < p_wave[:, LEADS.index("II")].max() < 0.25
    assert p_wave[:, LEADS.index("aVR")].min() < -0.03


def test_the_median_patient_has_textbook_amplitudes() -> None:
    beats = np.array([mean_beat(SyntheticHeart(500, seed=s, noise_uv=0), 12)[95:160] for s in range(24)])
    r = dict(zip(LEADS, np.median(beats.max(axis=1), axis=0), strict=True))
    s = dict(zip(LEADS, np.median(beats.min(axis=1), axis=0), strict=True))
    assert r["II"] == pytest.approx(1.0, abs=0.15)
    assert s["V1"] == pytest.approx(-1.0, abs=0.2)
    assert 1.2 <= r["V4"] <= 1.8
    assert 1.2 <= r["V5"] <= 1.8


@pytest.mark.parametrize("bpm", [45.0, 65.0, 100.0, 170.0])
def test_true_r_times_are_the_maxima_of_lead_ii(bpm: float) -> None:
    heart = SyntheticHeart(1000, ("II",), heart_rate_bpm=bpm, seed=int(bpm))
    x = heart.read(60_000)[:, 0]
    r = heart.r_times(59.9)
    r = r[r > 0.1]
    found = np.array([k - 60 + x[k - 60 : k + 60].argmax() for k in np.round(r * 1000).astype(int)]) / 1000
    assert abs(len(r) - bpm) <= 2
    assert np.abs(found - r).max() < 0.010
    # and no other peak is as high: a plain threshold finds the same beats
    peaks, _ = signal.find_peaks(x, height=0.6 * x.max(), distance=200)
    assert abs(len(peaks) - len(heart.r_times(60.0))) <= 1


def test_r_times_do_not_depend_on_what_was_read() -> None:
    heart = SyntheticHeart(250, ("I",), seed=9)
    before = heart.r_times(30)
    heart.read(20_000)
    assert np.array_equal(before, heart.r_times(30))
    assert before.min() >= 0
    assert before.max() < 30
    assert len(heart.r_times(0.0)) == 0


def test_power_lies_where_an_ecg_has_it() -> None:
    x = SyntheticHeart(500, ("II",), noise_uv=5).read(500 * 120)[:, 0]
    f, power = signal.welch(x, fs=500, nperseg=4096)
    total = power[f > 0.5].sum()
    assert power[(f > 0.5) & (f < 40)].sum() > 0.97 * total
    assert power[(f > 5) & (f < 25)].sum() > 0.3 * total
    assert power[f > 100].sum() < 0.005 * total


def test_memory_does_not_grow_with_the_stream() -> None:
    heart = SyntheticHeart(100, ("I",), heart_rate_bpm=200)
    heart.read(100 * 600)
    assert len(heart._beats) < 60


def test_a_rate_that_is_no_whole_number_is_kept() -> None:
    fs = Fraction(32768, 256) * Fraction(1001, 1000)
    heart = SyntheticHeart(fs, ("II",), noise_uv=0, wander_uv=0)
    assert heart.fs == fs
    x = heart.read(int(fs * 30))[:, 0]
    r = heart.r_times(29.5)[3]
    around = slice(round(float(fs) * r) - 10, round(float(fs) * r) + 11)
    assert abs((around.start + x[around].argmax()) / float(fs) - r) < 0.010


@pytest.mark.parametrize(
    "kwargs",
    [
        {"fs": 50},
        {"fs": float("nan")},
        {"fs": float("inf")},
        {"fs": 500, "heart_rate_bpm": 0.0},
        {"fs": 500, "heart_rate_bpm": 400.0},
        {"fs": 500, "leads": ("V9",)},
        {"fs": 500, "leads": ()},
        {"fs": 500, "seed": -1},
        {"fs": 500, "noise_uv": -1.0},
        {"fs": 100, "mains_uv": 10.0, "mains_hz": 60.0},
    ],
)
def test_nonsense_is_refused_with_a_way_out(kwargs: dict) -> None:
    with pytest.raises(UsageError) as error:
        SyntheticHeart(**kwargs)
    assert error.value.fix


def test_a_negative_read_is_refused() -> None:
    with pytest.raises(UsageError):
        SyntheticHeart(500).read(-1)
