import threading

import pytest

from ecg_edge.device.lead_block import LeadBlock, Note
from ecg_edge.device.sinks.sink_thread import SinkThread
from ecg_edge.firmware_bridge.errors import DiskFullError, PluginError, PortBusyError
from ecg_edge.firmware_bridge.events import SampleBlock
from tests.device.monitor.test_monitor import make_block
from tests.support.fakes import ListSink, block

PATIENCE = 10.0
"""Real seconds after which a test gives up; nothing that passes waits for it."""


def notes(n, start=0):
    return [Note("gap", k, k, "") for k in range(start, start + n)]


class Held(ListSink):
    """Waits in its first note until let go."""

    def __init__(self, **traits):
        super().__init__(**traits)
        self.reached, self.go = threading.Event(), threading.Event()

    def note(self, note):
        self.reached.set()
        assert self.go.wait(PATIENCE)
        super().note(note)


class Failing(ListSink):
    def __init__(self, error, at=0, closing=None, **traits):
        super().__init__("failing", **traits)
        self._error, self._at, self._closing = error, at, closing

    def note(self, note):
        if note.index >= self._at:
            raise self._error
        super().note(note)

    def close(self):
        super().close()
        if self._closing:
            raise self._closing


def test_everything_arrives_in_order_and_the_sink_is_closed_once():
    sink = ListSink(capacity=3)
    thread = SinkThread(sink)
    thread.open("header")
    for note in notes(200):
        thread.put(note)
    thread.close()
    assert [n.index for n in sink.notes] == list(range(200)) and sink.closed == 1 and sink.header == "header"


def test_a_slow_screen_drops_the_oldest_and_never_blocks():
    sink = Held(lossless=False, capacity=4)
    thread = SinkThread(sink)
    thread.open(None)
    thread.put(notes(1)[0])
    assert sink.reached.wait(PATIENCE)
    for note in notes(20, 1):
        thread.put(note)
    assert thread.dropped_blocks == 16
    sink.go.set()
    thread.close()
    assert [n.index for n in sink.notes] == [0, 17, 18, 19, 20]


def test_a_slow_recording_blocks_and_loses_nothing():
    sink = Held(capacity=4)
    thread = SinkThread(sink)
    thread.open(None)
    feeder = threading.Thread(target=lambda: [thread.put(n) for n in notes(50)])
    feeder.start()
    assert sink.reached.wait(PATIENCE)
    feeder.join(0.05)
    assert feeder.is_alive()  # held back by the full queue
    sink.go.set()
    feeder.join(PATIENCE)
    thread.close()
    assert len(sink.notes) == 50 and thread.dropped_blocks == 0


def test_a_recordings_error_reaches_whoever_feeds_it():
    sink = Failing(DiskFullError("full"), at=3, capacity=1)
    thread = SinkThread(sink)
    thread.open(None)
    with pytest.raises(DiskFullError):
        for note in notes(1000):
            thread.put(note)
    with pytest.raises(DiskFullError):
        thread.close()
    assert len(sink.notes) == 3 and sink.closed == 1


def test_a_failing_screen_is_a_warning():
    warnings = []
    sink = Failing(PortBusyError("gone"), at=2, lossless=False)
    thread = SinkThread(sink, warn=warnings.append)
    thread.open(None)
    for note in notes(100):
        thread.put(note)
    thread.close()
    assert warnings == ["failing stopped: gone"] and sink.closed == 1


def test_an_error_at_the_end_is_not_lost():
    thread = SinkThread(Failing(None, 10**9, DiskFullError("at the end")))
    thread.open(None)
    with pytest.raises(DiskFullError, match="at the end"):
        thread.close()


@pytest.mark.parametrize("takes", [(), (SampleBlock,), (LeadBlock,)])
def test_a_sink_gets_the_samples_it_has_a_use_for(takes):
    sink = ListSink(takes=takes)
    thread = SinkThread(sink)
    thread.open(None)
    thread.put(block([[1, 2]]))
    thread.put(make_block(0))
    thread.put(notes(1)[0])
    thread.close()
    assert len(sink.notes) == 1
    assert [bool(sink.natives), bool(sink.blocks)] == [SampleBlock in takes, LeadBlock in takes]


