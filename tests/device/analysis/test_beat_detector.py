import json
from itertools import pairwise

import numpy as np
import pytest
import wfdb
from hypothesis import given, settings
from hypothesis import strategies as st
from wfdb import processing

from ecg_edge.device.analysis.beat_detector import BeatDetector
from ecg_edge.device.conditioning.conditioner import Conditioner
from ecg_edge.device.conditioning.spec import ConditioningSpec
from ecg_edge.train.studies import beat_detection
from ecg_edge.train.studies.beat_cases import FS, SECONDS, cases, heartless
from ecg_edge.train.studies.beat_detection import RATE_FROM_S, counted, follow, judged


def train(fs, seconds=60.0, bpm=70.0, seed=0, noise=0.01, polarity=1.0, t_wave=0.3):
    """P-QRS-T as sums of Gaussians at jittered intervals, in mV; returns signal and true R samples."""
    rng = np.random.default_rng(seed)
    times, t = [], 0.5
    while t < seconds - 0.5:
        times.append(t)
        t += 60 / bpm * (1 + 0.08 * rng.standard_normal())
    at = np.arange(int(seconds * fs)) / fs
    x = noise * rng.standard_normal(len(at))
    for r in times:
        for size, shift, width in ((1, 0, 0.012), (-0.2, -0.03, 0.01), (-0.25, 0.03, 0.012), (0.12, -0.16, 0.02)):
            x += polarity * size * np.exp(-0.5 * ((at - r - shift) / width) ** 2)
        x += polarity * t_wave * np.exp(-0.5 * ((at - r - 0.28) / 0.05) ** 2)
    return x, np.array(times) * fs


def score(found, truth, tolerance):
    found, truth = np.asarray(found, float), np.asarray(truth, float)
    gap = np.abs(found[:, None] - truth[None])
    return (gap.min(axis=0) <= tolerance).mean(), (gap.min(axis=1) <= tolerance).mean()


def beats(x, fs, valid=None):
    detector = BeatDetector(fs)
    return detector.feed(x, np.ones(len(x), bool) if valid is None else valid), detector


@pytest.mark.parametrize("fs", [100, 250, 500])
@pytest.mark.parametrize(("bpm", "polarity"), [(45, 1), (70, 1), (70, -1), (110, 0.3), (170, 1)])
def test_clean_trains(fs, bpm, polarity):
    x, truth = train(fs, bpm=bpm, polarity=polarity, t_wave=0.3 if bpm < 150 else 0.1)
    found, detector = beats(x, fs)
    sensitivity, ppv = score(found, truth, 0.03 * fs)
    assert sensitivity >= 0.98 and ppv >= 0.98
    assert detector.heart_rate() == pytest.approx(bpm, rel=0.1)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 400), max_size=30), st.sampled_from([100, 250]), st.integers(0, 3))
def test_cuts_do_not_matter(cuts, fs, seed):
    x, _ = train(fs, 12, seed=seed, noise=0.05)
    valid = np.ones(len(x), bool)
    valid[5 * fs : 5 * fs + 20 * seed] = False
    whole, one = beats(x, fs, valid)
    pieces = BeatDetector(fs)
    edges = [0, *np.cumsum(cuts)[np.cumsum(cuts) < len(x)], len(x)]
    found = [b for a, z in pairwise(edges) for b in pieces.feed(x[a:z], valid[a:z])]
    assert found == whole and pieces.heart_rate() == one.heart_rate()


def test_beats_are_told_within_the_stated_delay():
    x, _ = train(100)
    detector = BeatDetector(100)
    for k in range(len(x)):
        for beat in detector.feed(x[k : k + 1], np.ones(1, bool)):
            if k > 300:  # the first ones wait for the levels to be learnt
                assert k - beat <= detector.delay
    assert detector.delay <= 47


def test_no_rate_without_fresh_beats():
    x, _ = train(100, 20)
    found, detector = beats(x, 100)
    assert detector.heart_rate() is not None
    assert not detector.feed(np.zeros(250), np.ones(250, bool))
    detector.feed(np.zeros(100), np.ones(100, bool))
    assert detector.heart_rate() is None
    assert BeatDetector(100).heart_rate() is None
    assert len(found) > 15


def test_silence_and_noise_floor_give_no_beats():
    quiet = 0.003 * np.random.default_rng(0).standard_normal(6000)
    assert beats(quiet, 100)[0] == [] and beats(np.zeros(6000), 100)[0] == []


def test_no_beat_near_invalid_samples_and_no_interval_across_them():
    x, truth = train(100, 60)
    valid = np.ones(len(x), bool)
    valid[2000:3000] = False
    x[2000:3000] = 4.0
    found, detector = beats(x, 100, valid)
    assert not [b for b in found if 1990 < b < 3040]
    sensitivity, ppv = score([b for b in found if b < 1950 or b > 3100], truth[(truth < 1950) | (truth > 3100)], 5)
    assert ppv == 1 and sensitivity > 0.97
    assert detector.heart_rate() == pytest.approx(70, rel=0.1)


def test_short_holes_do_not_blind_it():
    x, truth = train(100, 60)
    valid = np.ones(len(x), bool)
    for start in range(30, 5900, 40):
        valid[start : start + 9] = False
    found, detector = beats(x, 100, valid)
    assert min(score(found, truth, 5)) > 0.97 and detector.heart_rate() == pytest.approx(70, rel=0.1)


