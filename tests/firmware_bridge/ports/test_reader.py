import os
import select
import socket
import threading
import tty
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from ecg_edge.firmware_bridge.clock import ManualClock, SystemClock
from ecg_edge.firmware_bridge.errors import (
    DeviceLostError,
    NotAnEcgStreamError,
    PluginError,
    PortNotFoundError,
    ProtocolVersionError,
)
from ecg_edge.firmware_bridge.events import (
    Channel,
    Disconnected,
    Event,
    Gap,
    ReaderEvent,
    Reconnected,
    SampleBlock,
    StreamInfo,
)
from ecg_edge.firmware_bridge.ports.reader import Reader
from ecg_edge.firmware_bridge.ports.transport import open_transport
from ecg_edge.firmware_bridge.tally import Tally

PATIENCE = 10.0
"""Real seconds after which a test gives up; nothing that passes waits for it."""

INFO = StreamInfo("toy", Fraction(100), (Channel("II", 0.001),))


class ToyDecoder:
    """Frames of ``A5, length, payload``; payload ``I`` describes the stream, ``S…`` carries samples."""

    name = "toy"

    def __init__(self) -> None:
        self.tally = Tally()
        self._rest = b""
        self._next = 0
        self._fed = 0
        self.wants = b""
        self._changed = threading.Condition()

    def has_been_fed(self, n: int) -> None:
        """Wait until `n` bytes have come in."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._fed >= n, PATIENCE)

    def feed(self, data: bytes, arrival: float = 0.0) -> list[Event]:
        with self._changed:
            self._fed += len(data)
            self._changed.notify_all()
        self._rest += data
        events: list[Event] = []
        while (start := self._rest.find(b"\xa5")) >= 0:
            self._rest = self._rest[start:]
            if len(self._rest) < 2 or len(self._rest) < 2 + self._rest[1]:
                return events
            payload, self._rest = self._rest[2 : 2 + self._rest[1]], self._rest[2 + self._rest[1] :]
            events += self._take(payload, arrival)
        self._rest = b""
        return events

    def _take(self, payload: bytes, arrival: float) -> list[Event]:
        if payload == b"I":
            return [INFO]
        if payload == b"V":
            raise ProtocolVersionError("the device speaks version 9", "update ecg-edge")
        if payload == b"X":
            raise ValueError("a fault of the decoder")
        counts = np.frombuffer(payload[1:], dtype=np.int8).astype(np.int32)[:, None]
        mv = (counts * 0.001).astype(np.float32)
        block = SampleBlock(self._next, counts, mv, np.ones_like(mv, dtype=bool), arrival=arrival)
        self._next += len(counts)
        return [block]

    def close(self) -> list[Event]:
        return [Gap(self._next, self._next, "end", known=False)] if self._rest else []

    def opening(self) -> bytes:
        return b"?"

    def request(self) -> bytes:
        asked, self.wants = self.wants, b""
        return asked

    def closing(self) -> bytes:
        return b"!"


def frame(payload: bytes) -> bytes:
    return bytes([0xA5, len(payload)]) + payload


def samples(*values: int) -> bytes:
    return frame(b"S" + bytes(value & 0xFF for value in values))


class Device:
    """The far end of a serial line reached through a link, as udev makes them."""

    def __init__(self, link: Path) -> None:
        self._link = link
        self.url = str(link)
        self.plug()

    def plug(self) -> None:
        self._ends = os.openpty()
        tty.setraw(self._ends[0])
        self._link.symlink_to(os.ttyname(self._ends[1]))

    def unplug(self) -> None:
        self._link.unlink(missing_ok=True)
        for end in self._ends:
            os.close(end)
        self._ends = ()

    def send(self, data: bytes) -> None:
        os.write(self._ends[0], data)

    def hears(self, n: int) -> bytes:
        """Take `n` bytes that the host has written."""
        data = b""
        while len(data) < n and select.select([self._ends[0]], [], [], PATIENCE)[0]:
            data += os.read(self._ends[0], n - len(data))
        return data

    def hears_no_more(self) -> bool:
        return not select.select([self._ends[0]], [], [], 0.02)[0]


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Device]:
    end = Device(tmp_path / "ttyECG")
    yield end
    end.unplug()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def decoder() -> ToyDecoder:
    return ToyDecoder()


ReaderMaker = Callable[..., Reader]


@pytest.fixture
def make(device: Device, decoder: ToyDecoder, clock: ManualClock) -> Iterator[ReaderMaker]:
    readers: list[Reader] = []

    def build(**options: object) -> Reader:
        connect = partial(open_transport, device.url, timeout=0.01)
        reader = Reader(connect, decoder, clock, **options)  # type: ignore[arg-type]
        readers.append(reader)
        reader.start()
        return reader

    yield build
    for reader in readers:
        reader.stop()


def take(reader: Reader, kind: type, n: int = 1) -> list[ReaderEvent]:
    """Take events until `n` of a kind have come; return all."""
    events: list[ReaderEvent] = []
    while sum(isinstance(event, kind) for event in events) < n:
        got = reader.get(PATIENCE)
        assert got, f"only {events} came"
        events += got
    return events


def values(events: list[ReaderEvent]) -> list[int]:
    return [int(v) for e in events if isinstance(e, SampleBlock) for v in e.counts[:, 0]]


def test_events_come_in_order_and_stamped(device: Device, make: ReaderMaker, clock: ManualClock) -> None:
    clock.advance(3.0)
    reader = make()
    device.send(frame(b"I") + samples(1, 2) + samples(3)[:2])
    first = take(reader, SampleBlock)
    clock.advance(0.25)
    device.send(samples(3)[2:])
    second = take(reader, SampleBlock)
    assert first[0] == INFO
    assert values(first + second) == [1, 2, 3]
    assert [e.arrival for e in first + second if isinstance(e, SampleBlock)] == [3.0, 3.25]
    assert reader.bytes_read == len(frame(b"I") + samples(1, 2) + samples(3))


def test_the_opening_is_repeated_each_second_until_the_device_answers(
    device: Device, make: ReaderMaker, clock: ManualClock
) -> None:
    reader = make()
    assert device.hears(1) == b"?"
    assert device.hears_no_more()
    clock.advance(1.0)
    assert device.hears(1) == b"?"
    device.send(frame(b"I"))
    take(reader, StreamInfo)
    clock.advance(30.0)
    device.send(samples(1, 2)[:3])  # once recognised, a read that completes nothing changes nothing
    assert device.hears_no_more()
    device.send(samples(1, 2)[3:])
    assert values(take(reader, SampleBlock)) == [1, 2]


def test_what_the_decoder_asks_for_is_written(device: Device, decoder: ToyDecoder, make: ReaderMaker) -> None:
    make()
    assert device.hears(1) == b"?"
    decoder.wants = b"d"
    device.send(frame(b"I"))
    assert device.hears(1) == b"d"
    device.send(samples(1))
    assert device.hears_no_more()


def test_stopping_says_goodbye_and_keeps_what_was_read(device: Device, decoder: ToyDecoder, make: ReaderMaker) -> None:
    reader = make()
    device.send(frame(b"I"))
    take(reader, StreamInfo)
    device.send(b"\xa5")  # half a frame: the decoder's close() accounts for it
    decoder.has_been_fed(4)
    reader.stop()
    assert device.hears(2) == b"?!"
    assert [type(e) for events in reader for e in events] == [Gap]
    assert reader.ended
    assert reader.error is None
    assert reader.get(0) == []


def test_a_lost_device_ends_the_reader_with_its_error(device: Device, make: ReaderMaker) -> None:
    reader = make()
    device.send(frame(b"I") + samples(1, 2, 3))
    got = take(reader, SampleBlock)
    device.unplug()
    with pytest.raises(DeviceLostError):
        for events in reader:
            got += events
    assert values(got) == [1, 2, 3]
    assert isinstance(reader.error, DeviceLostError)
    for take_on in (reader.get, partial(next, iter(reader))):  # it is not told only once
        with pytest.raises(DeviceLostError):
            take_on()
    device.plug()


def test_an_outage_is_marked_and_the_stream_goes_on(device: Device, make: ReaderMaker, clock: ManualClock) -> None:
    reader = make(reconnect=True)
    device.send(frame(b"I") + samples(1, 2))
    take(reader, SampleBlock)
    for value in (3, 4):
        device.unplug()
        lost = take(reader, Disconnected)[-1]
        device.plug()
        back = take(reader, Reconnected)[-1]
        assert isinstance(lost, Disconnected)
        assert isinstance(back, Reconnected)
        assert "went away" in lost.reason
        assert back.attempts >= 1
        assert back.down_s == pytest.approx(back.at - lost.at)
        assert back.down_s > 0.09
        device.send(samples(value))
        block = take(reader, SampleBlock)[-1]
        assert isinstance(block, SampleBlock)
        assert (block.index, values([block])) == (value - 1, [value])
    assert reader.error is None


class RecordingClock(ManualClock):
    """Remembers every wait, and ends the `limit`-th by setting the event."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.waits: list[float] = []
        self._limit = limit

    def wait(self, event: threading.Event, timeout: float) -> bool:
        self.waits.append(timeout)
        if len(self.waits) == self._limit:
            event.set()
        return super().wait(event, timeout)


