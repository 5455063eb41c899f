from fractions import Fraction

import numpy as np
import pytest

from ecg_edge.device.analysis.implausible import implausible, without_implausible
from ecg_edge.firmware_bridge.synthetic_heart.heart import SyntheticHeart

FS = 250
HEART = SyntheticHeart(FS, ("I", "II"), 70, 2).read(60 * FS)
NOISE = 0.3 * np.random.default_rng(0).standard_normal(HEART.shape)


def words(mv, fs=FS):
    return [(s.column, s.start / fs, s.stop / fs, s.doubt.word) for s in implausible(mv, Fraction(fs))]


def test_a_heart_has_no_such_stretch():
    assert words(HEART) == []


@pytest.mark.parametrize(("mv", "word"), [(1000 * HEART, "large"), (0.001 * HEART, "small"), (NOISE, "noise")])
@pytest.mark.parametrize("seconds", [5, 10, 60])
def test_all_of_a_recording_that_is_none_from_its_first_sample(mv, word, seconds):
    assert words(mv[: seconds * FS]) == [(k, 0, seconds, word) for k in (0, 1)]


def test_a_stretch_lies_about_what_is_wrong_and_leaves_the_rest():
    mv = HEART.copy()
    mv[20 * FS : 35 * FS, 1] *= 1000
    ((column, start, stop, word),) = words(mv)
    assert column == 1 and word == "large" and 12 <= start <= 20 and 35 <= stop <= 40
    kept, found = without_implausible(mv, Fraction(FS))
    assert len(found) == 1 and np.isfinite(kept[:, 0]).all() and np.nanmax(np.abs(kept[:, 1])) < 5
    assert np.isfinite(mv).all()


def test_two_stretches_of_a_lead_do_not_overlap():
    mv = HEART.copy()
    mv[: 15 * FS, 0] *= 1000
    mv[15 * FS : 30 * FS, 0] = NOISE[15 * FS : 30 * FS, 0]
    (_, a, b, first), (_, c, d, second) = words(mv)
    assert (first, second) == ("large", "noise") and a == 0 and b <= c and 30 <= d <= 40


@pytest.mark.parametrize("mv", [np.zeros((0, 2)), np.full((10 * FS, 2), np.nan), NOISE[:FS]])
def test_too_little_to_judge(mv):
    assert words(mv) == []
