"""The first seconds of a run: warm where a stored recording lends its past, invalid where nothing can."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ecg_edge as ee
from ecg_edge.device.inference.load import load_model
from ecg_edge.device.reconstruction.pipeline import Pipeline
from ecg_edge.device.sources.rescaled import RescaledSource, Scale
from ecg_edge.firmware_bridge.events import Channel, Origin, SampleBlock, StreamInfo
from ecg_edge.firmware_bridge.synthetic_heart.heart import SyntheticHeart
from tests.support import fakes
from tests.support.stored_files import wfdb_record

SHIPPED = ("i-ii-int8", "ii-int8", "i-int8", "i-ii-v2-int8")
FS = 250


def chest(model: ee.Model) -> np.ndarray:
    return np.array([p is ee.Provenance.RECONSTRUCTED for p in Pipeline(model, info(model), mains_hz=None).provenance])


def info(model: ee.Model) -> StreamInfo:
    channels = tuple(Channel(lead, 1e-3, bits=16) for lead in model.spec.input_leads)
    return StreamInfo("heart", Fraction(FS), channels)


def block(mv: np.ndarray) -> SampleBlock:
    return SampleBlock(0, np.rint(mv * 1000).astype(np.int32), mv.astype(np.float32), np.ones(mv.shape, np.bool_))


def rows(model: ee.Model, stream: StreamInfo, *events: object) -> ee.LeadBlock:
    return ee.LeadBlock.join(fakes.drain(Pipeline(model, stream, mains_hz=50), events)[0])


@pytest.mark.parametrize("name", SHIPPED)
def test_what_an_empty_network_says_is_invalid(name: str) -> None:
    """Live, after 30 s: what was shown of the first seconds is what a warm network says of them."""
    model = load_model(name)
    mv = SyntheticHeart(FS, model.spec.input_leads, seed=2).read(12 * FS)
    cold = rows(model, info(model), block(mv)).rows(0, 1200)
    warm = rows(model, info(model), block(np.concatenate([mv, mv]))).rows(1200, 2400)
    settle = round(model.spec.settling_s * model.spec.fs)
    guess = chest(model)
    assert not cold.valid[:settle, guess].any() and cold.valid[:-20, ~guess].all()
    assert cold.valid[settle:-20].all()
    shown = np.where(cold.valid, np.abs(cold.mv - warm.mv), 0)[:, guess]
    assert np.abs(cold.mv - warm.mv)[:settle, guess].max() > 0.3 > shown.max()


@pytest.mark.parametrize("name", SHIPPED)
def test_a_stored_record_starts_warm(name: str, tmp_path: object) -> None:
    model = load_model(name)
    mv = SyntheticHeart(FS, model.spec.input_leads, seed=3, noise_uv=5).read(20 * FS)
    path = wfdb_record(tmp_path, "r", mv, FS, model.spec.input_leads)
    with ee.open_stream(f"replay:{path}", model, fast=True) as stream:
        live = ee.LeadBlock.join(list(stream))
    stored = ee.reconstruct(mv, fs=FS, leads=model.spec.input_leads, model=model)
    assert live.index == 0 and live.valid[:1800].all() and not live.warmup.any() and len(live) == 2000
    late = round(100 * (stream.delay or 0.0))
    error = np.abs(live.mv[late:1800] - stored.mv[: 1800 - late])[:, chest(model)]
    assert error[:200].max() < 1.5 * error[200:].max() + 0.05


def test_silence_for_ever_is_silence_from_the_first_row(tmp_path: object) -> None:
    path = wfdb_record(tmp_path, "zero", np.zeros((2500, 2)))
    with ee.open_stream(f"replay:{path}", "i-ii-int8", fast=True) as stream:
        live = ee.LeadBlock.join(list(stream))
    assert np.ptp(live.mv[:900], axis=0).max() < 0.03


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 900), st.lists(st.integers(1, 200), max_size=6), st.sampled_from([50, 100, 250, 360, 500]))
def test_a_past_changes_neither_length_nor_the_cut(model: ee.Model, n: int, cuts: list[int], fs: int) -> None:
    past = replace(block(0.1 * fakes.walk(n, seed=1)), index=-n)
    stream = replace(fakes.info(fs=fs), origin=Origin(past=past))
    counts = fakes.walk(1000)
    _, whole = fakes.join(fakes.drain(Pipeline(model, stream, mains_hz=None), [fakes.block(counts)])[0])
    at, events = 0, []
    for cut in [*cuts, 1000]:
        events.append(fakes.block(counts[at : at + cut], at))
        at += cut
    first, parts = fakes.join(fakes.drain(Pipeline(model, stream, mains_hz=None), events)[0])
    assert first == 0 and len(parts["mv"]) == int(-(-1000 * 100 // fs))
    assert all(parts[f].tobytes() == whole[f].tobytes() for f in parts)


def test_gains_from_outside_scale_the_past_as_well() -> None:
    past = replace(block(np.ones((5, 2))), index=-5)
    source = RescaledSource(fakes.ListSource([[replace(fakes.info(), origin=Origin(past=past))]]), {"I": Scale(2.0)})
    [found] = source.get()
    assert found.origin.past.mv[0].tolist() == [2.0, 1.0] and found.origin.past.index == -5


def test_a_record_cut_short_is_played_as_far_as_it_goes(tmp_path: object) -> None:
    path = wfdb_record(tmp_path, "cut", SyntheticHeart(FS, ("I", "II")).read(5000))
    data = path.with_suffix(".dat")
    data.write_bytes(data.read_bytes()[: 4 * 2000])
    with ee.open_stream(f"replay:{path}", "i-ii-int8", fast=True) as stream:
        live = ee.LeadBlock.join(list(stream))
    assert len(live) == 800 and live.valid[:700].all()
