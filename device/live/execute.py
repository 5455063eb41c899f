"""Options, or what a program passes -> source, models, sinks, runner."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from fractions import Fraction
from functools import partial
from numbers import Real
from pathlib import Path

from ecg_edge.device.arguments import check_clock, check_event, check_flags, check_gain, check_text
from ecg_edge.device.conditioning.mains import exact_mains
from ecg_edge.device.inference.any_lead import for_leads
from ecg_edge.device.inference.load import Model, load_model
from ecg_edge.device.inference.shipped import default_model, shipped_models
from ecg_edge.device.live.open_sinks import given_sinks, open_sinks
from ecg_edge.device.live.open_stream import FALLBACK, spare_model
from ecg_edge.device.live.options import Options, refuse_idle
from ecg_edge.device.live.run_settings import Models, RunSettings
from ecg_edge.device.live.runner import Runner
from ecg_edge.device.live.stop_signals import stop_on_signals
from ecg_edge.device.live.summary import Summary
from ecg_edge.device.personal_calibration.file import exact_placement
from ecg_edge.device.personal_calibration.file_watch import CalibrationWatch
from ecg_edge.device.reconstruction.array_input import exact_leads, model_for
from ecg_edge.device.recording.recorder import Recorder
from ecg_edge.device.sinks.sink import Sink
from ecg_edge.device.sinks.sink_thread import SinkThread
from ecg_edge.device.sources.given_source import check_source, source_of
from ecg_edge.device.sources.open_source import given_rate, open_source, read_rate
from ecg_edge.device.sources.rescaled import RescaledSource
from ecg_edge.device.sources.source import Source
from ecg_edge.firmware_bridge.clock import Clock, SystemClock
from ecg_edge.firmware_bridge.console import hint
from ecg_edge.firmware_bridge.decoder import Decoder
from ecg_edge.firmware_bridge.decoders.catalogue import known_devices
from ecg_edge.firmware_bridge.errors import CalibrationError, EcgEdgeError, UsageError
from ecg_edge.firmware_bridge.lead_names import parse_channels
from ecg_edge.firmware_bridge.private_files import exact_path

OLD_DAYS = 180


def execute(
    options: Options,
    clock: Clock,
    stop: threading.Event,
    load: Callable[[str | Path], Model] = load_model,
    turn: AbstractContextManager[object] | None = None,
    *,
    more: Sequence[Sink] = (),
    opening: tuple[str, ...] = (),
    screen: bool = True,
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
    more : sequence of Sink
        Besides those of the options.
    opening : tuple of str
        Notes of kind ``worker`` at the first sample.
    screen : bool
        Whether the terminal shows the figures.

    Raises
    ------
    EcgEdgeError
        The run could not begin.
    """
    refuse_idle(options)
    sinks = partial(open_sinks, clock=clock, screen=screen, more=more)
    before: Summary | None = None
    while True:
        settings = replace(_settings(options), opening=opening)
        try:
            summary = _once(options, settings, sinks, clock, stop, load, turn)
        except EcgEdgeError as e:
            if before is None:
                raise
            summary = Summary(before.source, e)
        if before is not None and summary.info is None:  # nothing arrived any more: what did is the run
            return replace(before, error=summary.error, renewal=None)
        if summary.renewal is None or stop.is_set():
            return summary
        hint(summary.renewal.reason)
        before, options = summary, summary.renewal.applied(options)


def _once(
    options: Options,
    settings: RunSettings,
    open_them: Callable[[Options, Recorder | None], Sequence[SinkThread]],
    clock: Clock,
    stop: threading.Event,
    load: Callable[[str | Path], Model],
    turn: AbstractContextManager[object] | None,
) -> Summary:
    if settings.places:
        options = replace(options, calibration=None)  # it was the place; the head is everybody's
    models = _models(options, clock, load)
    source = _source(options, clock)
    recorder = Recorder(Path(options.out), options.rotate) if options.out else None
    runner = Runner(source, models, open_them(options, recorder), settings, clock=clock, stop=stop, turn=turn)
    with stop_on_signals(stop):
        summary = runner.run()
    summary.recording = recorder.path if recorder else None
    return summary


def _settings(options: Options) -> RunSettings:
    seconds = options.seconds
    if seconds is not None and not (seconds > 0 and math.isfinite(seconds)):
        raise UsageError(f"--seconds {seconds} is no length", "give a number above 0")
    return RunSettings(
        mains_hz=None if options.mains == "off" else float(options.mains),
        leads=parse_channels(options.leads, skip=True) if options.leads else None,
        seconds=seconds,
        patient=options.patient or "",
        follow_rate=() if options.fs else tuple(d.name for d in known_devices()),
        follow_device=True,
        places=_places(options.calibration),
        measure=options.measure,
    )


def _places(calibration: str | None) -> dict[str, str]:
    if not calibration:
        return {}
    # A run without a calibration starts sooner without the readers of recordings.
    from ecg_edge.device.personal_calibration.fitted_place import read_places

    return read_places(Path(calibration))


def _models(options: Options, clock: Clock, load: Callable[[str | Path], Model]) -> Models:
    model = load(options.model) if options.model else None
    calibration = _calibration(options, clock)
    if calibration and model and not model.spec.any_lead:
        calibration.apply(model)  # refuse before anything is opened
    fallback = _fallback(options)
    return Models(
        for_leads=lambda leads: for_leads(model or load(default_model(leads)), leads),
        spare=lambda: load(fallback) if fallback else None,
        calibration=calibration,
    )


