"""Intervals, axes and amplitudes on beats whose waves begin and end at known instants."""

from dataclasses import replace

import numpy as np
import pytest

from ecg_edge.device.lead_algebra import BASIS, Provenance, twelve_from_basis
from ecg_edge.device.lead_block import LeadBlock
from ecg_edge.device.measurements.measure import measure, measure_leads, r_peaks
from ecg_edge.device.measurements.rhythm import mean_rr
from ecg_edge.firmware_bridge.lead_names import LEADS
from ecg_edge.train.intervals.known_beats import CASES, KnownBeats, make

M, D, R = Provenance.MEASURED, Provenance.DERIVED, Provenance.RECONSTRUCTED
LIMB = (M, M, D, D, D, D)


def twelve(case=None, fs=500, seconds=10.0):
    mv, r = make(case or KnownBeats(), fs, seconds)
    return mv @ twelve_from_basis().T, r


def block(mv, fs, provenance, sigma=0.0):
    n = len(mv)
    made = LeadBlock.empty(0, n, provenance, fs=fs)
    half = np.full((n, 12), sigma, np.float32) * np.array([p is R for p in provenance])
    return replace(
        made, mv=mv.astype(np.float32), valid=np.ones((n, 12), bool), warmup=np.zeros(n, bool), sigma=half.astype("f4")
    )


@pytest.mark.parametrize("fs", [250, 500])
@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("limbs", [False, True], ids=["twelve", "I and II"])
def test_known_intervals_within_5_ms(case, fs, limbs):
    mv, _ = twelve(case, fs)
    n = 6 if limbs else 12
    m = measure_leads(mv[:, :n], fs, LEADS[:n], [M] * n)
    assert m.pr.value == pytest.approx(1000 * case.pr_s, abs=5)
    assert m.qrs.value == pytest.approx(1000 * case.qrs_s, abs=5)
    assert m.qt.value == pytest.approx(1000 * case.qt_s, abs=5)
    assert m.heart_rate.value == pytest.approx(case.bpm, abs=1)
    assert m.p.value == pytest.approx(1000 * case.p_s, abs=5 if not case.noise_mv else 9)


@pytest.mark.parametrize("degrees", [-60, -30, 0, 50, 90, 120, 170])
def test_axes_are_those_of_the_heart(degrees):
    mv, _ = twelve(KnownBeats(axis_deg=degrees))
    m = measure_leads(mv[:, :2], 500, ("I", "II"), [M, M])
    for axis in (m.p_axis, m.qrs_axis, m.t_axis):
        assert (axis.value - degrees + 180) % 360 - 180 == pytest.approx(0, abs=3)
        assert axis.leads == ("I", "II")


def test_rate_corrections_are_bazetts_and_fridericias():
    mv, _ = twelve(KnownBeats(bpm=100, p_s=0.09, pr_s=0.13, qrs_s=0.08, qt_s=0.32))
    m = measure_leads(mv, 500, LEADS, [M] * 12)
    assert m.qtc_bazett.value == pytest.approx(320 / 0.6**0.5, abs=7)
    assert m.qtc_fridericia.value == pytest.approx(320 / 0.6 ** (1 / 3), abs=7)


def test_intervals_ignore_what_is_reconstructed():
    mv, _ = twelve(fs=250)
    provenance = (*LIMB, *[R] * 6)
    true = measure(block(mv, 250, provenance, 0.05))
    mv[:, 6:] = np.roll(mv[:, 6:], 20, axis=0)  # the estimates come 80 ms late
    wrong = measure(block(mv, 250, provenance, 0.05))
    assert wrong.qrs == true.qrs and wrong.qt == true.qt and wrong.pr == true.pr
    assert set(wrong.qt.leads) == set(LEADS[:6])


def test_amplitudes_of_estimates_have_their_interval_or_are_not_stated():
    mv, _ = twelve()
    leads = [LEADS.index(x) for x in BASIS]
    m = measure(block(mv, 500, (*LIMB, *[R] * 6), 0.05))
    v5 = m.amplitudes["V5"]
    assert v5["r"].interval == 0.05 and m.amplitudes["II"]["r"].interval is None
    assert v5["r"].value == pytest.approx(mv[:, LEADS.index("V5")].max(), abs=0.06)
    without = measure_leads(mv[:, leads], 500, BASIS, [M, M, *[R] * 6])
    assert set(without.amplitudes) == {"I", "II"}


def test_st_of_estimates_is_not_identifiable_where_the_interval_is_wide_or_the_lead_out_of_reach():
    mv, _ = twelve(fs=250)
    narrow = measure(block(mv, 250, (*LIMB, *[R] * 6), 0.05)).amplitudes
    assert narrow["V2"]["st_j60"] is None and narrow["V3"]["st_j"] is None  # limb leads do not determine these
    assert narrow["V5"]["st_j60"] is not None
    wide = measure(block(mv, 250, (*LIMB, *[R] * 6), 0.15)).amplitudes
    assert wide["V5"]["st_j60"] is None and wide["II"]["st_j60"] is not None


