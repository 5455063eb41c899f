import subprocess
import sys

import pytest

from ecg_edge.device.lead_block import LeadBlock
from ecg_edge.device.monitor.monitor_sink import MonitorSink
from ecg_edge.device.recording.recorder import Recorder
from ecg_edge.device.sinks.lsl import LslSink
from ecg_edge.device.sinks.mqtt import MqttSink
from ecg_edge.device.sinks.prometheus import MetricsSink
from ecg_edge.device.sinks.sink import Sink, SinkBase
from ecg_edge.device.sinks.status_line import StatusLine
from ecg_edge.device.sinks.systemd import SystemdSink
from ecg_edge.firmware_bridge.events import SampleBlock
from ecg_edge.firmware_bridge.extras import EXTRAS


@pytest.mark.parametrize("name", ["Sink", "SinkBase", "RunHeader", "Status"])
def test_naming_what_a_sink_is_loads_no_scipy(name):
    code = f"import sys; from ecg_edge.device.sinks.sink import {name}; sys.exit('scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_sink_that_overrides_nothing_takes_everything_in_its_stride():
    sink: Sink = SinkBase()
    for call in (sink.open, sink.native, sink.leads, sink.note, sink.status):
        assert call(None) is None
    sink.close()
    assert (sink.where, sink.extra, sink.lossless, sink.takes) == ("", "", False, (LeadBlock,))


def test_only_a_recording_holds_the_run_up():
    assert Recorder.lossless and Recorder.takes == (SampleBlock, LeadBlock)
    assert not any(kind.lossless for kind in (MonitorSink, LslSink, MqttSink, MetricsSink, StatusLine, SystemdSink))


@pytest.mark.parametrize("kind", [MetricsSink, StatusLine, SystemdSink])
def test_figures_alone_wake_no_thread_for_samples(kind):
    assert kind.takes == ()


def test_every_extra_exists():
    assert {k.extra for k in (MonitorSink, LslSink, MqttSink)} == {"web", "lsl", "mqtt"}
    assert {"web", "lsl", "mqtt"} <= {x.name for x in EXTRAS}
