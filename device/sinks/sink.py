"""What a sink is: anything that takes twelve leads as they arrive (recorder, monitor, status line)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from ecg_edge.device.inference.spec import ModelSpec
from ecg_edge.device.lead_algebra import Provenance, further_channels
from ecg_edge.device.lead_block import LeadBlock, Note
from ecg_edge.device.sinks.network import Network
from ecg_edge.firmware_bridge.clock import Clock
from ecg_edge.firmware_bridge.events import SampleBlock, StreamInfo
from ecg_edge.firmware_bridge.lead_names import ELECTRODES, electrodes_of, known_channels


@dataclass(frozen=True)
class RunHeader:
    """What is known when the first samples come.

    Attributes
    ----------
    info : StreamInfo
        The device's description of itself.
    source : str
        URL of the source.
    spec : ModelSpec
        The model's description.
    model_name, model_sha256 : str
        File name without folder, and digest of the file.
    provenance : tuple of Provenance
        Of each of the twelve leads.
    started : datetime
        Wall-clock time of sample 0: UTC; of a stored source what it states, without a zone where it states none.
    latency_terms : dict of str to float
        The named terms of the latency a user sees, in seconds, as far as they are known in advance:
        ``device filter``, ``frame``, ``resampler``, ``algorithmic`` ….
    calibration : str
        ``reconstructed, calibrated <date> from <record>``; empty where the model is everybody's.
    patient : str
        Identifier as the user gave it; empty where unknown.
    mains_hz : float or None
        Notch in Hz; None where there is none.

    Examples
    --------
    >>> import ecg_edge as ee
    >>> class Greeter(ee.SinkBase):
    ...     def open(self, header):
    ...         print(header.info.device, "through", header.model_name)
    >>> summary = ee.run("synthetic:", [Greeter()], seconds=1, fast=True)
    synthetic heart through i-ii-int8.onnx
    """

    info: StreamInfo
    source: str
    spec: ModelSpec
    model_name: str
    model_sha256: str
    provenance: tuple[Provenance, ...]
    started: datetime
    latency_terms: dict[str, float] = field(default_factory=dict)
    calibration: str = ""
    patient: str = ""
    mains_hz: float | None = None

    @property
    def delay_s(self) -> float:
        """Seconds by which the twelve leads are late against the source: row ``m`` shows ``m / spec.fs - delay_s``."""
        return self.latency_terms.get("resampler", 0.0)

    @property
    def channels(self) -> tuple[str, ...]:
        """Measured channels that are none of the twelve leads, in the order of ``LeadBlock.channels``."""
        there = known_channels(c.lead for c in self.info.channels if math.isfinite(c.lsb_mv))
        return further_channels(there)

    @property
    def electrodes(self) -> tuple[str, ...]:
        """Electrodes that the measured leads and channels are taken from."""
        there = known_channels(self.info.leads)
        return tuple(e for e in ELECTRODES if any(e in electrodes_of(name) for name in there))


@dataclass(frozen=True)
class Status:
    """Figures of the running stream, once a second.

    While the device is away (`connected` is False) nothing is stated of the heart, the leads, or the electrodes.

    Attributes
    ----------
    elapsed_s : float
        Since the first sample.
    samples_in, samples_out, samples_lost : int
        Native samples accepted, model-rate rows emitted, native samples lost.
    rate_hz : float
        Native samples per second as received over the last seconds.
    latency_p50_ms, latency_p99_ms : float
        Byte arrival to LeadBlock: how long the host took, beyond the algorithm's own latency.
    heart_rate_bpm : float or None
        From the measured leads.
    lead_off : tuple of str
        Electrodes that are off.
    dropped_blocks : int
        Blocks dropped because a queue was full.
    calibration : str
        As in `RunHeader`, now: a calibration may come while the run goes on.
    quality : dict of str to dict
        Measured lead to ``index`` (0 to 1) and ``reason``; see `signal_quality.Quality`.
    st_mv : dict of str to float or None
        ST level at J+60 in mV; None where it is not identifiable.
    drift_ppm, jitter_ms : float or None
        Of the device's clock against the host's; see `clock_fit`.
    calibration_fits : bool
        False while the model's own head is used because the measured leads have drifted.
    reconstructed_from : tuple of str
        Leads the others are reconstructed from now: fewer than the model's inputs while one is lost or too noisy.
    warnings : tuple of str
        What is wrong now and wants somebody's hand, in words: electrodes that look exchanged ….
    measurements : dict of str to dict or None
        Heart rate, intervals and axes of the last ten seconds with the leads they were read from (``run --measure``);
        see `Measurements.document`. None: not identifiable; empty: not known.

    Examples
    --------
    >>> import ecg_edge as ee
    >>> class Counter(ee.SinkBase):
    ...     rows = 0
    ...
    ...     def status(self, status):
    ...         self.rows = max(self.rows, status.samples_out)
    >>> counter = Counter()
    >>> summary = ee.run("synthetic:", [counter], seconds=2, fast=True)
    >>> 0 <= counter.rows <= summary.counts.rows_out
    True
    """

    elapsed_s: float
    samples_in: int
    samples_out: int
    samples_lost: int
    rate_hz: float
    latency_p50_ms: float
    latency_p99_ms: float
    heart_rate_bpm: float | None
    lead_off: tuple[str, ...] = ()
    dropped_blocks: int = 0
    connected: bool = True
    battery_percent: int | None = None
    calibration: str = ""
    calibration_fits: bool = True
    quality: dict[str, dict[str, object]] = field(default_factory=dict)
    st_mv: dict[str, float | None] = field(default_factory=dict)
    drift_ppm: float | None = None
    jitter_ms: float | None = None
    reconstructed_from: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    measurements: dict[str, object] = field(default_factory=dict)


class Sink(Protocol):
    """Takes what a run makes. Called from one thread, in order: open, then any mix of the middle four, then close.

    The properties are its traits; class attributes do. `SinkBase` has a default for everything.

    Examples
    --------
    >>> import ecg_edge as ee
    >>> sink: ee.Sink = ee.SinkBase()
    >>> sink.lossless, sink.takes == (ee.LeadBlock,)
    (False, True)
    """

    @property
    def name(self) -> str:
        """For messages."""
        ...

    @property
    def takes(self) -> tuple[type, ...]:
        """The kinds of samples it uses, of `SampleBlock` and `LeadBlock`: it is not woken for others."""
        ...

    @property
    def lossless(self) -> bool:
        """True: the run waits where the queue is full, and ends with this sink's error (a recording).

        False: a full queue drops its oldest item, and an error ends this sink alone (a screen).
        """
        ...

    @property
    def extra(self) -> str:
        """Extra of the package that it needs; empty: none."""
        ...

    @property
    def capacity(self) -> int:
        """Items that may wait in its queue."""
        ...

    @property
    def batch(self) -> int:
        """Items that wake the thread, or one that is not samples: waking a thread is dear."""
        ...

    @property
    def where(self) -> str:
        """Where it can be found once it is open, in words: ``monitor: http://…``; empty: nowhere."""
        ...

    @property
    def outlet(self) -> bool:
        """Whether a run is worth its while for this sink alone: it ends where all its outlets have."""
        ...

    @property
    def trouble(self) -> str:
        """What is wrong with it now, in words; a note and a word of the status. May be asked from any thread."""
        ...

    @property
    def lost(self) -> int:
        """Blocks it could not pass on. May be asked from any thread."""
        ...

    def open(self, header: RunHeader) -> None:
        """Begin; raise a typed error if that is impossible."""
        ...

    def native(self, block: SampleBlock) -> None:
        """Take measured samples at their native rate, as decoded."""
        ...

    def leads(self, block: LeadBlock) -> None:
        """Take the twelve leads at the model rate."""
        ...

    def note(self, note: Note) -> None:
        """Take a note: something happened."""
        ...

    def status(self, status: Status) -> None:
        """Take fresh figures, once a second."""
        ...

    def close(self) -> None:
        """End; everything taken is safe when this returns."""
        ...


