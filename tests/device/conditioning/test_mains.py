"""Which mains frequencies are taken, and that every way into the library asks."""

import numpy as np
import pytest

import ecg_edge as ee
from ecg_edge.device.conditioning.mains import exact_mains

WRONG = [0, float("nan"), 55, "50", True, -50, [50]]


@pytest.mark.parametrize("mains_hz", [50, 60.0, np.float32(50), np.int64(60), None])
def test_a_mains_frequency_is_taken_as_any_number(mains_hz):
    assert exact_mains(mains_hz) == mains_hz


@pytest.mark.parametrize("mains_hz", WRONG, ids=repr)
@pytest.mark.parametrize(
    "call",
    [
        lambda hz: ee.reconstruct(np.zeros((500, 2)), fs=250, leads=("I", "II"), mains_hz=hz),
        lambda hz: ee.Reconstructor(fs=250, leads=("I", "II"), mains_hz=hz),
        lambda hz: ee.open_stream("synthetic:", mains_hz=hz),
        lambda hz: ee.run("synthetic:", seconds=1, fast=True, mains_hz=hz),
    ],
    ids=["reconstruct", "Reconstructor", "open_stream", "run"],
)
def test_any_other_is_refused_everywhere(call, mains_hz):
    with pytest.raises(ee.UsageError, match="is no mains frequency") as e:
        call(mains_hz)
    assert "mains_hz=50 or 60" in e.value.fix
