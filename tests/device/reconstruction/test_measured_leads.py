"""What a source measures is shown as measured, and what follows from it as algebra, whatever the model reads."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecg_edge.device.inference.any_lead import for_leads
from ecg_edge.device.inference.load import load_model
from ecg_edge.device.inference.shipped import default_model
from ecg_edge.device.lead_algebra import Provenance, leads_known
from ecg_edge.device.reconstruction.pipeline import Pipeline
from ecg_edge.firmware_bridge.errors import LeadMismatchError
from ecg_edge.firmware_bridge.events import Channel, Gap, StreamInfo
from ecg_edge.firmware_bridge.lead_names import LEADS
from ecg_edge.firmware_bridge.synthetic_heart.heart import SyntheticHeart
from tests.support import fakes

N, FS = 1500, 250
LSB = 1e-5


def heart():
    return SyntheticHeart(FS, LEADS, seed=2).read(N)


def stream(leads, off=(), cut=50):
    x = heart()[:, [LEADS.index(lead) for lead in leads]]
    counts = np.rint(x / LSB).astype(np.int32)
    ok = np.ones(counts.shape, bool)
    for a, b, lead in off:
        ok[a:b, list(leads).index(lead)] = False
    blocks = [fakes.block(counts[k : k + cut], k, ok[k : k + cut]) for k in range(0, N, cut)]
    return [b.__class__(b.index, b.counts, (b.counts * LSB).astype(np.float32), b.valid) for b in blocks]


def through(model, leads, events, spare=None):
    info = StreamInfo("x", Fraction(FS), tuple(Channel(lead, LSB) for lead in leads))
    pipeline = Pipeline(model, info, mains_hz=None, spare=spare)
    blocks, notes = fakes.drain(pipeline, events)
    kinds = np.concatenate([np.tile([p.value for p in b.provenance], (len(b), 1)) for b in blocks])
    return pipeline, fakes.join(blocks)[1], kinds, notes


def conditioned(model):
    """Each of the twelve as it is measured: through the same chain, one lead at a time."""
    single = for_leads(load_model("any-int8"), ("I",))
    out = []
    for lead in LEADS:
        events = stream((lead,))
        _, rows, _, _ = through(single, ("I",), events)
        out.append(rows["mv"][:, 0])
    return np.stack(out, axis=1)


@pytest.fixture(scope="module")
def truth():
    return conditioned(None)


def test_two_and_three_give_one_by_algebra(truth):
    leads = ("II", "III")
    assert default_model(leads).stem == "i-ii-int8"
    pipeline, rows, kinds, _ = through(load_model("i-ii-int8"), leads, stream(leads))
    assert [p.value for p in pipeline.provenance[:6]] == ["derived", "measured", "measured"] + ["derived"] * 3
    assert (kinds == [p.value for p in pipeline.provenance]).all()
    assert np.abs(rows["mv"][:, :6] - truth[:, :6]).max() < 2e-4
    assert rows["valid"][:, :6].all() and not rows["sigma"][:, :6].any() and rows["sigma"][:, 6:].all()
    # The network sees what it would see if lead I were measured.
    _, usual, _, _ = through(load_model("i-ii-int8"), ("I", "II"), stream(("I", "II")))
    assert np.abs(rows["mv"][:, 6:] - usual["mv"][:, 6:]).max() < 0.05


def test_a_twelve_lead_source_passes_through(truth):
    pipeline, rows, kinds, _ = through(load_model(default_model(LEADS)), LEADS, stream(LEADS))
    assert set(pipeline.provenance) == {Provenance.MEASURED} and (kinds == "measured").all()
    assert np.array_equal(rows["mv"], truth) and rows["valid"].all() and not rows["warmup"].any()
    assert set(pipeline.quality) == set(LEADS)


def test_a_lead_the_model_does_not_read_is_shown_as_measured_and_estimated_while_it_is_off(truth):
    leads, k = ("I", "II", "V3"), LEADS.index("V3")
    _, rows, kinds, _ = through(load_model("i-ii-int8"), leads, stream(leads, [(700, 1000, "V3")]))
    off = slice(300, 395)
    assert (kinds[off, k] == "reconstructed").all() and rows["valid"][off, k].all() and rows["sigma"][off, k].all()
    on = np.r_[0:275, 420:600]
    assert (kinds[on, k] == "measured").all() and np.array_equal(rows["mv"][on[:275], k], truth[on[:275], k])
    assert (kinds[:, 0] == "measured").all()


def test_a_limb_lead_that_is_off_follows_from_two_others(truth):
    leads = ("I", "II", "III")
    _, rows, kinds, notes = through(
        load_model("i-ii-int8"), leads, stream(leads, [(500, 1200, "I")]), load_model("any-int8")
    )
    assert (kinds[220:470, 0] == "derived").all() and (kinds[220:470, 3] == "derived").all()
    assert np.abs(rows["mv"][220:470, 0] - truth[220:470, 0]).max() < 0.05 and rows["valid"][220:470, 0].all()
    assert "fallback" not in {n.kind for n in notes}  # the network has lost nothing


@given(
    cuts=st.integers(1, 200),
    off=st.lists(
        st.tuples(st.integers(0, N), st.integers(1, 400), st.sampled_from(("I", "II", "III", "V3"))), max_size=4
    ),
)
@settings(max_examples=8, deadline=None)
def test_the_cut_does_not_show(cuts, off):
    leads, model = ("I", "II", "III", "V3"), load_model("i-ii-int8")
    gone = [(a, a + n, lead) for a, n, lead in off]
    one = through(model, leads, stream(leads, gone))
    two = through(model, leads, stream(leads, gone, cuts))
    for field in ("mv", "valid", "sigma", "warmup"):
        assert np.array_equal(one[1][field], two[1][field]), field
    assert (one[2] == two[2]).all()


def test_a_gap_is_blank_and_the_axis_goes_on():
    leads = ("II", "III", "V1")
    events = [e for e in stream(leads) if not 500 <= e.index < 900]
    _, rows, _, notes = through(load_model("i-ii-int8"), leads, [*events[:10], Gap(500, 900), *events[10:]])
    assert len(rows["mv"]) == 600 and not rows["valid"][215:355].any() and rows["valid"][400:, :6].all()
    assert "gap" in {n.kind for n in notes}


def test_what_neither_is_there_nor_follows_is_refused():
    with pytest.raises(LeadMismatchError, match="II missing"):
        through(load_model("i-ii-int8"), ("I", "V1"), stream(("I", "V1")))
    assert leads_known(("aVR", "aVL")) == LEADS[:6] and leads_known(("V1", "III")) == ("III", "V1")


def test_a_short_loss_of_a_lead_the_model_does_not_read_is_noted_by_its_name():
    leads = ("I", "II", "III")
    _, rows, kinds, notes = through(load_model("i-ii-int8"), leads, stream(leads, [(700, 705, "III")]))
    assert "III" in next(n.text for n in notes if n.kind == "held")
    assert rows["valid"][100:, :6].all() and (kinds[:, 2] == "measured").all()
