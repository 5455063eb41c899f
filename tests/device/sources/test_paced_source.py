from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecg_edge.device.sources.paced_source import FRAME_S, PacedSource
from ecg_edge.device.sources.synthetic_source import synthetic
from ecg_edge.firmware_bridge.clock import ManualClock
from ecg_edge.firmware_bridge.errors import UsageError
from ecg_edge.firmware_bridge.events import SampleBlock, StreamInfo
from ecg_edge.firmware_bridge.synthetic_heart.heart import SyntheticHeart
from tests.support.fakes import block, info


def paced(sizes, fs=100, fast=False, clock=None):
    made, at = [], 0
    for n in sizes:
        made.append(block(np.full((n, 2), at), at))
        at += n
    return PacedSource(info(fs=fs), iter(made), clock or ManualClock(), fast, url="made:")


def test_the_description_is_first_and_then_each_block_when_its_last_sample_is_due():
    clock = ManualClock()
    source = paced([10, 20, 5], clock=clock)
    begun = clock.monotonic()
    assert [type(e) for e in source.get()] == [StreamInfo] and clock.monotonic() == begun
    due = []
    while not source.ended:
        for b in source.get():
            due.append(round(b.arrival - begun, 9))
            assert b.arrival == clock.monotonic()
    assert due == [0.1, 0.3, 0.35]


def test_a_source_that_was_not_asked_catches_up_without_waiting():
    clock = ManualClock()
    source = paced([10] * 5, clock=clock)
    source.get()
    clock.advance(10)
    now = clock.monotonic()
    assert [source.get()[0].arrival for _ in range(5)] == [now] * 5


def test_a_fast_source_has_no_pace_and_gives_several_blocks_at_once():
    clock = ManualClock()
    source = paced([10] * 60, fast=True, clock=clock)
    before = clock.monotonic()
    source.get()
    sizes = [len(source.get()) for _ in range(4)]
    assert sizes == [25, 25, 10, 0] and source.ended and clock.monotonic() == before


@given(sizes=st.lists(st.integers(1, 9), max_size=70), fast=st.booleans())
def test_nothing_is_lost_or_changed_on_the_way(sizes, fast):
    source, index = paced(sizes, fast=fast), []
    while not source.ended:
        for e in source.get():
            if isinstance(e, SampleBlock):
                index += range(e.index, e.index + len(e))
    assert index == list(range(sum(sizes)))


def test_it_says_how_it_is_called():
    source = paced([1])
    assert (source.url, source.live, source.dropped_blocks, source.ended) == ("made:", False, 0, False)


@given(fs=st.sampled_from(["100", "250", "500/3", "1000", "128"]), seed=st.integers(0, 5))
def test_the_synthetic_source_is_the_heart_in_frames(fs, seed):
    described, blocks = synthetic(f"leads=II,V2&fs={fs}&seed={seed}&bpm=70")
    frame = max(1, round(FRAME_S * Fraction(fs)))
    assert described.fs == Fraction(fs) and described.samples_per_frame == frame and described.leads == ("II", "V2")
    made = [next(blocks) for _ in range(5)]
    assert [b.index for b in made] == [k * frame for k in range(5)] and all(b.valid.all() for b in made)
    want = SyntheticHeart(Fraction(fs), ("II", "V2"), 70, seed).read(5 * frame)
    np.testing.assert_allclose(np.concatenate([b.mv for b in made]), want, atol=0.0006)
    np.testing.assert_allclose(made[0].counts * described.channels[0].lsb_mv, made[0].mv, atol=1e-6)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("fs=0", "no rate of an ECG"),
        ("fs=200000", "no rate of an ECG"),
        ("fs=1/0", "bad source"),
        ("fs=fast", "bad source"),
        ("lead=I", "unknown parameter lead"),
        ("leads=", "bad source"),
        ("leads=I,I", "bad source"),
        ("seed=x", "bad source"),
        ("bpm=nan", "bad source"),
        ("bpm=0", "bad source"),
        ("I,II", "bad source"),
    ],
)
def test_parameters_that_make_no_heart_are_named(text, why):
    with pytest.raises(UsageError, match=why) as e:
        synthetic(text)
    assert "synthetic:leads=I,II" in e.value.fix
