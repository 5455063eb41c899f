"""A reader that knows what its consumer waits for: asleep until shortly before, nothing lost, nobody kept waiting."""

from __future__ import annotations

import itertools
import os
import threading
from fractions import Fraction
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecg_edge.device.live.coalesce import coalesce
from ecg_edge.firmware_bridge.clock import ManualClock, SystemClock
from ecg_edge.firmware_bridge.ecglink.decoder import EcgLinkDecoder
from ecg_edge.firmware_bridge.ecglink.encoder import EcgLinkEncoder
from ecg_edge.firmware_bridge.errors import DeviceLostError
from ecg_edge.firmware_bridge.events import Channel, Event, SampleBlock, StreamInfo
from ecg_edge.firmware_bridge.ports.reader import Reader
from ecg_edge.firmware_bridge.ports.transport import open_transport

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


@pytest.fixture
def port():
    """A pseudo-terminal: its writing end, and the name of the port."""
    master, slave = os.openpty()
    os.set_blocking(master, True)
    yield master, os.ttyname(slave)
    os.close(master)
    os.close(slave)


def taken(reader: Reader, n: int) -> list[SampleBlock]:
    """Lists of events until `n` samples have come; the blocks."""
    got: list[SampleBlock] = []
    while sum(map(len, got)) < n:
        got += [e for e in reader.get(10) if isinstance(e, SampleBlock)]
    return got


def test_a_resting_reader_reads_nothing_and_loses_nothing(port: tuple[int, str]) -> None:
    master, name = port
    encoder, clock = EcgLinkEncoder(INFO, 1), StillClock()
    reader = Reader(partial(open_transport, name, timeout=2.0), EcgLinkDecoder(), clock)
    rows = np.arange(60)[:, None]

    def frame(k: int) -> bytes:
        return encoder.samples(rows[k : k + 5], k, 4 * k)

    try:
        reader.start()
        os.write(master, encoder.describe() + frame(0))
        got = taken(reader, 5)
        clock.passed += 1.5  # how much the device sends is known after a second
        reader.expect(5, 20)
        os.write(master, frame(5))  # wakes a read that was already waiting
        got += taken(reader, 5)
        assert clock.waiting.wait(10)
        assert clock.waits == [pytest.approx(20 / 250 - 0.02)]
        before = reader.bytes_read
        for k in range(10, 25, 5):
            os.write(master, frame(k))
        assert reader.bytes_read == before
        clock.go.set()
        assert reader.get(0.2) == []  # 15 of 20 samples are there: of no use
        os.write(master, frame(25))
        got += taken(reader, 20)
        assert np.concatenate([b.counts for b in got])[:, 0].tolist() == list(range(30))
        assert clock.waiting.wait(10)
    finally:
        clock.go.set()
        reader.stop()


def test_a_silent_device_sets_free_what_was_kept_back(port: tuple[int, str]) -> None:
    master, name = port
    encoder = EcgLinkEncoder(INFO, 1)
    with Reader(partial(open_transport, name), EcgLinkDecoder()) as reader:
        os.write(master, encoder.describe() + encoder.samples(np.zeros((5, 1), np.int32), 0, 0))
        taken(reader, 5)
        reader.expect(1000, 1000)
        os.write(master, encoder.samples(np.ones((5, 1), np.int32), 5, 20))
        assert len(taken(reader, 5)) == 1


def test_the_end_sets_free_what_was_kept_back(port: tuple[int, str]) -> None:
    master, name = port
    encoder = EcgLinkEncoder(INFO, 1)
    reader = Reader(partial(open_transport, name, timeout=1.0), EcgLinkDecoder())
    reader.start()
    os.write(master, encoder.describe() + encoder.samples(np.zeros((5, 1), np.int32), 0, 0))
    taken(reader, 5)
    reader.expect(1000, 1000)
    os.write(master, encoder.samples(np.ones((5, 1), np.int32), 5, 20))
    reader.stop()
    rest = [e for e in reader.get(0) if isinstance(e, SampleBlock)]
    assert sum(map(len, rest)) in (0, 5)  # read, or left in the port: never kept
    assert reader.ended


