"""How beats are counted and rates judged, and that the device follows a heart."""

import numpy as np
import pytest

from ecg_edge.firmware_bridge.synthetic_heart.heart import SyntheticHeart
from ecg_edge.train.studies import beat_detection
from ecg_edge.train.studies.beat_detection import counted, judged


def test_beats_are_counted_one_for_one_behind_the_start():
    truth = np.arange(1.0, 20, 1)
    assert counted(truth + 0.1, truth, 19.5) == (14, 14, 0)
    assert counted(np.concatenate([truth, truth + 0.05]), truth, 19.5) == (
        14,
        14,
        15,
    )  # the second at 5.05 s is behind the start
    assert counted(truth[::2] + 0.2, truth, 19.5) == (0, 14, 8)


@pytest.mark.parametrize(("stated", "result"), [(60.0, (7, 0, 0)), (70.0, (0, 7, 0)), (np.nan, (0, 0, 7))])
def test_a_rate_is_right_wrong_or_none(stated, result):
    assert judged(np.full(19, stated), np.arange(0.5, 20, 1)) == result


def test_a_found_beat_serves_one_true_beat_the_nearest_first():
    truth = np.array([6.0, 6.2, 8.0])
    assert counted(np.array([6.1]), truth, 9) == (1, 3, 0)
    assert counted(np.array([6.05, 6.15, 8.3]), truth, 9) == (2, 3, 1)
    assert counted(np.zeros(0), truth, 9) == (0, 3, 0)
    assert counted(truth, np.zeros(0), 9) == (0, 0, 3)


def test_a_detector_that_fails_has_found_nothing_and_says_nothing(capsys):
    def noisy(mv, fs):
        print("a word")  # noqa: T201
        raise RuntimeError("no beats")

    def scattered(mv, fs):
        return [3.0, np.nan, 1.0]

    assert not len(beat_detection._quietly(noisy, np.zeros(10), 100))
    assert capsys.readouterr().out == ""
    np.testing.assert_array_equal(beat_detection._quietly(scattered, np.zeros(10), 100), [1.0, 3.0])


def test_the_device_follows_a_synthetic_heart_beat_by_beat():
    heart = SyntheticHeart(250, ("II",), heart_rate_bpm=72, seed=3)
    mv = heart.read(20 * 250)[:, 0]
    found = beat_detection.follow(mv, 250)
    hits, beats, false = counted(found.beats, heart.r_times(19.4), 19)
    assert (hits, false) == (beats, 0) and beats > 10
    right, wrong, _ = judged(found.rates, heart.r_times(20.0))
    assert wrong == 0 and right >= 6


def test_counts_become_percents_where_there_is_something_to_count():
    assert beat_detection._row(np.array([9.0, 10.0, 1.0])) == {
        "beats": 10, "se_percent": 90.0, "precision_percent": 90.0, "false": 1,
    }  # fmt: skip
    assert beat_detection._row(np.array([0.0, 0.0, 7.0])) == {
        "beats": 0, "se_percent": None, "precision_percent": None, "false": 7,
    }  # fmt: skip


def test_an_earlier_version_is_run_by_its_file(tmp_path):
    (tmp_path / "old.py").write_text(
        "class BeatDetector:\n"
        "    def __init__(self, fs): self.at = 0\n"
        "    def feed(self, x, good): self.at += len(x); return [self.at - 1]\n"
        "    def heart_rate(self): return None\n"
    )
    beats = beat_detection.earlier(tmp_path / "old.py")(np.zeros(500), 250)
    assert len(beats) > 5 and np.allclose(np.diff(beats)[:-1], 0.08)
