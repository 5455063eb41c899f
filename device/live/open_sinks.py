"""Which sinks a run has, from what the user asked for: built in, or brought by another package."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from types import FunctionType
from typing import cast

from ecg_edge.device.lead_block import LeadBlock
from ecg_edge.device.listeners.address import host_in_url, split_address
from ecg_edge.device.listeners.known_hosts import check_names
from ecg_edge.device.listeners.secret_file import find_secret
from ecg_edge.device.listeners.tls import server_tls
from ecg_edge.device.live.options import Options
from ecg_edge.device.recording.recorder import Recorder
from ecg_edge.device.sinks.network import Network
from ecg_edge.device.sinks.sink import Sink, SinkBase, SinkRequest
from ecg_edge.device.sinks.sink_thread import SinkThread
from ecg_edge.device.sinks.status_line import StatusLine
from ecg_edge.device.sinks.systemd import SystemdSink
from ecg_edge.firmware_bridge.clock import Clock
from ecg_edge.firmware_bridge.console import hint
from ecg_edge.firmware_bridge.errors import EcgEdgeError, PluginError, UsageError
from ecg_edge.firmware_bridge.events import SampleBlock
from ecg_edge.firmware_bridge.near_names import near_names
from ecg_edge.firmware_bridge.plugins import Plugins, find_plugins

GROUP = "ecg_edge.sinks"
"""Entry points of other packages: the sink's name, and what makes it of a `SinkRequest`."""
MakeSink = Callable[[SinkRequest], Sink]
_PARTS = [part for part in vars(Sink) if not part.startswith("_")]
"""Methods and traits of a sink."""
_METHODS = [part for part in _PARTS if isinstance(vars(Sink)[part], FunctionType)]
_NEEDED = [part for part in _PARTS if part not in ("extra", "outlet", "trouble", "lost")]
"""A sink that a program passes may do without the rest."""


def _jsonl(request: SinkRequest) -> Sink:
    from ecg_edge.device.sinks.json_lines import StdoutLines

    return StdoutLines(request.clock.now)


def _serve(request: SinkRequest) -> Sink:
    from ecg_edge.device.sinks.line_server import SocketLines

    return SocketLines(request.argument, request.token, request.clock.now, request.network.tls)


def _mqtt(request: SinkRequest) -> Sink:
    from ecg_edge.device.sinks.mqtt import MqttSink

    return MqttSink(request.argument, request.clock.now, request.network)


def _lsl(request: SinkRequest) -> Sink:
    from ecg_edge.device.sinks.lsl import LslSink

    return LslSink(request.patch)


def _metrics(request: SinkRequest) -> Sink:
    from ecg_edge.device.sinks.prometheus import MetricsSink

    n = request.network
    return MetricsSink(request.argument, n.metrics_token or request.token, n.allowed, n.tls)


def _monitor(request: SinkRequest) -> Sink:
    from ecg_edge.device.monitor.monitor_sink import MonitorSink

    n, given = request.network, request.argument
    try:
        host, port = split_address(given if ":" in given else f":{given}")
    except ValueError as e:
        fix = "write monitor:8765, or monitor:0.0.0.0:8765"
        raise UsageError(f"--sink monitor:{given} is no port", fix) from e
    return MonitorSink(host or Options.host, port, request.token, allowed=n.allowed, tls=n.tls)


BUILT_IN: dict[str, MakeSink] = {
    "jsonl": _jsonl, "serve": _serve, "mqtt": _mqtt, "lsl": _lsl, "metrics": _metrics, "monitor": _monitor,
}  # fmt: skip
"""The sinks of ``--sink``; a setting of the same name is short for it."""


def open_sinks(
    options: Options, recorder: Recorder | None, clock: Clock, *, screen: bool = True, more: Sequence[Sink] = ()
) -> list[SinkThread]:
    """Make the sinks, each in a thread of its own; none is opened yet.

    Parameters
    ----------
    options : Options
        What the user asked for.
    recorder : Recorder or None
        Takes part where there is one.
    clock : Clock
        For the sinks.
    screen : bool
        Whether the terminal shows the figures.
    more : sequence of Sink
        Besides those of the options.

    Raises
    ------
    EcgEdgeError
        An address cannot be had, a package is missing, or there is no sink of a name.
    """
    wanted = [*_wanted(options, recorder, clock), *more]
    return [SinkThread(sink, warn=hint) for sink in ([_screen(options)] if screen else []) + wanted]


def _wanted(options: Options, recorder: Recorder | None, clock: Clock) -> Iterator[Sink]:
    token = find_secret(options.token, options.token_file, "ECG_EDGE_TOKEN")
    network = _network(options)

    def make(words: Iterator[str]) -> Iterator[Sink]:
        for word in words:
            name, _, argument = word.partition(":")
            yield make_sink(name, SinkRequest(argument, clock, token, options.name, network))

    yield from make(_short(options))
    if (systemd := SystemdSink()).wanted:
        yield systemd
    if recorder:
        yield recorder
    if options.monitor:
        yield from make(iter([f"monitor:{host_in_url(options.host)}:{options.port}"]))
    yield from make(iter(options.sinks))


def _network(options: Options) -> Network:
    return Network(
        check_names(options.allow_host),
        server_tls(options.tls_cert, options.tls_key),
        find_secret(None, options.metrics_token_file, "ECG_EDGE_METRICS_TOKEN"),
        options.mqtt_ca,
        find_secret(None, options.mqtt_password_file, "ECG_EDGE_MQTT_PASSWORD"),
        options.mqtt_discovery,
    )


