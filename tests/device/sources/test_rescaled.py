from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecg_edge.device.sources.rescaled import RescaledSource, Scale
from ecg_edge.firmware_bridge.errors import LeadMismatchError
from ecg_edge.firmware_bridge.events import Channel, Gap, SampleBlock, StreamInfo
from tests.support.fakes import ListSource, block, info

COUNTS = st.lists(st.integers(-(2**20), 2**20), min_size=1, max_size=9)
NUMBERS = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=6)


def source(scales, *events):
    return RescaledSource(ListSource([list(events)]), scales)


def blocks(scales, described, *given_blocks):
    made = source(scales, described, *given_blocks).get()
    return made[0], made[1:]


@given(counts=COUNTS, uv=st.floats(0.01, 1000), zero=st.floats(-1e4, 1e4))
def test_counts_become_millivolts_as_calibrated_and_stay_as_they_are(counts, uv, zero):
    x = np.array(counts, np.int32)[:, None] * [1, -1]
    described, [made] = blocks({"I": Scale(uv, zero)}, info(), block(x))
    np.testing.assert_array_equal(made.counts, x)
    np.testing.assert_allclose(made.mv[:, 0], (x[:, 0] - zero) * uv / 1000, rtol=1e-5, atol=1e-3)
    np.testing.assert_array_equal(made.mv[:, 1], block(x).mv[:, 1])
    assert described.channels[0].lsb_mv == uv / 1000 and described.channels[0].offset == zero
    assert described.channels[1] == info().channels[1]


@given(counts=COUNTS, uv=st.floats(0.01, 1000), zero=st.floats(-1e3, 1e3))
def test_the_description_and_the_samples_agree(counts, uv, zero):
    x = np.array(counts, np.int32)[:, None] * [1, 2]
    described, [made] = blocks({"1": Scale(uv, zero), "II": Scale(2 * uv)}, info(), block(x))
    for k, channel in enumerate(described.channels):
        again = (made.counts[:, k] - channel.offset) * channel.lsb_mv
        np.testing.assert_allclose(again, made.mv[:, k], rtol=1e-5, atol=1e-3)


def test_a_channel_has_its_name_before_its_number():
    described = StreamInfo("board", Fraction(250), (Channel("2", 0.001), Channel("1", 0.001)))
    made, _ = blocks({"1": Scale(7.0)}, described)
    assert [c.lsb_mv for c in made.channels] == [0.001, 0.007]


@pytest.mark.parametrize("name", ["III", "0", "3", "-1", "", "ch1"])
def test_a_channel_that_is_not_there_is_named(name):
    with pytest.raises(LeadMismatchError, match=rf"no channel {name}.*the device has I, II") as e:
        source({name: Scale(1.0)}, info()).get()
    assert "number from 1" in e.value.fix


@given(
    numbers=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=6), uv=st.floats(0.1, 100), zero=st.floats(-1e3, 1e3)
)
def test_of_a_text_it_is_the_written_number_that_is_scaled(numbers, uv, zero):
    channel = Channel("I", 0.01, per_count=0.01)
    described = StreamInfo("text", Fraction(250), (channel,))
    written = np.array(numbers)
    mv = (written / channel.per_count * channel.lsb_mv).astype(np.float32)[:, None]
    counts = np.clip(np.rint(written / channel.per_count), -(2**31), 2**31 - 1).astype(np.int32)[:, None]
    given_block = SampleBlock(0, counts, mv, np.ones(mv.shape, bool))
    info_, [made] = blocks({"I": Scale(uv, zero)}, described, given_block)
    want = (written - zero) * uv / 1000
    np.testing.assert_allclose(made.mv[:, 0], want, rtol=1e-4, atol=1e-3 + 1e-6 * np.abs(written).max() * uv)
    assert info_.channels[0].lsb_mv == 1e-4 and info_.channels[0].offset == 0
    small = np.abs(want) < 1e5
    np.testing.assert_allclose(made.counts[small, 0] * 1e-4, made.mv[small, 0], rtol=1e-5, atol=1e-4)


def test_what_is_no_sample_passes_as_it_is():
    gap = Gap(3, 5)
    made = source({"I": Scale(1.0)}, info(), gap).get()
    assert made[1] is gap


def test_without_a_scale_for_it_a_block_passes_as_it_is():
    given_block = block([[1, 2]])
    assert source({}, info(), given_block).get()[1] is given_block


def test_the_block_that_was_given_is_not_changed():
    given_block = block([[5, 6]])
    before = given_block.mv.copy(), given_block.counts.copy()
    source({"I": Scale(100.0)}, info(), given_block).get()
    np.testing.assert_array_equal(given_block.mv, before[0])
    np.testing.assert_array_equal(given_block.counts, before[1])


def test_a_new_description_is_scaled_anew():
    s = RescaledSource(ListSource([[info()], [info(("II", "I"))], [block([[10, 20]])]]), {"I": Scale(1000.0)})
    s.get()
    assert [c.lsb_mv for c in s.get()[0].channels] == [info().channels[0].lsb_mv, 1.0]
    assert s.get()[0].mv[0, 1] == 20


class Rich(ListSource):
    """A source that counts, holds and reads."""

    bytes_read = 77
    loss_known = False

    def expect(self, short, every):
        self.expected = short, every


def test_everything_else_is_the_sources_own():
    rich, plain = Rich([[info()]], dropped=3), ListSource([[info()]])
    wrapped, simple = RescaledSource(rich, {}), RescaledSource(plain, {})
    assert (wrapped.url, wrapped.dropped_blocks, wrapped.bytes_read) == ("fake:", 3, 77)
    assert (wrapped.loss_known, simple.loss_known, simple.bytes_read) == (False, True, 0)
    wrapped.expect(2.0, 5.0)
    simple.expect(2.0, 5.0)  # it cannot hold samples: nothing happens
    assert rich.expected == (2.0, 5.0)
    wrapped.start()
    wrapped.stop()
    rich.live = rich.ended = True
    assert rich.started and rich.stopped and wrapped.live and wrapped.ended