def test_retries_slow_down_to_five_seconds(device: Device) -> None:
    clock = RecordingClock(limit=9)
    connect = partial(open_transport, device.url, timeout=0.01)
    with Reader(connect, ToyDecoder(), clock, reconnect=True) as reader:
        device.unplug()
        assert [type(e) for events in reader for e in events] == [Disconnected]
    assert clock.waits == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0])
    assert reader.error is None
    device.plug()


def test_the_slow_down_starts_afresh_only_after_a_good_connection(device: Device) -> None:
    clock = RecordingClock(limit=40)
    with Reader(partial(open_transport, device.url, timeout=0.01), ToyDecoder(), clock, reconnect=True) as reader:
        for talks in (False, False, True, False):
            if talks:
                device.send(frame(b"I"))
                take(reader, StreamInfo)
            # the port goes, and is back before the first retry
            old, device._ends = device._ends, ()
            Path(device.url).unlink()
            device.plug()
            for end in old:
                os.close(end)
            take(reader, Reconnected)
        waits = list(clock.waits)
    assert waits == pytest.approx([0.1, 0.2, 0.1, 0.2])


def test_a_port_that_was_never_there_is_a_mistake_not_an_outage(tmp_path: Path) -> None:
    reader = Reader(partial(open_transport, str(tmp_path / "none")), ToyDecoder(), reconnect=True)
    with pytest.raises(PortNotFoundError):
        reader.start()
    reader.stop()


