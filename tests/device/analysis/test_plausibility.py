from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecg_edge.device.analysis.plausibility import Plausibility
from ecg_edge.device.analysis.signal_watch import SignalWatch
from ecg_edge.firmware_bridge.events import Channel
from ecg_edge.firmware_bridge.synthetic_heart.heart import SyntheticHeart
from ecg_edge.train.studies.beat_cases import FS, cases, heartless
from tests.support.pulse import breathing, ppg

RNG = np.random.default_rng(0)
ECG = SyntheticHeart(250, ("II",), noise_uv=10).read(20 * 250)[:, 0]
T = np.arange(len(ECG)) / 250


def turns(x, fs=FS):
    found = Plausibility(Fraction(fs), 1).feed(x[:, None], np.ones((len(x), 1), bool))
    return [(row / float(fs), doubt.word if doubt else "") for row, _, doubt in found]


@pytest.mark.parametrize(
    ("x", "word"),
    [
        (1000 * ECG, "large"),
        (30 * ECG, "large"),
        (0.001 * ECG, "small"),
        (0.05 * RNG.standard_normal(len(ECG)), "noise"),
        (0.005 * RNG.standard_normal(len(ECG)), "noise"),
        (np.sin(2 * np.pi * 10 * T), "tone"),
        (np.sin(2 * np.pi * 50 * T) + 0.1 * np.sin(T), "tone"),
        (np.sin(2 * np.pi * 2 * T), "tone"),
        (np.sign(np.sin(2 * np.pi * 1.5 * T)), "tone"),
        (0.3 * np.sign(np.sin(2 * np.pi * 2.5 * T)) + 0.01 * RNG.standard_normal(len(ECG)), "tone"),
        (8.0 * (np.arange(len(ECG)) % 214 == 0) + 0.015 * RNG.standard_normal(len(ECG)), "pulses"),
        (2.0 * (np.arange(len(ECG)) % 188 < 2) + 0.01 * RNG.standard_normal(len(ECG)), "pulses"),
        (0.001 * np.arange(len(ECG)), "counter"),
        (0.01 * (np.arange(len(ECG)) % 256), "counter"),
        (-0.004 * np.repeat(np.arange(len(ECG) // 5), 5), "counter"),
    ],
)
def test_what_is_no_ecg_is_said_seconds_after_the_start(x, word):
    (at, found), *rest = turns(x)
    assert found == word and at <= 9 and not rest


@pytest.mark.parametrize("fs", [100, 250, 1000])
@pytest.mark.parametrize("scale", [1, 3000])
@pytest.mark.parametrize("bpm", [45, 65, 100])
def test_a_pulse_wave_is_no_ecg_whatever_its_unit(fs, scale, bpm):
    (at, found), *rest = turns(scale * ppg(fs, 15 * fs, bpm), fs)
    assert found == ("smooth" if scale == 1 else "large") and at <= 6 and not rest


@pytest.mark.parametrize("height", [0.1, 1.0])
@pytest.mark.parametrize("spike", [1, 6])
def test_a_heart_that_follows_its_pacemaker_is_no_row_of_pulses(height, spike):
    paced = height * ECG + spike * (np.arange(len(ECG)) % 214 < 2)
    assert not turns(paced)


@pytest.mark.parametrize("per_minute", [12, 15, 25, 40])
def test_breathing_is_no_ecg(per_minute):
    (at, found), *rest = turns(breathing(FS, 15 * FS, per_minute))
    assert found in ("smooth", "tone") and at <= 6 and not rest


def test_a_baseline_that_wanders_behind_small_beats_is_an_ecg():
    wander = 2 * np.sin(2 * np.pi * 0.25 * T)
    assert turns(0.5 * ECG + wander) == []


def test_no_heart_is_doubted():
    for case in cases():
        assert turns(case.mv) == [], case.name


@pytest.mark.parametrize("fs", [100, 125, Fraction(1000, 3), 500, 2000])
def test_rates_do_not_matter(fs):
    x = SyntheticHeart(fs, ("II",)).read(int(15 * fs))[:, 0]
    assert turns(x, fs) == []
    assert [word for _, word in turns(1e6 * x, fs)] == ["large"]


@pytest.mark.parametrize(("mv", "per_count", "words"), [(1, 1e-4, ["large"]), (1, 1, []), (0.001, 0.1, [])])
def test_whole_numbers_of_a_text_are_no_millivolts(mv, per_count, words):
    """A converter's counts in a text are doubted; counts of a binary format, and whole microvolts, are not."""
    written = np.rint(512 + 9 * ECG) if mv == 1 else np.rint(1000 * ECG)
    found = Plausibility(Fraction(FS), 1, [Channel("I", mv * per_count, per_count=per_count)])
    turned = found.feed(mv * written[:, None], np.ones((len(ECG), 1), bool))
    assert [doubt.word for _, _, doubt in turned] == words
    assert not words or "--gain" in turned[0][2].text


def test_text_of_fractions_is_an_ecg():
    found = Plausibility(Fraction(FS), 1, [Channel("I", 1e-4, per_count=1e-4)])
    assert found.feed(np.round(ECG, 3)[:, None], np.ones((len(ECG), 1), bool)) == []


def test_a_doubt_ends_when_the_signal_is_right_again():
    x = np.concatenate([1000 * ECG, ECG])
    assert [word for _, word in turns(x)] == ["large", ""]


@pytest.mark.parametrize(("x", "word"), [(1000 * ECG, "large"), (0.001 * ECG, "small"), (ECG, "")])
def test_a_missing_sample_here_and_there_spares_nothing(x, word):
    x, valid = x[:, None].copy(), np.ones((len(ECG), 1), bool)
    valid[::100] = False
    x[~valid] = 1e9
    found = Plausibility(Fraction(FS), 1).feed(x, valid)
    assert [doubt.word for _, _, doubt in found] == [word] * bool(word)


def test_a_lead_that_is_hardly_there_is_not_judged():
    x, valid = 1000 * ECG[:, None], np.ones((len(ECG), 1), bool)
    valid[::3] = False
    watch = Plausibility(Fraction(FS), 1)
    assert watch.feed(x, valid) == [] and watch.trusted == (False,)


def test_loud_noise_and_large_waves_are_doubted_within_four_seconds():
    for x in (1000 * ECG, 0.3 * RNG.standard_normal(len(ECG))):
        (at, _), *rest = turns(x)
        assert at <= 4 and not rest


def test_a_lead_is_trusted_from_its_first_whole_window_on():
    watch, ok = Plausibility(Fraction(FS), 1), np.ones((FS, 1), bool)
    parts = [*np.split(ECG[: 6 * FS], 6), *np.split(1000 * ECG[: 6 * FS], 6), *np.split(ECG[: 10 * FS], 10)]
    trusted = [watch.feed(part[:, None], ok) is not None and watch.trusted[0] for part in parts]
    assert trusted[:6] == [False] * 3 + [True] * 3 and trusted.index(False, 6) <= 9
    assert trusted[12:15] == [False] * 3 and trusted[-1]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 2000), max_size=12))
