"""A virtual patch: a device that sends EcgLink, or another device's protocol, for tests and demonstrations."""

from __future__ import annotations

import math
import threading
from collections import deque
from dataclasses import dataclass, field, replace
from fractions import Fraction

from ecg_edge.firmware_bridge.clock import Clock, SystemClock
from ecg_edge.firmware_bridge.ecglink.frames import MAX_FRAME, samples_size
from ecg_edge.firmware_bridge.events import DeviceStatus, StreamInfo
from ecg_edge.firmware_bridge.lead_names import ELECTRODES
from ecg_edge.firmware_bridge.virtual_patch.dialect import Voice
from ecg_edge.firmware_bridge.virtual_patch.ecglink_dialect import EcgLinkVoice
from ecg_edge.firmware_bridge.virtual_patch.faults import DUPLICATED, LEAD_OFF, FaultDice, FaultLog, Faults
from ecg_edge.firmware_bridge.virtual_patch.link import Link
from ecg_edge.firmware_bridge.virtual_patch.signal_source import SampleSource

_BEACON_S = 1.0
_IDLE_S = 0.01
_ROOM_S = 0.05
_LA = 1 << ELECTRODES.index("LA")


@dataclass(frozen=True)
class PatchOptions:
    """How a virtual patch behaves.

    Attributes
    ----------
    frame_s : float
        Most signal in one frame of EcgLink, in seconds; other devices have frames of their own size.
    fast : bool
        Send as fast as the reader takes it and lose nothing. Otherwise send at the pace of the clock, and drop whole
        frames where there is no room.
    speed : float
        Of the device's clock, as a multiple of the true one.
    free_run : bool
        Send samples without being asked, and go on when the reader goes.
    max_samples : int or None
        End after so many.
    boot : int
        Number of this boot, 0 for none.
    faults, seed
        What goes wrong, and the seed of the dice.
    battery_percent : int or None
        As told in the status.
    """

    frame_s: float = 0.01
    fast: bool = False
    speed: float = 1.0
    free_run: bool = False
    max_samples: int | None = None
    boot: int = 0
    faults: Faults = field(default_factory=Faults)
    seed: int = 0
    battery_percent: int | None = 100


@dataclass
class PatchTally:
    """What a patch did, in samples per channel unless the name says otherwise."""

    taken: int = 0
    sent: int = 0
    dropped: int = 0
    frames_sent: int = 0
    bytes_sent: int = 0
    commands: int = 0


@dataclass(frozen=True)
class _Packet:
    """Bytes on their way; of a sample frame also its range and whether it is an extra copy."""

    wire: bytes
    span: tuple[int, int] | None = None
    copy: bool = False