@pytest.mark.parametrize(
    ("noise", "hint"),
    [
        (b"\x80\x13\x9c\xfe\x01\x77\xe0\x1c" * 4, "check the baud rate"),
        (b"ets Jun  8 2016 00:22:57\r\nrst:0x1 (POWERON_RESET)\r\n", "it is text"),
        (b"\x00" * 40, "idle"),
    ],
)
def test_bytes_that_are_no_ecg_are_described(
    device: Device, decoder: ToyDecoder, make: ReaderMaker, clock: ManualClock, noise: bytes, hint: str
) -> None:
    reader = make(recognise_s=5.0)
    device.send(noise)
    decoder.has_been_fed(len(noise))
    assert reader.get(0.03) == []  # it still has hope
    clock.advance(5.0)
    with pytest.raises(NotAnEcgStreamError) as caught:
        reader.get(PATIENCE)
    assert f"{len(noise)} bytes in 5 s" in caught.value.message
    beginning = noise[:16].decode() if noise.isascii() and noise.strip(b"\x00") else noise[:16].hex(" ")
    assert beginning in caught.value.message
    assert hint in caught.value.fix


def test_silence_is_told_from_noise(device: Device, make: ReaderMaker, clock: ManualClock) -> None:
    reader = make(recognise_s=2.0, reconnect=True)
    clock.advance(2.0)
    with pytest.raises(NotAnEcgStreamError, match="not one byte has come in 2 s") as caught:
        reader.get(PATIENCE)
    assert "power" in caught.value.fix
    assert device.url in caught.value.message


