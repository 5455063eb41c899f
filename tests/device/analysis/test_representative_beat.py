from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from ecg_edge.device.analysis.representative_beat import ARMS_AT, KEPT_S, MIN_BEATS, RepresentativeBeat
from ecg_edge.device.conditioning.conditioner import highpass_sos
from ecg_edge.device.conditioning.spec import ConditioningSpec
from ecg_edge.device.lead_algebra import ST_WEAK, Provenance
from ecg_edge.device.lead_block import LeadBlock
from ecg_edge.firmware_bridge.lead_names import LEADS

FS, STEP = 100, 80
ALL = (Provenance.MEASURED,) * 12
TWO = tuple(
    Provenance.MEASURED if x in ("I", "II") else Provenance.DERIVED if k < 6 else Provenance.RECONSTRUCTED
    for k, x in enumerate(LEADS)
)


def trace(n, st_mv=0.0, turned=False):
    """Beats at 40, 120, 200 …: P, QRS, a level of `st_mv` from J on, T; the same in all leads."""
    k = np.arange(n)
    phase = (k - 40 + STEP // 2) % STEP - STEP // 2
    t = phase / FS
    x = 0.12 * np.exp(-0.5 * ((t + 0.13) / 0.02) ** 2) + 1.0 * np.exp(-0.5 * (t / 0.012) ** 2)
    x += 0.25 * np.exp(-0.5 * ((t - 0.26) / 0.03) ** 2)
    x += st_mv * ((t > 0.05) & (t < 0.2))
    return np.repeat((-x if turned else x)[:, None], 12, axis=1).astype(np.float32)


def block(mv, index=0, provenance=ALL, sigma=0.01, valid=True, warm=False):
    n = len(mv)
    return LeadBlock(
        index=index, mv=mv, sigma=np.full((n, 12), sigma, np.float32),
        provenance=provenance, valid=np.full((n, 12), valid), warmup=np.full(n, warm), arrival=0.0,
    )  # fmt: skip


def peaks_of(a, b):
    return [k for k in range(40, b, STEP) if k >= a]


def fed(mv, cuts=(), **more):
    beat = RepresentativeBeat(FS)
    edges = [0, *sorted(cuts), len(mv)]
    for a, b in pairwise(edges):
        beat.feed(block(mv[a:b], a, **more), peaks_of(a, b))
    return beat


@pytest.mark.parametrize("level", [-0.3, 0.0, 0.2])
def test_the_level_after_j_is_read_against_the_level_before_the_beat(level):
    st_levels = fed(trace(900, level)).st_mv()
    assert list(st_levels) == list(LEADS)
    for value in st_levels.values():
        assert value == pytest.approx(level, abs=0.03)


def test_what_the_high_pass_did_to_st_is_undone():
    spec = ConditioningSpec()
    plain = trace(1100, 0.0)
    passed = signal.sosfilt(highpass_sos(spec, FS), plain - plain[0], axis=0).astype(np.float32)
    levels = {}
    for conditioning in (None, spec):
        beat = RepresentativeBeat(FS, conditioning)
        beat.feed(block(passed), peaks_of(0, 1100))
        levels[conditioning] = beat.st_mv()["II"]
    assert abs(levels[None]) > 0.04 and levels[spec] == pytest.approx(0, abs=0.02)


@settings(max_examples=20)
@given(cuts=st.lists(st.integers(0, 900), max_size=6))
def test_cuts_do_not_matter(cuts):
    whole = fed(trace(900, 0.1))
    cut = fed(trace(900, 0.1), cuts)
    assert cut.st_mv() == whole.st_mv() and cut.arms_score() == whole.arms_score()


@pytest.mark.parametrize(("rows", "beats"), [(329, 3), (330, 4)])
def test_too_few_whole_beats_say_nothing(rows, beats):
    beat = fed(trace(rows))
    assert (beat.st_mv() != {}) == (beats >= MIN_BEATS)
    assert (beat.arms_score() is not None) == (beats >= MIN_BEATS)


def test_what_is_older_than_ten_seconds_is_forgotten():
    old, new = trace(3000, 0.3), trace(3000, 0.0)
    mv = np.concatenate([old[:1600], new[1600:]])
    assert KEPT_S == 10
    assert fed(mv).st_mv()["II"] == pytest.approx(0, abs=0.03)
    assert fed(mv[:1600]).st_mv()["II"] == pytest.approx(0.3, abs=0.03)


def test_a_gap_begins_anew():
    beat = RepresentativeBeat(FS)
    beat.feed(block(trace(800)), peaks_of(0, 800))
    assert beat.st_mv()
    beat.feed(block(trace(100), 900), [])
    assert beat.st_mv() == {}


def test_a_wide_interval_is_no_level():
    assert set(fed(trace(900), sigma=0.2).st_mv().values()) == {None}


def test_an_invalid_sample_in_a_beat_makes_the_level_of_its_lead_unknown():
    mv = trace(900)
    b = block(mv)
    valid = b.valid.copy()
    valid[450, LEADS.index("V2")] = False
    beat = RepresentativeBeat(FS)
    beat.feed(replace(b, valid=valid), peaks_of(0, 900))
    levels = beat.st_mv()
    assert levels["V2"] is None and levels["V3"] is not None


def test_leads_whose_level_cannot_be_guessed_are_not_stated_without_a_chest_lead():
    levels = fed(trace(900), provenance=TWO).st_mv()
    for lead in LEADS:
        assert (levels[lead] is None) == (lead in ST_WEAK and TWO[LEADS.index(lead)] is Provenance.RECONSTRUCTED)
    chest = (*TWO[:7], Provenance.MEASURED, *TWO[8:])
    assert None not in fed(trace(900), provenance=chest).st_mv().values()


def test_what_is_guessed_while_it_warms_up_is_not_trusted_and_what_is_measured_is():
    levels = fed(trace(900), provenance=TWO, warm=True).st_mv()
    assert levels["I"] is not None and levels["V6"] is None


def test_an_upside_down_lead_one_scores_high_and_an_upright_one_low():
    assert fed(trace(900)).arms_score() < 0 < ARMS_AT < fed(trace(900, turned=True)).arms_score()


def test_a_guessed_lead_one_is_not_judged():
    assert fed(trace(900), provenance=(Provenance.RECONSTRUCTED, *ALL[1:])).arms_score() is None
    assert fed(trace(900), valid=False).arms_score() is None


def test_provenance_may_change_within_the_ten_seconds():
    beat = RepresentativeBeat(FS)
    mv = trace(900)
    beat.feed(block(mv[:450], 0, TWO, warm=True), peaks_of(0, 450))
    beat.feed(block(mv[450:], 450, ALL), peaks_of(450, 900))
    levels = beat.st_mv()
    assert levels["V6"] is None and levels["II"] == pytest.approx(0, abs=0.03)
