"""One stream of a run: its pipeline and everything that watches its signal."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

import numpy as np

from ecg_edge.device.analysis.beat_detector import BeatDetector
from ecg_edge.device.analysis.clock_drift import ClockFit
from ecg_edge.device.analysis.numbers_watch import NOTHING, NumbersWatch
from ecg_edge.device.analysis.rate_watch import RateWatch, usual
from ecg_edge.device.analysis.representative_beat import ARMS_AT, RepresentativeBeat
from ecg_edge.device.inference.load import Model
from ecg_edge.device.lead_algebra import Provenance
from ecg_edge.device.lead_block import LeadBlock, Note
from ecg_edge.device.live.run_settings import RunSettings
from ecg_edge.device.measurements.live import LiveMeasurements
from ecg_edge.device.reconstruction.pipeline import Pipeline
from ecg_edge.device.sinks.sink import RunHeader
from ecg_edge.device.sources.open_source import MIN_LIVE_FS
from ecg_edge.firmware_bridge.array_types import BoolArray, Float32Array
from ecg_edge.firmware_bridge.errors import NotAnEcgStreamError
from ecg_edge.firmware_bridge.events import (
    Event,
    Gap,
    SampleBlock,
    StreamInfo,
)
from ecg_edge.firmware_bridge.lead_names import LEADS

_SURE_S = 10


_EXCHANGED = "lead I is upside down: are LA and RA exchanged?"


class WatchedStream:
    """A stream once the source has described itself: its pipeline, and what is watched beside it.

    Parameters
    ----------
    model : Model
        Of the source's leads, with the head of everybody.
    personal : Model
        The same, fitted to a person where there is a calibration.
    info : StreamInfo
        The source's description.
    settings : RunSettings
        Notch and length.
    spare : Model or None
        For when leads are lost.
    """

    def __init__(
        self, model: Model, personal: Model, info: StreamInfo, settings: RunSettings, spare: Model | None
    ) -> None:
        self.model = model
        self._mains_hz = settings.mains_hz
        self.pipeline = Pipeline(personal, info, mains_hz=settings.mains_hz, spare=spare)
        self.clocks = ClockFit(info.fs)
        self.rate = RateWatch(info.fs, info.tick_hz)
        self.numbers = NumbersWatch(info.channels, float(info.fs))
        self._said_off = False
        self.beat = RepresentativeBeat(model.spec.fs, model.spec.conditioning)
        self._live = LiveMeasurements(model.spec.fs, model.spec.conditioning) if settings.measure else None
        self._exchanged, self._said_exchanged = 0, False
        self._forgotten, self._listened, self._paused = False, 0, False
        self.beats = BeatDetector(model.spec.fs)
        self._beat_lead = _listened(model.spec.input_leads, self.pipeline.provenance)
        self._rests = self.pipeline.rests_on(self._beat_lead)
        self._doubted: frozenset[str] = frozenset()
        self._limit = math.inf if settings.seconds is None else math.ceil(settings.seconds * info.fs)

    def header(self, url: str, began: datetime, calibration: str, patient: str) -> RunHeader:
        """What is known when the first samples arrive.

        Parameters
        ----------
        url : str
            How the source is called.
        began : datetime
            Time of sample 0; a stored source's own goes before.
        calibration, patient : str
            As the user gave them; a stored source's own patient stands in for none.
        """
        origin, model = self.pipeline.info.origin, self.model
        return RunHeader(
            self.pipeline.info,
            url,
            model.spec,
            model.path.name,
            model.file_sha256,
            self.pipeline.provenance,
            (origin.started if origin else None) or began,
            self.pipeline.latency_terms,
            calibration,
            patient or (origin.patient if origin else ""),
            self._mains_hz,
        )

    @property
    def at_limit(self) -> bool:
        """Whether as much signal has been taken as was asked for."""
        return self.pipeline.next_index >= self._limit

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is wrong now, in words."""
        exchanged, off = [_EXCHANGED] if self._said_exchanged else [], [_off(self)] if self.rate.off_hz else []
        return (*exchanged, *off, *self.numbers.warnings)

    def nothing_valid(self) -> NotAnEcgStreamError | None:
        """The error of a run in which not one value was valid."""
        if not self.numbers.never_valid:
            return None
        return NotAnEcgStreamError(NOTHING, "look at what the device sends: ecg-edge decode FILE, or a serial monitor")

    @property
    def heart_rate(self) -> float | None:
        """Beats per minute; None where it cannot be stated, at a wrong rate, and unless the lead passes for an ECG."""
        if self._forgotten or self.rate.off_hz or not self._rests <= self.pipeline.trusted:
            return None
        return self.beats.heart_rate()

    def forget(self) -> None:
        """The device is away: what has been heard so far says nothing of now, and only fresh beats count."""
        self._forgotten = True
        self._exchanged = 0
        if self._live:
            self._live.reset()

    def st_mv(self) -> dict[str, float | None]:
        """ST level of each lead; see `RepresentativeBeat.st_mv`. None where a lead has not passed for an ECG."""
        trusted = self.pipeline.trusted
        if self._forgotten or not self._rests <= trusted:
            return {}
        return {x: mv if self.pipeline.rests_on(x) <= trusted else None for x, mv in self.beat.st_mv().items()}

    def timed(self, block: SampleBlock) -> None:
        """Compare the device's clock with when a block arrived."""
        stop = block.index + len(block)
        self.clocks.feed(stop, block.arrival)
        self.rate.event(block)

    def untimed(self) -> None:
        """What follows has no known distance in time from what was there."""
        self.clocks.reset()
        self.rate.reset()

    def rates(self) -> Iterator[Note]:
        """A note when samples arrive at another rate than the nominal one, and when no longer."""
        if (off := self.rate.off_hz is not None) == self._said_off:
            return
        self._said_off, at = off, self.pipeline.next_index
        yield Note("rate", at, at, _off(self) if off else "samples arrive at the nominal rate again")

    def within_limit(self, event: Event) -> Event:
        """Cut an event at the length of signal asked for."""
        if math.isinf(self._limit):
            return event
        limit = int(self._limit)
        if isinstance(event, Gap):
            return replace(event, start=min(event.start, limit), stop=min(event.stop, limit))
        if isinstance(event, SampleBlock):
            if event.index >= limit:
                return Gap(self.pipeline.next_index, limit)
            n = limit - event.index
            return replace(event, counts=event.counts[:n], mv=event.mv[:n], valid=event.valid[:n])
        return event

    def listen(self, block: LeadBlock) -> None:
        """Look for heart beats."""
        leapt, self._listened = block.index != self._listened, block.index + len(block)
        doubted, before = frozenset(self.pipeline.doubts), self._doubted
        self._doubted = doubted
        if doubted - before:  # what was read from these leads so far was read from no ECG
            self.forget()
        if self._forgotten or leapt:
            self._forgotten = False
            self.beats.reset(block.index)
            self.beat.reset(block.index)
        block = self._plausible(block) if doubted else block
        peaks = self.beats.feed(*_rows_of(block, self._beat_lead))
        self.beat.feed(block, peaks)
        if self._live:
            self._live.feed(block)

    def _plausible(self, block: LeadBlock) -> LeadBlock:
        """The block with what rests on doubted leads marked as invalid: nothing is read from it."""
        bad = np.array([bool(self.pipeline.rests_on(lead) & self._doubted) for lead in LEADS])
        return replace(block, valid=block.valid & ~bad)

    @property
    def measurements(self) -> dict[str, object]:
        """Intervals and axes of the last ten seconds; empty where they are not known or not wanted."""
        return self._live.latest if self._live else {}

    def news(self) -> Iterator[Note]:
        """Once a second: what is new of the electrodes, a pause of the heart, and fresh measurements."""
        at = self.pipeline.next_index
        yield from (Note("signal", at, at, text) for text in self.numbers.news())
        yield from self.electrodes()
        yield from self.pauses()
        if self._live:
            yield from self._live.notes(float(self.pipeline.info.fs) / self.model.spec.fs)

    def pauses(self) -> Iterator[Note]:
        """Once a second: a note when no heartbeat has been found for some seconds, and when there are some again."""
        known = not self._forgotten and self._rests <= self.pipeline.trusted
        pause = self.beats.pause_s if known else None
        if (pause is not None) == self._paused:
            return
        self._paused, at = pause is not None, self.pipeline.next_index
        if pause is not None:
            yield Note("rhythm", at, at, f"no heartbeat found for {pause:.1f} s")
        elif known:
            yield Note("rhythm", at, at, "heartbeats are found again")

    def electrodes(self) -> Iterator[Note]:
        """Once a second: a note when LA and RA have looked exchanged for so long, and when no longer."""
        score = None if self._forgotten else self.beat.arms_score()
        if score is None:
            return
        before = self._exchanged
        self._exchanged = min(_SURE_S, before + 1) if score > ARMS_AT else max(-_SURE_S, before - 1)
        at = self.pipeline.next_index
        if before < _SURE_S == self._exchanged and not self._said_exchanged:
            self._said_exchanged = True
            yield Note("electrodes", at, at, _EXCHANGED)
        elif before > -_SURE_S == self._exchanged and self._said_exchanged:
            self._said_exchanged = False
            yield Note("electrodes", at, at, "lead I no longer looks upside down")


