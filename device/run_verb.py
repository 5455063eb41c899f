"""The verb ``run``: arguments to a run, its figures to the user."""

from __future__ import annotations

import argparse
import math
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ecg_edge.device.any_lead import for_leads
from ecg_edge.device.calibration_watch import CalibrationWatch
from ecg_edge.device.config import PatchConfig, read_config
from ecg_edge.device.console import say
from ecg_edge.device.gateway import run_all
from ecg_edge.device.leads import BASIS
from ecg_edge.device.model import Model, load_model, shipped_models
from ecg_edge.device.outlets import Outlets, open_outlets
from ecg_edge.device.recorder import Recorder
from ecg_edge.device.rescale import RescaledSource, Scale
from ecg_edge.device.run import Runner
from ecg_edge.device.sink_thread import SinkThread
from ecg_edge.device.sources import Source, open_source
from ecg_edge.device.status import StatusLine
from ecg_edge.device.stop_signals import stop_on_signals
from ecg_edge.device.stored import record_name
from ecg_edge.device.stream import LeadBlock
from ecg_edge.device.summary import Summary
from ecg_edge.firmware_bridge.clock import Clock, SystemClock
from ecg_edge.firmware_bridge.errors import EcgEdgeError, LeadMismatchError, ModelFileError, UsageError
from ecg_edge.firmware_bridge.samples import parse_leads
from ecg_edge.firmware_bridge.verb import emit_json, hint

FALLBACK = "any-int8"
OLD_DAYS = 180
_RECORDER_QUEUE = 4096
"""Minutes of hops: memory cards pause for seconds now and then."""
_RECORDER_BATCH = 6
"""Three hops, measured and reconstructed."""


@dataclass(frozen=True)
class Options:
    """What the user asked for; names and defaults as on the command line."""

    source: str
    model: str | None = None
    out: str | None = None
    monitor: bool = False
    host: str = "127.0.0.1"
    port: int = 8765
    token: str | None = None
    seconds: float | None = None
    mains: str = "50"
    leads: str | None = None
    baud: int | None = None
    reconnect: bool = True
    fast: bool = False
    device: str | None = None
    gain: float | None = None
    calibration: str | None = None
    patient: str | None = None
    placement: str = "again"
    fallback: str | None = None
    rotate: str | None = None
    tui: bool = False
    name: str = ""
    scales: dict[str, Scale] = field(default_factory=dict)
    outlets: Outlets = field(default_factory=Outlets)


def run(arguments: argparse.Namespace) -> int:
    """Do what ``ecg-edge run`` says; return the exit status."""
    a = arguments
    if a.config:
        if a.source != "auto" or a.tui:
            raise UsageError("--config says what is run", "leave SOURCE and --tui out")
        return _gateway(a)
    options = Options(
        a.source, a.model, a.out, a.monitor, a.host, a.port, a.token, a.seconds, a.mains, a.leads, a.baud,
        not a.no_reconnect, a.fast, a.device, a.gain, a.calibration, a.patient, a.placement,
        _fallback(a.fallback), a.rotate, a.tui, "", {}, Outlets(a.jsonl, a.serve, a.token, a.mqtt, a.lsl, a.metrics),
    )  # fmt: skip
    return report(lambda: execute(options, SystemClock(), threading.Event()), a.json, quiet=a.jsonl)


def replay(arguments: argparse.Namespace) -> int:
    """Do what ``ecg-edge replay`` says; return the exit status."""
    name = record_name(arguments.source)
    measured = name if name.endswith("_measured") or not Path(f"{name}_measured.hea").is_file() else f"{name}_measured"
    arguments.source = f"replay:{measured}"
    return run(arguments)


def report(
    work: Callable[[], Summary], as_json: bool, follow: Callable[[Summary], str] | None = None, quiet: bool = False
) -> int:
    """Do the work, show its summary on stdout (unless `quiet`) and its error and the next step on stderr."""
    try:
        summary = work()
    except EcgEdgeError as e:
        if as_json:
            emit_json({"error": e.message, "fix": e.fix, "exit": e.exit_code})
        raise
    if as_json:
        emit_json(summary.to_dict())
    elif summary.info and not quiet:
        say(_text(summary.to_dict()))
    if summary.error:
        hint(f"ecg-edge: {summary.error}")
    hint(f"next: {(follow or _next)(summary)}")
    return summary.exit_code


