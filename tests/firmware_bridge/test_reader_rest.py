"""A reader that is told to rest reads nothing meanwhile, loses nothing, and rests only so long."""

from __future__ import annotations

import os
import threading
from fractions import Fraction
from functools import partial

import numpy as np
import pytest

from ecg_edge.firmware_bridge.clock import SystemClock
from ecg_edge.firmware_bridge.ecglink_decoder import EcgLinkDecoder
from ecg_edge.firmware_bridge.ecglink_encoder import EcgLinkEncoder
from ecg_edge.firmware_bridge.reader import Reader
from ecg_edge.firmware_bridge.samples import Channel, SampleBlock, StreamInfo
from ecg_edge.firmware_bridge.transport import open_transport

INFO = StreamInfo("rest", Fraction(250), (Channel("I", 0.0005),), tick_hz=Fraction(1000), samples_per_frame=5)


class StillClock(SystemClock):
    """Time stands still but for `passed`; a wait takes until somebody lets it go, and is written down."""

    def __init__(self) -> None:
        self.waits: list[float] = []
        self.passed = 0.0
        self.waiting, self.go = threading.Event(), threading.Event()

    def monotonic(self) -> float:
        return 100.0 + self.passed + sum(self.waits[:-1] if self.waiting.is_set() else self.waits)

    def wait(self, event: threading.Event, timeout: float) -> bool:
        self.waits.append(timeout)
        self.waiting.set()
        assert self.go.wait(10)
        self.go.clear()
        self.waiting.clear()
        return event.is_set()


@pytest.mark.parametrize(("asked", "rested"), [(0.05, 0.05), (30.0, 0.06)])
def test_a_resting_reader_reads_nothing_and_loses_nothing(asked: float, rested: float) -> None:
    encoder, clock = EcgLinkEncoder(INFO, 1), StillClock()
    master, slave = os.openpty()
    os.set_blocking(master, True)
    reader = Reader(partial(open_transport, os.ttyname(slave)), EcgLinkDecoder(), clock)
    rows = np.arange(60)[:, None]
    try:
        reader.start()
        os.write(master, encoder.describe() + encoder.samples(rows[:5], 0, 0))
        got = [e for e in reader.get(10) if isinstance(e, SampleBlock)]
        while not got:
            got += [e for e in reader.get(10) if isinstance(e, SampleBlock)]
        reader.rest(asked)  # not yet: how much the device sends is not known
        clock.passed += 1.5
        reader.rest(asked)
        os.write(master, encoder.samples(rows[5:10], 5, 20))  # wakes a read that was already waiting
        got += [e for e in reader.get(10) if isinstance(e, SampleBlock)]
        assert clock.waiting.wait(10)
        before = reader.bytes_read
        for k in range(10, 60, 5):
            os.write(master, encoder.samples(rows[k : k + 5], k, 4 * k))
        assert reader.bytes_read == before and clock.waits == [pytest.approx(rested)]
        clock.go.set()
        while sum(map(len, got)) < 60:
            got += [e for e in reader.get(10) if isinstance(e, SampleBlock)]
        assert np.concatenate([b.counts for b in got])[:, 0].tolist() == list(range(60))
        assert clock.waits == [pytest.approx(rested)]
    finally:
        clock.go.set()
        reader.stop()
        os.close(master)
        os.close(slave)


def test_a_device_that_sends_much_is_read_on() -> None:
    reader = Reader(lambda: None, EcgLinkDecoder(), clock := StillClock())  # type: ignore[arg-type, return-value]
    reader.rest(0.05)
    for sent, rests in ((10_000, True), (60_000, False), (10_000, True)):
        clock.passed += 1.0
        reader.bytes_read += sent
        reader.rest(0.05)
        assert (reader._rest_until > clock.monotonic()) == rests
