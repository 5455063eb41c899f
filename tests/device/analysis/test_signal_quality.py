"""Flat and clipped leads, the quality index, the clocks, ST and exchanged arms."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecg_edge.benchmarks.live_path.decode_cost import CAPTURES
from ecg_edge.device.analysis.beat_detector import BeatDetector
from ecg_edge.device.analysis.clock_drift import ClockFit
from ecg_edge.device.analysis.representative_beat import ARMS_AT, RepresentativeBeat
from ecg_edge.device.analysis.signal_quality import CLIPPED, FLAT_S, FaultWatch, QualityIndex
from ecg_edge.device.lead_algebra import provenance
from ecg_edge.device.lead_block import LeadBlock
from ecg_edge.device.reconstruction.pipeline import Pipeline
from ecg_edge.firmware_bridge.decoders.catalogue import find_device
from ecg_edge.firmware_bridge.events import NO_VALUE, Channel, SampleBlock
from ecg_edge.firmware_bridge.lead_names import LEADS
from ecg_edge.firmware_bridge.synthetic_heart.heart import SyntheticHeart
from ecg_edge.train.data import ptbxl
from ecg_edge.train.data.prepare import prepare
from ecg_edge.train.studies.calibration_checks import rates
from tests.support import fakes
from tests.support.wire import capture

FS = Fraction(100)
CHANNELS = (Channel("I", 0.001, bits=12), Channel("II", 0.001, offset=2048, bits=12))


@given(
    runs=st.lists(st.tuples(st.sampled_from([-2048, 0, 7, 2047, 4095]), st.integers(1, 260)), max_size=8),
    cuts=st.lists(st.integers(1, 90), min_size=1, max_size=8),
)
@settings(max_examples=60, deadline=None)
def test_faults_are_where_a_count_stands_still_or_at_a_rail(runs, cuts):
    column = np.array([v for v, n in runs for _ in range(n)], np.int32)
    counts = np.stack([column, column], axis=1) if len(column) else np.zeros((0, 2), np.int32)
    whole = FaultWatch(CHANNELS, FS).feed(counts)
    watch, at, parts = FaultWatch(CHANNELS, FS), 0, []
    while at < len(counts):
        for n in cuts:
            parts.append(watch.feed(counts[at : at + n]))
            at += n
    for k in (0, 1):
        if parts:
            assert np.array_equal(np.concatenate([p[k] for p in parts]), whole[k])
    flat, clipped = np.zeros(counts.shape, bool), np.zeros(counts.shape, bool)
    for k, (low, high) in enumerate([(-2048, 2047), (0, 4095)]):
        same = rail = 0
        for row in range(len(column)):
            if column[row] < 0:  # so it has a sign, whatever its zero
                low, high = -2048, 2047
            same = same + 1 if column[row] == (column[row - 1] if row else 0) else 0
            rail = rail + 1 if column[row] in (low - 1, low, high, high + 1) else 0
            clipped[row, k] = rail >= CLIPPED
            flat[row, k] = same >= FLAT_S * 100 and not clipped[row, k]
    assert np.array_equal(whole[0], flat) and np.array_equal(whole[1], clipped)


def test_a_record_whose_zero_lies_beside_its_middle_is_not_clipped():
    x = (9000 * SyntheticHeart(100, seed=2).read(1000)[:, :2]).astype(np.int32)
    channels = (Channel("I", 1 / 9000, offset=20343, bits=16), Channel("II", 1 / 9000, offset=-161790, bits=16))
    assert (x < 0).any(axis=0).all()
    assert not FaultWatch(channels, FS).feed(x)[1].any()
    x[500:510] = 32767
    assert FaultWatch(channels, FS).feed(x)[1][502:510].all()


@pytest.mark.parametrize("missing", [-1, NO_VALUE])
@pytest.mark.parametrize("told", [False, True])
def test_a_sample_that_is_missing_says_nothing_of_the_rails(missing, told):
    x = np.arange(600, 650)[:, None]
    watch = FaultWatch((Channel("I", 1.0, 512, bits=10),), FS)
    assert not watch.feed(x)[1].any()
    watch.feed(np.full((9, 1), missing), np.zeros((9, 1), bool) if told else None)
    assert not watch.feed(x)[1].any()
    assert watch.feed(np.full((3, 1), 1023))[1].tolist() == [[False], [False], [True]]
    assert not watch.feed(x)[1].any()
    assert watch.feed(np.full((3, 1), 0))[1].tolist() == [[False], [False], [True]]


def test_what_is_not_valid_is_neither_flat_nor_clipped_and_ends_nothing():
    x = np.full((500, 1), 7)
    valid = np.ones((500, 1), bool)
    valid[100:110] = valid[300:310] = False
    x[~valid] = NO_VALUE
    flat, clipped = FaultWatch(CHANNELS[:1], FS).feed(x, valid)
    assert not clipped.any() and not flat[~valid].any()
    assert flat[210:300].all() and flat[310:].all() and not flat[:210].any()  # ten samples were not seen


def test_a_lead_that_returns_after_seconds_at_its_last_count_is_not_flat():
    watch, valid = FaultWatch(CHANNELS, FS), np.ones((306, 2), bool)
    valid[3:303] = False
    counts = np.full((306, 2), 9, np.int32)
    assert not watch.feed(counts, valid)[0].any()
    flat, _ = watch.feed(np.full((200, 2), 9, np.int32))
    assert flat[:, 0].argmax() == 200 - 6 and flat[-1].all()


def test_counts_wider_than_described_clip_nothing():
    x = np.rint(0.5 * 2**24 * SyntheticHeart(100, seed=2).read(1000)[:, :1]).astype(np.int32)
    assert np.abs(x).max() > 2**17
    assert not FaultWatch((Channel("I", 1e-6, bits=18),), FS).feed(x)[1].any()


@pytest.mark.data
@pytest.mark.parametrize("name", CAPTURES)
def test_no_capture_of_a_clean_wave_is_flat_or_clipped(name):
    truth = capture(CAPTURES[name])
    decoder = find_device(name).decoder(live=True)
    blocks = [e for e in decoder.feed(truth.clean) + decoder.close() if isinstance(e, SampleBlock)]
    leads = decoder.info.leads
    columns = [leads.index(lead) for lead in truth.facts["leads"] if lead in leads]
    watch = FaultWatch(tuple(decoder.info.channels[k] for k in columns), decoder.info.fs)
    found = [watch.feed(b.counts[:, columns], b.valid[:, columns]) for b in blocks]
    flat, clipped = (np.concatenate([f[k] for f in found]) for k in (0, 1))
    # as the side-car says, lead II of the Olimex clips on R peaks, and the ADS1292R sends a lead that is off as 0
    assert not clipped[:, [k for k, c in enumerate(columns) if (name, leads[c]) != ("olimex", "II")]].any()
    assert not flat.any() or (name == "ads1292r" and flat.mean() < 0.1)


def test_nothing_is_reconstructed_from_a_flat_lead_and_a_note_says_so(model):
    counts = fakes.walk(3000)
    counts[1000:2000, 1] = 5
    pipeline = Pipeline(model, fakes.info(), mains_hz=None)
    blocks, notes = fakes.drain(pipeline, [fakes.block(counts[k : k + 70], k) for k in range(0, 3000, 70)])
    assert [(n.kind, n.text, n.index) for n in notes] == [
        ("signal", "lead II is flat", 1000 + 500), ("signal", "lead II is no longer flat", 2000),
    ]  # fmt: skip
    valid = fakes.join(blocks)[1]["valid"]
    assert not valid[640:800, [1, 11]].any() and valid[640:790, 0].all()


def test_the_index_tells_what_spoils_a_lead():
    clean = SyntheticHeart(250, seed=2).read(2000)[:, :1]
    t = np.arange(2000)[:, None] / 250
    spoilt = {
        "": clean,
        "mains": clean + 0.8 * np.sin(2 * np.pi * 50 * t),
        "baseline": clean + 6 * np.sin(2 * np.pi * 0.2 * t),
        "noise": clean + np.random.default_rng(0).normal(0, 0.8, clean.shape),
    }
    for reason, mv in spoilt.items():
        index = QualityIndex(Fraction(250), 1)
        index.feed(mv, np.ones(mv.shape, bool))
        (found,) = index.now(FaultWatch(CHANNELS[:1], Fraction(250)))
        assert found.reason == reason and (found.index > 0.5) is (reason == "")
    index = QualityIndex(Fraction(250), 1)
    index.feed(clean, np.arange(2000)[:, None] < 1500)  # an electrode off for half of the window
    assert index.now(FaultWatch(CHANNELS[:1], Fraction(250)))[0].index < 0.6


@pytest.mark.parametrize("ppm", [-200.0, 0.0, 200.0])
def test_the_drift_of_the_clocks_shows_through_jitter_and_losses(ppm):
    rng = np.random.default_rng(0)
    fit = ClockFit(Fraction(250))
    for k in range(5, 250 * 300, 5):
        if rng.random() < 0.02:
            continue  # lost
        late = rng.exponential(0.004) + (0.2 if rng.random() < 0.01 else 0)
        fit.feed(k, 1000 + k / 250 * (1 + ppm * 1e-6) + late)
        if k == 250 * 50:
            assert fit.drift_ppm is None  # not yet known
    assert fit.drift_ppm == pytest.approx(ppm, abs=15)
    assert 10 < fit.jitter_ms < 300
    fit.reset()
    assert fit.drift_ppm is None and fit.jitter_ms is None


def beats_of(twelve, measured=("I", "II"), sigma=0.02, fs=100):
    mv = twelve.astype(np.float32)
    kinds = provenance(measured)
    half = np.tile(np.array([sigma if k.value == "reconstructed" else 0 for k in kinds], np.float32), (len(mv), 1))
    good = np.ones(mv.shape, bool)
    beat, detector = RepresentativeBeat(fs), BeatDetector(fs)
    for a in range(0, len(mv), 37):
        rows = slice(a, a + 37)
        block = LeadBlock(a, mv[rows], kinds, good[rows], ~good[rows, 0], half[rows])
        beat.feed(block, detector.feed(mv[rows, 1], good[rows, 1]))
    return beat


def lifted(twelve, st_mv):
    """Raise the ST segment of every beat, 40 to 140 ms after R + 60 ms, by a smooth bump."""
    peaks = BeatDetector(100).feed(twelve[:, 1], np.ones(len(twelve), bool))
    out = twelve.copy()
    bump = np.hanning(25)[:, None]
    for r in peaks:
        rows = slice(r + 4, r + 29)
        out[rows] += (st_mv * bump)[: len(out[rows])]
    return out


def test_a_raised_st_segment_is_read_where_it_can_be():
    plain = SyntheticHeart(100, seed=4).read(1500)
    before, after = beats_of(plain).st_mv(), beats_of(lifted(plain, 0.3)).st_mv()
    for lead in ("I", "II", "V1", "V6"):
        assert 0.15 < after[lead] - before[lead] < 0.32
    assert before["V2"] is None and before["V3"] is None  # limb leads cannot tell
    assert beats_of(plain, ("I", "II", "V2")).st_mv()["V3"] is not None
    wide = beats_of(plain, sigma=0.3).st_mv()
    assert wide["V6"] is None and wide["I"] is not None
    assert beats_of(plain[:150]).st_mv() == {}


def test_an_upside_down_lead_one_is_noticed():
    plain = SyntheticHeart(100, seed=4).read(1500)
    swapped = plain.copy()
    swapped[:, 0], swapped[:, 1] = -plain[:, 0], plain[:, LEADS.index("III")]
    assert beats_of(plain).arms_score() < ARMS_AT < beats_of(swapped).arms_score()
    assert beats_of(plain, ("II",)).arms_score() is None  # lead I is a guess there


@pytest.mark.data
def test_exchanged_arms_on_real_records(real_data):
    data = prepare(real_data / "ptb-xl", (ptbxl.VALIDATION_FOLD,), load_spec().conditioning, 200)
    found = next(r for r in rates_of(data) if "while worn" in r["check"])
    assert found["hits"] > 0.8 * found["of"] and found["false_alarms"] < 0.08 * found["of_sound"]


def load_spec():
    from ecg_edge.device.inference.load import load_model

    return load_model("i-ii-int8").spec


def rates_of(data):
    from ecg_edge.device.inference.load import load_model
    from ecg_edge.train.studies.calibration import next_recording

    return rates(load_model("i-ii-int8"), data, next_recording(data, 100))
