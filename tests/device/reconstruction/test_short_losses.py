"""Short losses: bridged between two good samples, the same however the rows are cut."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ecg_edge.device.reconstruction.pipeline import Pipeline
from ecg_edge.device.reconstruction.short_losses import ShortLosses, bridge_short
from tests.support import fakes

LONGEST = 4


def run(mv, valid, missing, cuts):
    losses, rows, good, bridges = ShortLosses(mv.shape[1], LONGEST), [], [], []
    for a, b in zip([0, *cuts], [*cuts, len(mv)], strict=True):
        x, v, found = losses.feed(mv[a:b], valid[a:b], missing[a:b])
        rows.append(x), good.append(v)
        bridges += found
    x, v = losses.flush()
    return np.concatenate([*rows, x]), np.concatenate([*good, v]), bridges


@given(st.lists(st.tuples(*2 * [st.sampled_from("....mmx")]), min_size=1, max_size=60), st.data())
def test_the_cut_does_not_matter_and_the_rule_is_plain(states, data):
    kinds = np.array(states)
    valid, missing = kinds == ".", kinds == "m"
    mv = np.where(valid, np.arange(len(kinds))[:, None] * [1.0, -3.0], 0.0)  # straight lines: a bridge restores them
    cuts = sorted(data.draw(st.lists(st.integers(0, len(kinds)), max_size=5)))
    rows, good, bridges = run(mv, valid, missing, cuts)
    whole = run(mv, valid, missing, [])
    assert rows.tobytes() == whole[0].tobytes() and (good == whole[1]).all()
    assert sorted((k, b.start, b.stop) for b in bridges for k in b.columns) == sorted(
        (k, b.start, b.stop) for b in whole[2] for k in b.columns
    )
    for k in range(2):
        text = "".join(kinds[:, k])
        for part in text.replace("x", "m").split("."):
            assert len(part) >= 0
        at = 0
        while at < len(text):
            stop = at + 1
            while stop < len(text) and text[at] != "." and text[stop] != ".":
                stop += 1
            short = text[at] == "m" and set(text[at:stop]) == {"m"} and stop - at <= LONGEST
            ends = at > 0 and stop < len(text)
            assert good[at:stop, k].all() == (text[at] == "." or (short and ends))
            at = stop
    line = np.arange(len(kinds))[:, None] * [1.0, -3.0]
    np.testing.assert_allclose(rows[good], line[good], atol=1e-9)


def test_bridge_of_a_whole_array():
    x = np.array([1.0, np.nan, 3.0, np.nan, np.nan, np.nan, 7.0, np.nan])[:, None]
    assert bridge_short(x, 2)[:, 0].tolist()[:3] == [1, 2, 3]
    assert np.isnan(bridge_short(x, 2)[3:6]).all() and np.isnan(bridge_short(x, 3)[-1, 0])
    assert bridge_short(x, 3)[3:6, 0].tolist() == [4, 5, 6]


def test_one_sample_of_one_lead_is_bridged_like_a_lost_one_and_noted(model):
    counts = fakes.walk(1000)
    block = fakes.block(counts)
    block.valid[500, 1] = False
    blocks, notes = fakes.drain(Pipeline(model, fakes.info(), mains_hz=None), [block])
    assert [(x.kind, x.index, x.stop, x.text) for x in notes] == [("held", 500, 501, "1 sample of II missing, bridged")]
    _, rows = fakes.join(blocks)
    assert rows["valid"][~rows["warmup"]].all() and not rows["warmup"][200]
    assert rows["held"][201] and not rows["held"][:200].any()


def test_an_electrode_that_is_off_for_one_sample_is_not_bridged(model):
    counts = fakes.walk(1000)
    events = [fakes.block(counts[:500]), fakes.block(counts[500:501], 500, lead_off=2), fakes.block(counts[501:], 501)]
    _, rows = fakes.join(fakes.drain(Pipeline(model, fakes.info(), mains_hz=None), events)[0])
    assert not rows["valid"][201, 0]