@pytest.mark.parametrize("end", ["silence", "cable", "stop"])
def test_bytes_that_wait_to_be_decoded_with_the_rest_of_their_hop_are_never_lost(
    port: tuple[int, str], end: str
) -> None:
    name = port[1]
    master, slave = os.openpty() if end == "cable" else (port[0], -1)
    encoder, clock = EcgLinkEncoder(INFO, 1), StillClock()
    name = os.ttyname(slave) if slave >= 0 else name
    timeout = 0.2 if end == "silence" else 5.0
    reader = Reader(partial(open_transport, name, timeout=timeout), EcgLinkDecoder(), clock)

    def send(first: int) -> None:
        os.write(master, encoder.samples(np.arange(first, first + 5)[:, None], first, 4 * first))

    reader.start()
    try:
        os.write(master, encoder.describe())
        for first in range(0, 400, 5):  # more than a second: what a hop weighs is known
            send(first)
            taken(reader, 5)
            clock.passed += 0.02
        reader.expect(5, 20)
        send(400)
        taken(reader, 5)
        assert clock.waiting.wait(10)
        before = reader.bytes_read
        send(405)
        if end == "stop":
            reader._stop.set()
        clock.go.set()
        if end == "cable":
            while not reader._raw:
                assert reader.get(0.01) == []
            os.close(master)
        assert len(taken(reader, 5)) == 1
        assert reader.bytes_read > before
    finally:
        clock.go.set()
        reader.stop()
        if slave >= 0:
            os.close(slave)


class Scripted:
    """A device whose every read is written down before: how much later, and how many bytes; then it is gone."""

    url = description = "scripted"

    def __init__(self, wire: bytes, reads: list[tuple[float, int]], clock: ManualClock) -> None:
        self._wire, self._reads, self._clock = wire, itertools.cycle(reads), clock

    def read(self, max_bytes: int = 4096) -> bytes:
        if not self._wire:
            raise DeviceLostError("gone", "plug it in again")
        later, n = next(self._reads)
        self._clock.advance(later)
        data, self._wire = self._wire[:n], self._wire[n:]
        return data

    def write(self, data: bytes) -> None:
        pass

    def close(self) -> None:
        pass

    def __enter__(self) -> Scripted:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def plain(events: list[Event]) -> list[object]:
    """Events without their time of arrival, which is the reader's own; blocks that adjoin are joined."""
    joined = coalesce(events)
    return [(e.index, e.counts.tolist(), e.valid.tolist()) if isinstance(e, SampleBlock) else e for e in joined]


@settings(max_examples=40, deadline=None)
@given(
    reads=st.lists(st.tuples(st.sampled_from([0.0, 0.004, 0.02, 0.3]), st.integers(0, 200)), min_size=1, max_size=20),
    orders=st.lists(st.tuples(st.integers(-5, 60), st.integers(1, 40)), min_size=1, max_size=10),
    broken=st.integers(0, 2000),
)
def test_however_a_stream_is_cut_and_paced_and_whatever_is_asked_for_every_event_comes_once(
    reads: list[tuple[float, int]], orders: list[tuple[int, int]], broken: int
) -> None:
    encoder, clock = EcgLinkEncoder(INFO, 1), ManualClock()
    rows = np.arange(500)[:, None]
    sent = bytearray(
        encoder.describe() + b"".join(encoder.samples(rows[k : k + 5], k, 4 * k) for k in range(0, 500, 5))
    )
    sent[min(broken, len(sent) - 1)] ^= 0x55
    reads = [*reads, (0.01, 50)]  # so that it ends
    reader = Reader(lambda: Scripted(bytes(sent), reads, clock), EcgLinkDecoder(), clock, recognise_s=1e9)
    got: list[Event] = []
    reader.start()
    with pytest.raises(DeviceLostError):
        for order in itertools.cycle(orders):
            reader.expect(*order)
            got += reader.get(10)
    offline = EcgLinkDecoder()
    assert plain(got) == plain([*offline.feed(bytes(sent)), *offline.close()])
