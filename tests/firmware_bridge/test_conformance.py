"""The checks can fail: decoders with one fault each do not pass."""

from dataclasses import replace

import numpy as np
import pytest

from ecg_edge.firmware_bridge.conformance import FRAMES, Specimen, check_cuts, check_decoder, check_garbage, injured
from ecg_edge.firmware_bridge.decoders.catalogue import find_device
from ecg_edge.firmware_bridge.events import SampleBlock
from tests.support.wire import STREAMS_BY_DEVICE

GOOD = STREAMS_BY_DEVICE["cyton"]
CYTON = find_device("cyton")


class Faulty:
    """A decoder of the Cyton with something changed."""

    def __init__(self, change=lambda events: events, before=lambda data: data):
        self._decoder, self._change, self._before = CYTON.decoder(), change, before
        self.buffered = 0

    def __getattr__(self, name):
        return getattr(self._decoder, name)

    def feed(self, data, arrival=0.0):
        return self._change(self._decoder.feed(self._before(data), arrival))

    def close(self):
        return self._change(self._decoder.close())


def faulty(**how):
    return Specimen(lambda: Faulty(**how), GOOD.frames, GOOD.counts, True)


def off_by_one(event):
    return replace(event, counts=event.counts + 1) if isinstance(event, SampleBlock) else event


def test_a_right_decoder_passes():
    check_decoder(faulty())


def test_lost_samples_are_seen():
    with pytest.raises(AssertionError, match="clean: other counts"):
        check_decoder(faulty(change=lambda events: [off_by_one(e) for e in events]))
    with pytest.raises(AssertionError, match="nothing is decoded"):
        check_decoder(faulty(change=lambda events: []))


def test_a_loss_that_is_not_admitted_is_seen():
    with pytest.raises(AssertionError, match="loss_known contradicts"):
        check_decoder(Specimen(GOOD.make, GOOD.frames, GOOD.counts, counted=False))


def test_a_decoder_that_forgets_a_started_frame_is_seen():
    def whole_frames_only(data):
        return data[: len(data) // 33 * 33]

    with pytest.raises(AssertionError, match="cuts"):
        check_cuts(faulty(before=whole_frames_only).make, GOOD.clean, [50, 100])


def test_a_growing_buffer_is_seen():
    class Hoarder(Faulty):
        def feed(self, data, arrival=0.0):
            self.buffered += 1 << 13
            return super().feed(data, arrival)

    with pytest.raises(AssertionError, match="the buffer grows"):
        check_garbage(Hoarder, [], 0)


def test_a_specimen_has_its_length_and_its_injuries():
    with pytest.raises(AssertionError, match=f"{FRAMES} frames"):
        Specimen(GOOD.make, GOOD.frames[:-1], GOOD.counts[:-1], True)
    data, survivors, twice = injured(GOOD)
    assert len(survivors) == FRAMES - 11 and twice == [37] and data != GOOD.clean
    assert np.array_equal(GOOD.rows([3, 5]), np.concatenate([GOOD.counts[3], GOOD.counts[5]]))
