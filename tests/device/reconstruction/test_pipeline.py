from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecg_edge.device.conditioning.conditioner import Conditioner
from ecg_edge.device.lead_block import Note
from ecg_edge.device.reconstruction.pipeline import Pipeline
from ecg_edge.firmware_bridge.errors import LeadMismatchError, NotAnEcgStreamError
from ecg_edge.firmware_bridge.events import Channel, Gap, SampleBlock
from ecg_edge.firmware_bridge.lead_names import LEADS
from tests.support import fakes

RATES = st.sampled_from([100, 250, 500, 360])


def cut(block, at):
    edges = sorted({0, len(block), *(a % (len(block) + 1) for a in at)})
    return [
        replace(block, index=block.index + a, counts=block.counts[a:b], mv=block.mv[a:b], valid=block.valid[a:b])
        for a, b in pairwise(edges)
    ]


@st.composite
def streams(draw):
    """Blocks with jumps forward and back, gaps known and unknown, stale samples, electrodes off."""
    events, at = [], 0
    for k in range(draw(st.integers(1, 8))):
        kind = draw(st.sampled_from(["block", "block", "block", "gap", "jump", "back", "unknown"]))
        n = draw(st.sampled_from([1, 2, 3, 9, 10, 11, 40, 300]))
        if kind == "gap":
            events.append(Gap(at, at + n))
            at += n
        elif kind == "unknown":
            events.append(Gap(at, at, "restart", known=False))
        else:
            at = max(0, at + {"jump": n, "back": -n}.get(kind, 0))
            valid = np.ones((n, 2), bool)
            valid[draw(st.integers(0, n)) : draw(st.integers(0, n)), draw(st.integers(0, 1))] = False
            counts = fakes.walk(n, seed=k)
            events.append(fakes.block(counts, at, valid, draw(st.sampled_from([0, 0, 0, 1, 2, 4, 8]))))
            at += n
    return events


@settings(max_examples=60, deadline=None)
@given(streams(), RATES, st.lists(st.integers(0, 1000), max_size=6))
def test_contiguous_and_indifferent_to_cuts(model, events, fs, at):
    whole, notes = fakes.drain(Pipeline(model, fakes.info(fs=fs), mains_hz=50), events)
    if not whole:
        return
    pieces = [p for e in events for p in (cut(e, at) if isinstance(e, SampleBlock) else [e])]
    again, same_notes = fakes.drain(Pipeline(model, fakes.info(fs=fs), mains_hz=50), pieces)
    (a, one), (b, two) = fakes.join(whole), fakes.join(again)
    assert a == b == 0
    for name, x in one.items():
        assert x.tobytes() == two[name].tobytes(), name
    assert notes == same_notes
    assert np.isfinite(one["mv"]).all()