def test_st_is_read_at_j_and_60_ms_later():
    mv, r = twelve()
    t = np.arange(len(mv)) / 500
    for at in r:  # raise 0.2 mV from J on, falling after 100 ms
        mv[:, 1] += 0.2 * ((t > at + 0.6 * 0.092) & (t < at + 0.6 * 0.092 + 0.1))
    m = measure_leads(mv[:, :2], 500, ("I", "II"), [M, M])
    assert m.amplitudes["II"]["st_j60"].value == pytest.approx(0.2, abs=0.03)
    assert m.amplitudes["I"]["st_j60"].value == pytest.approx(0.0, abs=0.03)


def test_st_that_only_falls_from_j_on_is_no_t_wave():
    mv, r = twelve(KnownBeats(qt_s=0.0921))  # no T wave
    t = np.arange(len(mv)) / 500
    for at in r:
        late = t - at - 0.06
        mv[:, 1] += 0.15 * np.exp(-np.clip(late, 0, None) / 0.05) * (late > 0) * (late < 0.5)
    m = measure_leads(mv[:, :2], 500, ("I", "II"), [M, M])
    assert m.qt is None and m.qtc_bazett is None and m.t_axis is None and m.heart_rate is not None


def test_one_lead_has_intervals_of_fair_quality_and_no_axis():
    mv, _ = twelve()
    m = measure_leads(mv[:, 1:2], 500, ("II",), [M])
    assert m.qt.quality == "fair" and m.qrs_axis is None and m.p_axis is None
    assert measure_leads(mv[:, :2], 500, ("I", "II"), [M, M]).qt.quality == "good"


def test_without_p_waves_there_is_no_pr():
    rng = np.random.default_rng(3)
    mv, _ = twelve(KnownBeats(p_s=0.0001))
    mv += rng.normal(0, 0.005, mv.shape)
    m = measure_leads(mv, 500, LEADS, [M] * 12)
    assert m.pr is None and m.p is None and m.p_axis is None and m.qrs is not None


def test_an_ectopic_beat_is_left_out():
    mv, r = twelve()
    k = round(r[4] * 500)
    mv[k - 60 : k + 60] *= -1.0
    m = measure_leads(mv, 500, LEADS, [M] * 12)
    assert m.beats < m.found and m.qrs.value == pytest.approx(92, abs=5)


@pytest.mark.parametrize("mv", [np.zeros((5000, 2)), np.full((5000, 2), np.nan), np.zeros((10, 2))])
def test_nothing_is_measured_where_nothing_beats(mv):
    assert measure_leads(mv, 500, ("I", "II"), [M, M]) is None


def test_noise_alone_gives_no_good_interval():
    mv = np.random.default_rng(1).normal(0, 0.1, (5000, 2))
    m = measure_leads(mv, 500, ("I", "II"), [M, M])
    assert m is None or m.qt is None or m.qt.quality == "fair"


def test_missing_samples_cost_their_beats_only():
    mv, _ = twelve()
    mv[1000:1300] = np.nan
    m = measure_leads(mv, 500, LEADS, [M] * 12)
    assert m.qt.value == pytest.approx(390, abs=5)
    mv[:, 0] = np.nan  # a lead that is off costs nothing
    assert "I" not in measure_leads(mv, 500, LEADS, [M] * 12).qt.leads


def test_baseline_wander_does_not_hide_beats():
    mv, r = twelve()
    wander = 1.5 * np.sin(np.arange(5000) / 500 * 2 * np.pi * 0.25)
    found = r_peaks(mv[:, 1] + wander, 500)
    assert len(found) >= len(r) - 1


def test_a_document_for_json_names_leads_and_quality():
    mv, _ = twelve()
    doc = measure_leads(mv[:, :2], 500, ("I", "II"), [M, M]).document()
    assert (
        doc["qrs"] == {"value": 90, "unit": "ms", "leads": ["I", "II"], "quality": "good"} or doc["qrs"]["value"] == 92
    )
    assert doc["amplitudes"]["II"]["st_j60"]["unit"] == "mV"


def test_leads_whose_provenance_is_not_stated_are_never_called_measured():
    mv, _ = twelve()
    m = measure_leads(mv, 500, LEADS, [""] * 12)
    assert not m.qt.stated and not m.qrs_axis.stated and not m.heart_rate.stated
    assert not any(f.stated for row in m.amplitudes.values() for f in row.values() if f)
    doc = m.document()
    assert doc["qt"]["provenance"] == doc["amplitudes"]["V2"]["r"]["provenance"] == "not stated"
    assert m.qt.read_from.endswith("provenance not stated")


def test_a_lead_that_is_not_stated_is_not_read_where_another_is_measured():
    mv, _ = twelve()
    m = measure_leads(mv, 500, LEADS, [M, M, *[""] * 10])
    assert m.qt.leads == ("I", "II") and m.qt.stated and m.qrs_axis.stated
    assert m.amplitudes["I"]["r"].stated and not m.amplitudes["V2"]["r"].stated
    assert "provenance" not in m.document()["qt"]
    assert measure_leads(mv, 500, LEADS, [R] * 12) is None


def test_every_second_beat_early_is_no_missed_beat():
    """Bigeminy: intervals of .53 and 1.45 s are 61 beats a minute, and a beat that was missed is left out."""
    steps = np.array([0.53, 1.45] * 4)
    assert 60 / mean_rr(np.cumsum([0.5, *steps]) * 500, 500) == pytest.approx(60 / 0.99, rel=1e-3)
    assert mean_rr(np.cumsum([0.5, 1, 1, 1, 2, 1, 1, 1, 1]) * 500, 500) == pytest.approx(1.0)
