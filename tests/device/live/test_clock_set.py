"""A board without a battery clock: NTP sets the clock during a run, and every date is mended."""

import json
from datetime import datetime, timedelta, timezone

import pytest

from ecg_edge.device.live.run_settings import Models, RunSettings
from ecg_edge.device.live.runner import Runner
from ecg_edge.device.recording.recorder import Recorder
from ecg_edge.device.recording.stored_recording import read_stored
from ecg_edge.device.sinks.json_lines import JsonLines
from ecg_edge.device.sinks.sink_thread import SinkThread
from ecg_edge.firmware_bridge.clock import ClockWatch, ManualClock
from tests.support.fakes import ListSink, ListSource, block, info, walk
from tests.support.tiny_model import tiny_model

BOOT = datetime(1970, 1, 1, 0, 0, 20, tzinfo=timezone.utc)
TRUE = datetime(2026, 11, 28, 12, 0, 0, tzinfo=timezone.utc)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_model(tmp_path_factory.mktemp("m"))


class _Ticking(ListSource):
    """A tenth of a second with every block; the clock is set at one of them."""

    def __init__(self, clock, lists, set_at, to):
        super().__init__(lists)
        self._clock, self._left, self._to = clock, set_at, to

    def get(self, timeout=None):
        self._clock.advance(0.1)
        self._left -= 1
        if self._left == 0:
            self._clock.set(self._to)
        return super().get(timeout)


def _ran(model, clock, sinks, set_at=50, to=TRUE, seconds=30):
    counts = walk(250 * seconds)
    lists = [[info()], *([block(counts[k : k + 25], k)] for k in range(0, len(counts), 25))]
    source = _Ticking(clock, lists, set_at, to)
    settings = RunSettings()
    return Runner(source, Models(lambda _: model), [SinkThread(s) for s in sinks], settings, clock=clock).run()


def test_headers_rotation_and_lines_get_the_right_date(model, tmp_path):
    clock, lines, sink = ManualClock(BOOT), [], ListSink()
    json_lines = JsonLines(lambda kind, line: lines.append(json.loads(line)), clock.now)
    json_lines.lossless = True
    summary = _ran(model, clock, [Recorder(tmp_path, "12s"), json_lines, sink])
    assert summary.error is None
    began = TRUE - timedelta(seconds=4.9)
    starts = sorted(read_stored(str(p.with_suffix(""))).started for p in tmp_path.glob("*.hea"))
    expected = [began + timedelta(seconds=12 * k) for k in (0, 0, 1, 1, 2, 2)]
    assert all(abs(a - b) < timedelta(seconds=0.6) for a, b in zip(starts, expected, strict=True))
    assert sum(p.stem.startswith("2026") for p in tmp_path.glob("*.hea")) == 4  # the first pair keeps its name
    [note] = [n for n in sink.notes if n.kind == "clock"]
    assert "began at 2026-11-28 11:59:5" in note.text and "not at 1970-01-01" in note.text
    headers = [d["started"][:4] for d in lines if d["type"] == "header"]
    noted = [d["at"][:4] for d in lines if d["type"] == "note" and d["kind"] == "clock"]
    assert headers == ["1970", "2026"] and noted == ["2026"]


def test_a_clock_that_runs_true_changes_nothing(model, tmp_path):
    clock, sink = ManualClock(TRUE), ListSink()
    _ran(model, clock, [sink], to=TRUE + timedelta(seconds=5.4))
    assert not [n for n in sink.notes if n.kind == "clock"]


def test_a_clock_set_beyond_the_calendar_does_not_end_a_run(model):
    clock, sink = ManualClock(datetime(1, 1, 2, tzinfo=timezone.utc)), ListSink()
    assert _ran(model, clock, [sink], to=datetime(9999, 12, 30, tzinfo=timezone.utc)).error is None


def test_sleep_is_no_setting_of_the_clock():
    clock = ManualClock(TRUE)
    watch = ClockWatch(clock)
    clock.uptime = lambda: clock.monotonic() + 3600  # the machine has slept for an hour
    clock.set(TRUE + timedelta(hours=1))
    assert watch.set_by() is None
    clock.set(TRUE + timedelta(hours=3))
    assert watch.set_by() == timedelta(hours=2) and watch.set_by() is None