@settings(max_examples=60, deadline=None)
@given(streams(), RATES)
def test_time_axis_is_never_compressed(model, events, fs):
    pipeline = Pipeline(model, fakes.info(fs=fs), mains_hz=None)
    blocks, _ = fakes.drain(pipeline, events)
    stops = [e.index + len(e) if isinstance(e, SampleBlock) else e.stop for e in events]
    expected = -(-max(stops) * 100 // fs)
    assert sum(len(b) for b in blocks) == expected == pipeline.counts.rows_out
    assert pipeline.counts.samples_in + pipeline.counts.lost == max(stops)


@settings(max_examples=40, deadline=None)
@given(streams(), RATES)
def test_a_row_is_valid_exactly_where_every_sample_under_the_kernel_is(model, events, fs):
    pipeline = Pipeline(model, fakes.info(fs=fs), mains_hz=None)
    good, may = np.zeros((0, 2), bool), np.zeros((0, 2), bool)
    for e in events:  # the plain rule, sample by sample
        if isinstance(e, SampleBlock):
            grow = max(0, e.index + len(e) - len(good))
            pad = max(0, e.index - len(good))
            fresh = e.valid[len(e) - (grow - pad) :] if grow else e.valid[:0]
            missing, off = ~fresh, {1: [0, 1], 2: [0], 4: [1]}.get(e.lead_off, [])
            fresh = fresh.copy()
            fresh[:, off] = False
            missing[:, off] = False
            good = np.concatenate([good, np.zeros((pad, 2), bool), fresh])
            may = np.concatenate([may, np.ones((pad, 2), bool), missing])
        elif e.known:
            pad = max(0, e.stop - len(good))
            good, may = np.concatenate([good, np.zeros((pad, 2), bool)]), np.concatenate([may, np.ones((pad, 2), bool)])
    blocks, _ = fakes.drain(pipeline, events)
    if not blocks:
        return  # nothing but a restart
    unknown = {len_before(events, k) for k, e in enumerate(events) if isinstance(e, Gap) and not e.known}
    good = bridged(good, may, int(0.040 * fs), unknown)
    _, rows = fakes.join(blocks)
    for m in range(len(rows["mv"])):
        p = m * fs // 100
        window = good[max(0, p - pipeline.support + 1) : p + 1].all(axis=0)
        restarted = any(p - pipeline.support + 1 < u <= p for u in unknown)
        assert (rows["valid"][m, :2] == (window & (not restarted))).all(), m


def bridged(good, may, longest, unknown):
    """What is good once short losses with a good sample on either side are bridged."""
    out = good.copy()
    for k in range(good.shape[1]):
        n = 0
        while n < len(good):
            stop = n + 1
            while stop < len(good) and not good[n, k] and not good[stop, k] and stop not in unknown:
                stop += 1
            ends = n > 0 and stop < len(good) and n not in unknown and stop not in unknown
            if not good[n, k] and ends and good[n - 1, k] and good[stop, k] and stop - n <= longest:
                out[n:stop, k] = may[n:stop, k].all()
            n = stop
    return out


def len_before(events, k):
    return max((e.index + len(e) if isinstance(e, SampleBlock) else e.stop for e in events[:k]), default=0)


@pytest.mark.parametrize("fs", [100, 250, 500])
def test_measured_leads_are_the_conditioned_input(model, fs):
    counts = fakes.walk(5 * fs)
    _, rows = fakes.join(fakes.drain(Pipeline(model, fakes.info(fs=fs), mains_hz=50), [fakes.block(counts)])[0])
    reference = Conditioner(fs, 100, 2, model.spec.conditioning, 50).feed((counts * fakes.LSB).astype(np.float32))
    assert rows["mv"][:, :2].tobytes() == reference.tobytes()
    settle = round(model.spec.settling_s * 100)
    assert rows["valid"][:-10, :6].all() and rows["valid"][settle:-10].all() and not rows["valid"][:settle, 6:].any()
    iii = LEADS.index("III")
    assert np.allclose(rows["mv"][:, iii], rows["mv"][:, 1] - rows["mv"][:, 0], atol=1e-6)


def test_leads_are_found_by_name_and_can_be_renamed(model):
    counts = fakes.walk(500, 3)
    straight = fakes.join(fakes.drain(Pipeline(model, fakes.info(), mains_hz=None), [fakes.block(counts[:, :2])])[0])
    swapped = fakes.join(
        fakes.drain(Pipeline(model, fakes.info(("V1", "II", "I")), mains_hz=None), [fakes.block(counts[:, [2, 1, 0]])])[
            0
        ]
    )
    named = fakes.join(
        fakes.drain(
            Pipeline(model, fakes.info(("ch1", "I", "x")).renamed(("I", "II")), mains_hz=None), [fakes.block(counts)]
        )[0]
    )
    assert straight[1]["mv"].tobytes() == named[1]["mv"].tobytes()
    others = [k for k, lead in enumerate(LEADS) if lead != "V1"]  # which that source measures itself
    assert np.array_equal(straight[1]["mv"][:, others], swapped[1]["mv"][:, others])
    assert not np.array_equal(straight[1]["mv"], swapped[1]["mv"])


def test_a_channel_left_over_loses_a_name_given_to_another():
    assert fakes.info(("II", "I")).renamed(("I",)).leads == ("I", "ch2")
    assert fakes.info(("ch1", "ch2", "ch3")).renamed(("I", "-", "II")).leads == ("I", "ch2", "II")
    clock = replace(
        fakes.info(("t", "a", "b")), channels=(Channel("t", float("nan")), Channel("a", 1), Channel("b", 1))
    )
    assert clock.renamed(("I", "II")).leads == ("t", "I", "II")
    assert clock.renamed(("-", "II")).leads == ("t", "II", "ch3")
    assert clock.renamed(("I", "-")).leads == ("t", "I", "ch3")
    with pytest.raises(LeadMismatchError, match="source has 2: a, b"):
        clock.renamed(("I", "II", "V1"))
    with pytest.raises(LeadMismatchError, match="2 channels, but the source has 1"):
        fakes.info(("I",)).renamed(("I", "II"))


def test_source_without_the_models_leads_is_refused(model):
    with pytest.raises(LeadMismatchError, match="II missing"):
        Pipeline(model, fakes.info(("I", "V1")), mains_hz=None)


def test_device_that_comes_back_as_another_is_refused(model):
    pipeline = Pipeline(model, fakes.info(), mains_hz=None)
    assert not list(pipeline.feed(fakes.info()))
    with pytest.raises(NotAnEcgStreamError, match="500 Hz"):
        list(pipeline.feed(fakes.info(fs=500)))


def test_short_gap_is_bridged_and_flagged_long_gap_is_invalid(model):
    counts = fakes.walk(1000)
    counts[500:511] = counts[499] + np.arange(1, 12)[:, None] * (counts[511] - counts[499]) / 12
    whole = fakes.join(fakes.drain(Pipeline(model, fakes.info(), mains_hz=None), [fakes.block(counts)])[0])[1]
    for n, kind in [(10, "held"), (11, "gap")]:
        pipeline = Pipeline(model, fakes.info(), mains_hz=None)
        events = [fakes.block(counts[:500]), Gap(500, 500 + n), fakes.block(counts[500 + n :], 500 + n)]
        blocks, notes = fakes.drain(pipeline, events)
        assert [(x.kind, x.index, x.stop) for x in notes] == [(kind, 500, 500 + n)]
        _, rows = fakes.join(blocks)
        assert len(rows["mv"]) == 400
        assert pipeline.counts.lost_ranges == [(500, 500 + n)]
        assert rows["valid"][20:190].all() and rows["valid"][220:390, :2].all()
        touched = np.flatnonzero(rows["held"]).tolist()
        if kind == "gap":
            assert not rows["valid"][201:203].any() and not touched
            assert not rows["valid"][206:222, 6:].any() and rows["valid"][232:390].all()  # cold, then settled
            continue
        assert rows["valid"][20:].all()
        assert touched == list(range(200, 200 + len(touched)))
        # The gap's ten samples and the kernel behind them, at 2.5 native samples a row.
        assert len(touched) == -(-2 * (510 + pipeline.support - 1) // 5) - 200
        np.testing.assert_allclose(rows["mv"][:, :2], whole["mv"][:, :2], atol=3e-3)


def test_two_halves_of_a_gap_are_one_gap(model):
    counts = fakes.walk(100)
    gaps = [Gap(50, 56), Gap(56, 62)]
    _, notes = fakes.drain(Pipeline(model, fakes.info(), mains_hz=None), [fakes.block(counts[:50]), *gaps])
    assert [(x.kind, x.index, x.stop) for x in notes] == [("gap", 50, 62)]


@pytest.mark.parametrize(("seconds", "has_rows"), [(60, True), (61, False), (3540, False)])
def test_a_long_gap_has_a_note_and_no_rows(model, seconds, has_rows):
    pipeline = Pipeline(model, fakes.info(), mains_hz=None)
    behind = 50 + 250 * seconds
    events = [fakes.block(fakes.walk(50)), Gap(50, behind), fakes.block(fakes.walk(50), behind)]
    out = [x for event in events for x in pipeline.feed(event)] + list(pipeline.flush())
    [note], blocks = [x for x in out if isinstance(x, Note)], [x for x in out if not isinstance(x, Note)]
    assert (note.kind, note.index, note.stop) == ("gap", 50, behind)
    assert (sum(map(len, blocks)) > 5000) is has_rows and max(map(len, blocks)) <= 4096
    assert blocks[-1].index + len(blocks[-1]) == behind // 2.5 + 20 and pipeline.counts.lost == 250 * seconds


def test_lead_off_is_flagged_told_and_the_filter_restarts(model):
    counts = fakes.walk(2000)
    valid = np.ones((2000, 2), bool)
    mute = counts.copy()
    mute[800:1200, 0] = 8_000_000  # the rail: must not ring through the filters
    events = [
        fakes.block(mute[:800], 0),
        fakes.block(mute[800:1200], 800, valid[:400], lead_off=1 << 1),
        fakes.block(mute[1200:] + np.array([3000, 0]), 1200),
    ]
    blocks, notes = fakes.drain(Pipeline(model, fakes.info(), mains_hz=None), events)
    assert [(x.kind, x.index, x.text) for x in notes] == [
        ("lead-off", 800, "lead-off LA"),
        ("lead-on", 1200, "lead-on LA"),
    ]
    _, rows = fakes.join(blocks)
    by = {lead: rows["valid"][:, k] for k, lead in enumerate(LEADS)}
    assert (
        not by["I"][320:480].any() and by["II"].all() and not by["V1"][320:480].any() and not by["III"][330:480].any()
    )
    assert np.abs(rows["mv"][320:480, 0]).max() < 5
    # Back at another electrode offset of 3 V: the reseeded high-pass starts at its new value.
    assert np.abs(rows["mv"][490:500, 0]).max() < 1


def test_nan_and_absurd_samples_are_invalid(model):
    b = fakes.block(fakes.walk(400))
    b.mv[100, 0], b.mv[101, 1] = np.nan, 1e30
    b.mv[200:220, 0], b.mv[200:220, 1] = np.nan, 1e30
    blocks, notes = fakes.drain(Pipeline(model, fakes.info(), mains_hz=50), [b])
    _, rows = fakes.join(blocks)
    assert np.isfinite(rows["mv"]).all() and np.abs(rows["mv"][:, :2]).max() < 10
    assert rows["held"][41] and [(n.index, n.stop) for n in notes] == [(100, 101), (101, 102)]
    assert not rows["valid"][85, :2].any()


def test_block_carries_the_arrival_of_what_completed_it(model):
    pipeline = Pipeline(model, fakes.info(fs=100), mains_hz=None)
    counts = fakes.walk(40)
    out = [x for k in range(40) for x in pipeline.feed(fakes.block(counts[k : k + 1], k, arrival=float(k)))]
    hop, late = model.spec.hop, model.spec.lookahead
    for b in out:
        assert b.arrival == b.index + len(b) - 1 + late
        assert len(b) <= hop


def test_latency_terms_name_their_parts(model):
    terms = Pipeline(model, fakes.info(fs=250, per_frame=10), mains_hz=None).latency_terms
    assert terms["frame"] == pytest.approx(9 / 250)
    assert terms["algorithmic"] == pytest.approx((4 + 6 - 1) / 100)
    assert terms["resampler"] > 0 and terms["device filter"] == 0
