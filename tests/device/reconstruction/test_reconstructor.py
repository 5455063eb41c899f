"""The live reconstructor: any cut, the same bytes, and the same as the pieces it is made of."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecg_edge.device.conditioning.conditioner import Conditioner
from ecg_edge.device.lead_algebra import Provenance
from ecg_edge.device.lead_block import LeadBlock
from ecg_edge.device.reconstruction.offline import offline_blocks
from ecg_edge.device.reconstruction.reconstructor import Reconstructor
from ecg_edge.device.reconstruction.stream_reconstructor import StreamReconstructor
from ecg_edge.firmware_bridge.errors import UnitsError
from ecg_edge.firmware_bridge.lead_names import LEADS
from ecg_edge.firmware_bridge.synthetic_heart.heart import SyntheticHeart
from tests.support import fakes


def wander(n, seed=0):
    return fakes.walk(n, seed=seed) * 1e-3


def streamed(stream, mv, edges):
    blocks = [stream.feed(mv[a:b]) for a, b in pairwise(edges)]
    return LeadBlock.join([*blocks, stream.flush()])


@settings(max_examples=60, deadline=None)
@given(
    fs=st.sampled_from([100, 250, 360, 500]),
    cuts=st.lists(st.integers(0, 1500), max_size=9),
    gone=st.lists(st.tuples(st.integers(0, 1499), st.integers(1, 300), st.integers(0, 1)), max_size=3),
)
def test_the_cut_does_not_show(model, fs, cuts, gone):
    mv = wander(1500)
    for at, n, lead in gone:
        mv[at : at + n, lead] = np.nan
    stream = Reconstructor(model, fs=fs, leads=("I", "II"))
    whole = streamed(stream, mv, [0, len(mv)])
    pieces = streamed(stream, mv, sorted({0, *cuts, len(mv)}))  # the same object: flush begins anew
    for field in ("mv", "valid", "warmup", "sigma"):
        assert getattr(whole, field).tobytes() == getattr(pieces, field).tobytes(), field
    assert whole.index == 0 and len(whole) == -(-len(mv) * 100 // fs)


@pytest.mark.parametrize("fs", [100, 250, 500])
def test_it_is_conditioner_and_network(model, fs):
    mv = wander(4 * fs)
    mine = streamed(Reconstructor(model, fs=fs, leads=("I", "II"), mains_hz=60), mv, [0, len(mv)])
    plain = StreamReconstructor(model)
    x = Conditioner(Fraction(fs), 100, 2, model.spec.conditioning, 60).feed(mv)
    theirs = LeadBlock.join([plain.feed(x), plain.flush()])
    assert mine.mv.tobytes() == theirs.mv.tobytes() and mine.sigma.tobytes() == theirs.sigma.tobytes()


@pytest.mark.parametrize("fs", [100, 250, 500])
def test_live_and_offline_agree_but_for_the_delay(model, fs):
    mv = wander(12 * fs)
    stream = Reconstructor(model, fs=fs, leads=("I", "II"))
    live = streamed(stream, mv, [0, 7, 1000, len(mv)])
    late = np.arange(len(live)) / 100 - stream.delay
    stored = LeadBlock.join(list(offline_blocks(model, mv, Fraction(fs))))
    moved = np.interp(late[600:1100], np.arange(len(stored)) / 100, stored.mv[:, 1])
    assert np.abs(moved - live.mv[600:1100, 1]).max() < 0.05
    assert stream.latency == pytest.approx(stream.delay + 0.09)


def test_columns_are_found_by_name(model):
    mv = wander(800)
    straight = Reconstructor(model, fs=250, leads=("I", "II")).feed(mv)
    other = Reconstructor(model, fs=250, leads="v3,ii,i").feed(np.stack([0 * mv[:, 0], mv[:, 1], mv[:, 0]], axis=1))
    v3 = LEADS.index("V3")  # it is there: nothing is estimated
    assert other.provenance[v3] is Provenance.MEASURED and not other.mv[:, v3].any()
    rest = np.arange(len(LEADS)) != v3
    np.testing.assert_array_equal(straight.mv[:, rest], other.mv[:, rest])


def test_no_sample_at_all(model):
    stream = Reconstructor(model, fs=250, leads=("I", "II"))
    assert len(stream.feed(np.zeros((0, 2)))) == 0 == len(stream.flush())


def test_an_amplifier_that_settles_is_no_wrong_unit(model):
    stream = Reconstructor(model, fs=100, leads=("I", "II"))
    mv = 0.5 * np.sin(np.arange(1000) / 9)[:, None] * np.ones(2)
    mv[:150] += np.linspace(300, 0, 150)[:, None]
    stream.feed(mv)
    stream.reset()
    with pytest.raises(UnitsError, match="microvolts or counts"):
        for piece in np.split(1000 * mv, 100):
            stream.feed(piece)


@pytest.mark.parametrize(("scale", "looks"), [(1000, "microvolts"), (1e-3, "volts")])
def test_a_short_stream_in_another_unit_is_refused_at_its_end(model, scale, looks):
    stream = Reconstructor(model, fs=100, leads=("I", "II"))
    stream.feed(scale * 0.5 * np.sin(np.arange(230) / 9)[:, None] * np.ones(2))
    with pytest.raises(UnitsError, match=looks):
        stream.flush()


@pytest.mark.parametrize("step", [1, 7, 5000])
def test_counts_are_never_called_valid(model, step):
    stream = Reconstructor(model, fs=100, leads=("I", "II"))
    mv = 400 * np.sin(np.arange(390) / 9)[:, None] * np.ones(2)
    blocks = [stream.feed(mv[a : a + step]) for a in range(0, len(mv), step)]
    # An electrode may move twice within two seconds: what follows such a leap is believed until it leaps again.
    assert LeadBlock.join(blocks).valid[5:].any(axis=1).sum() <= 3


@pytest.mark.parametrize("step", [13, 5000])
def test_what_cannot_be_millivolts_is_invalid_at_any_time(model, step):
    stream = Reconstructor(model, fs=100, leads=("I", "II"))
    mv = SyntheticHeart(100).read(3000)[:, :2]
    mv[1000:1600] *= 200
    valid = LeadBlock.join([stream.feed(mv[a : a + step]) for a in range(0, len(mv), step)]).valid
    assert valid[200:988].all() and not valid[1110:1600].any() and valid[2200:].all()  # from its first beat on


def test_one_lead_that_swings_too_far_is_an_electrode_not_a_unit(model):
    stream = Reconstructor(model, fs=100, leads=("I", "II"))
    mv = SyntheticHeart(100).read(1000)[:, :2] * np.array([1, 200])
    assert stream.feed(mv).valid[300:, 0].all()


@pytest.mark.parametrize("kind", ["flat", "noise", "tone"])
@pytest.mark.parametrize("step", [17, 6000])
def test_what_is_no_ecg_is_invalid_once_that_is_known(model, kind, step):
    t = np.arange(6000) / 500
    made = {"flat": 0 * t, "noise": np.random.default_rng(0).normal(0, 1, 6000), "tone": np.sin(2 * np.pi * 7 * t)}
    mv = np.repeat(made[kind][:, None], 2, axis=1)
    stream = Reconstructor(model, fs=500, leads=("I", "II"))
    blocks = [stream.feed(mv[a : a + step]) for a in range(0, len(mv), step)]
    whole = Reconstructor(model, fs=500, leads=("I", "II")).feed(mv)
    block = LeadBlock.join([b for b in blocks if len(b)])
    assert not block.valid[950:].any()
    np.testing.assert_array_equal(block.valid, whole.valid)
    heart = SyntheticHeart(500).read(6000)[:, :2]
    assert Reconstructor(model, fs=500, leads=("I", "II")).feed(heart).valid[200:].all()


def test_a_flush_that_was_refused_begins_anew_all_the_same(model):
    stream = Reconstructor(model, fs=100, leads=("I", "II"))
    stream.feed(500 * np.sin(np.arange(230) / 9)[:, None] * np.ones(2))
    with pytest.raises(UnitsError):
        stream.flush()
    assert stream.feed(SyntheticHeart(100).read(400)[:, :2]).index == 0
