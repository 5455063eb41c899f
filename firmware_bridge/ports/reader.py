"""The reader: one thread that turns a device's bytes into events, and reconnects when the device returns."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType

from ecg_edge.firmware_bridge.clock import Clock, SystemClock
from ecg_edge.firmware_bridge.decoder import Decoder
from ecg_edge.firmware_bridge.errors import (
    DeviceLostError,
    EcgEdgeError,
    NotAnEcgStreamError,
    PluginError,
    PortBusyError,
    PortNotFoundError,
)
from ecg_edge.firmware_bridge.events import Disconnected, ReaderEvent, Reconnected, StreamInfo
from ecg_edge.firmware_bridge.ports.checked_decoder import checked
from ecg_edge.firmware_bridge.ports.event_queue import Backlog
from ecg_edge.firmware_bridge.ports.read_schedule import Pace
from ecg_edge.firmware_bridge.ports.transport import Transport
from ecg_edge.firmware_bridge.ports.trial import Trial
from ecg_edge.firmware_bridge.ports.used_up import used_up

__all__ = ["Disconnected", "Reader", "ReaderEvent", "Reconnected"]

_FIRST_DELAY_S = 0.1
_LONGEST_DELAY_S = 5.0


class Reader:
    """Reads a device in a thread of its own; the consumer takes lists of events.

    Every list is what one read completed, in order: `StreamInfo`, `SampleBlock`,
    `Gap` and the decoder's other events, and `Disconnected` / `Reconnected` around an outage.
    A consumer that is too slow loses the oldest lists and finds a `Gap` in their place.

    Parameters
    ----------
    connect : callable
        Opens the transport, now and after every outage:
        ``functools.partial(open_transport, "/dev/ttyUSB0")``.
    decoder : Decoder
        Kept across outages, so that the sample axis continues.
    clock : Clock, optional
        Stamps arrivals and paces retries; the system's by default.
    reconnect : bool
        Come back after a lost device, trying after 0.1 s, 0.2 s … 5 s; otherwise end.
    recognise_s : float
        Longest time without a `StreamInfo` after the first connection, in seconds.
    capacity : int
        Lists of events that wait for the consumer, at most.
    url : str
        How the source is called in headers.

    Attributes
    ----------
    error : BaseException or None
        What ended the reader.
    bytes_read : int
        Bytes read so far.
    live : bool
        True: samples come at the device's pace.
    """

    live = True

    def __init__(
        self,
        connect: Callable[[], Transport],
        decoder: Decoder,
        clock: Clock | None = None,
        *,
        reconnect: bool = False,
        recognise_s: float = 5.0,
        capacity: int = 1024,
        url: str = "",
    ) -> None:
        self.url = url
        self._connect, self._decoder = connect, checked(decoder)
        self._clock: Clock = clock or SystemClock()
        self._reconnect, self._recognise_s = reconnect, recognise_s
        self._backlog = Backlog(capacity)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._known = False
        self._pace = Pace()
        self._raw = b""
        self._held: list[ReaderEvent] = []
        self._delay = _FIRST_DELAY_S
        self.error: BaseException | None = None
        self.bytes_read = 0

    @property
    def device(self) -> str:
        """Name of the device's format, as the catalogue has it."""
        return self._decoder.name

    @property
    def loss_known(self) -> bool:
        """Whether the decoder knows of every loss; see its tally."""
        return self._decoder.tally.loss_known

    @property
    def dropped_blocks(self) -> int:
        """Blocks dropped because the consumer was too slow."""
        return self._backlog.dropped_blocks

    @property
    def dropped_samples(self) -> int:
        """Samples per channel in the dropped blocks."""
        return self._backlog.dropped_samples

    @property
    def ended(self) -> bool:
        """Whether the reader has ended and every event has been taken."""
        return self._backlog.drained

    def start(self) -> None:
        """Open the transport and start reading.

        Raises
        ------
        PortNotFoundError, PortBusyError, UsageError
            From `connect`: a port that was never there is a mistake, not an outage.
        """
        if self._thread is not None or self._stop.is_set():
            raise used_up(self.url)
        transport = self._connect()
        self._thread = threading.Thread(target=self._run, args=(transport,), name="reader", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the reader and wait for its thread; what it has read can still be taken.

        Takes up to the transport's time-out, or 5 s while it is connecting by TCP.
        """
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def get(self, timeout: float | None = None) -> list[ReaderEvent]:
        """Take the oldest list of events.

        Parameters
        ----------
        timeout : float, optional
            Longest wait in seconds; by default until something arrives or the reader ends.

        Returns
        -------
        list of events
            Empty when nothing came in time or `ended`.

        Raises
        ------
        DeviceLostError, NotAnEcgStreamError, ProtocolVersionError
            What ended the reader, once every event has been taken.
        """
        events = self._backlog.get(timeout)
        self._pace.take(events)
        if not events and self.error is not None and self.ended:
            raise self.error
        return events

    def expect(self, short: float, every: float) -> None:
        """Leave the port alone, and the consumer asleep, until there is something it can use.

        Samples are kept back until `short` more have arrived than the consumer took, then until `every` more. Anything
        else passes at once, with the samples before it. A silent device, a lost one and the end of the reader set free
        what was kept back. A device that sends too much for the kernel to keep is read on meanwhile.

        Parameters
        ----------
        short, every : float
            In samples; may be fractions. Zero or less for `short`: the next samples are needed at once.
        """
        self._pace.order(short, every, self.dropped_samples)

    def __iter__(self) -> Iterator[list[ReaderEvent]]:
        """Take lists of events until the reader ends; errors as in `get`."""
        while events := self.get():
            yield events

    def __enter__(self) -> Reader:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self, transport: Transport) -> None:
        try:
            self._attempt(lambda: self._serve(transport))
            if not isinstance(self.error, PluginError):  # a broken decoder is not asked again
                self._attempt(lambda: self._pass_on(self._decoder.close()))
        finally:
            # A fault of ours must reach the consumer too, who would wait for ever.
            self.error = self.error or sys.exc_info()[1]
            self._backlog.close()

    def _attempt(self, part: Callable[[], None]) -> None:
        """Do a part of the work; the consumer has the first typed error, unless the decoder itself is at fault."""
        try:
            part()
        except PluginError as error:
            self.error = error
        except EcgEdgeError as error:
            self.error = self.error or error

    def _serve(self, first: Transport) -> None:
        reason = self._attend(first)
        while reason and (transport := self._come_back(reason)):
            reason = self._attend(transport)

    def _attend(self, transport: Transport) -> str:
        """Hold one connection; return why it was lost, or nothing when told to stop."""
        with transport:
            try:
                self._session(transport)
            except DeviceLostError as error:
                if not self._reconnect:
                    raise
                return error.message
            except NotAnEcgStreamError as error:
                if not self._known:
                    raise
                # It was an ECG before the outage: the device may still be starting.
                return error.message
        return ""

    def _session(self, transport: Transport) -> None:
        """Read until told to stop."""
        self._pace.silent()
        trial = Trial(transport.url, self._decoder, self._clock.monotonic(), self._recognise_s)
        recognised, arrival = False, self._clock.monotonic()
        while not self._stop.is_set():
            if not recognised and trial.opening_due(self._clock.monotonic()):
                _write(transport, self._decoder.opening())
            if recognised and (rest := self._pace.rest(self._clock.monotonic())):
                self._clock.wait(self._stop, rest)
            try:
                data = transport.read()
            except DeviceLostError:
                self._feed(b"", arrival)
                raise
            arrival = self._clock.monotonic()
            if data and recognised and self._pace.holds(arrival, len(self._raw) + len(data)):
                self._raw += data
                continue
            if data or self._raw:
                recognised = self._feed(data, arrival) or recognised
                _write(transport, self._decoder.request())
            if not data:
                self._pace.silent()
                self._pass_on()
            if not recognised:
                trial.judge(data, arrival)
        self._feed(b"", arrival)
        with contextlib.suppress(DeviceLostError):
            _write(transport, self._decoder.closing())

    def _feed(self, data: bytes, arrival: float) -> bool:
        """Decode what was held back and this, and pass on; return whether this proves an ECG stream."""
        data, self._raw = self._raw + data, b""
        self.bytes_read += len(data)
        events = self._decoder.feed(data, arrival)
        self._held += events
        if self._pace.came(events, arrival, self.bytes_read):
            self._pass_on()
        # After an outage a decoder need not describe the stream again.
        proof = bool(events) if self._known else any(isinstance(event, StreamInfo) for event in events)
        if proof:
            self._known, self._delay = True, _FIRST_DELAY_S
        return proof

    def _pass_on(self, events: Iterable[ReaderEvent] = ()) -> None:
        """Let the consumer have what was kept back, and this."""
        held, self._held = self._held, []
        self._backlog.put([*held, *events])

    def _come_back(self, reason: str) -> Transport | None:
        """Try to connect until it succeeds, or return None when told to stop."""
        lost_at = self._clock.monotonic()
        self._pass_on([Disconnected(lost_at, reason)])
        attempts = 0
        while not self._clock.wait(self._stop, self._delay):
            self._delay = min(2 * self._delay, _LONGEST_DELAY_S)
            attempts += 1
            with contextlib.suppress(PortNotFoundError, PortBusyError, DeviceLostError):
                transport = self._connect()
                now = self._clock.monotonic()
                self._pass_on([Reconnected(now, now - lost_at, attempts)])
                return transport
        return None


def _write(transport: Transport, data: bytes) -> None:
    if data:
        transport.write(data)