def test_samples_wait_for_a_batch_and_anything_else_takes_them_along():
    sink = Held(batch=3)
    thread = SinkThread(sink)
    thread.open(None)
    for _ in range(2):
        thread.put(block([[1, 2]]))
    assert not thread._due  # nobody is woken for two
    thread.put(notes(1)[0])
    assert sink.reached.wait(PATIENCE) and len(sink.natives) == 2
    for due in (False, False, True):
        thread.put(block([[3, 4]]))
        assert thread._due is due
    thread.put(block([[5, 6]]))
    sink.go.set()
    thread.close()
    assert len(sink.natives) == 6 and len(sink.notes) == 1


def test_opening_errors_are_raised_for_any_sink():
    class Closed(ListSink):
        def open(self, header):
            raise PortBusyError("taken")

    thread = SinkThread(Closed(lossless=False))
    with pytest.raises(PortBusyError):
        thread.open(None)
    thread.close()


class Asleep(ListSink):
    """Waits for ever in one of its methods, or until the test has ended."""

    def __init__(self, where, **traits):
        super().__init__("asleep", **traits)
        self._where, self.go = where, threading.Event()

    def note(self, note):
        if self._where == "note":
            self.go.wait(PATIENCE)

    def close(self):
        if self._where == "close":
            self.go.wait(PATIENCE)


@pytest.mark.parametrize("where", ["note", "close"])
def test_a_sink_that_waits_for_ever_is_left_behind_at_the_end(where):
    warned, sink = [], Asleep(where, lossless=False)
    thread = SinkThread(sink, warn=warned.append, stuck_s=0.02)
    thread.open("header")
    thread.put(notes(1)[0])
    thread.close()
    assert not sink.go.is_set() and "Asleep in tests.device.sinks.test_sink_thread has finished nothing" in warned[0]
    assert isinstance(thread.error, PluginError) and thread.ended
    sink.go.set()


@pytest.mark.parametrize("full", [True, False])
def test_one_that_must_lose_nothing_ends_the_run_instead_of_holding_it(full):
    sink = Asleep("note", lossless=True, capacity=2)
    thread = SinkThread(sink, stuck_s=0.02)
    thread.open("header")
    with pytest.raises(PluginError, match="has finished nothing"):
        for note in notes(9 if full else 1):
            thread.put(note)
        thread.close()
    with pytest.raises(PluginError):
        thread.close()
    sink.go.set()


def test_a_slow_sink_that_gets_on_is_waited_for():
    class Slow(ListSink):
        def note(self, note):
            threading.Event().wait(0.01)
            super().note(note)

    sink = Slow(lossless=True, capacity=4)
    thread = SinkThread(sink, stuck_s=0.5)
    thread.open("header")
    for note in notes(100):
        thread.put(note)
    thread.close()
    assert len(sink.notes) == 100


def test_a_fault_names_whose_it_is():
    sink = Failing(KeyError("k"), lossless=False)
    thread = SinkThread(sink)
    thread.open("header")
    thread.put(notes(1)[0])
    thread.close()
    assert "a fault of Failing in tests.device.sinks.test_sink_thread, KeyError: 'k'" in thread.error.message
    assert isinstance(thread.error, PluginError) and "its authors" in thread.error.fix


def test_a_sink_that_ends_its_thread_is_no_sink_that_went_well():
    warnings = []
    thread = SinkThread(Failing(SystemExit(9), lossless=False), warn=warnings.append)
    thread.open("header")
    thread.put(notes(1)[0])
    thread.close()
    assert "SystemExit" in thread.error.message and len(warnings) == 1


def test_a_fault_when_it_is_opened_names_whose_it_is():
    class Broken(ListSink):
        def open(self, header):
            raise ZeroDivisionError

    with pytest.raises(PluginError, match=r"a fault of .*Broken in tests\.device\.sinks"):
        SinkThread(Broken("b")).open("header")
