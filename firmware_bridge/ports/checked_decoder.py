"""A decoder of another package: whatever it raises or returns wrongly is its own fault, and is called so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from fractions import Fraction
from math import isfinite
from numbers import Integral, Real

import numpy as np

from ecg_edge.firmware_bridge.decoder import Decoder
from ecg_edge.firmware_bridge.errors import PluginError, UsageError, blamed, owner_of
from ecg_edge.firmware_bridge.events import Channel, Event, Gap, SampleBlock, StreamInfo
from ecg_edge.firmware_bridge.lead_names import channel_name, known_channels
from ecg_edge.firmware_bridge.tally import Tally

_MAX_DENOMINATOR = 4096
_KINDS = {"counts": ("iu", "integers"), "mv": ("f", "floats"), "valid": ("b", "bool")}


def checked(decoder: Decoder) -> Decoder:
    """Return a decoder whose answers are checked where it is another package's; one of ours as it is."""
    return CheckedDecoder(decoder) if owner_of(decoder) else decoder


class CheckedDecoder:
    """Passes on what a decoder returns, once it is what `Decoder` promises.

    Each method raises a `PluginError` that names the decoder, where that raises what is not typed. So does a block that
    does not fit its channels, an index that runs back, or a rate that is none. A rate that is a float is made exact.

    Parameters
    ----------
    decoder : Decoder
        Of another package.
    """

    def __init__(self, decoder: Decoder) -> None:
        self._decoder, self._owner = decoder, owner_of(decoder)
        self._info: StreamInfo | None = None
        self._next, self._undescribed = 0, False
        self.name = str(decoder.name)
        self.tally = self._account()

    @property
    def complaint(self) -> str:
        """Why it refuses the stream's description; empty where it does not say."""
        return str(getattr(self._decoder, "complaint", ""))

    def feed(self, data: bytes, arrival: float = 0.0) -> list[Event]:
        """Take the next bytes and return what they complete."""
        return self._events("feed", lambda: self._decoder.feed(data, arrival))

    def close(self) -> list[Event]:
        """End of stream: return the events that are left; samples that were never described are a fault."""
        events = self._events("close", self._decoder.close)
        if self._undescribed:
            raise self._fault("samples came, but no StreamInfo that describes them")
        return events

    def opening(self) -> bytes:
        """Bytes to write when the port is opened."""
        return self._bytes("opening", self._decoder.opening)

    def request(self) -> bytes:
        """Bytes to write after a `feed`."""
        return self._bytes("request", self._decoder.request)

    def closing(self) -> bytes:
        """Bytes to write before the port is closed."""
        return self._bytes("closing", self._decoder.closing)

    def _events(self, method: str, call: Callable[[], object]) -> list[Event]:
        with blamed(self._decoder, self.name):
            events = call()
        if not isinstance(events, list | tuple):
            raise self._fault(f"{method}() returned {type(events).__name__}, not a list of events")
        self.tally = self._account()
        return [self._event(method, event) for event in events]

    def _account(self) -> Tally:
        tally: object = self._decoder.tally
        if not isinstance(tally, Tally):
            raise self._fault(f"its tally is {tally!r}, not a Tally")
        return tally

    def _bytes(self, method: str, call: Callable[[], object]) -> bytes:
        with blamed(self._decoder, self.name):
            data = call()
        if not isinstance(data, bytes | bytearray):
            raise self._fault(f"{method}() returned {type(data).__name__}, not bytes")
        return bytes(data)

    def _event(self, method: str, event: object) -> Event:
        if not isinstance(event, Event):
            raise self._fault(f"{method}() returned {type(event).__name__} among its events")
        if isinstance(event, StreamInfo):
            self._info = event = self._exact(event)
            self._undescribed = False
        elif isinstance(event, SampleBlock):
            if wrong := self._wrong_block(event):
                raise self._fault(wrong)
            self._next, self._undescribed = int(event.index) + len(event), self._info is None
        elif isinstance(event, Gap):
            if not _whole(event.start) or not _whole(event.stop) or event.stop < event.start:
                raise self._fault(f"a Gap from {event.start!r} to {event.stop!r}")
            self._next = max(self._next, int(event.stop))
        return event

    def _exact(self, info: StreamInfo) -> StreamInfo:
        """A description whose rates are fractions."""
        if not info.channels or not all(isinstance(channel, Channel) for channel in info.channels):
            raise self._fault(f"its StreamInfo has channels={info.channels!r}, not a tuple of Channel")
        tick = None if info.tick_hz is None else self._rate("tick_hz", info.tick_hz)
        channels = tuple(replace(channel, lead=spelt(channel.lead)) for channel in info.channels)
        if twice := named_twice(channels):
            raise self._fault(f"its StreamInfo names {twice} twice")
        return replace(info, fs=self._rate("fs", info.fs), tick_hz=tick, channels=channels)

    def _rate(self, name: str, rate: object) -> Fraction:
        if isinstance(rate, bool) or not isinstance(rate, Real) or not isfinite(rate) or rate <= 0:
            raise self._fault(f"its StreamInfo has {name}={rate!r}, not a rate in Hz")
        return rate if isinstance(rate, Fraction) else Fraction(float(rate)).limit_denominator(_MAX_DENOMINATOR)

    def _wrong_block(self, block: SampleBlock) -> str:
        """What is wrong with a block; empty: nothing."""
        if not _whole(block.index):
            return f"a SampleBlock has index={block.index!r}, not an integer"
        if block.index < self._next:
            return f"a SampleBlock begins at index {block.index}, but {self._next} is next: an index never runs back"
        for part, (kinds, words) in _KINDS.items():
            given = getattr(block, part)
            if not isinstance(given, np.ndarray) or given.dtype.kind not in kinds:
                found = f"an array of {given.dtype}" if isinstance(given, np.ndarray) else type(given).__name__
                return f"a SampleBlock has {found} for {part}, not an array of {words}"
        shapes = {part: getattr(block, part).shape for part in _KINDS}
        n = len(self._info.channels) if self._info else block.mv.shape[-1] if block.mv.ndim else 0
        if set(shapes.values()) == {(block.mv.size // max(1, n), n)}:
            return ""
        said = ", ".join(f"{part} of shape {shape}" for part, shape in shapes.items())
        return f"a SampleBlock has {said}; all must be (n_samples, {n}) for {n} channels"

    def _fault(self, what: str) -> PluginError:
        return PluginError(
            f"{self.name}: a fault of {self._owner}: {what}",
            f"mend {self._owner}, or report this line to its authors",
        )


def spelt(lead: object) -> str:
    """Canonical spelling of a channel's name where it is that of a lead or a pair; else as it stands."""
    try:
        return channel_name(str(lead))
    except UsageError:
        return str(lead)


def named_twice(channels: Iterable[Channel]) -> str:
    """First lead or pair that more than one channel is called after; empty: none."""
    count = Counter(known_channels(channel.lead for channel in channels))
    return next((lead for lead, n in count.items() if n > 1), "")


def _whole(number: object) -> bool:
    return isinstance(number, Integral) and not isinstance(number, bool)