def _source(options: Options, clock: Clock) -> Source:
    source = open_source(
        options.source,
        clock,
        reconnect=options.reconnect,
        fast=options.fast,
        baud=options.baud,
        device=options.device,
        gain=options.gain,
        fs=None if options.fs is None else read_rate(str(options.fs)),
        unit=options.unit,
        named=bool(options.leads),
        report=hint,
    )
    return RescaledSource(source, options.scales) if options.scales else source


def _fallback(options: Options) -> str | None:
    """The model for when leads are lost: none where it is not wanted, or where the usual one is not shipped."""
    name = options.fallback
    return None if name == "none" or (name == Options.fallback and name not in shipped_models()) else name


def _calibration(options: Options, clock: Clock) -> CalibrationWatch | None:
    if not options.calibration:
        return None
    path = Path(options.calibration)
    if not path.exists() and not options.calibration_later:
        raise _no_calibration(path)
    found = CalibrationWatch(path, options.patient, options.placement)
    if not found.label:
        hint(f"{path} is not there yet: the model's own head is used until it is")
    elif (age := found.age_days(clock.now())) is not None and age > OLD_DAYS:
        hint(f"the calibration is {age} days old: hearts and chests change, a new reference takes ten seconds")
    return found


def _watched(
    calibration: Path | str | None, later: bool, patient: str | None, placement: str
) -> CalibrationWatch | None:
    if calibration is None:
        return None
    path = exact_path(calibration, "calibration")
    if not path.exists() and not later:
        raise _no_calibration(path)
    return CalibrationWatch(path, patient, placement)


def _no_calibration(path: Path) -> CalibrationError:
    fix = "check the name, or wait for it while running: calibration_later=True (--calibration-later)"
    return CalibrationError(f"there is no calibration {path}", fix)


def _is_length(seconds: object) -> bool:
    return isinstance(seconds, Real) and not isinstance(seconds, bool) and 0 < float(seconds) < math.inf


def run(
    source: Source | Path | str = "auto",
    sinks: Sequence[Sink] = (),
    *,
    model: Model | Path | str | None = None,
    leads: Sequence[str] | str | None = None,
    seconds: float | None = None,
    mains_hz: float | None = 50.0,
    calibration: Path | str | None = None,
    calibration_later: bool = False,
    patient: str | None = None,
    placement: str = "again",
    fallback: str | None = FALLBACK,
    device: str | Decoder | None = None,
    gain: float | None = None,
    fs: Fraction | float | None = None,
    baud: int | None = None,
    reconnect: bool = True,
    fast: bool = False,
    stop: threading.Event | None = None,
    clock: Clock | None = None,
) -> Summary:
    """Run a source into sinks until it ends: what ``ecg-edge run`` does, with sinks of your own.

    Parameters
    ----------
    source : str, Path or Source
        As in `open_stream`.
    sinks : sequence of Sink
        Each runs in a thread of its own. `Recorder` is one; derive yours from `SinkBase`.
    model, leads, mains_hz, fallback
        As in `open_stream`.
    seconds : float, optional
        Length of signal after which the run ends.
    calibration : Path or str, optional
        A person's calibration file; where it is renewed while the run goes on, the new one is used.
    calibration_later : bool
        The file need not be there yet: the model's own head is used until it is.
    patient, placement : str
        Who wears the device; ``same`` where the electrodes are where they were in the reference, else ``again``.
    device, gain, baud, reconnect, fast : optional
        See `open_source`.
    fs : Fraction or float, optional
        Rate of the device in Hz, where it states none or a wrong one; a note says when samples arrive at another.
    stop : threading.Event, optional
        Set it to end the run. In the main thread Ctrl-C and SIGTERM do the same.
    clock : Clock, optional
        The machine's own by default.

    Returns
    -------
    Summary
        Samples in, out and lost, latency, notes.

    Raises
    ------
    EcgEdgeError
        What ended the run, after every sink has been closed.

    Examples
    --------
    >>> import ecg_edge as ee
    >>> class Peak(ee.SinkBase):
    ...     highest = 0.0
    ...
    ...     def leads(self, block):
    ...         self.highest = max(self.highest, float(block.lead("V2").max()))
    >>> peak = Peak()
    >>> summary = ee.run("synthetic:", [peak], seconds=3, fast=True)
    >>> summary.counts.rows_out, peak.highest > 0
    (300, True)
    """
    check_clock(clock)
    check_event(stop=stop)
    check_flags(reconnect=reconnect, fast=fast, calibration_later=calibration_later)
    check_source(source, device=device, gain=gain, fs=fs, baud=baud)
    check_text(patient=patient)
    check_gain(gain)
    exact_placement(placement)
    if seconds is not None and not _is_length(seconds):
        raise UsageError(f"seconds={seconds} is not a length", "pass a number above 0, or None to run on")
    takers, clock, stop = given_sinks(sinks), clock or SystemClock(), stop or threading.Event()
    mains_hz = exact_mains(mains_hz)
    names = None if leads is None else exact_leads(leads, skip=True)
    opened = partial(
        open_source,
        clock=clock,
        device=device,
        gain=gain,
        fs=given_rate(fs),
        baud=baud,
        reconnect=reconnect,
        fast=fast,
        named=bool(names),
        report=hint,
    )
    taken = source_of(source, opened)
    models = Models(
        for_leads=lambda found: model_for(model, found, None),
        spare=lambda: spare_model(fallback),
        calibration=_watched(calibration, calibration_later, patient, placement),
    )
    settings = RunSettings(mains_hz, names, seconds, patient or "")
    runner = Runner(taken, models, [SinkThread(s, warn=hint) for s in takers], settings, clock=clock, stop=stop)
    with stop_on_signals(stop):
        summary = runner.run()
    summary.recording = next((s.path for s in takers if isinstance(s, Recorder)), None)
    if summary.error:
        raise summary.error
    return summary
