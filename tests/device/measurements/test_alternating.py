"""Every other beat small: the right rate or none, live and stored, never a stable half."""

import numpy as np
import pytest

from ecg_edge.device.measurements.measure import measure_leads
from ecg_edge.train.studies.beat_cases import FS, SECONDS, Shape, drawn, even, white
from ecg_edge.train.studies.beat_detection import follow

SMALL = {
    "the same": lambda share: Shape(r=share, t=0.25 * share, p=0.12 * share),
    "wide": lambda share: Shape(r=share, width=0.03, t=-0.3 * share, p=0),
    "downwards": lambda share: Shape(r=-share, t=-0.2 * share, p=0),
    "without T": lambda share: Shape(r=share, t=0, p=0),
}


@pytest.mark.parametrize("kind", SMALL)
@pytest.mark.parametrize("share", [0.2, 0.3, 0.5])
@pytest.mark.parametrize("coupling", [0.5, 0.33])
def test_the_right_rate_or_none(kind, share, coupling):
    rng = np.random.default_rng(5)
    pairs = even(30, rng, 0.01)
    times = np.sort(np.concatenate([pairs, pairs + 2 * coupling]))
    times = times[times < SECONDS - 0.6]
    y = (drawn(times, Shape(), SMALL[kind](share)) + white(rng, 0.008))[: 40 * FS]
    stated = np.asarray(follow(y, FS).rates, np.float64)[12:]
    stated = stated[np.isfinite(stated)]
    assert (np.abs(stated - 60) < 8).all(), stated
    found = measure_leads(y[20 * FS : 30 * FS, None], FS, ["II"], ["measured"])
    if found is not None and found.heart_rate is not None:
        assert found.heart_rate.value == pytest.approx(60, abs=8)
    elif found is not None:
        assert found.qtc_bazett is None and found.qtc_fridericia is None


def test_a_plain_rhythm_keeps_its_rate():
    rng = np.random.default_rng(1)
    for shape in (Shape(), Shape(t=0.6), Shape(r=0.4, p=0.25, pr=0.30)):
        y = (drawn(even(50, rng), shape) + white(rng, 0.008))[: 30 * FS]
        found = measure_leads(y[10 * FS : 20 * FS, None], FS, ["II"], ["measured"])
        assert found.heart_rate.value == pytest.approx(50, abs=3)


@pytest.mark.parametrize("coupling", [0.4, 0.45, 0.6])
def test_no_p_wave_is_stated_where_every_other_beat_comes_early_without_one(coupling):
    rng = np.random.default_rng(5)
    pairs = 0.8 + 1.6 * np.arange(12)
    times = np.sort(np.concatenate([pairs, pairs + 1.6 * coupling]))
    y = drawn(times, Shape(), Shape(p=0)) + white(rng, 0.008)
    found = measure_leads(y[:, None], FS, ["II"], ["measured"])
    assert found is not None and found.qrs is not None
    assert found.p is None and found.pr is None