def test_waves_that_shrink_are_found_again():
    x, truth = train(100, 60)
    x[3000:] *= 0.15
    found, _ = beats(x, 100)
    sensitivity, _ = score([b for b in found if b > 3600], truth[truth > 3600], 5)
    assert sensitivity > 0.95


def conditioned(x, fs_in, fs=100):
    c = Conditioner(fs_in, fs, 1, ConditioningSpec())
    y = c.feed(np.nan_to_num(x)[:, None])[:, 0]
    return (np.array(beats(y, fs)[0]) / fs - c.delay) * fs_in


@pytest.mark.data
@pytest.mark.parametrize("name", ["data_101_6", "data_21_8"])
def test_wearable_records_against_xqrs_and_annotations(data_folder, name):
    path = str(data_folder / "wearable" / name)
    record, notes = wfdb.rdrecord(path), wfdb.rdann(path, "atr")
    x, fs = record.p_signal[:, 0], int(record.fs)
    found = conditioned(x, fs)
    truth = np.array([s for s, c in zip(notes.sample, notes.symbol, strict=True) if c != "+"])
    xqrs = processing.xqrs_detect(x.astype(float), fs, verbose=False)
    for reference, least in ((xqrs, 0.98), (truth, 0.94)):
        sensitivity, ppv = score(found[found > 3 * fs], reference[reference > 3 * fs], 0.1 * fs)
        assert sensitivity >= least and ppv >= 0.98


@pytest.mark.data
def test_clean_five_minutes_of_118e06(data_folder):
    path = str(data_folder / "nstdb" / "118e06")
    record, notes = wfdb.rdrecord(path, sampto=300 * 360), wfdb.rdann(path, "atr", sampto=300 * 360)
    truth = np.array([s for s, c in zip(notes.sample, notes.symbol, strict=True) if c in "NLRBAaJSVFejE/fQ"])
    found = conditioned(record.p_signal[:, 0], 360)
    inner = (truth > 1080) & (truth < 299 * 360)
    sensitivity, ppv = score(found[(found > 1044) & (found < 299 * 360)], truth[inner], 36)
    assert sensitivity >= 0.99 and ppv >= 0.99


CASES = list(cases())
DEMANDED = {"noisy": (0.96, 0.93, 0)}
"""Sensitivity, precision and seconds of a wrong rate that a group may show; elsewhere nearly none."""


@pytest.mark.parametrize("case", CASES, ids=[f"{c.group}: {c.name}" for c in CASES])
def test_hard_cases_are_right_or_without_a_figure(case):
    followed = follow(case.mv, FS)
    hits, beats, false = counted(followed.beats, case.beats, SECONDS - 1)
    right, wrong, _ = judged(followed.rates, case.beats)
    se, precision, most_wrong = DEMANDED.get(case.group, (0.98, 0.97, 3))
    assert hits >= se * beats and hits >= precision * (hits + false) and wrong <= most_wrong
    share = 0.75 if "pauses" in case.name else 0.8  # after a pause the rate is counted anew
    assert right >= share * len(followed.rates) - RATE_FROM_S or case.group == "noisy"


HEARTLESS = [c for c in heartless() if c.name != "sine 2 Hz"]  # resembles a flutter; `plausibility` calls it a tone


@pytest.mark.parametrize("case", HEARTLESS, ids=lambda c: c.name)
def test_no_rate_is_stated_where_there_is_no_heart(case):
    _, wrong, none = judged(follow(case.mv, FS).rates, case.beats)
    assert wrong <= 8 and none >= 60  # noise in a narrow band resembles fibrillation for moments


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from([c for c in [*CASES, *heartless()] if c.group in ("pacing", "steps", "tall T", "noise", "slow")]),
    st.lists(st.integers(1, 300), min_size=1, max_size=40),
    st.integers(0, 60),
)
def test_cuts_do_not_matter_in_hard_cases(case, cuts, start):
    conditioner = Conditioner(FS, 100, 1, ConditioningSpec(), 50)
    x = conditioner.feed(case.mv[start * FS : (start + 20) * FS, None])[:, 0]
    valid = np.ones(len(x), bool)
    valid[700:740] = False
    whole, one = beats(x, 100, valid)
    pieces, found, at = BeatDetector(100), [], 0
    for n in [*cuts, len(x)]:
        found += pieces.feed(x[at : at + n], valid[at : at + n])
        at = min(len(x), at + n)
    assert found == whole and pieces.heart_rate() == one.heart_rate()


@pytest.mark.data
def test_the_committed_figures_of_a_record_are_those_of_this_detector(data_folder, monkeypatch, request):
    monkeypatch.setattr(beat_detection, "cases", lambda seed=0: iter(()))
    monkeypatch.setattr(beat_detection, "heartless", lambda seed=0: iter(()))
    monkeypatch.setattr(beat_detection, "RECORDS", ("wearable/data_35_4",))
    found = beat_detection.study(data_folder, 1, {})
    committed = json.loads((request.config.rootpath / "docs/results/beats.json").read_text())
    for lead in ("wearable/data_35_4 I", "wearable/data_35_4 II"):
        assert found["detectors"]["device"][lead] == committed["detectors"]["device"][lead]
        assert found["rate"][lead] == committed["rate"][lead]
