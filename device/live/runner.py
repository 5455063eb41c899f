"""The run: a source's events through the pipeline to the sinks, until something ends it."""

from __future__ import annotations

import contextlib
import math
import threading
from collections import Counter, deque
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict

from ecg_edge.device.analysis.rate_watch import usual
from ecg_edge.device.lead_block import LeadBlock, Note
from ecg_edge.device.lead_columns import ProvenanceTally
from ecg_edge.device.live.coalesce import coalesce
from ecg_edge.device.live.hop_gatherer import Gatherer
from ecg_edge.device.live.latency_histogram import LatencyRecorder
from ecg_edge.device.live.run_settings import Models, RunSettings
from ecg_edge.device.live.summary import Renewal, Summary
from ecg_edge.device.live.watched_stream import WatchedStream
from ecg_edge.device.personal_calibration.same_person import recorded_patient, refuse_another, refuse_others
from ecg_edge.device.sinks.header_date import HeaderDate, before
from ecg_edge.device.sinks.sink import Status
from ecg_edge.device.sinks.sink_thread import Item, SinkThread, put_to_all
from ecg_edge.device.sources.open_source import refuse_slow
from ecg_edge.device.sources.source import Source, counts_bytes, device_of, knows_losses
from ecg_edge.firmware_bridge.array_types import locked
from ecg_edge.firmware_bridge.clock import Clock
from ecg_edge.firmware_bridge.console import hint
from ecg_edge.firmware_bridge.errors import EcgEdgeError, NotAnEcgStreamError, as_error
from ecg_edge.firmware_bridge.events import (
    DeviceStatus,
    Disconnected,
    Event,
    Gap,
    ReaderEvent,
    Reconnected,
    SampleBlock,
    StreamInfo,
)

_STATUS_EVERY_S, _RATE_OVER = 1.0, 5
_SILENT_S, _FRESH_S = 3, 2.0
"""After so long without a sample a note says so, and figures are no longer shown."""
_LEAVE_S, _DRAIN_S = 0.4, 0.2


