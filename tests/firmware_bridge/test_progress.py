import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecg_edge.firmware_bridge import progress as module
from ecg_edge.firmware_bridge.progress import Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def now(monkeypatch):
    at = [1000.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: at[0])
    return at


@given(total=st.integers(1, 300))
def test_a_log_has_at_most_a_line_for_each_tenth_and_ends_with_all(total):
    out = io.StringIO()
    with Progress("work", total, out) as p:
        for _ in range(total):
            p.step()
    lines = out.getvalue().splitlines()
    assert len(lines) <= 11 and "100 %" in lines[-1] and lines[-1].startswith("work  [####################]")


def test_a_terminal_is_redrawn_ten_times_a_second_and_at_the_end(now):
    out = Terminal()
    with Progress("work", 100, out) as p:
        for _ in range(100):
            now[0] += 0.03
            p.step(note="loss 1")
    drawn = out.getvalue().split("\r")[1:]
    assert 24 <= len(drawn) <= 34 and "100 %" in drawn[-1] and drawn[-1].endswith("loss 1\x1b[K\n")


def test_the_time_that_is_left_follows_from_the_pace(now):
    out = io.StringIO()
    p = Progress("work", 10, out)
    now[0] += 30
    p.step(2)
    assert re.search(r"20 %  2:00 left", out.getvalue())


def test_what_is_done_may_be_stated_and_may_shrink(now):
    out = Terminal()
    p = Progress("work", 10, out)
    for done in (5, 5, 3):
        now[0] += 1
        p.to(done)
    assert out.getvalue().count("\r") == 2 and " 30 %" in out.getvalue().split("\r")[-1]


def test_more_than_all_is_all_and_nothing_leaves_no_line():
    out = io.StringIO()
    Progress("work", 2, out).step(7)
    assert "100 %" in out.getvalue()
    quiet = Terminal()
    with Progress("work", 0, quiet):
        pass
    assert quiet.getvalue() == ""