def _gateway(a: argparse.Namespace) -> int:
    """Run what a file describes."""
    turn = threading.Lock()
    found = run_all(
        read_config(Path(a.config)),
        lambda p, load, stop: execute(_options(p), SystemClock(), stop, load, turn),
        SystemClock(),
    )
    docs: dict[str, Any] = {}
    for name, outcome in found.items():
        if isinstance(outcome, EcgEdgeError):
            docs[name] = {"error": outcome.message, "fix": outcome.fix, "exit": outcome.exit_code}
            hint(f"ecg-edge: {name}: {outcome}")
            continue
        docs[name] = outcome.to_dict()
        if not a.json and outcome.info:
            say(f"{name}\n{_text(docs[name])}")
        if outcome.error:
            hint(f"ecg-edge: {name}: {outcome.error}")
    if a.json:
        emit_json({"patches": docs})
    hint(f"next: ecg-edge service -- --config {Path(a.config).absolute()}")
    return max((d["exit"] for d in docs.values()), default=0)


def _options(p: PatchConfig) -> Options:
    s = p.settings
    return Options(
        s["source"], model=s.get("model"), out=s.get("out"), monitor="monitor" in s, host=s.get("host", "127.0.0.1"),
        port=s.get("monitor", 0), token=s.get("token"), seconds=s.get("seconds"), mains=s.get("mains", "50"),
        leads=p.leads, baud=s.get("baud"), reconnect=s.get("reconnect", True), fast=s.get("fast", False),
        device=s.get("as"), gain=s.get("gain"), calibration=s.get("calibration"), patient=s.get("patient"),
        placement=s.get("placement", "again"), fallback=_fallback(s.get("fallback", FALLBACK)),
        rotate=s.get("rotate"), name=p.name, scales=p.scales, outlets=p.outlets,
    )  # fmt: skip


def execute(
    options: Options,
    clock: Clock,
    stop: threading.Event,
    load: Callable[[str | Path], Model] = load_model,
    turn: AbstractContextManager[object] | None = None,
) -> Summary:
    """Run once.

    Parameters
    ----------
    options : Options
        What to do.
    clock : Clock
        For everything.
    stop : threading.Event
        Set by a signal, or by the caller.
    load : callable
        Loads a model by name; several runs may share what it returns.
    turn : context manager, optional
        See `Runner`.

    Raises
    ------
    EcgEdgeError
        The run could not begin.
    """
    if options.seconds is not None and not (options.seconds > 0 and math.isfinite(options.seconds)):
        raise UsageError(f"--seconds {options.seconds} is no length", "give a number above 0")
    leads = parse_leads(options.leads) if options.leads else None
    model = load(options.model) if options.model else None
    calibration = _calibration(options, clock)
    if calibration and model and not model.spec.any_lead:
        calibration.apply(model)  # refuse before anything is opened

    def model_for(found: tuple[str, ...]) -> Model:
        return for_leads(model or load(default_model(found)), found)

    url, source = _source(options, clock)
    recorder = Recorder(Path(options.out), options.rotate) if options.out else None
    sinks, addresses = _sinks(options, recorder, clock)
    runner = Runner(
        source,
        url,
        model_for,
        sinks,
        clock,
        mains_hz=None if options.mains == "off" else float(options.mains),
        leads=leads,
        seconds=options.seconds,
        stop=stop,
        opened=lambda: hint("\n".join(say_where() for say_where in addresses)) if addresses else None,
        calibration=calibration,
        patient=options.patient or "",
        spare=lambda: load(options.fallback) if options.fallback else None,
        turn=turn,
    )
    with stop_on_signals(stop):
        summary = runner.run()
    summary.recording = recorder.path if recorder else None
    return summary


def _source(options: Options, clock: Clock) -> tuple[str, Source]:
    """The source by its resolved URL."""
    source: Source
    url, source = open_source(
        options.source,
        clock,
        reconnect=options.reconnect,
        fast=options.fast,
        baud=options.baud,
        device=options.device,
        gain=options.gain,
    )
    return url, RescaledSource(source, options.scales) if options.scales else source


def _sinks(
    options: Options, recorder: Recorder | None, clock: Clock
) -> tuple[list[SinkThread], list[Callable[[], str]]]:
    """All sinks, and what tells where some of them can be found once they are open."""
    more, addresses = open_outlets(options.outlets, clock)
    sinks = [_screen(options), *more]
    if recorder:
        sinks.append(SinkThread(recorder, lossless=True, capacity=_RECORDER_QUEUE, batch=_RECORDER_BATCH))
    if options.monitor:
        monitor, address = _monitor(options)
        sinks.append(monitor)
        addresses.append(address)
    return sinks, addresses


