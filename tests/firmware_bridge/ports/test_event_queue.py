import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecg_edge.firmware_bridge.events import (
    BACKLOG,
    Ack,
    DeviceStatus,
    Disconnected,
    Gap,
    ReaderEvent,
    Reconnected,
    SampleBlock,
)
from ecg_edge.firmware_bridge.ports.event_queue import Backlog


def block(start: int, n: int) -> SampleBlock:
    counts = np.zeros((n, 1), dtype=np.int32)
    return SampleBlock(start, counts, counts.astype(np.float32), np.ones((n, 1), dtype=bool))


def span(event: ReaderEvent) -> tuple[int, int] | None:
    if isinstance(event, SampleBlock):
        return event.index, event.index + len(event)
    return (event.start, event.stop) if isinstance(event, Gap) else None


@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["block", "gap", "unknown", "status", "take"]), st.integers(1, 9)),
        max_size=60,
    ),
    capacity=st.integers(1, 5),
)
def test_every_sample_is_delivered_or_in_a_gap(steps: list[tuple[str, int]], capacity: int) -> None:
    backlog, out = Backlog(capacity), []
    at = sent = 0
    for what, n in steps:
        if what == "take":
            out += backlog.get(0)
            continue
        event: ReaderEvent = DeviceStatus(dropped=n)
        if what == "block":
            event, sent = block(at, n), sent + n
        elif what == "gap":
            event = Gap(at, at + n)
        elif what == "unknown":
            event = Gap(at, at, "restart", known=False)
        at += n if what in ("block", "gap") else 0
        backlog.put([event])
    while not (backlog.close() or backlog.drained):
        out += backlog.get(0)
    spans = [s for s in map(span, out) if s and s[0] < s[1]]
    assert [s[0] for s in spans] == [0, *(s[1] for s in spans[:-1])][: len(spans)]
    assert (spans[-1][1] if spans else 0) == at
    delivered = [event for event in out if isinstance(event, SampleBlock)]
    assert sum(map(len, delivered)) + backlog.dropped_samples == sent


def test_a_full_backlog_drops_the_oldest_and_says_so_first() -> None:
    backlog = Backlog(2)
    for k in range(5):
        backlog.put([block(10 * k, 10)])
    assert backlog.get(0) == [Gap(0, 30, BACKLOG)]
    assert [backlog.get(0)[0].index for _ in range(2)] == [30, 40]  # type: ignore[union-attr]
    assert (backlog.dropped_blocks, backlog.dropped_samples) == (3, 30)


def test_the_latest_of_each_kind_survives() -> None:
    backlog = Backlog(1)
    backlog.put([DeviceStatus(1), block(0, 4), Disconnected(1.0, "unplugged")])
    backlog.put([Reconnected(2.0, 1.0, 3), DeviceStatus(2), Ack(1, 1), Gap(4, 4, "restart", known=False)])
    backlog.put([Gap(4, 6, "lost"), block(6, 2)])
    backlog.put([block(8, 1)])
    assert backlog.get(0) == [
        Disconnected(1.0, "unplugged"),
        Reconnected(2.0, 1.0, 3),
        DeviceStatus(2),
        Ack(1, 1),
        Gap(4, 4, "restart", known=False),
        Gap(0, 8, BACKLOG),
    ]


def test_a_gap_of_the_stream_itself_keeps_its_reason() -> None:
    backlog = Backlog(1)
    for event in (Gap(0, 3, "lost"), Gap(3, 5, "lost"), DeviceStatus()):
        backlog.put([event])
    assert backlog.get(0) == [Gap(0, 5, "lost")]


def test_memory_stays_bounded_whatever_comes() -> None:
    backlog = Backlog(3)
    for k in range(1000):
        backlog.put([DeviceStatus(k), Gap(k, k, known=False), block(k, 1), Disconnected(k, ""), Ack(k, k)])
    assert len(backlog.get(0)) == 5
    assert len(backlog._lists) == 3


def test_closing_wakes_the_waiting_consumer() -> None:
    backlog = Backlog(4)
    answers: list[list[ReaderEvent]] = []
    consumer = threading.Thread(target=lambda: answers.append(backlog.get()))
    consumer.start()
    backlog.close()
    consumer.join(5)
    assert answers == [[]]


def test_what_waits_can_be_taken_after_closing() -> None:
    backlog = Backlog(4)
    backlog.put([block(0, 1)])
    backlog.put([])
    backlog.close()
    assert not backlog.drained
    assert len(backlog.get()) == 1
    assert backlog.drained


@pytest.mark.parametrize("timeout", [0.0, 0.01])
def test_an_empty_backlog_times_out(timeout: float) -> None:
    assert Backlog(1).get(timeout) == []