class VirtualPatch:
    """A device with a source of samples and a link; one thread calls `run` or `step`.

    Samples flow between START and STOP, and no longer than the reader keeps the port open. The sample index counts
    sampling instants, also while stopped, so a receiver sees every pause as a gap of known length. The source itself
    waits.

    Parameters
    ----------
    source : SampleSource
        What is measured.
    link : Link
        Where it goes.
    options : PatchOptions
    clock : Clock, optional
        Paces the samples unless ``options.fast``.
    voice : Voice, optional
        How it speaks: EcgLink, or as one of `emulators`.

    Attributes
    ----------
    log : FaultLog
        Which samples were lost, and why, by device index.
    tally : PatchTally
    ended : bool
        The source is exhausted, or `max_samples` taken.
    """

    def __init__(
        self,
        source: SampleSource,
        link: Link,
        options: PatchOptions | None = None,
        clock: Clock | None = None,
        voice: Voice | None = None,
    ) -> None:
        self.options = options or PatchOptions()
        self._source, self._link, self._clock = source, link, clock or SystemClock()
        self._fs = source.info.fs
        self._tick_hz = source.info.tick_hz or Fraction(32768)
        self._voice = voice or EcgLinkVoice(self._described(source.info), self.options.boot)
        self.info = self._voice.info
        self._per_frame = self.info.samples_per_frame
        self._dice = FaultDice(self.options.faults, self.options.seed)
        self._queue: deque[_Packet] = deque()
        self.log, self.tally, self.ended = FaultLog(), PatchTally(), False
        self._speed = self.options.speed * (1 + 1e-6 * self.options.faults.clock)
        self._booted, self._virtual, self._next_beacon = self._clock.monotonic(), 0.0, 0.0
        self._reader, self._unplugged, self._live = 0, False, False
        self._index, self._origin = 0, 0.0
        if self.options.free_run:
            self._begin()

    def run(self, stop: threading.Event) -> None:
        """Be a patch until `stop` is set or the samples end; then let the reader take all of them.

        Parameters
        ----------
        stop : threading.Event
            Looked at every 10 ms.
        """
        while not self.ended and not stop.is_set():
            self.step(stop)
        if not stop.is_set():
            self.finish(stop)

    def step(self, stop: threading.Event) -> None:
        """Do what is due now, and wait for what is due next, at most 10 ms."""
        self._listen()
        self._beacon()
        # In fast mode samples wait for a reader, but time goes on while the plug is out.
        flowing = self._live and (not self.options.fast or bool(self._reader) or self._unplugged)
        if flowing and self.options.fast:
            self._frame(stop)
        while flowing and not self.options.fast and not self.ended and self._due() <= self._now():
            self._frame(stop)
        self._release(stop)
        if flowing and self.options.fast:
            return
        pause = min(_IDLE_S, max(0.0, self._due() - self._now()) / self._speed) if flowing else _IDLE_S
        self._clock.wait(stop, pause)
        self._virtual += pause

    def finish(self, stop: threading.Event) -> None:
        """Send what a stall still holds back and a last status, and wait until the reader has it."""
        self._release(stop, whatever=True)
        self._put(self._voice.farewell(self._status()))
        self._release(stop, whatever=True)
        self._link.drain(stop)

    def instant(self, index: int) -> float:
        """Host time (`Clock.monotonic`) at which a sample is taken, at the pace of the clock."""
        return self._booted + (self._origin + float(index / self._fs)) / self._speed

    def _described(self, info: StreamInfo) -> StreamInfo:
        per_frame = _samples_per_frame(self._fs, self.options.frame_s, len(info.channels))
        return replace(info, samples_per_frame=per_frame, tick_hz=self._tick_hz)

    def _now(self) -> float:
        """Return seconds since boot; in fast mode as many as the samples sent are worth."""
        return self._virtual if self.options.fast else (self._clock.monotonic() - self._booted) * self._speed

    def _stream_time(self) -> float:
        return float(self._index / self._fs)

    def _due(self) -> float:
        return self._origin + float((self._index + self._per_frame) / self._fs)

    def _listen(self) -> None:
        if self._unplugged:
            return
        heard, reader = self._link.read(), self._link.poll()
        if reader != self._reader:
            self._change_reader(reader)
        # Whoever has gone leaves no wishes behind.
        for answer in self._voice.hear(heard) if heard and reader else ():
            self.tally.commands += 1
            if answer.streaming is not None:
                self._flow(answer.streaming)
            self._put(answer.wire)

    def _change_reader(self, reader: int) -> None:
        if self._reader and not self.options.free_run:
            self._live = False
        self._reader = reader
        if reader:
            self._put(self._voice.greet())
            if self._voice.unasked:
                self._begin()

    def _flow(self, on: bool) -> None:
        if on:
            self._begin()
        else:
            self._live = False

    def _begin(self) -> None:
        """Start sampling: at index 0 the first time, later where the index would be by now."""
        if self._live:
            return
        self._live, now = True, self._now()
        if self.tally.taken == 0:
            self._origin = now
        elapsed = math.ceil(round((now - self._origin) * float(self._fs), 6))
        resumed = max(self._index, elapsed)
        self.log.add("stopped", self._index, resumed)
        self._index = resumed

    def _beacon(self) -> None:
        if self._now() < self._next_beacon:
            return
        self._next_beacon = max(self._next_beacon + _BEACON_S, self._now())
        if self._reader:
            self._put(self._voice.beacon(self._status()))

    def _status(self) -> DeviceStatus:
        return DeviceStatus(self.tally.dropped, self.options.battery_percent, round(self._now(), 1))

    def _frame(self, stop: threading.Event) -> None:
        """Take one frame's samples and send them on their way."""
        most = self.options.max_samples
        wanted = self._per_frame if most is None else min(self._per_frame, most - self.tally.taken)
        counts, lead_off = self._source.read(wanted)
        n = len(counts)
        self.ended = n < wanted or self.tally.taken + n == most
        if n == 0:
            return
        self._plug(self._stream_time())
        ticks = round((self._origin + self._stream_time()) * float(self._tick_hz))
        lead_off |= _LA if self._sheds_electrode() else 0
        wire = self._voice.frame(counts, self._index, ticks, lead_off)
        span = (self._index, self._index + n)
        if self._sheds_electrode():
            self.log.add(LEAD_OFF, *span)
        self._index += n
        self.tally.taken += n
        self._virtual = max(self._virtual, self._origin + self._stream_time())
        self._meet_fate(wire, span)
        self._release(stop)

    def _sheds_electrode(self) -> bool:
        return self.options.faults.electrode_off(self._stream_time())

    def _plug(self, t: float) -> None:
        down = self.options.faults.unplugged(t)
        if down and not self._unplugged:
            self._link.hang_up()
            self._reader = 0
            for packet in self._queue:
                self._lose(packet, "unplug")
            self._queue.clear()
        if self._unplugged and not down:
            self._link.plug_in()
        self._unplugged = down

    def _meet_fate(self, wire: bytes, span: tuple[int, int]) -> None:
        fate = self._dice.fate()
        if self._unplugged:
            self.log.add("unplug", *span)
        elif fate == "drop":
            self.log.add("drop", *span)
        elif fate == "corrupt":
            self.log.add("corrupt", *span)
            self._put(self._dice.damage(wire))
        else:
            self._put(wire, span)
            if fate == "dup":
                self._put(wire, span, copy=True)

    def _put(self, wire: bytes, span: tuple[int, int] | None = None, copy: bool = False) -> None:
        if wire:
            self._queue.append(_Packet(wire, span, copy))

    def _release(self, stop: threading.Event, whatever: bool = False) -> None:
        """Send what is waiting, unless a stall holds it back (its time runs only while samples flow)."""
        stalled = self._live and self.options.faults.stalled(self._stream_time())
        if self._unplugged or (stalled and not whatever):
            return
        while self._queue:
            self._send(self._queue.popleft(), stop)

    def _send(self, packet: _Packet, stop: threading.Event) -> None:
        sent = bool(self._reader) and self._link.send(packet.wire)
        while not sent and self.options.fast and not stop.is_set() and self._link.poll() == self._reader != 0:
            self._link.wait(_ROOM_S)
            sent = self._link.send(packet.wire)
        if not sent:
            there = bool(self._reader) and self._link.poll() == self._reader
            self._lose(packet, "full" if there else "no_reader")
            return
        self.tally.bytes_sent += len(packet.wire)
        if packet.span is None:
            return
        self.tally.frames_sent += 1
        if packet.copy:
            self.log.add(DUPLICATED, *packet.span)
        else:
            self.tally.sent += packet.span[1] - packet.span[0]

    def _lose(self, packet: _Packet, kind: str) -> None:
        if packet.span is None or packet.copy:
            return
        if self._queue and self._queue[0].copy and self._queue[0].span == packet.span:
            self._queue.popleft()  # nothing is sent twice that was not sent: its copy would arrive in its place
        self.log.add(kind, *packet.span)
        if kind != "unplug":
            self.tally.dropped += packet.span[1] - packet.span[0]


def _samples_per_frame(fs: Fraction, frame_s: float, n_channels: int) -> int:
    room = (MAX_FRAME - samples_size(0, n_channels)) // (3 * max(1, n_channels))
    return max(1, min(int(float(fs) * frame_s + 1e-9), 255, room))
