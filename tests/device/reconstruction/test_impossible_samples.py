"""One sample that no heart and no electrode can have given spoils nothing, on any way through the program."""

import warnings
from fractions import Fraction

import numpy as np
import pytest

from ecg_edge.device.inference.load import load_model
from ecg_edge.device.lead_block import LeadBlock
from ecg_edge.device.reconstruction.offline import reconstruct
from ecg_edge.device.reconstruction.pipeline import Pipeline
from ecg_edge.device.reconstruction.reconstructor import Reconstructor
from ecg_edge.firmware_bridge.events import Channel, SampleBlock, StreamInfo
from ecg_edge.firmware_bridge.synthetic_heart.heart import SyntheticHeart

FS, AT, HIGHEST_MV = 500, 2500, 3.0
HEART = SyntheticHeart(FS).read(5000)[:, :2]
SPIKES = (50.0, -1e3, 1e6, 1e38, 1e100, 1e155, 1e300)


def offline(mv: np.ndarray, leads: tuple[str, ...]) -> LeadBlock:
    return reconstruct(mv, fs=FS, leads=leads)


def stream(mv: np.ndarray, leads: tuple[str, ...]) -> LeadBlock:
    live = Reconstructor(fs=FS, leads=leads)
    return LeadBlock.join([*(live.feed(mv[a : a + 333]) for a in range(0, len(mv), 333)), live.flush()])


def run(mv: np.ndarray, leads: tuple[str, ...]) -> LeadBlock:
    info = StreamInfo("board", Fraction(FS), tuple(Channel(lead, 0.001) for lead in leads))
    pipeline = Pipeline(load_model("i-ii-int8" if len(leads) > 1 else "i-int8"), info, mains_hz=50)
    with np.errstate(over="ignore"):
        narrow = mv.astype(np.float32)
    block = SampleBlock(0, np.arange(mv.size, dtype=np.int32).reshape(mv.shape), narrow, np.isfinite(mv))
    items = [*pipeline.feed(block), *pipeline.flush()]
    return LeadBlock.join([item for item in items if isinstance(item, LeadBlock)])


@pytest.mark.parametrize("way", [offline, stream, run])
@pytest.mark.parametrize("leads", [("I",), ("I", "II")])
def test_nothing_large_is_called_valid(way, leads):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for spike in SPIKES:
            mv = HEART[:, : len(leads)].copy()
            mv[AT, 0] = spike
            block = way(mv, leads)
            assert np.abs(block.mv[block.valid]).max() < HIGHEST_MV, spike
            assert np.isfinite(block.mv).all() and block.valid[600:].all(1).any(), spike


def test_it_is_bridged_as_a_lost_sample_is():
    lost, spiked = HEART.copy(), HEART.copy()
    lost[AT : AT + 3], spiked[AT : AT + 3] = np.nan, [[400.0], [-90.0], [1e30]]
    one, other = (reconstruct(mv, fs=FS, leads=("I", "II")) for mv in (lost, spiked))
    assert one == other and one.held is not None and one.held.any() and one.valid.all()


def test_an_electrode_that_moved_for_good_is_followed():
    mv = HEART + np.where(np.arange(len(HEART)) < AT, 0.0, 200.0)[:, None]
    block = reconstruct(mv, fs=FS, leads=("I", "II"))
    assert np.abs(block.mv[block.valid]).max() < HIGHEST_MV and block.valid[-200:].all()
    assert not block.valid[501:504].any()


@pytest.mark.parametrize("at", [0.0, 0.4, 2.0, 3.6, 4.4])
@pytest.mark.parametrize("for_good", [False, True])
@pytest.mark.parametrize("leads", [("I",), ("I", "II")])
def test_a_leap_of_every_lead_costs_a_moment_of_what_is_measured(at, for_good, leads):
    fs = 250
    mv = SyntheticHeart(fs).read(5000)[:, : len(leads)].astype(np.float64)
    first = round(at * fs)
    mv[first : len(mv) if for_good else first + 1] += 30
    live = Reconstructor(fs=fs, leads=leads)
    whole = LeadBlock.join([live.feed(mv), live.flush()])
    cut = LeadBlock.join([*(live.feed(mv[a : a + 7]) for a in range(0, len(mv), 7)), live.flush()])
    assert whole == cut
    assert (~whole.valid[:, 0]).sum() <= 20  # a sample, or 40 ms, and the filter's kernel


@pytest.mark.parametrize("seconds", [1, 2, 3, 5])
def test_a_leap_makes_no_short_recording_one_of_counts(seconds):
    mv = SyntheticHeart(250).read(250 * seconds)[:, :2].astype(np.float64)
    mv[100] = 30
    mv[140:] += 30
    assert reconstruct(mv, fs=250, leads=("I", "II")).mv.shape[1] == 12
