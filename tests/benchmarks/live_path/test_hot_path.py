"""No Python per sample: a block of four times the samples takes no more calls."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ecg_edge.benchmarks.live_path.stages import _header
from ecg_edge.device.conditioning.conditioner import Conditioner
from ecg_edge.device.conditioning.spec import ConditioningSpec
from ecg_edge.device.inference.load import load_model
from ecg_edge.device.lead_algebra import provenance
from ecg_edge.device.lead_block import LeadBlock
from ecg_edge.device.monitor.frames import encode_frames
from ecg_edge.device.recording.recorder import Recorder
from ecg_edge.firmware_bridge.ecglink.decoder import EcgLinkDecoder
from ecg_edge.firmware_bridge.ecglink.encoder import EcgLinkEncoder
from ecg_edge.firmware_bridge.events import Channel, SampleBlock, StreamInfo

SMALL, FACTOR = 10, 4


def calls(work: Callable[[], object]) -> int:
    """Calls of Python and of C functions while `work` runs."""
    seen = [0]

    def count(_: Any, what: str, __: Any) -> None:
        seen[0] += what in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(before)
    return seen[0]


def info(n: int, fs: int = 250) -> StreamInfo:
    channels = (Channel("I", 0.001), Channel("II", 0.001))
    return StreamInfo("test", Fraction(fs), channels, samples_per_frame=n)


def native(n: int) -> SampleBlock:
    counts = np.arange(2 * n, dtype=np.int32).reshape(n, 2)
    mv = counts.astype(np.float32) / 1000
    return SampleBlock(0, counts, mv, np.ones((n, 2), np.bool_), 0.0)


def rows(n: int) -> LeadBlock:
    good = np.ones((n, 12), np.bool_)
    mv = np.zeros((n, 12), np.float32)
    return LeadBlock(0, mv, provenance(("I", "II")), good, np.zeros(n, np.bool_), mv)


def decoding(n: int) -> Callable[[], object]:
    encoder = EcgLinkEncoder(info(n))
    decoder = EcgLinkDecoder()
    decoder.feed(encoder.describe())
    first = np.zeros((n, 2), np.int32)
    decoder.feed(encoder.samples(first, 0))
    frame = encoder.samples(first + 7, n)
    return lambda: decoder.feed(frame)


def conditioning(n: int) -> Callable[[], object]:
    conditioner = Conditioner(250, 100, 2, ConditioningSpec(), 50)
    conditioner.feed(native(50).mv)
    block = native(n).mv
    return lambda: conditioner.feed(block)


def framing(n: int) -> Callable[[], object]:
    block = rows(n)
    return lambda: encode_frames(block, 0)


@pytest.mark.parametrize("stage", [decoding, conditioning, framing])
def test_calls_do_not_grow_with_the_samples(stage: Callable[[int], Callable[[], object]]) -> None:
    small, large = calls(stage(SMALL)), calls(stage(FACTOR * SMALL))
    assert small > 0
    assert large == small


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    sink = Recorder(tmp_path)
    sink.open(_header(load_model("i-ii-int8"), info(SMALL)))
    yield sink
    sink.close()


def test_recording_calls_do_not_grow_with_the_samples(recorder: Recorder) -> None:
    recorder.native(native(SMALL))
    recorder.leads(rows(SMALL))
    a, b = replace(native(SMALL), index=SMALL), replace(rows(SMALL), index=SMALL)
    small = calls(lambda: recorder.native(a)), calls(lambda: recorder.leads(b))
    c, d = replace(native(FACTOR * SMALL), index=2 * SMALL), replace(rows(FACTOR * SMALL), index=2 * SMALL)
    large = calls(lambda: recorder.native(c)), calls(lambda: recorder.leads(d))
    assert min(small) > 0
    assert large == small


def test_a_loop_over_samples_would_be_seen() -> None:
    def loop(n: int) -> Callable[[], object]:
        return lambda: [abs(v) for v in range(n)]

    assert calls(loop(FACTOR * SMALL)) - calls(loop(SMALL)) == (FACTOR - 1) * SMALL
