"""BrainFlow's boards with our counter check: the check on made-up tables, the rest on BrainFlow itself."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecg_edge.firmware_bridge.clock import ManualClock, SystemClock
from ecg_edge.firmware_bridge.errors import DeviceLostError, PortNotFoundError, UsageError
from ecg_edge.firmware_bridge.events import Gap, SampleBlock, StreamInfo
from ecg_edge.firmware_bridge.ports.brainflow import (
    BrainFlowSource,
    CounterCheck,
    Described,
    brainflow_source,
    open_board,
)

D = Described("test", 250, 0, (1, 2))


def table(numbers, uv):
    return np.stack([np.asarray(numbers, float), *np.asarray(uv, float).T]) if len(numbers) else np.zeros((3, 0))


@given(
    lost=st.sets(st.integers(1, 999), max_size=60),
    repeated=st.sets(st.integers(1, 999), max_size=20),
    cuts=st.lists(st.integers(1, 120), min_size=1, max_size=12),
    first=st.integers(0, 255),
)
@settings(max_examples=60, deadline=None)
def test_what_the_counter_tells_is_on_the_axis(lost, repeated, cuts, first):
    sent = [k for k in range(1000) if k not in lost for _ in range(1 + (k in repeated))]
    uv = np.stack([np.arange(1000) * 0.5, -np.arange(1000) * 0.25], axis=1)
    check, out, at = CounterCheck(D), [], 0
    while at < len(sent):
        for n in cuts:
            rows = sent[at : at + n]
            out += check.feed(table([(first + k) % 256 for k in rows], uv[rows]), 1.0)
            at += n
    seen, axis = {}, 0
    for event in out:
        if isinstance(event, Gap):
            assert event.start == axis
            axis = event.stop
        else:
            assert isinstance(event, SampleBlock) and event.index == axis
            for k in range(len(event)):
                seen[axis + k] = event.mv[k]
            axis += len(event)
    assert set(seen) == {k for k in range(1000) if k not in lost and k < axis}
    assert all(v == pytest.approx(uv[k] / 1000, abs=1e-5) for k, v in seen.items())
    assert check.tally.duplicates == len(repeated - lost)
    assert sum(b - a for a, b in check.tally.lost_ranges) == len([k for k in lost if k < axis])


def test_what_is_no_number_is_invalid():
    (block,) = CounterCheck(D).feed(table([7, 8], [[1.0, np.nan], [2.0, 3.0]]), 0.0)
    assert block.valid.tolist() == [[True, False], [True, True]] and np.isfinite(block.mv).all()


class Board:
    def __init__(self, tables=(), fails=""):
        self.tables, self.fails, self.calls = list(tables), fails, []

    def __getattr__(self, name):
        def act():
            self.calls.append(name)
            if name == self.fails:
                raise RuntimeError("UNABLE_TO_OPEN_PORT_ERROR")
            return (self.tables.pop(0) if self.tables else table([], [])) if name == "get_board_data" else None

        return act


def test_a_board_that_cannot_be_reached_or_falls_silent_is_told():
    with pytest.raises(PortNotFoundError, match="UNABLE_TO_OPEN"):
        BrainFlowSource(Board(fails="prepare_session"), D, (), ManualClock()).start()
    board = Board([table([1], [[1, 2]])])
    source = BrainFlowSource(board, D, ("I", "II"), ManualClock())
    source.start()
    (info,) = source.get(1.0)
    assert isinstance(info, StreamInfo) and info.leads == ("I", "II") and info.fs == 250
    assert len(source.get(1.0)[0]) == 1
    with pytest.raises(DeviceLostError, match="nothing for 5 s"):
        for _ in range(20):
            assert source.get(0.5) == []
    source.stop()
    assert board.calls[-2:] == ["stop_stream", "release_session"]


def test_brainflows_own_synthetic_board_streams_without_a_loss():
    pytest.importorskip("brainflow", reason="needs the extra brainflow")
    source = brainflow_source("synthetic?leads=I,II", SystemClock())
    source.start()
    try:
        (info,) = source.get(5.0)
        blocks = []
        while sum(map(len, blocks)) < 100:
            got = source.get(5.0)
            assert got and all(isinstance(e, SampleBlock) for e in got)
            blocks += got
    finally:
        source.stop()
    assert info.device == "BrainFlow Synthetic" and info.leads[:3] == ("I", "II", "ch3")
    assert source.tally.lost_ranges == [] and np.ptp(np.concatenate([b.mv for b in blocks])[:, 0]) > 0


@pytest.mark.parametrize(
    ("text", "reason"), [("nosuch", "no board"), ("cyton?port=1", "unknown parameter"), ("cyton?x", "bad source")]
)
def test_bad_names_are_refused(text, reason):
    pytest.importorskip("brainflow", reason="needs the extra brainflow")
    with pytest.raises(UsageError, match=reason):
        open_board(text)
