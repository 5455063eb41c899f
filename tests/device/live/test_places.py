"""A patch between any electrodes, live: the model picked, the channels shown and stored, an electrode lost."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ecg_edge as ee
from ecg_edge.device.inference.any_lead import for_leads
from ecg_edge.device.inference.load import load_model
from ecg_edge.device.inference.shipped import default_model
from ecg_edge.device.lead_algebra import Provenance
from ecg_edge.device.offline.twelve_leads import Wanted, reconstruct_recording
from ecg_edge.device.reconstruction.pipeline import Pipeline
from ecg_edge.device.sinks.messages import header_message
from ecg_edge.device.sources.replay_source import read_recording
from ecg_edge.firmware_bridge.errors import LeadMismatchError
from ecg_edge.firmware_bridge.lead_names import ELECTRODES, LEADS
from ecg_edge.firmware_bridge.virtual_patch.child_process import virtual_patch
from tests.support import fakes, places

PLACE = ("RA-V5", "RA-V2")


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return places.any_electrode_file(tmp_path_factory.mktemp("places"))


def through(file, channels, events, spare=True):
    model = for_leads(load_model(file), channels)
    pipeline = Pipeline(model, places.info(channels), mains_hz=None, spare=load_model("any-int8") if spare else None)
    blocks, notes = fakes.drain(pipeline, events)
    return pipeline, blocks, notes


def test_channels_go_with_the_leads_in_strips_of_their_own(file):
    pipeline, blocks, _ = through(file, PLACE, places.events(PLACE))
    assert {p.value for p in pipeline.provenance} == {"reconstructed"}
    assert {b.channels for b in blocks} == {PLACE}
    mv = np.concatenate([b.channel_mv for b in blocks])
    twelve = np.concatenate([b.mv for b in blocks])
    assert mv.shape == (len(twelve), 2) and np.concatenate([b.channel_valid for b in blocks]).all()
    _, other, _ = through(file, ("RA-V2",), places.events(("RA-V2",)))
    np.testing.assert_allclose(mv[:, 1], np.concatenate([b.channel_mv for b in other])[:, 0], atol=1e-5)
    v = dict(zip(LEADS, twelve.T, strict=True))
    measured, guessed = mv[150:, 0] - mv[150:, 1], (v["V5"] - v["V2"])[150:]
    assert np.corrcoef(measured, guessed)[0, 1] > 0.99 and (measured - guessed).std() < 0.02  # its guess fits


@settings(max_examples=6)
@given(st.integers(1, 400))
def test_every_cut_gives_the_same_bytes(file, cut):
    whole = through(file, PLACE, places.events(PLACE, cut=1500))[1]
    parts = through(file, PLACE, places.events(PLACE, cut=cut))[1]
    for name in ("mv", "channel_mv", "channel_valid"):
        a, b = (b"".join(getattr(x, name).tobytes() for x in blocks) for blocks in (whole, parts))
        assert a == b, name


def test_a_lost_electrode_leaves_the_channel_that_remains(file):
    off = 1 << ELECTRODES.index("V2")
    events = places.events(PLACE, 3000, lead_off=lambda at: off if at >= 1500 else 0)
    _, blocks, notes = through(file, PLACE, events)
    said = [n.text for n in notes if n.kind == "fallback"]
    assert said == ["reconstructing from RA-V5 alone"]
    last = blocks[-1]
    assert last.valid.all() and not last.warmup.any()
    np.testing.assert_array_equal(last.channel_valid[-1], [True, False])
    _, alone, _ = through(file, ("RA-V5",), places.events(("RA-V5",), 3000))
    np.testing.assert_allclose(last.mv[-20:], alone[-1].mv[-20:], atol=2e-3)


def test_the_common_electrode_lost_leaves_nothing(file):
    off = 1 << ELECTRODES.index("RA")
    _, blocks, _ = through(file, PLACE, places.events(PLACE, lead_off=lambda at: off))
    assert not any(b.valid.any() or b.channel_valid.any() for b in blocks)


def test_without_a_fallback_the_usual_flags_are_all_there_is(file):
    off = 1 << ELECTRODES.index("V2")
    _, blocks, notes = through(file, PLACE, places.events(PLACE, 3000, lead_off=lambda at: off * (at > 1500)), False)
    assert not blocks[-1].valid.any() and not [n for n in notes if n.kind == "fallback"]


def test_the_fitting_model_is_picked(file, monkeypatch):
    from ecg_edge.device.inference import shipped

    there = shipped.shipped_models()
    monkeypatch.setattr(shipped, "shipped_models", lambda: {**there, "any-electrode-int8": file})
    assert default_model(PLACE) == file
    assert default_model(("RA-LA",)).stem == "i-int8"  # lead I under another name
    assert default_model(("RA-LL", "RA-LA")).stem == "i-ii-int8"
    assert default_model(("I", "II")).stem == "i-ii-int8"
    assert default_model(("I", "RA-V5")) == file
    assert default_model(("V1", "V1-V5")) == file or default_model(("V1", "V1-V5")).stem == "any-int8"


def test_a_channel_of_no_known_place_has_two_ways_out():
    with pytest.raises(LeadMismatchError) as refused:
        default_model(("ch1", "resp"))
    assert "--leads RA-V5,RA-V2" in refused.value.fix and "calibrate --patch" in refused.value.fix


def test_pair_of_limb_electrodes_is_lead_one():
    model = load_model("i-int8")
    _, blocks, _ = through(model.path, ("RA-LA",), places.events(("RA-LA",)), spare=False)
    _, usual, _ = through(model.path, ("I",), places.events(("I",)), spare=False)
    a, b = (np.concatenate([x.mv for x in found]) for found in (blocks, usual))
    assert a.tobytes() == b.tobytes()
    assert blocks[0].provenance[0] is Provenance.MEASURED and blocks[0].channels == ()


def test_a_run_stores_and_states_its_place_and_reads_it_back(file, tmp_path):
    sink = fakes.ListSink()
    with virtual_patch("RA-V5,RA-V2") as port:
        summary = ee.run(port, [ee.Recorder(tmp_path), sink], model=file, seconds=4, mains_hz=None)
    doc = summary.to_dict()
    assert doc["channels"] == list(PLACE) and doc["electrodes"] == ["RA", "V2", "V5"]
    assert doc["heart_rate_bpm"] is None or 40 < doc["heart_rate_bpm"] < 120
    said = json.loads(header_message(sink.header))
    assert said["channels"] == list(PLACE) and said["electrodes"] == ["RA", "V2", "V5"]
    assert "electrodes: RA, V2, V5" in summary.recording.with_suffix(".hea").read_text()
    measured = f"{summary.recording}_measured"
    info, _ = read_recording(measured)
    assert info.leads == PLACE
    again = reconstruct_recording(measured, Wanted(model=file, mains_hz=None))
    assert again.block.channels == PLACE and len(again.block) > 350
