import json
import re
from importlib import resources

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecg_edge.device.lead_algebra import Provenance, provenance
from ecg_edge.device.lead_block import LeadBlock, Note
from ecg_edge.device.monitor import frames as wire
from ecg_edge.device.sinks.messages import VERSION, note_message, status_message
from ecg_edge.device.sinks.sink import Status
from ecg_edge.firmware_bridge.clock import ManualClock
from ecg_edge.firmware_bridge.errors import NotAnEcgStreamError
from ecg_edge.firmware_bridge.lead_names import LEADS


def make_block(seed, n=8, measured=("I", "II"), index=0):
    rng = np.random.default_rng(seed)
    kinds = provenance(measured)
    sigma = rng.uniform(0, 2, (n, 12)).astype(np.float32)
    sigma[:, [p is not Provenance.RECONSTRUCTED for p in kinds]] = 0
    return LeadBlock(
        index,
        rng.normal(0, 1, (n, 12)).astype(np.float32),
        kinds,
        rng.random((n, 12)) < 0.8,
        rng.random(n) < 0.3,
        sigma,
    )


lead_sets = st.lists(st.sampled_from(LEADS), min_size=1, max_size=12, unique=True)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 50), lead_sets, st.integers(0, 2**50))
def test_what_is_sent_is_what_arrives(seed, n, measured, index):
    block = make_block(seed, n, tuple(measured), index)
    (data,) = wire.encode_frames(block, sequence=seed)
    frame = wire.decode_frame(data)
    assert (frame.index, frame.sequence, frame.provenance) == (index, seed, block.provenance)
    assert wire.frame_rows(data) == n
    np.testing.assert_allclose(frame.uv, block.mv * 1000, atol=0.5001)
    np.testing.assert_allclose(frame.sigma_uv, block.sigma * 1000, atol=0.5001)
    np.testing.assert_array_equal(frame.valid, block.valid)
    np.testing.assert_array_equal(frame.warmup, block.warmup)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 60), st.integers(1, 20))
def test_a_long_block_is_cut_without_loss(n, rows):
    block = make_block(5, n, index=1000)
    frames = [wire.decode_frame(d) for d in wire.encode_frames(block, 7, max_rows=rows)]
    assert [f.sequence for f in frames] == list(range(7, 7 + len(frames)))
    assert [f.index for f in frames] == list(range(1000, 1000 + n, rows))
    np.testing.assert_array_equal(np.concatenate([f.valid for f in frames]), block.valid)


def test_an_empty_block_sends_nothing():
    assert wire.encode_frames(make_block(1, 0), 0) == []


def test_values_out_of_range_are_clipped_and_unknown_ones_invalid():
    block = make_block(2, 4)
    block.valid[:] = True
    block.mv[0, 0], block.mv[1, 0], block.mv[2, 0], block.mv[3, 0] = 50, -50, np.nan, np.inf
    block.sigma[0, 6], block.sigma[1, 6] = 90, np.nan
    frame = wire.decode_frame(wire.encode_frames(block, 0)[0])
    assert frame.uv[:, 0].tolist() == [32767, -32767, 0, 0]
    assert frame.valid[:, 0].tolist() == [True, True, False, False]
    assert frame.sigma_uv[:2, 6].tolist() == [65535, 65535]


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_damaged_frames_are_refused_not_misread(data):
    good = bytearray(wire.encode_frames(make_block(3), 0)[0])
    cut = data.draw(st.integers(0, len(good) - 1))
    with pytest.raises(NotAnEcgStreamError):
        wire.decode_frame(bytes(good[:cut]))
    for position, value in ((0, 0xE0), (1, 9), (2, 200), (16, 0xFF)):
        bad = good.copy()
        bad[position] = value
        with pytest.raises(NotAnEcgStreamError):
            wire.decode_frame(bytes(bad))


def test_figures_that_are_unknown_become_null():
    status = Status(1.0, 250, 100, 0, float("nan"), 3.0, float("inf"), None, ("LL",), connected=False)
    message = json.loads(status_message(status))
    assert message["type"] == "status"
    assert message["rate_hz"] is message["latency_p99_ms"] is message["heart_rate_bpm"] is None
    assert message["lead_off"] == ["LL"] and message["connected"] is False


def test_a_note_keeps_its_fields_and_gets_its_time():
    clock = ManualClock()
    clock.advance(61)
    message = json.loads(note_message(Note("gap", 10, 35, "25 samples lost"), clock.now()))
    assert message == {
        "type": "note",
        "at": "2000-01-01T00:01:01+00:00",
        "kind": "gap",
        "index": 10,
        "stop": 35,
        "text": "25 samples lost",
    }


def test_the_page_reads_the_same_constants():
    js = (resources.files("ecg_edge.device.monitor") / "web" / "wire.js").read_text()
    assert re.search(r"LEADS = \[([^]]*)\]", js).group(1).replace('"', "").split(", ") == list(LEADS)
    assert int(re.search(r"MAGIC = (\w+)", js).group(1), 0) == wire.MAGIC
    assert int(re.search(r"VERSION = (\w+)", js).group(1)) == VERSION
    assert int(re.search(r"WARMUP = (\w+)", js).group(1), 0) == 1 << wire.WARMUP_BIT
    assert re.search(r"KINDS = \[([^]]*)\]", js).group(1).replace('"', "").split(", ") == [p.value for p in Provenance]