def test_cuts_do_not_matter(cuts):
    x = np.stack([np.concatenate([1000 * ECG, ECG]), np.concatenate([ECG, np.sin(2 * np.pi * 10 * T)])], axis=1)
    ok = np.ones(x.shape, bool)
    whole, pieces, found = Plausibility(Fraction(FS), 2).feed(x, ok), Plausibility(Fraction(FS), 2), []
    edges = [0, *np.cumsum(cuts)[np.cumsum(cuts) < len(x)], len(x)]
    for a, z in pairwise(edges):
        found += [(row + a, k, doubt) for row, k, doubt in pieces.feed(x[a:z], ok[a:z])]
    assert found == whole and len(whole) == 3


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 900), max_size=12))
def test_a_lead_that_is_no_ecg_is_noted_named_and_kept_out(cuts):
    x = np.stack([0.001 * np.arange(5000), np.tile(ECG[:2500], 2)], axis=1)
    watch = SignalWatch(("I", "II"), (Channel("I", 0.001), Channel("II", 0.001)), Fraction(FS), 100)
    edges = [0, *np.cumsum(cuts)[np.cumsum(cuts) < len(x)], len(x)]
    notes, fit = [], []
    for a, z in pairwise(edges):
        ok, none = np.ones((z - a, 2), bool), np.zeros((z - a, 2), bool)
        notes += watch.native(x[a:z], ok, (none, none), a)
        rows = np.zeros((z * 100 // FS - a * 100 // FS, 2), np.float32)
        fit.append(watch.rows(rows, np.ones(rows.shape, bool))[0])
    (note,) = notes
    assert note.index == 5 * FS and note.text.startswith("lead I rises or falls evenly")
    assert watch.quality["I"].reason == "counter" and watch.quality["I"].index == 0 and "II" not in watch.doubts
    fit = np.concatenate(fit)
    assert fit[:500].all() and not fit[500:, 0].any() and fit[:, 1].all()


def test_the_heartless_are_doubted_or_have_no_beats_that_look_alike():
    words = {case.name: turns(case.mv) for case in heartless()}
    assert all(words[name] for name in words if name.startswith(("white", "10–48", "sine", "ramp", "counter")))
