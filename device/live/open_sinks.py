"""Which sinks a run has, from what the user asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable

from ecg_edge.device.lead_block import LeadBlock
from ecg_edge.device.live.options import Options
from ecg_edge.device.recording.recorder import Recorder
from ecg_edge.device.sinks.sink_thread import SinkThread
from ecg_edge.device.sinks.status_line import StatusLine
from ecg_edge.device.sinks.systemd import SystemdSink
from ecg_edge.firmware_bridge.clock import Clock
from ecg_edge.firmware_bridge.console import hint


def open_outlets(o: Options, clock: Clock) -> tuple[list[SinkThread], list[Callable[[], str]]]:
    """Make the sinks; the second list says, once they are open, where each is found.

    Raises
    ------
    EcgEdgeError
        An address cannot be had, or a package is missing.
    """
    sinks: list[SinkThread] = []
    where: list[Callable[[], str]] = []

    def add(sink: object, takes: tuple[type, ...] = (LeadBlock,)) -> None:
        sinks.append(SinkThread(sink, lossless=False, warn=hint, takes=takes))  # type: ignore[arg-type]

    if o.jsonl or o.serve or o.mqtt:
        from ecg_edge.device.sinks.json_lines import JsonLines

        if o.jsonl:
            add(JsonLines(_to_stdout, clock.now))
        if o.serve:
            from ecg_edge.device.sinks.line_server import LineServer

            server = LineServer(o.serve, o.token)
            where.append(lambda: f"lines: {server.address}")
            add(JsonLines(server.send, clock.now, server.close))
        if o.mqtt:
            from ecg_edge.device.sinks.mqtt import MqttSender

            sender = MqttSender(o.mqtt)
            add(JsonLines(sender.send, clock.now, sender.close))
    if o.lsl:
        from ecg_edge.device.sinks.lsl import LslSink

        add(LslSink())
    if o.metrics:
        from ecg_edge.device.sinks.prometheus import MetricsSink

        metrics = MetricsSink(o.metrics)
        where.append(lambda: f"metrics: {metrics.url}")
        add(metrics, takes=())
    systemd = SystemdSink()
    if systemd.wanted:
        add(systemd, takes=())
    return sinks, where


def _to_stdout(kind: str, line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


_RECORDER_QUEUE = 4096
"""Minutes of hops: memory cards pause for seconds now and then."""


_RECORDER_BATCH = 6
"""Three hops, measured and reconstructed."""


def open_sinks(
    options: Options, recorder: Recorder | None, clock: Clock
) -> tuple[list[SinkThread], list[Callable[[], str]]]:
    """All sinks, and what tells where some of them can be found once they are open."""
    more, addresses = open_outlets(options, clock)
    sinks = [_screen(options), *more]
    if recorder:
        sinks.append(SinkThread(recorder, lossless=True, capacity=_RECORDER_QUEUE, batch=_RECORDER_BATCH))
    if options.monitor:
        monitor, address = _monitor(options)
        sinks.append(monitor)
        addresses.append(address)
    return sinks, addresses


def _screen(options: Options) -> SinkThread:
    """What the terminal shows."""
    if options.tui:
        from ecg_edge.device.sinks.terminal_screen import TerminalScreen

        return SinkThread(TerminalScreen(), lossless=False, warn=hint, capacity=32, takes=(LeadBlock,))
    return SinkThread(StatusLine(name=options.name), lossless=False, warn=hint, takes=())


def _monitor(options: Options) -> tuple[SinkThread, Callable[[], str]]:
    """Return the monitor, and what tells its address once it is open."""
    from ecg_edge.device.monitor.monitor_sink import MonitorSink

    monitor = MonitorSink(options.host, options.port, options.token)
    return SinkThread(monitor, lossless=False, warn=hint, takes=(LeadBlock,)), lambda: f"monitor: {monitor.url}"
