"""Find out which of a family's layouts a stream has: the first whose frames form a chain."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ecg_edge.firmware_bridge.events import Event, StreamInfo
from ecg_edge.firmware_bridge.framing.chain_scanner import ChainFormat, ChainScanner
from ecg_edge.firmware_bridge.framing.framed_decoder import FramedDecoder
from ecg_edge.firmware_bridge.tally import Tally

Attempt = tuple[ChainFormat, Callable[[], FramedDecoder]]
_KEEP = 4096
_FIRST, _STEP = 64, 512
"""Bytes looked at together, within the first `_KEEP` and later."""


class Finder:
    """A decoder that becomes the one whose format the bytes fit.

    Of two formats that both fit, the earlier attempt may win only if both have been given the same bytes. So they look
    at pieces that lie where the stream, not its cutting, has them.

    Parameters
    ----------
    name : str
        The device.
    attempts : sequence of (ChainFormat, callable)
        Formats and makers of their decoders. Their `lock` should leave no doubt.
    info : StreamInfo
        What to expect until the stream is known.
    opening, closing : bytes
        See `decoder.Decoder`.
    """

    def __init__(
        self, name: str, attempts: Sequence[Attempt], info: StreamInfo, opening: bytes = b"", closing: bytes = b""
    ) -> None:
        self.name, self.tally = name, Tally()
        self.seen = self._waiting = b""
        self._looked = 0
        self._arrival = 0.0
        self._expected = info
        self._opening, self._closing = opening, closing
        self._found: FramedDecoder | None = None
        self._try(attempts)

    @property
    def info(self) -> StreamInfo:
        """What the stream is found to be, or what is expected."""
        return self._expected if self._found is None else self._found.info

    @property
    def buffered(self) -> int:
        """Bytes kept for later: bounded."""
        return len(self.seen) + len(self._waiting) if self._found is None else self._found.buffered

    def feed(self, data: bytes, arrival: float = 0.0) -> list[Event]:
        """Take the next bytes and return what they complete (`decoder.Decoder.feed`)."""
        if self._found is not None:
            return self._found.feed(data, arrival)
        self._arrival = arrival
        data, pos = self._waiting + data, 0
        while len(data) - pos >= (size := _FIRST if self._looked < _KEEP else _STEP):
            self._look(data[pos : pos + size])
            pos += size
            if self._found is not None:
                seen, self.seen, self._waiting = self.seen + data[pos:], b"", b""
                return self._found.feed(seen, arrival)
        self._waiting = data[pos:]
        return []

    def close(self) -> list[Event]:
        """End of stream: return the events that are left."""
        if self._found is not None:
            return self._found.close()
        self._look(self._waiting)
        seen, self.seen, self._waiting = self.seen, b"", b""
        if self._found is not None:
            return self._found.feed(seen, self._arrival) + self._found.close()
        self.tally.skipped_bytes += len(seen)
        return []

    def opening(self) -> bytes:
        """Bytes to write when the port is opened."""
        return self._opening

    def request(self) -> bytes:
        """Nothing: these devices cannot be asked while they send."""
        return b""

    def closing(self) -> bytes:
        """Bytes to write before the port is closed."""
        return self._closing

    def learn(self, seen: bytes) -> Sequence[Attempt] | None:
        """Other attempts, where the bytes before the stream say what it will be; None: nothing new."""
        return None

    def _try(self, attempts: Sequence[Attempt]) -> None:
        self._attempts = [(ChainScanner(fmt, Tally()), make) for fmt, make in attempts]

    def _look(self, data: bytes) -> None:
        self.seen += data
        self._looked += len(data)
        learnt = self.learn(self.seen)
        if learnt is not None:
            self._try(learnt)
            data = self.seen
        for scanner, make in self._attempts:
            if scanner.feed(data):
                self._become(make())
                return
        spare = max(0, len(self.seen) - _KEEP)
        self.tally.skipped_bytes += spare
        self.seen = self.seen[spare:]

    def _become(self, decoder: FramedDecoder) -> None:
        decoder.tally.skipped_bytes += self.tally.skipped_bytes
        self._found, self.tally = decoder, decoder.tally
