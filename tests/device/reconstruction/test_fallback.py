"""What remains when leads are lost goes on, through the any-lead model."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecg_edge.device.inference.load import load_model
from ecg_edge.device.lead_algebra import Provenance
from ecg_edge.device.lead_block import Note
from ecg_edge.device.reconstruction.fallback import FallbackReconstructor, fits
from ecg_edge.device.reconstruction.pipeline import Pipeline
from ecg_edge.device.reconstruction.stream_reconstructor import StreamReconstructor
from ecg_edge.firmware_bridge.lead_names import LEADS
from ecg_edge.firmware_bridge.synthetic_heart.heart import SyntheticHeart
from tests.support import fakes

N = 1600
FIELDS = ("mv", "valid", "warmup", "sigma")


@pytest.fixture(scope="module")
def models():
    return load_model("i-ii-int8"), load_model("any-int8")


@pytest.fixture(scope="module")
def x():
    return SyntheticHeart(100, seed=1).read(N).astype(np.float32)


def off(*stretches):
    ok = np.ones((N, 2), bool)
    for a, b, lead in stretches:
        ok[a:b, lead] = False
    return ok


def joined(blocks):
    kinds = [p for b in blocks for p in [tuple(p.value[0] for p in b.provenance)] * len(b)]
    whole = {f: np.concatenate([getattr(b, f) for b in blocks]) for f in FIELDS}
    return {f: hashlib.sha256(x.tobytes()).hexdigest() for f, x in whole.items()} | {
        "kinds": hashlib.sha256(repr(kinds).encode()).hexdigest()
    }


def test_the_shipped_models_fit_together(models):
    assert fits(models[0].spec, models[1].spec) and not fits(models[0].spec, models[0].spec)


@given(
    cuts=st.lists(st.integers(1, 300), min_size=1, max_size=10),
    gone=st.lists(
        st.tuples(st.integers(0, N), st.integers(1, 700), st.integers(0, 1)).map(lambda g: (g[0], g[0] + g[1], g[2])),
        max_size=4,
    ),
)
@settings(max_examples=25, deadline=None)
def test_the_same_however_it_is_cut(models, x, cuts, gone):
    ok, told = off(*gone), ([], [])
    whole = FallbackReconstructor(*models, lambda *a: told[0].append(a))
    want = [*whole.feed(x[:, :2], ok), *whole.flush()]
    parts = FallbackReconstructor(*models, lambda *a: told[1].append(a))
    got, at = [], 0
    while at < N:
        for n in cuts:
            got += parts.feed(x[at : at + n, :2], ok[at : at + n])
            at += n
    got += parts.flush()
    assert joined(got) == joined(want) and told[0] == told[1]
    at = 0
    for b in got:
        assert len(b) == 0 or b.index == at
        at += len(b)
    assert at == N


def test_a_lost_lead_is_bridged_by_the_one_that_remains(models, x):
    told = []
    f = FallbackReconstructor(*models, lambda *a: told.append(a))
    blocks = [*f.feed(x[:, :2], off((500, 1000, 0))), *f.flush()]
    (lost_at, alone), (back_at, both) = told
    assert alone == ("II",) and both == ("I", "II")
    assert 500 <= lost_at <= 550 and 1000 < back_at <= 1000 + round(models[0].spec.settling_s * 100) + 20
    mv, valid = (np.concatenate([getattr(b, k) for b in blocks]) for k in ("mv", "valid"))
    between = slice(lost_at, back_at)
    assert valid[between].all()
    assert np.sqrt(((mv[between, 6:] - x[between, 6:]) ** 2).mean()) < 0.2
    kinds = {(b.index < 1000, b.provenance[LEADS.index("I")]) for b in blocks if lost_at <= b.index < back_at}
    assert kinds == {(True, Provenance.RECONSTRUCTED), (False, Provenance.MEASURED)}, "back at once, as itself"
    plain = StreamReconstructor(models[0]).feed(x[:, :2], off((500, 1000, 0)))
    for part in (slice(0, lost_at), slice(back_at, len(plain))):
        assert np.array_equal(mv[part], plain.mv[part])


@pytest.mark.parametrize("cut", [1600, 33])
def test_a_noisy_lead_is_shown_and_nothing_is_reconstructed_from_it(models, x, cut):
    told = []
    f = FallbackReconstructor(*models, lambda *a: told.append(a))
    good, fit = off(), off((500, 1000, 0))
    blocks = [b for a in range(0, N, cut) for b in f.feed(x[a : a + cut, :2], good[a : a + cut], 0.0, fit[a : a + cut])]
    blocks += f.flush()
    assert [leads for _, leads in told] == [("II",), ("I", "II")]
    mv, valid = (np.concatenate([getattr(b, k) for b in blocks]) for k in ("mv", "valid"))
    plain = StreamReconstructor(models[0]).feed(x[:, :2], good)
    kinds = {b.provenance[:7] for b in blocks}
    assert kinds == {plain.provenance[:7]}, "measured and derived leads stay what they are"
    assert np.array_equal(mv[: len(plain), :6], plain.mv[:, :6]) and valid[:, :6].all()
    alone = [*FallbackReconstructor(*models).feed(x[:, :2], off((500, 1000, 0)))]
    between = slice(told[0][0], told[1][0])
    assert valid[between].all() and not valid[500 : told[0][0], 6:].any(), "blank until the other model speaks"
    assert np.array_equal(mv[between, 6:], np.concatenate([b.mv for b in alone])[between, 6:])


def test_a_passing_touch_or_the_loss_of_all_leads_changes_nothing(models, x):
    for gone in (off((500, 540, 0)), off((500, 900, 0), (500, 900, 1))):
        told = []
        f = FallbackReconstructor(*models, lambda *a, told=told: told.append(a))
        got = list(f.feed(x[:, :2], gone))
        plain = StreamReconstructor(models[0]).feed(x[:, :2], gone)
        assert told == []
        assert np.concatenate([b.valid for b in got]).tobytes() == plain.valid.tobytes()


def test_without_a_spare_that_fits_there_is_no_fallback(models, x):
    for spare in (None, models[0]):
        f = FallbackReconstructor(models[0], spare)
        got = list(f.feed(x[:, :2], off((300, 900, 0))))
        plain = StreamReconstructor(models[0]).feed(x[:, :2], off((300, 900, 0)))
        assert np.concatenate([b.mv for b in got]).tobytes() == plain.mv.tobytes()


def test_the_pipeline_notes_what_is_reconstructed_from(models, x):
    pipeline = Pipeline(models[0], fakes.info(fs=100), mains_hz=None, spare=models[1])
    counts = np.rint(x[:, :2] / fakes.LSB).astype(np.int32)
    # RA is in both leads; LA in I alone.
    events = [fakes.block(counts[k : k + 50], k, lead_off=2 if 500 <= k < 1000 else 0) for k in range(0, N, 50)]
    blocks, notes = fakes.drain(pipeline, events)
    fakes.join(blocks)
    said = [(n.kind, n.text) for n in notes if isinstance(n, Note)]
    assert said == [
        ("lead-off", "lead-off LA"),
        ("fallback", "reconstructing from II alone"),
        ("lead-on", "lead-on LA"),
        ("fallback", "reconstructing from I, II again"),
    ]