class Runner:
    """Takes a source's events, one after another, to the sinks.

    Parameters
    ----------
    source : Source
        Not yet started.
    models : Models
        Which model reconstructs.
    sinks : sequence of SinkThread
        Not yet opened: the run opens them when the first samples arrive.
    settings : RunSettings
        Notch, names of the leads, length, patient.
    clock : Clock
        For latency, pace and dates.
    stop : threading.Event, optional
        Set to end the run.
    turn : context manager, optional
        Held while events are worked on: a lock, so that runs of one process do not interrupt each other's hops.
    """

    def __init__(
        self,
        source: Source,
        models: Models,
        sinks: Sequence[SinkThread],
        settings: RunSettings,
        *,
        clock: Clock,
        stop: threading.Event | None = None,
        turn: AbstractContextManager[object] | None = None,
    ) -> None:
        self._source, self._models, self._sinks = source, models, tuple(sinks)
        self._settings, self._clock = settings, clock
        self._stop = stop or threading.Event()
        self._reading = source if counts_bytes(source) else None
        self._gatherer = Gatherer(source, clock, self._stop)
        self._calibration = models.calibration
        self._turn = turn or contextlib.nullcontext()
        self._open: list[SinkThread] = []
        self._stream: WatchedStream | None = None
        self._done = self._deserted = False
        self._latency = LatencyRecorder()
        self._provenance = ProvenanceTally()
        self._notes: Counter[str] = Counter()
        self._connected = True
        self._battery: int | None = None
        self._status_at = self._heard_at = -math.inf
        self._silent = self._stalled = False
        self._until: float | None = None
        self._heard_bytes = 0
        self._renewal: Renewal | None = None
        self._taken: deque[tuple[float, int]] = deque(maxlen=_RATE_OVER + 1)
        self._troubles: tuple[str, ...] = ()
        self._dated: HeaderDate | None = None

    def run(self) -> Summary:
        """Run to the end; an error that ended the run is in the summary, the sinks are closed."""
        error: EcgEdgeError | None = None
        try:
            self._source.start()
            try:
                self._loop()
            finally:
                self._source.stop()
            self._drain()
        except Exception as e:  # noqa: BLE001 -- whatever it is, the sinks are closed and what they have is whole
            error = as_error(e)
            with contextlib.suppress(Exception):
                self._drain()
        error = self._close() or error or self._no_outlet() or (self._stream.nothing_valid() if self._stream else None)
        return self._summary(error)

    def _loop(self) -> None:
        while not self._stop.is_set() and not self._done:
            events = self._gatherer.take(self._stream.pipeline if self._stream else None)
            for sink in self._open:
                sink.ease()  # a slow disk must not hold up the others' turns
            with self._turn:
                for event in coalesce(events):
                    self._take(event)
                self._tick()
            if self._outlets and all(sink.ended for sink in self._outlets):
                self._deserted = True
                return  # nobody gets the leads any more
            if self._source.ended:
                self._source.get(0)  # a reader that failed says so when asked once more
                return

    @property
    def _outlets(self) -> list[SinkThread]:
        return [sink for sink in self._open if sink.outlet]

    def _no_outlet(self) -> EcgEdgeError | None:
        """What ended the last outlet, where none has got to the end."""
        errors = [sink.error for sink in self._outlets if sink.error is not None]
        return errors[0] if errors and (self._deserted or len(errors) == len(self._outlets)) else None

    def _take(self, event: ReaderEvent) -> None:
        if isinstance(event, StreamInfo):
            event = event.renamed(self._settings.leads).placed(self._settings.places)
            if self._stream is None:
                refuse_slow(self._source, event)
                refuse_others(event, self._settings.patient, self._calibration)
                self._heard_at = self._clock.monotonic()
                model = self._models.for_leads(event.leads)
                personal = self._calibration.apply(model) if self._calibration else model
                self._stream = WatchedStream(model, personal, event, self._settings, self._models.spare())
            elif self._is_stranger(event):
                return
        stream = self._stream
        if stream is None or self._done:
            return
        here = stream.pipeline.next_index
        if isinstance(event, Disconnected):
            self._connected = False
            stream.forget()
            self._note(Note("disconnect", here, here, event.reason))
        elif isinstance(event, Reconnected):
            self._connected, self._heard_at = True, self._clock.monotonic()
            stream.untimed()
            self._note(Note("reconnect", here, here, f"back after {event.down_s:.1f} s"))
        elif isinstance(event, DeviceStatus):
            self._battery = event.battery_percent
        else:
            self._signal(stream, stream.within_limit(event))

    def _is_stranger(self, info: StreamInfo) -> bool:
        """Whether another device is there now; its samples are not the person's of this record."""
        before = self._stream.pipeline.info.serial if self._stream else ""
        if not before or not info.serial or before == info.serial or self._done:
            return False
        reason = f"the device is now {info.serial}, not {before}: another person?"
        if not self._settings.follow_device:
            raise NotAnEcgStreamError(reason, "start the run again: one recording is of one device")
        self._renew(Renewal(f"{reason} A new record begins, without patient and calibration", stranger=True))
        return True

    def _signal(self, stream: WatchedStream, event: Event) -> None:
        if isinstance(event, SampleBlock):
            if not self._open:
                self._open_sinks(stream, event)
            self._put(event)
            stream.numbers.feed(event)
            self._heard(stream)
            if self._source.live:
                stream.timed(event)
        elif isinstance(event, Gap) and not event.known:
            stream.untimed()
        for item in stream.pipeline.feed(event):
            if isinstance(item, LeadBlock):
                self._latency.add(self._clock.monotonic() - item.arrival)
            self._pass_on(stream, item)
            if self._overdue():  # a gap of days has millions of rows
                return
        self._done = stream.at_limit

    def _open_sinks(self, stream: WatchedStream, first: SampleBlock) -> None:
        pipeline, origin = stream.pipeline, stream.pipeline.info.origin
        age = self._clock.monotonic() - first.arrival + float((first.index + len(first)) / pipeline.info.fs)
        began = before(self._clock.now(), age)
        header = stream.header(self._source.url, began, self._label, self._settings.patient)
        self._dated = HeaderDate(header, self._clock)
        for sink in self._sinks:
            sink.open(header)
            self._open.append(sink)
        if where := [sink.where for sink in self._sinks if sink.where]:
            hint("\n".join(where))
        for note in self._settings.opening_notes(origin.remarks if origin else ()):
            self._note(note)

    def _pass_on(self, stream: WatchedStream, item: LeadBlock | Note) -> None:
        if isinstance(item, Note):
            self._note(item)
        else:
            stream.listen(item)
            self._provenance.add(item)
            self._put(item)

    def _note(self, note: Note) -> None:
        self._notes[note.kind] += 1
        self._put(note)

    def _put(self, item: Item) -> None:
        put_to_all(self._open, locked(item))  # a sink that writes into it would spoil the others' record

    def _tick(self) -> None:
        """Once a second, pass fresh figures to every sink."""
        now = self._clock.monotonic()
        if self._stream is None:
            return
        self._follow_rate(self._stream)
        stalled = self._source.live and now - self._heard_at >= _FRESH_S
        if now - self._status_at < _STATUS_EVERY_S and stalled is self._stalled:
            return
        self._stalled, self._status_at = stalled, now
        self._redate(self._stream)
        self._recalibrate(self._stream)
        self._listen(self._stream, now)
        self._outlet_troubles(self._stream)
        for note in self._stream.news():
            self._note(note)
        self._taken.append((now, self._stream.pipeline.counts.samples_in))
        self._put(self._figures(self._stream))

    def _follow_rate(self, stream: WatchedStream) -> None:
        """Note a rate that is not the nominal one, at once; begin anew with it where that is wanted."""
        for note in stream.rates():
            self._note(note)
        hz = None if self._done or not self._settings.follow_rate else stream.rate.off_hz
        if hz and (device := device_of(self._source, stream.pipeline.info.device)) in self._settings.follow_rate:
            fs = usual(hz)
            reason = f"samples arrive at {hz:.1f} Hz: begun anew, at {float(fs):g} Hz"
            self._renew(Renewal(reason, fs, device=device))

    def _redate(self, stream: WatchedStream) -> None:
        """Mend the dates of what is written where the machine's clock was set."""
        if self._dated and (text := self._dated.mended()):
            self._put(self._dated.header)
            here = stream.pipeline.next_index
            self._note(Note("clock", here, here, text))

    def _renew(self, renewal: Renewal) -> None:
        """End, for the run to begin anew."""
        here = self._stream.pipeline.next_index if self._stream else 0
        self._note(Note("renewal", here, here, renewal.reason))
        self._renewal, self._done = renewal, True

    def _heard(self, stream: WatchedStream) -> None:
        self._heard_at = self._clock.monotonic()
        self._heard_bytes = self._reading.bytes_read if self._reading else 0
        if self._silent:
            self._silent, here = False, stream.pipeline.next_index
            self._note(Note("silent", here, here, "samples are arriving again"))

    def _listen(self, stream: WatchedStream, now: float) -> None:
        """Report a device that is connected and sends nothing: its screen would stand still without a word."""
        if self._source.live and self._connected and not self._silent and now - self._heard_at > _SILENT_S:
            stream.forget()
            self._silent, here = True, stream.pipeline.next_index
            n = self._reading.bytes_read - self._heard_bytes if self._reading else 0
            what = f"sent {n} bytes that are no samples" if n else "sent nothing"
            self._note(Note("silent", here, here, f"the device is connected and has {what} for {_SILENT_S} s"))

    def _outlet_troubles(self, stream: WatchedStream) -> None:
        """Note what is new about the outlets; all of it is in the status as long as it lasts."""
        now = tuple(sink.trouble for sink in self._open if sink.trouble)
        here = stream.pipeline.next_index
        told = {trouble.partition(":")[0] for trouble in self._troubles}
        for trouble in now:
            if trouble.partition(":")[0] not in told:
                self._note(Note("outlet", here, here, trouble))
        self._troubles = now

    def _recalibrate(self, stream: WatchedStream) -> None:
        """Use a calibration that has arrived since; one that cannot be used changes nothing."""
        if self._calibration is None:
            return
        try:
            if not self._calibration.renewed():
                return
            refuse_another(self._calibration, recorded_patient(stream.pipeline.info))
            stream.pipeline.refit(self._calibration.apply(stream.model))
            text = self._label
        except Exception as e:  # noqa: BLE001 -- a file from outside never ends a run
            text = f"not used: {as_error(e).message}"
        here = stream.pipeline.next_index
        self._note(Note("calibration", here, here, text))

    @property
    def _label(self) -> str:
        return self._calibration.label if self._calibration else ""

    def _figures(self, stream: WatchedStream) -> Status:
        (t0, n0), (t1, n1) = self._taken[0], self._taken[-1]
        pipeline, counts = stream.pipeline, stream.pipeline.counts
        here = self._connected and not (self._silent or self._stalled)  # figures of a device that is away are nobody's
        return Status(
            elapsed_s=pipeline.next_index / float(pipeline.info.fs),
            samples_in=counts.samples_in,
            samples_out=counts.rows_out,
            samples_lost=counts.lost,
            rate_hz=(n1 - n0) / (t1 - t0) if t1 > t0 else 0.0,
            latency_p50_ms=1e3 * self._latency.percentile(50),
            latency_p99_ms=1e3 * self._latency.percentile(99),
            heart_rate_bpm=stream.heart_rate if here else None,
            lead_off=pipeline.lead_off if here else (),
            dropped_blocks=self._dropped(),
            connected=self._connected and not self._silent,
            battery_percent=self._battery if here else None,
            calibration=self._label,
            calibration_fits=pipeline.calibration_fits,
            quality={lead: asdict(q) for lead, q in pipeline.quality.items()} if here else {},
            st_mv=stream.st_mv() if here else {},
            drift_ppm=stream.clocks.drift_ppm,
            jitter_ms=stream.clocks.jitter_ms,
            reconstructed_from=pipeline.reconstructed_from,
            measurements=stream.measurements if here else {},
            warnings=(*(stream.warnings if here else ()), *self._troubles),
        )

    def _dropped(self) -> int:
        return self._source.dropped_blocks + sum(s.dropped_blocks for s in self._sinks)

    def _overdue(self) -> bool:
        """Whether the end was asked for, and what had arrived by then has had its time."""
        if not self._stop.is_set():
            return False
        now = self._clock.monotonic()
        self._until = self._until or now + _DRAIN_S
        return now > self._until

    def _drain(self) -> None:
        for event in coalesce(self._gatherer.rest()):
            if self._overdue():  # a flood has seconds of it
                break
            self._take(event)
        if self._stream is not None and not self._overdue():
            for item in self._stream.pipeline.flush(self._clock.monotonic()):
                self._pass_on(self._stream, item)

    def _close(self) -> EcgEdgeError | None:
        """Close every sink and return the first error; the end waits for no outlet that nobody reads."""
        errors, until = [], self._clock.monotonic() + _LEAVE_S
        for sink in self._open:
            try:
                sink.close(max(0.0, until - self._clock.monotonic()) if self._stop.is_set() else None)
            except EcgEdgeError as e:
                errors.append(e)
        return errors[0] if errors else None

    def _summary(self, error: EcgEdgeError | None) -> Summary:
        summary = Summary(self._source.url, error, dropped_blocks=self._dropped(), notes=dict(self._notes))
        summary.renewal = self._renewal
        summary.sink_errors = {sink.name: sink.error for sink in self._sinks if sink.error is not None}
        if self._stream is not None:
            pipeline, latency = self._stream.pipeline, self._latency
            summary.info, summary.model = pipeline.info, self._stream.model
            summary.provenance, summary.counts = pipeline.provenance, pipeline.counts
            summary.provenance_rows = self._provenance.rows()
            if knows_losses(self._source):
                summary.counts.loss_known &= self._source.loss_known
            summary.drift_ppm = self._stream.clocks.drift_ppm
            summary.heart_rate_bpm = self._stream.heart_rate
            summary.latency_s = {"p50": latency.percentile(50), "p99": latency.percentile(99), "max": latency.max_s}
            summary.terms_s = pipeline.latency_terms | {"compute": latency.percentile(50)}
        return summary
