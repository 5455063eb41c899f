"""A lead that is too noisy is kept out of the reconstruction, and stays on the screen."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from ecg_edge.device.analysis.noise_gate import CLOSE_AFTER, EVERY_S, OPEN_AFTER, WINDOW_S, NoiseGate, verdict
from ecg_edge.device.inference.load import load_model
from ecg_edge.device.reconstruction.pipeline import Pipeline
from ecg_edge.firmware_bridge.synthetic_heart.heart import SyntheticHeart
from tests.support import fakes

FS = 100
N = 3000
SPOILT = slice(1000, 1800)


def band(low, high, n, seed=0):
    sos = signal.butter(2, [low, high], "bandpass", fs=FS, output="sos")
    x = signal.sosfilt(sos, np.random.default_rng(seed).normal(size=n + 500))[500:]
    return x / x.std()


def heart():
    return SyntheticHeart(FS, seed=2).read(N)[:, :2]


def spoilt(low=0.5, high=4.0, mv=0.6):
    x = heart()
    x[SPOILT, 0] += mv * band(low, high, 800)
    return x


@pytest.mark.parametrize(
    ("added", "said"),
    [
        (lambda n: np.zeros(n), ""),
        (lambda n: 0.05 * band(0.5, 4, n), ""),
        (lambda n: 0.6 * band(0.5, 4, n), "motion"),
        (lambda n: 0.05 * band(15, 45, n), ""),
        (lambda n: 0.4 * band(15, 45, n), "noise"),
        (lambda n: 0.4 * np.sin(2 * np.pi * 44 * np.arange(n) / FS), "noise"),
    ],
)
def test_what_spoils_a_lead_has_a_name(added, said):
    assert verdict(heart()[600:1000, 0] + added(400), FS) == said


def test_broad_beats_of_a_fast_rhythm_are_no_motion():
    t = np.arange(400) / FS
    for rate in (140, 180, 220):  # a ventricular tachycardia is slow waves too, but they come again
        beat = np.sin(2 * np.pi * rate / 60 * t) + 0.3 * np.sin(4 * np.pi * rate / 60 * t + 1)
        assert verdict(1.2 * beat, FS) == ""


def test_the_gate_closes_within_its_window_and_opens_again():
    fit, turns = NoiseGate(FS, 2).feed(spoilt(), np.ones((N, 2), bool))
    (closed, a, why), (opened, b, nothing) = turns
    assert (a, why, b, nothing) == (0, "motion", 0, "")
    window, every = round(WINDOW_S * FS), round(EVERY_S * FS)
    assert SPOILT.start + CLOSE_AFTER * every <= closed <= SPOILT.start + window + CLOSE_AFTER * every
    assert SPOILT.stop + (OPEN_AFTER - 1) * every <= opened <= SPOILT.stop + window + OPEN_AFTER * every
    assert fit[:, 1].all() and np.array_equal(np.flatnonzero(~fit[:, 0]), np.arange(closed, opened))


def test_an_invalid_row_opens_the_gate_and_no_window_with_one_is_judged():
    ok = np.ones((N, 2), bool)
    ok[1500:1510, 0] = False
    _, turns = NoiseGate(FS, 2).feed(spoilt(), ok)
    (closed, _, _), (opened, _, _), *more = turns
    assert closed < 1500 and opened > 1500
    ok[1000:1800:300, 0] = False
    assert NoiseGate(FS, 2).feed(spoilt(), ok)[1] == [] and more == []


@given(
    cuts=st.lists(st.integers(1, 300), min_size=1, max_size=8),
    off=st.lists(st.tuples(st.integers(0, N), st.integers(1, 400)), max_size=3),
)
@settings(max_examples=25, deadline=None)
def test_the_gate_says_the_same_however_it_is_cut(cuts, off):
    x, ok = spoilt(), np.ones((N, 2), bool)
    for a, n in off:
        ok[a : a + n, 0] = False
    want, turns = NoiseGate(FS, 2).feed(x, ok)
    gate, at, parts, told = NoiseGate(FS, 2), 0, [], []
    while at < N:
        for n in cuts:
            fit, now = gate.feed(x[at : at + n], ok[at : at + n])
            parts.append(fit)
            told += now
            at += n
    assert np.array_equal(np.concatenate(parts), want) and told == turns


@given(cuts=st.lists(st.integers(1, 400), min_size=1, max_size=6))
@settings(max_examples=6, deadline=None)
def test_the_pipeline_reconstructs_from_the_lead_that_is_fit(cuts):
    models = load_model("i-ii-int8"), load_model("any-int8")
    counts = np.rint(spoilt() / fakes.LSB).astype(np.int32)

    def play(sizes):
        pipeline = Pipeline(models[0], fakes.info(fs=FS), mains_hz=None, spare=models[1])
        at, events = 0, []
        while at < N:
            for n in sizes:
                if len(counts[at : at + n]):
                    events.append(fakes.block(counts[at : at + n], at))
                at += n
        return fakes.drain(pipeline, events)

    (whole, notes), (parts, again) = play([N]), play(cuts)
    assert [(n.kind, n.text) for n in sorted(notes, key=lambda n: n.index)] == [
        ("signal", "lead I is too noisy to reconstruct from (motion)"),
        ("fallback", "reconstructing from II alone"),
        ("signal", "lead I is fit to reconstruct from again"),
        ("fallback", "reconstructing from I, II again"),
    ]
    told = [{(n.kind, n.text, n.index) for n in some} for some in (notes, again)]
    assert told[0] == told[1]
    a, b = fakes.join(whole)[1], fakes.join(parts)[1]
    for name in ("mv", "valid", "sigma", "warmup"):
        assert np.array_equal(a[name], b[name]), name
    assert a["valid"][:, :6].all(), "what is measured, and what follows from it, stays"


def test_the_index_of_a_lead_whose_gate_is_closed_is_zero():
    pipeline = Pipeline(load_model("i-ii-int8"), fakes.info(fs=FS), mains_hz=None)
    counts = np.rint(spoilt() / fakes.LSB).astype(np.int32)
    fakes.drain(pipeline, [fakes.block(counts[:1700], 0)])
    assert (pipeline.quality["I"].index, pipeline.quality["I"].reason) == (0.0, "motion")
    assert pipeline.quality["II"].index > 0.5
    assert isinstance(pipeline.info.fs, Fraction)
