"""Amplitudes, ST, R peaks and coverage against cases worked out by hand, NeuroKit2 on synthetic hearts."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from ecg_edge.device.lead_algebra import BASIS
from ecg_edge.firmware_bridge.errors import MissingExtraError
from ecg_edge.firmware_bridge.synthetic_heart.heart import SyntheticHeart
from ecg_edge.train.evaluation import beat_metrics as beats
from ecg_edge.train.evaluation.bootstrap import Bootstrap
from ecg_edge.train.evaluation.delineation import Delineator, Landmarks, PeakTiming, amplitudes
from ecg_edge.train.evaluation.landmark_cache import RememberingDelineator


def boot(n: int) -> Bootstrap:
    return Bootstrap.of([""] * n, list(range(n)), 200)


def test_amplitudes_that_shrink_by_half() -> None:
    t = np.random.default_rng(0).normal(1, 0.4, 300)
    e = 1 + 0.5 * (t - 1)
    row = beats.amplitude_regression(t, e, boot(300))
    assert row["variance_ratio"] == pytest.approx(0.25)
    assert row["slope"] == pytest.approx(0.5)
    assert row["error_r2"] == pytest.approx(1.0)
    assert row["bland_altman_slope"] == pytest.approx(np.polyfit((t + e) / 2, e - t, 1)[0])
    assert row["ci"]["slope"] == pytest.approx([0.5, 0.5])
    assert row["bias_mv"] == pytest.approx((e - t).mean())
    assert row["limits_mv"][1] - row["limits_mv"][0] == pytest.approx(2 * 1.96 * (e - t).std(ddof=1))


def test_records_without_beats_are_left_out() -> None:
    t = np.array([1.0, np.nan, 2.0, 3.0])
    row = beats.amplitude_regression(t, np.where(np.isnan(t), 9.0, t))
    assert row["records"] == 3 and row["slope"] == pytest.approx(1.0)
    assert beats.amplitude_regression(t[:2], t[:2]) == {"records": 1}
    assert beats.st_levels(np.array([np.nan]), np.array([0.0])) == {"records": 0}


def test_st_events_by_hand() -> None:
    truth = np.array([0.20, 0.15, -0.20, 0.00, 0.05, -0.30])
    guess = np.array([0.15, 0.02, -0.12, 0.12, 0.01, 0.20])  # hit, missed, hit, invented, quiet, wrong sign
    row = beats.st_levels(truth, guess, boot(6))
    assert (row["events"], row["true_positives"], row["false_negatives"], row["false_positives"]) == (4, 2, 2, 2)
    assert row["sensitivity"] == pytest.approx(0.5)
    assert row["specificity"] == pytest.approx(0.5)
    assert row["wrong_events"] == pytest.approx(4 / 6)
    assert row["above_threshold"] == pytest.approx(3 / 6)
    assert row["mae_mv"] == pytest.approx(np.abs(truth - guess).mean())
    assert row["unexplained"] == pytest.approx(1 - np.corrcoef(truth, guess)[0, 1] ** 2)


def test_coverage_and_width() -> None:
    hits = np.array([[1.0, 0.5], [0.8, 0.7]])
    rows = beats.coverage(hits, 0.1 + 0 * hits, ("V1", "V2"))
    assert rows["V1"]["coverage"] == pytest.approx(0.9)
    assert rows["V2"]["coverage"] == pytest.approx(0.6)
    assert rows["V2"]["width_mv"] == pytest.approx(0.1)


def test_timing_over_records() -> None:
    one = PeakTiming(4, 3, 2, np.array([0.01, -0.03]))
    row = beats.r_peak_timing([one, PeakTiming(2, 0, 0, np.empty(0))])
    assert row["bias_ms"] == pytest.approx(-10)
    assert row["mae_ms"] == pytest.approx(20)
    assert row["sensitivity"] == pytest.approx(2 / 6)
    assert row["precision"] == pytest.approx(2 / 3)
    nothing = beats.r_peak_timing([PeakTiming(0, 0, 0, np.empty(0))])
    assert nothing["mae_ms"] is None and nothing["p95_ms"] is None


def test_the_representative_beat_of_a_drawn_signal() -> None:
    fs, x = 100, np.full((1000, 1), 0.05)
    peaks = np.arange(100, 900, 100)
    for p in peaks:
        x[p - 2 : p + 3, 0] += [0.3, 0.8, 1.2, 0.4, -0.3]
        x[p + 5 : p + 15, 0] += 0.15  # a raised ST segment
        x[p + 20 : p + 30, 0] -= 0.4  # an inverted T wave
    got = amplitudes(x, Landmarks(peaks, 4.0, 45), fs)
    assert got.r == pytest.approx(1.2)
    assert got.st == pytest.approx(0.15)
    assert got.t == pytest.approx(-0.4)


@pytest.fixture(scope="module")
def by() -> Delineator:
    return Delineator(100)


def basis(seed: int) -> np.ndarray:
    return SyntheticHeart(100, BASIS, seed=seed, wander_uv=0).read(1000)


def test_landmarks_of_a_synthetic_heart(by: Delineator) -> None:
    heart = SyntheticHeart(100, BASIS, seed=1, wander_uv=0)
    x = heart.read(1000)
    at = by.landmarks(x, 200)
    assert at is not None
    true = 100 * heart.r_times(10.0)
    assert len(at.r) == ((true >= 225) & (true < 950)).sum()
    assert np.abs(at.r[:, None] - true).min(axis=1).max() <= 3  # the magnitude peaks with another lead than II
    assert 2 <= at.j <= 8
    got = amplitudes(x, at, 100)
    assert np.abs(x[at.r].mean(axis=0) - got.r)[got.r > 0.5].max() < 0.25


def test_a_late_estimate_is_late(by: Delineator) -> None:
    lead = basis(2)[:, 1]
    late = by.timing(lead, np.roll(lead, 3), 200)
    assert late.matched >= 6
    assert np.median(late.errors_s) == pytest.approx(0.03)
    same = by.timing(lead, lead, 200)
    assert same.matched == same.true == same.found
    assert not same.errors_s.any()


def test_no_beats_no_landmarks(by: Delineator) -> None:
    flat = np.zeros((1000, 8))
    assert by.landmarks(flat, 200) is None
    assert by.timing(flat[:, 0], basis(1)[:, 0], 200).matched == 0


def test_without_neurokit_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "neurokit2", None)
    with pytest.raises(MissingExtraError, match=r"ecg-edge\[evaluate\]"):
        Delineator(100)


def test_landmarks_are_found_once_and_looked_up_bit_for_bit(
    by: Delineator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, flat = basis(3).astype(np.float32), np.zeros((1000, 8), np.float32)
    first = RememberingDelineator(100, tmp_path)
    found = by.landmarks(x, 200)
    assert found is not None and first.landmarks(flat, 200) is None
    assert first.landmarks(x, 200) is not None
    (file,) = tmp_path.iterdir()
    file.write_text(file.read_text() + '{"key": "cut o')
    again = RememberingDelineator(100, tmp_path)
    monkeypatch.setattr(again, "r_peaks", lambda _: pytest.fail("found anew"))
    at = again.landmarks(x, 200)
    assert at is not None and (at.r.tolist(), at.j, at.t_end) == (found.r.tolist(), found.j, found.t_end)
    assert again.landmarks(flat, 200) is None
    with pytest.raises(pytest.fail.Exception):
        again.landmarks(x, 201)
    other = RememberingDelineator(250, tmp_path)
    assert other.landmarks(flat, 200) is None and len(list(tmp_path.iterdir())) == 2
    nowhere = RememberingDelineator(100, file)  # a file is in the folder's place
    assert nowhere.landmarks(flat, 200) is None
