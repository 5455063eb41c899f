import numpy as np
import pytest

from ecg_edge.device.analysis.numbers_watch import NOTHING, NumbersWatch
from ecg_edge.firmware_bridge.events import Channel, SampleBlock

TEN = Channel("I", 5000 / 1024 / 1100, 512, bits=10)


def feed(watch, counts, valid=True, lead_off=0):
    counts = np.asarray(counts, np.int32)[:, None]
    valid = np.broadcast_to(np.asarray(valid), counts.shape)
    watch.feed(SampleBlock(0, counts, counts.astype(np.float32), valid.copy(), lead_off))


@pytest.mark.parametrize("largest", [1024, 2047, 4095])
def test_counts_beyond_ten_bits_disprove_them(largest):
    watch = NumbersWatch((TEN,), 250.0)
    feed(watch, np.arange(largest - 40, largest + 1).clip(min=1000))
    feed(watch, [largest] * 10)
    (text,) = watch.news()
    assert str(largest) in text and "10 bits" in text and "scale" in text and "--as" in text
    assert watch.warnings == (text,)
    feed(watch, [largest + 1] * 10)
    assert list(watch.news()) == []  # once


@pytest.mark.parametrize("counts", [np.arange(1024), [500] * 100 + [4000] * 3])
def test_counts_within_them_and_a_few_damaged_ones_do_not(counts):
    watch = NumbersWatch((TEN,), 250.0)
    feed(watch, counts)
    assert watch.warnings == ()


def test_signed_and_undescribed_counts_have_no_largest():
    watch = NumbersWatch((Channel("I", 1e-4, bits=24), Channel("II", 1e-4, 0, bits=0)), 250.0)
    counts = np.full((100, 2), 2**30, np.int32)
    watch.feed(SampleBlock(0, counts, counts.astype(np.float32), np.ones((100, 2), bool)))
    assert watch.warnings == ()


def test_nothing_valid_is_said_after_two_seconds():
    watch = NumbersWatch((TEN,), 250.0)
    feed(watch, [0] * 499, valid=False)
    assert watch.warnings == () and not watch.never_valid
    feed(watch, [0] * 2, valid=False)
    assert watch.warnings == (NOTHING,) and watch.never_valid
    feed(watch, [500])
    assert watch.warnings == () and not watch.never_valid


def test_electrodes_off_are_another_matter():
    watch = NumbersWatch((TEN,), 250.0)
    feed(watch, [0] * 2000, valid=False, lead_off=1)
    assert watch.warnings == () and not watch.never_valid