class SinkBase:
    """A sink that takes the twelve leads and does nothing with them: override what yours needs.

    Examples
    --------
    >>> import ecg_edge as ee
    >>> class Peak(ee.SinkBase):
    ...     name = "peak"
    ...     highest = 0.0
    ...
    ...     def leads(self, block):
    ...         self.highest = max(self.highest, float(block.mv.max()))
    >>> peak = Peak()
    >>> summary = ee.run("synthetic:", [peak], seconds=2, fast=True)
    >>> peak.highest > 0
    True
    """

    name = "sink"
    takes: tuple[type, ...] = (LeadBlock,)
    lossless = False
    extra = ""
    capacity = 512
    batch = 1
    outlet = True

    def __init_subclass__(cls) -> None:
        """A sink that overrides `native` and states no `takes` receives the device's samples too."""
        super().__init_subclass__()
        takes: object = cls.takes  # may be a property, or what is refused later
        if {"native", "takes"} & set(vars(cls)) == {"native"} and isinstance(takes, tuple) and SampleBlock not in takes:
            cls.takes = (SampleBlock, *takes)

    @property
    def trouble(self) -> str:
        """None."""
        return ""

    @property
    def lost(self) -> int:
        """None."""
        return 0

    @property
    def where(self) -> str:
        """Nowhere."""
        return ""

    def open(self, header: RunHeader) -> None:
        """Do nothing."""

    def native(self, block: SampleBlock) -> None:
        """Do nothing."""

    def leads(self, block: LeadBlock) -> None:
        """Do nothing."""

    def note(self, note: Note) -> None:
        """Do nothing."""

    def status(self, status: Status) -> None:
        """Do nothing."""

    def redated(self, header: RunHeader) -> None:
        """Take a header with another date: the machine's clock was set. The first one's other fields are kept."""

    def close(self) -> None:
        """Do nothing."""


@dataclass(frozen=True)
class SinkRequest:
    """What ``--sink NAME:ARGUMENT`` asks for; a plug-in's entry point is called with it and returns a `Sink`.

    Attributes
    ----------
    argument : str
        What stands after the first colon; empty where there is nothing.
    clock : Clock
        Dates what the sink writes.
    token : str or None
        Secret of ``--token``, for a sink that others can reach.
    patch : str
        Name of the patch, where one process runs several; else empty.
    network : Network
        TLS, names of a proxy, and what MQTT needs.
    """

    argument: str
    clock: Clock
    token: str | None = None
    patch: str = ""
    network: Network = field(default_factory=Network)
