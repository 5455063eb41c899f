"""Which sinks a run has, from what the user asked for."""

from __future__ import annotations

from collections.abc import Iterator

from ecg_edge.device.live.options import Options
from ecg_edge.device.recording.recorder import Recorder
from ecg_edge.device.sinks.sink import Sink
from ecg_edge.device.sinks.sink_thread import SinkThread
from ecg_edge.device.sinks.status_line import StatusLine
from ecg_edge.device.sinks.systemd import SystemdSink
from ecg_edge.firmware_bridge.clock import Clock
from ecg_edge.firmware_bridge.console import hint


def open_sinks(options: Options, recorder: Recorder | None, clock: Clock) -> list[SinkThread]:
    """Make the sinks, each in a thread of its own; none is opened yet.

    Raises
    ------
    EcgEdgeError
        An address cannot be had, or a package is missing.
    """
    return [SinkThread(sink, warn=hint) for sink in _wanted(options, recorder, clock)]


def _wanted(options: Options, recorder: Recorder | None, clock: Clock) -> Iterator[Sink]:
    yield _screen(options)
    yield from _outlets(options, clock)
    systemd = SystemdSink()
    if systemd.wanted:
        yield systemd
    if recorder:
        yield recorder
    if options.monitor:
        from ecg_edge.device.monitor.monitor_sink import MonitorSink

        yield MonitorSink(options.host, options.port, options.token)


def _screen(options: Options) -> Sink:
    """What the terminal shows."""
    if options.tui:
        from ecg_edge.device.sinks.terminal_screen import TerminalScreen

        return TerminalScreen()
    return StatusLine(name=options.name)


def _outlets(options: Options, clock: Clock) -> Iterator[Sink]:
    """What other programs read."""
    if options.jsonl:
        from ecg_edge.device.sinks.json_lines import StdoutLines

        yield StdoutLines(clock.now)
    if options.serve:
        from ecg_edge.device.sinks.line_server import SocketLines

        yield SocketLines(options.serve, options.token, clock.now)
    if options.mqtt:
        from ecg_edge.device.sinks.mqtt import MqttSink

        yield MqttSink(options.mqtt, clock.now)
    if options.lsl:
        from ecg_edge.device.sinks.lsl import LslSink

        yield LslSink()
    if options.metrics:
        from ecg_edge.device.sinks.prometheus import MetricsSink

        yield MetricsSink(options.metrics)