def _short(options: Options) -> Iterator[str]:
    """The settings that are short for a sink."""
    for name in ("jsonl", "serve", "mqtt", "lsl", "metrics"):
        if value := getattr(options, name):
            yield name if value is True else f"{name}:{value}"


def _screen(options: Options) -> Sink:
    """What the terminal shows."""
    if options.tui:
        from ecg_edge.device.sinks.terminal_screen import TerminalScreen

        return TerminalScreen()
    return StatusLine(name=options.name)


@cache
def plugin_sinks() -> Plugins:
    """Sinks that other packages bring, by name; see `Plugins`."""
    return find_plugins(GROUP, BUILT_IN, lambda _, make: _wrong_maker(make))


def _wrong_maker(make: object) -> str:
    """What is wrong with what makes a sink; a class is looked into, a function's answer is seen when it is called."""
    if not callable(make):
        return "it cannot be called"
    if not isinstance(make, type):
        return ""
    assigned = {name for of in make.__mro__ for f in vars(of).values() if isinstance(f, FunctionType)
                for name in f.__code__.co_names}  # fmt: skip
    there = [part for part in _PARTS if hasattr(make, part) or (part in assigned and part not in _METHODS)]
    missing = [part for part in _PARTS if part not in there]
    return f"its {make.__name__} has no {', '.join(missing)}: derive it from SinkBase" if missing else ""


def given_sinks(sinks: Sequence[Sink]) -> tuple[Sink, ...]:
    """Return the sinks that a program passes.

    Raises
    ------
    UsageError
        That is no sequence, or holds something else.
    """
    if not isinstance(sinks, Sequence) or isinstance(sinks, str | bytes):
        raise UsageError(f"sinks={type(sinks).__name__} is no list of sinks", "pass a list, also of one: [sink]")
    for sink in sinks:
        if isinstance(sink, type):
            raise UsageError(f"{sink.__name__} is a class", f"pass an object of it: [{sink.__name__}()]")
        if missing := [part for part in _NEEDED if not hasattr(sink, part)]:
            raise UsageError(
                f"sinks holds {type(sink).__name__}, which is no sink: it has no {', '.join(missing)}",
                "derive it from ecg_edge.SinkBase",
            )
        if wrong := _wrong_traits(sink) or _wrong_methods(sink):
            raise UsageError(f"the sink {type(sink).__name__} has {wrong[0]}", wrong[1])
    if len({id(sink) for sink in sinks}) < len(sinks):
        raise UsageError("sinks holds one object twice", "make an object for each: every sink runs in its own thread")
    return tuple(sinks)


def _wrong_methods(sink: Sink) -> tuple[str, str] | None:
    """A method whose body would not run when it is called, and the way out; None: none."""
    for name in _METHODS:
        method = getattr(sink, name)
        if not callable(method):
            return f"{name}={method!r}", f"define it: def {name}(self, ...)"
        if inspect.iscoroutinefunction(method) or inspect.isasyncgenfunction(method):
            return f"async def {name}", f"write def {name}: a sink runs in a thread of its own"
        if inspect.isgeneratorfunction(method):
            return f"a yield in {name}", "put what it makes into a queue.Queue"
    return None


def _wrong_traits(sink: Sink) -> tuple[str, str] | None:
    """What a sink's traits have that cannot be, and the way out; None: nothing."""
    takes: object = sink.takes
    if not isinstance(takes, tuple) or not all(kind in (SampleBlock, LeadBlock) for kind in takes):
        return f"takes={takes!r}", "name the classes: takes = (ee.SampleBlock, ee.LeadBlock), or one of them: (kind,)"
    for trait in ("batch", "capacity"):
        value: object = getattr(sink, trait)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            return f"{trait}={value!r}", f"pass a whole number above 0: {trait} = {getattr(SinkBase, trait)}"
    for trait in ("lossless", "outlet"):
        flag: object = getattr(sink, trait, True)
        if not isinstance(flag, bool):
            return f"{trait}={flag!r}", f"pass {trait} = True or {trait} = False"
    name: object = sink.name
    return None if isinstance(name, str) else (f"name={name!r}", 'pass a text: name = "mine"')


def make_sink(name: str, request: SinkRequest) -> Sink:
    """Make the sink of that name.

    Raises
    ------
    UsageError
        There is none; the nearest names are offered.
    PluginError
        It is another package's, which cannot be used.
    EcgEdgeError
        As the sink itself raises it.
    """
    if name in BUILT_IN:
        return BUILT_IN[name](request)
    plugins = plugin_sinks()
    if name in plugins.broken:
        raise plugins.broken[name]
    if name not in plugins.good:
        known = [*BUILT_IN, *plugins.good]
        near = near_names(name, known, known)
        raise UsageError(f"unknown sink {name!r}", f"--sink one of: {', '.join(near)}")
    try:
        return _checked(plugins.good[name](request))
    except EcgEdgeError:
        raise
    except Exception as e:  # a stranger's code may raise anything
        raise PluginError(
            f"the sink {name} of {plugins.package[name]} cannot be made: {type(e).__name__}: {e}",
            f"check --sink {name}:{request.argument}, or report this line to the package's authors",
        ) from e


def _checked(made: object) -> Sink:
    if missing := [part for part in _PARTS if not hasattr(made, part)]:
        raise TypeError(f"it is no Sink: {type(made).__name__} has no {', '.join(missing)}")
    sink = cast(Sink, made)
    if wrong := _wrong_traits(sink) or _wrong_methods(sink):
        raise TypeError(f"{type(made).__name__} has {wrong[0]}: {wrong[1]}")
    return sink
