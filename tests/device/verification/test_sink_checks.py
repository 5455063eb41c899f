"""Our own sinks pass; sinks with one fault each do not."""

import io

import pytest

from ecg_edge.device.monitor.monitor_sink import MonitorSink
from ecg_edge.device.recording.recorder import Recorder
from ecg_edge.device.sinks.json_lines import JsonLines
from ecg_edge.device.sinks.line_server import SocketLines
from ecg_edge.device.sinks.prometheus import MetricsSink
from ecg_edge.device.sinks.sink import SinkBase
from ecg_edge.device.sinks.status_line import StatusLine
from ecg_edge.device.sinks.systemd import SystemdSink
from ecg_edge.device.verification.sink_checks import check_its_thread, check_sink, check_traits
from ecg_edge.firmware_bridge.clock import ManualClock
from ecg_edge.firmware_bridge.errors import RecordingError

NOW = ManualClock().now


@pytest.mark.parametrize(
    "make",
    [
        SinkBase,
        lambda: StatusLine(io.StringIO()),
        lambda: SystemdSink({}),
        lambda: MetricsSink("127.0.0.1:0"),
        lambda: JsonLines(lambda kind, line: None, NOW),
        lambda: SocketLines("tcp://127.0.0.1:0", None, NOW),
        MonitorSink,
    ],
    ids=["nothing", "status", "systemd", "metrics", "json lines", "socket", "monitor"],
)
def test_our_sinks_do_what_every_sink_must(make):
    made = []

    def keep():
        made.append(make())
        return made[-1]

    check_sink(keep)
    for sink in made:
        sink.close()


def test_the_recorder_too(tmp_path):
    check_sink(lambda: Recorder(tmp_path))


@pytest.mark.parametrize(
    ("trait", "value"), [("name", ""), ("takes", (int,)), ("takes", None), ("lossless", 1), ("capacity", 0)]
)
def test_traits_that_no_run_can_use_are_seen(trait, value):
    sink = SinkBase()
    vars(sink)[trait] = value
    with pytest.raises(AssertionError, match=trait):
        check_traits(sink)


def test_an_error_in_the_thread_is_seen():
    class Broken(SinkBase):
        def status(self, status):
            raise RecordingError("no space")

    with pytest.raises(AssertionError, match="no space"):
        check_its_thread(Broken())


def test_a_crash_is_seen():
    class Crash(SinkBase):
        def leads(self, block):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        check_sink(Crash)
