"""A run from a program: a source into sinks, until it ends."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from ecg_edge.device.inference.load import Model
from ecg_edge.device.live.open_stream import FALLBACK, spare_model
from ecg_edge.device.live.runner import Runner
from ecg_edge.device.live.stop_signals import stop_on_signals
from ecg_edge.device.live.summary import Summary
from ecg_edge.device.personal_calibration.file_watch import CalibrationWatch
from ecg_edge.device.reconstruction.array_input import exact_leads, model_for
from ecg_edge.device.recording.recorder import Recorder
from ecg_edge.device.sinks.sink import Sink
from ecg_edge.device.sinks.sink_thread import SinkThread
from ecg_edge.device.sources.open_source import open_source
from ecg_edge.device.sources.source import Source
from ecg_edge.firmware_bridge.clock import Clock, SystemClock
from ecg_edge.firmware_bridge.console import hint
from ecg_edge.firmware_bridge.decoder import Decoder
from ecg_edge.firmware_bridge.errors import UsageError


def run(
    source: str | Source = "auto",
    sinks: Sequence[Sink] = (),
    *,
    model: Model | Path | str | None = None,
    leads: Sequence[str] | str | None = None,
    seconds: float | None = None,
    mains_hz: float | None = 50.0,
    calibration: Path | str | None = None,
    patient: str | None = None,
    placement: str = "again",
    fallback: str | None = FALLBACK,
    device: str | Decoder | None = None,
    gain: float | None = None,
    baud: int | None = None,
    reconnect: bool = True,
    fast: bool = False,
    stop: threading.Event | None = None,
    clock: Clock | None = None,
) -> Summary:
    """Run a source into sinks until it ends: what ``ecg-edge run`` does, with sinks of your own.

    Parameters
    ----------
    source : str or Source
        As in `open_stream`.
    sinks : sequence of Sink
        Each runs in a thread of its own. `Recorder` is one; derive yours from `SinkBase`.
    model, leads, mains_hz, fallback
        As in `open_stream`.
    seconds : float, optional
        Length of signal after which the run ends.
    calibration : Path or str, optional
        A person's calibration file; a file that is written later is taken up when it is there.
    patient, placement
        Who wears the device; ``same`` where the electrodes are where they were in the reference, else ``again``.
    device, gain, baud, reconnect, fast
        See `open_source`.
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
    if seconds is not None and not 0 < seconds < float("inf"):
        raise UsageError(f"seconds={seconds} is not a length", "pass a number above 0, or None to run on")
    clock, stop = clock or SystemClock(), stop or threading.Event()
    if isinstance(source, str):
        url, opened = open_source(
            source, clock, device=device, gain=gain, baud=baud, reconnect=reconnect, fast=fast, report=hint
        )
    else:
        url, opened = type(source).__name__, source
    runner = Runner(
        opened,
        url,
        lambda found: model_for(model, found, None),
        [SinkThread(sink, warn=hint) for sink in sinks],
        clock,
        mains_hz=mains_hz,
        leads=None if leads is None else exact_leads(leads),
        seconds=seconds,
        stop=stop,
        calibration=CalibrationWatch(Path(calibration), patient, placement) if calibration else None,
        patient=patient or "",
        spare=lambda: spare_model(fallback),
    )
    with stop_on_signals(stop):
        summary = runner.run()
    summary.recording = next((s.path for s in sinks if isinstance(s, Recorder)), None)
    if summary.error:
        raise summary.error
    return summary