def _listened(inputs: tuple[str, ...], provenance: tuple[Provenance, ...]) -> str:
    """Where heart beats are looked for: lead II, else another lead that is measured, else a channel."""
    measured = [lead for lead, p in zip(LEADS, provenance, strict=True) if p is Provenance.MEASURED]
    found = [lead for lead in inputs if lead in LEADS] or measured or list(inputs)
    return "II" if "II" in found else found[0]


def _rows_of(block: LeadBlock, name: str) -> tuple[Float32Array, BoolArray]:
    """One lead or channel of a block: values in mV, and where they are valid."""
    if name in LEADS:
        return block.mv[:, LEADS.index(name)], block.valid[:, LEADS.index(name)]
    if block.channel_mv is None or block.channel_valid is None:
        return np.zeros(len(block), np.float32), np.zeros(len(block), np.bool_)
    column = block.channels.index(name)
    return block.channel_mv[:, column], block.channel_valid[:, column]


def _off(stream: WatchedStream) -> str:
    hz, nominal = stream.rate.off_hz or 0.0, float(stream.pipeline.info.fs)
    mend = f"give --fs {float(usual(hz)):g}"
    if usual(hz) < MIN_LIVE_FS:
        mend = f"too slow for an ECG, set the device to {MIN_LIVE_FS} Hz or more"
    return f"samples arrive at {hz:.1f} Hz, not at {nominal:g} Hz: times are wrong; {mend}"
