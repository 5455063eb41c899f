"""A pause is named and never averaged away; what comes early is no T wave; what is no beat has no good rate."""

import json

import numpy as np
import pytest

from ecg_edge.device.analysis.beat_detector import BeatDetector
from ecg_edge.device.cli.main import main
from ecg_edge.device.measurements.measure import EARLY_BEATS, LARGE_T, measure_leads
from ecg_edge.device.measurements.rhythm import rhythm_of
from ecg_edge.train.studies.beat_cases import white
from tests.support import stored_files

FS, N = 250, 2500
WAVES = ((-0.16, 0.022, 0.12), (-0.025, 0.008, -0.1), (0.0, 0.012, 1.0), (0.028, 0.01, -0.2), (0.28, 0.05, 0.25))
EARLY = ((0.0, 0.05, 1.8), (0.28, 0.05, -0.7))
QT_MS = 450


def drawn(times, waves=WAVES, size=1.0, n=N):
    t = np.arange(n) / FS
    return sum(size * h * np.exp(-0.5 * ((t - at - d) / s) ** 2) for at in times for d, s, h in waves)


def measured(y, seed=1):
    y = y + white(np.random.default_rng(seed), 0.005)[: len(y)]
    return measure_leads(np.c_[0.6 * y, y], FS, ("I", "II"), ["measured"] * 2)


BEFORE, AFTER = np.arange(0.4, 4.0, 0.8), np.arange(8.4, 10.0, 0.8)


def test_a_pause_is_named_and_the_rate_is_not_good():
    m = measured(drawn([*np.arange(0.4, 3.5, 0.8), *np.arange(7.6, 10, 0.8)]))
    assert m.heart_rate.quality == "fair" and m.heart_rate.value < 60
    assert m.longest_rr.value == pytest.approx(4800, abs=20)
    assert m.notes == ("no heartbeat for 4.8 s from 2.8 s of the stretch",) and m.notes[0] in m.line()
    assert m.document()["notes"] and m.qt.value == pytest.approx(QT_MS, abs=12)


def test_a_heart_that_stands_still_at_the_end_has_no_rate():
    m = measured(drawn(np.arange(0.4, 5.3, 0.8)))
    assert m.heart_rate is None and any("at its end" in note for note in m.notes)
    assert m.longest_rr.value > 4500


def test_one_that_begins_late_says_so():
    m = measured(drawn(np.arange(4.4, 10, 0.8)))
    assert m.heart_rate.quality == "fair" and "from 0.0 s" in m.notes[0]


def test_what_is_missing_is_no_pause():
    y = drawn(np.arange(0.4, 10, 0.8))
    y[1000:1900] = np.nan
    m = measured(y)
    assert not m.notes and m.heart_rate.value == pytest.approx(75, abs=2) and m.heart_rate.quality == "fair"


@pytest.mark.parametrize("rr", [0.4, 0.8, 1.2, 1.7])
def test_a_steady_rhythm_has_no_notes(rr):
    m = measured(drawn(np.arange(0.4, 10, rr), WAVES[1:]))
    assert not m.notes and m.heart_rate.value == pytest.approx(60 / rr, abs=1.5)


def every(pattern, coupling):
    """Sinus beats every 0.8 s of which some are replaced by early ones: ``NV`` is bigeminy."""
    plain, early = [], []
    for k in range(12):
        at = 0.4 + 0.8 * k
        if pattern[k % len(pattern)] == "N":
            plain.append(at)
        else:
            early.append(at - (0.8 - coupling))
    return [t for t in plain if t < 9.6], [t for t in early if t < 9.6]


@pytest.mark.parametrize("pattern", ["NV", "NNV", "NNNV", "NNVV", "NNNNNV"])
@pytest.mark.parametrize("coupling", [0.45, 0.5, 0.55, 0.7])
@pytest.mark.parametrize("size", [1.0, 0.6])
def test_an_early_wide_beat_is_no_t_wave(pattern, coupling, size):
    plain, early = every(pattern, coupling)
    m = measured(drawn(plain) + drawn(early, EARLY, size))
    if m is None:
        return
    assert m.qt is None or m.qt.value == pytest.approx(QT_MS, abs=30) or m.qt.quality == "fair"
    assert m.qt is None or m.qt.value < 520
    assert m.t_axis is None or abs(m.t_axis.value - 53) < 20
    assert m.heart_rate is None or m.heart_rate.value == pytest.approx(75, abs=6) or m.heart_rate.quality == "fair"
    if pattern == "NV" and coupling <= 0.5:
        assert m.qt is None and {EARLY_BEATS, LARGE_T} & set(m.notes)


def test_the_verbs_say_it(tmp_path, capsys):
    y = drawn([*np.arange(0.4, 3.5, 0.8), *np.arange(7.6, 10, 0.8)])
    stored_files.wfdb_record(tmp_path, "r", np.c_[0.6 * y, y])
    assert main(["measure", str(tmp_path / "r"), "--json"]) == 0
    assert any("no heartbeat for 4.8 s" in w for w in json.loads(capsys.readouterr().out)["warnings"])
    assert main(["measure", str(tmp_path / "r")]) == 0
    said = capsys.readouterr()
    assert "Longest RR" in said.out and "no heartbeat for 4.8 s" in said.err


def follow(y, seconds):
    """Rate and pause of the live detector at the end of each second."""
    beats, out = BeatDetector(FS), []
    for k in range(seconds):
        beats.feed(y[k * FS : (k + 1) * FS], np.isfinite(y[k * FS : (k + 1) * FS]))
        out.append((beats.heart_rate(), beats.pause_s))
    return out


def test_live_no_old_rate_outlives_a_pause():
    y = drawn([*np.arange(0.5, 12, 0.8), *np.arange(17, 30, 0.8)], n=30 * FS)
    rates, pauses = zip(*follow(y, 30), strict=True)
    assert rates[10] == pytest.approx(75, abs=1) and not any(rates[15:18]) and rates[-1] == pytest.approx(75, abs=1)
    assert not any(pauses[:14]) and pauses[15] > 3 and not any(pauses[18:])


def test_live_a_hole_is_no_pause():
    y = drawn(np.arange(0.5, 30, 0.8), n=30 * FS)
    good = np.ones(len(y), np.bool_)
    good[3000:4500] = False
    beats = BeatDetector(FS)
    pauses = []
    for k in range(0, len(y), FS):
        beats.feed(np.where(good, y, 0)[k : k + FS], good[k : k + FS])
        pauses.append(beats.pause_s)
    assert not any(pauses)


@pytest.mark.parametrize("rate", [90, 100, 110, 138])
@pytest.mark.parametrize("bpm", [0, 60, 80])
def test_chest_compressions_have_no_good_rate(rate, bpm):
    t = np.arange(N) / FS
    y = 1.5 * np.maximum(0, np.sin(2 * np.pi * rate / 60 * t)) ** 8
    y = y + (drawn(np.arange(0.5, 10, 60 / bpm)) if bpm else 0)
    m = measured(y)
    assert m is None or m.heart_rate is None or m.heart_rate.quality == "fair", m.heart_rate


def test_rhythm_of_nothing():
    assert np.isnan(rhythm_of(np.zeros(N), FS).rr_s) and not rhythm_of(np.full(N, np.nan), FS).peaks
