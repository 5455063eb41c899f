"""Naming a device by listening, and by asking only where it is silent."""

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from ecg_edge.firmware_bridge.decoders.catalogue import ECGLINK, KNOWN, Device, find_device
from ecg_edge.firmware_bridge.ecglink.encoder import EcgLinkEncoder
from ecg_edge.firmware_bridge.errors import NotAnEcgStreamError, PluginError, UsageError
from ecg_edge.firmware_bridge.events import Channel, StreamInfo
from ecg_edge.firmware_bridge.ports.capture_file import decode_bytes, document
from ecg_edge.firmware_bridge.ports.identify import identify
from ecg_edge.firmware_bridge.ports.listen import name_device


class Clock:
    now = 0.0

    def monotonic(self):
        return self.now


class Port:
    """A device on a line: talks at one speed, at once or when it hears its cue; every read takes 0.2 s."""

    def __init__(self, clock, data, baud=115200, cue=None, boot_s=0.0):
        self.clock, self.data, self.baud, self.cue, self.boot_s = clock, data, baud, cue, boot_s
        self.heard, self.at, self.opened, self.written = cue is None, 0, [], b""

    def __call__(self, baud):
        self.opened.append(baud)
        self.speed, self.since = baud, self.clock.now
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def read(self, max_bytes=4096):
        self.clock.now += 0.2
        if not self.heard or self.clock.now - self.since < self.boot_s:
            return b""
        piece = self.data[self.at : self.at + 400]
        self.at += len(piece)
        if self.speed != self.baud:
            return bytes(b ^ 0xA5 for b in piece)  # what a wrong speed makes of it is noise
        return piece

    def write(self, data):
        self.written += data
        if self.cue is not None and self.cue in data:
            self.heard = True


def ecglink(seconds=20):
    encoder = EcgLinkEncoder(StreamInfo("patch", Fraction(250), (Channel("I", 0.001), Channel("II", 0.001))))
    counts = np.cumsum(np.random.default_rng(0).integers(-9, 10, (250 * seconds, 2)), axis=0)
    frames = [encoder.describe()] + [encoder.samples(counts[k : k + 5], k) for k in range(0, len(counts), 5)]
    return b"".join(frames)


def listen(data, **how):
    clock = Clock()
    port = Port(clock, data, **how)
    return port, clock, lambda: name_device(port, "/dev/x", clock)


def test_a_patch_that_talks_is_named_without_a_question():
    port, clock, run = listen(ecglink())
    match = run()
    assert match.device is ECGLINK
    assert "EcgLink patch" in match.reason
    assert port.written == b""
    assert clock.now < 2.6


def test_a_silent_patch_is_asked_first_of_all():
    cue = ECGLINK.decoder().opening()[1:6]
    port, _, run = listen(ecglink(), cue=cue)
    assert run().device is ECGLINK
    assert port.opened == [115200]


@pytest.mark.data
@pytest.mark.parametrize(
    ("capture", "device", "baud", "cue"),
    [
        ("openbci_cyton_plain", "cyton", 115200, b"b"),
        ("protocentral_ads1293", "ads1293", 57600, None),
        ("spikerbox_heart_brain", "spikerbox", 230400, None),
        ("ad8232_sparkfun_ascii", "ad8232", 9600, None),
    ],
)
def test_real_bytes_name_their_device(captures: Path, capture, device, baud, cue):
    data = (captures / f"{capture}.bin").read_bytes()[:40_000]
    port, _, run = listen(data, baud=baud, cue=cue, boot_s=0.0 if cue else 1.6)
    assert run().device.name == device
    assert port.opened[-1] == baud


def test_silence_ends_with_what_to_try():
    port, clock, run = listen(b"", cue=b"never")
    with pytest.raises(NotAnEcgStreamError, match=r"silent.*\n.*ecg-edge run /dev/x --as DEVICE"):
        run()
    assert clock.now < 120
    assert port.written.startswith(ECGLINK.decoder().opening()[:1])


def test_noise_ends_with_what_to_try():
    noise = np.random.default_rng(1).integers(0, 256, 400_000, np.uint8).tobytes()
    _, _, run = listen(noise)
    with pytest.raises(NotAnEcgStreamError, match=r"no decoder recognises.*\n.*--as DEVICE"):
        run()


def test_captured_ecglink_decodes_as_any_other_device():
    data = ecglink(4)
    assert identify(data).device is ECGLINK
    decoded = decode_bytes(find_device("EcgLink").decoder(), data)
    assert document(decoded)["samples"] == 1000
    assert document(decoded)["lost"] == 0
    with pytest.raises(UsageError, match="carries its own"):
        ECGLINK.decoder(gain=2.0)
    assert KNOWN[0] is ECGLINK


@pytest.mark.parametrize(("name", "bytes_per_read"), [("olimex", 850), ("olimex-logston", 425)])
@pytest.mark.parametrize("url", ["tcp://127.0.0.1:4000", "/dev/pts/7"])
def test_where_a_port_has_no_speed_equals_are_told_apart_by_their_rate(name, bytes_per_read, url):
    k = np.arange(4000)
    frames = np.zeros((len(k), 17), np.uint8)
    frames[:, :3], frames[:, 3], frames[:, 16] = (0xA5, 0x5A, 0x02), k % 256, 1
    frames[:, 4:16:2], frames[:, 5:16:2] = 1, (k % 100)[:, None]
    port = Port(Clock(), frames.tobytes())
    port.read = lambda n=4096: _piece(port, bytes_per_read)
    assert name_device(port, url, port.clock).device.name == name
    assert len(port.opened) == 1


def _piece(port, n):
    port.clock.now += 0.2
    piece = port.data[port.at : port.at + n]
    port.at += len(piece)
    return piece


def test_the_maker_s_board_is_not_a_plotter_where_the_port_has_no_speed():
    text = b"".join(b"%d\r\n" % (500 + k % 90) for k in range(4000))
    port = Port(Clock(), text)
    port.read = lambda n=4096: _piece(port, 192)
    assert name_device(port, "tcp://127.0.0.1:4000", port.clock).device.name == "ad8232"


class Fails:
    """A decoder of another package that works, but for one method."""

    def __init__(self, method, cue=b"go"):
        self._inner, self._cue = find_device("cyton").decoder(), cue
        vars(self)[method] = lambda: {}["no such key"]
        self.name, self.tally = "mine", self._inner.tally
        self.feed, self.close, self.request = self._inner.feed, self._inner.close, lambda: b""

    def opening(self):
        return self._cue

    def closing(self):
        return b"end"


@dataclass(frozen=True)
class Theirs(Device):
    """A device of another package."""

    failing: str = ""

    def decoder(self, leads=None, gain=None, fs=None, live=False):
        return Fails(self.failing)


THEIRS = Theirs("mine", "Mine", "mine", "mine", Fraction(250), ("I",), 115200, evidence=99)


@pytest.mark.parametrize("method", ["opening", "closing"])
def test_a_stranger_that_fails_when_it_asks_hides_no_device_and_is_named_where_nobody_answers(method):
    devices = (replace(THEIRS, failing=method), ECGLINK)
    port = Port(Clock(), ecglink(), cue=ECGLINK.decoder().opening()[:1])
    assert name_device(port, "/dev/x", port.clock, devices).device is ECGLINK
    silent = Port(Clock(), b"", cue=b"never")
    with pytest.raises(PluginError, match=r"mine: a fault of Fails in .*KeyError"):
        name_device(silent, "/dev/x", silent.clock, devices)
