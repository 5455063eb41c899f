"""Figures of the study of intervals, and the delineators beside it."""

import numpy as np
import pytest

from ecg_edge.device.measurements.figures import Figure, Measurements
from ecg_edge.train.intervals import delineators, study
from ecg_edge.train.intervals.known_beats import KnownBeats, make
from ecg_edge.train.pages.interval_tables import tables


def of(qt):
    return None if qt is None else Measurements(9, 9, qt=Figure(qt, "ms", ("II",), "good"))


def test_differences_are_found_minus_true_of_records_that_have_both():
    figures = study.compared([of(400), of(400), of(400), of(None), None], [of(410), of(390), of(450), of(400), of(4)])
    assert figures["qt"]["both"] == 3 and figures["qt"]["true"] == 3
    assert figures["qt"]["mean"] == pytest.approx(50 / 3)
    assert figures["qt"]["within_20"] == pytest.approx(2 / 3) and figures["qt"]["within_40"] == pytest.approx(2 / 3)
    assert figures["pr"] == {"true": 0, "both": 0}


def test_known_beats_are_zero_outside_their_waves():
    mv, r = make(KnownBeats(bpm=60), 1000, 4)
    on = r[1] - 0.4 * 0.092
    k = round(on * 1000)
    assert np.abs(mv[k - 55 : k]).max() < 1e-9 and np.abs(mv[k + 4 : k + 90]).max() > 0.5
    assert np.abs(mv[k + 391 : k + 800]).max() < 1e-9


def test_the_devices_own_rule_is_within_five_ms_on_known_beats_and_the_librarys_is_compared():
    pytest.importorskip("neurokit2")
    case = KnownBeats()
    own, dwt = (
        delineators._errors(way, case, 500) for way in (delineators.own, lambda *a: delineators.neurokit(*a, "dwt"))
    )
    assert np.abs(own).max() < 5
    assert np.isfinite(dwt).any()


def test_the_page_states_the_limits():
    row = {"model": "m", "inputs": ["I", "II"], "read": "measured and derived leads",
           "figures": study.compared([of(400), of(410)], [of(410), of(400)])}  # fmt: skip
    nothing = {"found": 0, "cases": 3, "mean": None, "worst": None}
    known = {"delineator": "x", "fs": 500, "errors_ms": dict.fromkeys(delineators.NAMES, nothing)}
    text = "\n".join(
        t.markdown()
        for t in tables({"rows": [row], "records": 2, "limits_ms": study.LIMITS_MS, "known_beats": [known]})
    )
    assert "±25 ± 30" in text and "+0 ± 14" in text
