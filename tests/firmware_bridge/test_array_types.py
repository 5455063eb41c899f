"""When objects that hold arrays are equal."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

import ecg_edge as ee
from ecg_edge.firmware_bridge.array_types import locked, same_contents
from ecg_edge.firmware_bridge.events import SampleBlock


@dataclass(eq=False)
class Holder:
    a: object
    when: float = 0.0


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (np.array([1.0, np.nan]), np.array([1.0, np.nan]), True),
        (np.array([1.0]), np.array([2.0]), False),
        (np.array([1.0]), np.array([1.0, 1.0]), False),
        (np.array([1], np.int32), np.array([1], np.int64), False),
        (None, np.array([1.0]), False),
        ({"x": np.ones(2)}, {"x": np.ones(2)}, True),
        ({"x": np.ones(2)}, {"y": np.ones(2)}, False),
        ((np.ones(1), 2), (np.ones(1), 2), True),
        ((np.ones(1),), (np.ones(1), 2), False),
        (Holder(np.ones(3)), Holder(np.ones(3)), True),
        (1, 1.0, True),
    ],
)
def test_arrays_are_compared_wherever_they_lie(one, other, same):
    assert same_contents(Holder(one), Holder(other)) is same


def test_what_does_not_count_may_differ_and_another_type_may_not():
    assert same_contents(Holder(1, 2.0), Holder(1, 3.0), but="when") and not same_contents(Holder(1), Holder(1, 3.0))
    assert not same_contents(Holder(1), 1)


def test_blocks_of_the_front_are_compared_without_an_error():
    mv = 0.1 * np.sin(np.arange(500.0))
    one, two = (ee.reconstruct(mv, fs=250, leads="I") for _ in range(2))
    assert one == replace(two, arrival=9.0) and one != one.rows(0, 5) and one != "block"
    samples = ee.SampleBlock(0, np.ones((2, 1), np.int32), np.ones((2, 1), np.float32), np.ones((2, 1), bool))
    assert samples == replace(samples, mv=samples.mv.copy()) and samples != replace(samples, index=1)
    decoded, again = (ee.decode_bytes("plotter", b"512 \n" * 300) for _ in range(2))
    assert decoded == again != ee.decode_bytes("plotter", b"513 \n" * 300)


def test_a_model_and_a_summary_are_shown_in_a_line():
    model = ee.load_model("i-ii-int8")
    assert repr(model) == "<Model i-ii-int8.onnx: I, II to twelve leads at 100 Hz, int8>" or "tflite" in repr(model)
    assert model.spec == ee.load_model("i-ii-int8").spec != ee.load_model("ii-int8").spec
    summary = ee.run("synthetic:", seconds=1, fast=True)
    assert "250 samples in, 0 lost, 100 rows out" in repr(summary)
    assert max(map(len, map(repr, (model, model.spec, summary)))) < 200


def test_what_is_locked_shares_its_numbers_and_cannot_be_written():
    block = SampleBlock(3, np.zeros((4, 2), np.int32), np.zeros((4, 2), np.float32), np.ones((4, 2), np.bool_))
    shared = locked(block)
    assert shared == block and np.shares_memory(shared.mv, block.mv)
    with pytest.raises(ValueError, match="read-only"):
        shared.mv[0] = 1
    block.mv[0] = 1  # its owner's stays as it was
    assert shared.mv[0, 0] == 1
