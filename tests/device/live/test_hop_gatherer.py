"""Taking just what completes a hop: nothing later, nothing lost, and a live source left alone in between."""

import threading
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecg_edge.device.lead_block import LeadBlock
from ecg_edge.device.live.hop_gatherer import Gatherer
from ecg_edge.device.reconstruction.pipeline import Pipeline
from ecg_edge.firmware_bridge.errors import DeviceLostError
from ecg_edge.firmware_bridge.events import Channel, Gap, SampleBlock, StreamInfo
from tests.support.tiny_model import tiny_model

INFO = StreamInfo("x", Fraction(250), (Channel("I", 0.001), Channel("II", 0.001)))


def block(index, n):
    counts = np.zeros((n, 2), np.int32)
    return SampleBlock(index, counts, counts.astype(np.float32), np.ones((n, 2), np.bool_))


class FakeSource:
    """Gives the lists it was made with, one per call; then nothing, or an error."""

    def __init__(self, lists, live=True, error=None):
        self.lists, self.live, self.error, self.ended = list(lists), live, error, False
        self.asked = []

    def get(self, timeout=None):
        self.asked.append(timeout)
        if not self.lists and self.error:
            raise self.error
        return self.lists.pop(0) if self.lists else []


class FakeClock:
    def __init__(self):
        self.waits = []

    def wait(self, stop, seconds):
        self.waits.append(seconds)
        return False


@pytest.fixture
def pipeline(tmp_path):
    return Pipeline(tiny_model(tmp_path), INFO, mains_hz=None)


def gatherer(source):
    return Gatherer(source, FakeClock(), threading.Event())


def test_a_hop_is_taken_in_one_piece(pipeline):
    """4 rows at 100 Hz are 10 native samples; the 8th completes the last of them."""
    need = pipeline.missing
    assert need == 8
    source = FakeSource([[block(k, 1)] for k in range(30)])
    g = gatherer(source)
    assert len(g.take(pipeline)) == need
    assert len(source.lists) == 30 - need


def test_a_live_source_is_left_alone_until_shortly_before(pipeline):
    source = FakeSource([[block(0, 1)], [], [block(1, 7)]])
    g = gatherer(source)
    g.take(pipeline)
    assert g._clock.waits == [pytest.approx(7 / 250 - 0.02)]


def test_a_patient_source_is_told_what_is_of_use_and_when_again(pipeline):
    """First before the wait, last before the hop is computed: the reader must know by then."""

    class PatientSource(FakeSource):
        def __init__(self, lists):
            super().__init__(lists)
            self.told = []

        def expect(self, short, every):
            self.told.append((short, every))

    source = PatientSource([[block(0, 1), block(1, 9)]])
    g = gatherer(source)
    assert len(g.take(pipeline)) == 2
    assert source.told == [(8, 10), (8, 10)]  # 10 came, 2 of the next ten among them
    assert g._clock.waits == []
    source.lists, source.told = [[block(0, 1)]], []
    g.take(pipeline)
    assert source.told == [(8, 10), (7, 10)]


def test_a_paced_source_waits_by_itself(pipeline):
    source = FakeSource([[block(0, 1)], [block(1, 7)]], live=False)
    g = gatherer(source)
    assert sum(len(b) for b in g.take(pipeline)) == 8
    assert g._clock.waits == []
    assert 0 not in source.asked


@pytest.mark.parametrize("other", [Gap(1, 3), INFO])
def test_what_is_no_sample_is_passed_on_at_once(pipeline, other):
    source = FakeSource([[block(0, 1)], [other], [block(3, 9)]])
    assert gatherer(source).take(pipeline)[-1] is other
    assert len(source.lists) == 1


def test_silence_is_not_waited_out(pipeline):
    source = FakeSource([[block(0, 1)], [], []])
    assert len(gatherer(source).take(pipeline)) == 1


def test_what_was_taken_before_an_error_is_kept(pipeline):
    g = gatherer(FakeSource([[block(0, 1)]], error=DeviceLostError("gone")))
    with pytest.raises(DeviceLostError):
        g.take(pipeline)
    assert [len(b) for b in g.rest()] == [1]
    assert g.rest() == []


@settings(max_examples=30, deadline=None)
@given(sizes=st.lists(st.integers(1, 40), min_size=1, max_size=12))
def test_rows_come_out_exactly_when_nothing_is_missing(tmp_path_factory, sizes):
    pipeline = Pipeline(tiny_model(tmp_path_factory.mktemp("m")), INFO, mains_hz=50)
    at = 0
    for n in sizes:
        need = pipeline.missing
        out = [x for x in pipeline.feed(block(at, n)) if isinstance(x, LeadBlock)]
        at += n
        if n < need:
            assert not out
            assert pipeline.missing == need - n
        else:
            assert 0 < pipeline.missing <= 10
