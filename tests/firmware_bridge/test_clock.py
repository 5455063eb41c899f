import threading
import time
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecg_edge.firmware_bridge.clock import ManualClock, SystemClock


@given(steps=st.lists(st.floats(0, 1e4), max_size=9))
def test_a_manual_clock_moves_by_what_it_is_told_and_by_what_is_waited(steps):
    clock, event = ManualClock(), threading.Event()
    start = clock.now()
    for k, step in enumerate(steps):
        if k % 2:
            clock.advance(step)
        else:
            assert not clock.wait(event, step)
    assert clock.monotonic() == pytest.approx(sum(steps))
    assert clock.now() - start == timedelta(seconds=clock.monotonic()) and start.tzinfo is timezone.utc


def test_a_manual_clock_starts_where_it_is_said_and_never_runs_back():
    at = datetime(2020, 1, 2, tzinfo=timezone.utc)
    clock, event = ManualClock(at), threading.Event()
    assert clock.now() == at
    event.set()
    assert clock.wait(event, -5) and clock.now() == at


def test_the_systems_clock_is_the_systems():
    clock, event = SystemClock(), threading.Event()
    before = time.monotonic()
    assert before <= clock.monotonic() <= time.monotonic()
    assert abs((clock.now() - datetime.now(timezone.utc)).total_seconds()) < 5
    assert not clock.wait(event, 0)
    event.set()
    assert clock.wait(event, 60)