def test_samples_without_a_description_are_not_enough(device: Device, make: ReaderMaker, clock: ManualClock) -> None:
    reader = make()
    device.send(samples(1, 2))
    take(reader, SampleBlock)
    clock.advance(5.0)
    with pytest.raises(PluginError, match="no StreamInfo that describes them"):
        reader.get(PATIENCE)


def test_silence_after_an_outage_is_another_outage(device: Device, make: ReaderMaker, clock: ManualClock) -> None:
    reader = make(reconnect=True)
    device.send(frame(b"I"))
    take(reader, StreamInfo)
    device.unplug()
    take(reader, Disconnected)
    device.plug()
    take(reader, Reconnected)
    assert device.hears(1) == b"?"  # the new session has begun
    clock.advance(60.0)
    lost = take(reader, Disconnected)[-1]
    assert isinstance(lost, Disconnected)
    assert "not one byte" in lost.reason


def test_a_slow_consumer_finds_a_gap_for_what_was_dropped(
    device: Device, decoder: ToyDecoder, make: ReaderMaker
) -> None:
    reader = make(capacity=4)
    device.send(frame(b"I"))
    sent, n = 3, 30
    for k in range(n):
        device.send(samples(k, k))
        sent += len(samples(k, k))
        decoder.has_been_fed(sent)  # one list per frame
    reader.stop()
    events = [event for got in reader for event in got]
    gap = next(event for event in events if isinstance(event, Gap))
    blocks = [event for event in events if isinstance(event, SampleBlock)]
    assert events[0] == INFO
    assert (gap.start, gap.stop, gap.known) == (0, reader.dropped_samples, True)
    assert [block.index for block in blocks] == list(range(gap.stop, 2 * n, 2))
    assert reader.dropped_samples == 2 * reader.dropped_blocks > 0
    assert reader.dropped_blocks + len(blocks) == n


def test_a_protocol_of_the_future_ends_the_reader(device: Device, make: ReaderMaker) -> None:
    reader = make(reconnect=True)
    device.send(frame(b"I") + samples(1))
    take(reader, SampleBlock)
    device.send(frame(b"V"))
    with pytest.raises(ProtocolVersionError):
        reader.get(PATIENCE)


def test_a_fault_in_a_decoder_reaches_the_consumer_and_names_the_decoder(device: Device, make: ReaderMaker) -> None:
    reader = make()
    device.send(frame(b"X"))
    with pytest.raises(PluginError, match=r"a fault of \w+ in tests.*, ValueError: a fault of the decoder"):
        reader.get(PATIENCE)
    assert reader.ended


def test_over_tcp_with_the_real_clock() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE)
        connect = partial(open_transport, f"tcp://127.0.0.1:{server.getsockname()[1]}", timeout=0.01)
        before = SystemClock().monotonic()
        with Reader(connect, ToyDecoder(), reconnect=True) as reader:
            peer, _ = server.accept()
            assert peer.recv(1) == b"?"
            peer.sendall(frame(b"I") + samples(7))
            block = take(reader, SampleBlock)[-1]
            assert isinstance(block, SampleBlock)
            assert before <= block.arrival <= SystemClock().monotonic()
            peer.close()
            take(reader, Disconnected)
            again, _ = server.accept()
            with again:
                take(reader, Reconnected)
                again.sendall(samples(8))
                assert values(take(reader, SampleBlock)) == [8]