def _fallback(name: str) -> str | None:
    """The model for when leads are lost: none where it is not wanted, or not shipped."""
    return None if name == "none" or (name == FALLBACK and name not in shipped_models()) else name


def _calibration(options: Options, clock: Clock) -> CalibrationWatch | None:
    if not options.calibration:
        return None
    path = Path(options.calibration)
    found = CalibrationWatch(path, options.patient, options.placement)
    if not found.label:
        hint(f"{path} is not there yet: the model's own head is used until it is")
    elif (age := found.age_days(clock.now())) is not None and age > OLD_DAYS:
        hint(f"the calibration is {age} days old: hearts and chests change, a new reference takes ten seconds")
    return found


def _screen(options: Options) -> SinkThread:
    """What the terminal shows."""
    if options.tui:
        from ecg_edge.device.tui import TerminalScreen

        return SinkThread(TerminalScreen(), lossless=False, warn=hint, capacity=32, takes=(LeadBlock,))
    return SinkThread(StatusLine(name=options.name), lossless=False, warn=hint, takes=())


def default_model(leads: tuple[str, ...]) -> Path:
    """Return the shipped model's file for a source: the one that uses most leads; int8 before fp32.

    Raises
    ------
    ModelFileError
        No model is shipped with this build, or one is damaged.
    LeadMismatchError
        None fits the source's leads.
    """
    shipped = shipped_models()
    if not shipped:
        raise ModelFileError("this build comes without a model", "name a model file with --model")
    # An any-lead model comes after one made for the very leads.
    # Names say leads and precision, so that only the chosen file has to be opened.
    usable = {lead.upper() for lead in leads if lead in BASIS}
    reads = {name: set(name.upper().split("-")[:-1]) for name in shipped}
    reads |= {name: usable for name in shipped if name.startswith("any-") and 0 < len(usable) < len(BASIS)}
    fitting = [name for name in shipped if reads[name] <= {lead.upper() for lead in leads}]
    if not fitting:
        raise LeadMismatchError(f"no shipped model for {', '.join(leads)}", "ecg-edge info lists the shipped models")
    best = max(fitting, key=lambda name: (len(reads[name]), name[:4] != "any-", name.endswith("-int8"), name))
    return shipped[best]


def _monitor(options: Options) -> tuple[SinkThread, Callable[[], str]]:
    """Return the monitor, and what tells its address once it is open."""
    from ecg_edge.device.monitor import MonitorSink

    monitor = MonitorSink(options.host, options.port, options.token)
    return SinkThread(monitor, lossless=False, warn=hint, takes=(LeadBlock,)), lambda: f"monitor: {monitor.url}"


def _next(summary: Summary) -> str:
    if isinstance(summary.error, UsageError):
        return "ecg-edge run -h"
    if summary.error:
        return "ecg-edge doctor"
    if summary.recording:
        return f"ecg-edge run replay:{summary.recording}_measured --monitor"
    return f"ecg-edge run {summary.source} --out recordings"


def _text(d: dict[str, Any]) -> str:
    """Render a summary for people."""
    by: dict[str, list[str]] = {}
    for lead, kind in d["provenance"].items():
        by.setdefault(kind, []).append(lead)
    latency = d["latency_ms"]
    rate = d["heart_rate_bpm"]
    lines = [
        f"samples    {d['samples_in']} in at {d['fs_in']:g} Hz, {d['samples_lost']} lost, "
        f"{d['samples_out']} out at {d['fs_out']} Hz, {d['dropped_blocks']} blocks dropped",
        *(f"{kind:<13} {' '.join(leads)}" for kind, leads in by.items()),
        f"latency    host p50 {latency['p50']:g} ms, p99 {latency['p99']:g} ms, max {latency['max']:g} ms",
        "           " + ", ".join(f"{k} {v:g} ms" for k, v in latency["terms"].items()),
        f"heart      {rate:.0f}/min" if rate is not None else "heart      no rate",
        f"model      {d['model']['name']} ({d['model']['precision']})",
    ]
    if d["recording"]:
        lines.append(f"recording  {d['recording']}")
    return "\n".join(lines)
