"""Which sinks a run has, from what the user asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

from ecg_edge.device.sink_thread import SinkThread
from ecg_edge.device.stream import LeadBlock
from ecg_edge.device.systemd import SystemdSink
from ecg_edge.firmware_bridge.clock import Clock
from ecg_edge.firmware_bridge.verb import hint


@dataclass(frozen=True)
class Outlets:
    """Beside recorder, monitor and status line; names as on the command line."""

    jsonl: bool = False
    serve: str | None = None
    token: str | None = None
    mqtt: str | None = None
    lsl: bool = False
    metrics: str | None = None


def open_outlets(o: Outlets, clock: Clock) -> tuple[list[SinkThread], list[Callable[[], str]]]:
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
        from ecg_edge.device.json_lines import JsonLines

        if o.jsonl:
            add(JsonLines(_to_stdout, clock.now))
        if o.serve:
            from ecg_edge.device.line_server import LineServer

            server = LineServer(o.serve, o.token)
            where.append(lambda: f"lines: {server.address}")
            add(JsonLines(server.send, clock.now, server.close))
        if o.mqtt:
            from ecg_edge.device.mqtt_sink import MqttSender

            sender = MqttSender(o.mqtt)
            add(JsonLines(sender.send, clock.now, sender.close))
    if o.lsl:
        from ecg_edge.device.lsl_sink import LslSink

        add(LslSink())
    if o.metrics:
        from ecg_edge.device.metrics_sink import MetricsSink

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
