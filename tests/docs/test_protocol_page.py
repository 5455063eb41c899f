"""PROTOCOL.md against the code: every example frame, byte by byte, and the constants it names."""

import binascii
import re
from fractions import Fraction
from importlib.resources import files

import pytest

from ecg_edge.firmware_bridge.ecglink import cobs
from ecg_edge.firmware_bridge.ecglink import frames as f
from ecg_edge.firmware_bridge.ecglink.commands import CommandParser
from ecg_edge.firmware_bridge.ecglink.decoder import EcgLinkDecoder
from ecg_edge.firmware_bridge.ecglink.encoder import EcgLinkEncoder, encode_command
from ecg_edge.firmware_bridge.events import NO_VALUE, Channel, DeviceStatus, StreamInfo
from ecg_edge.firmware_bridge.lead_names import ELECTRODES

PAGE = (files("ecg_edge.firmware_bridge") / "PROTOCOL.md").read_text(encoding="utf-8")
INFO = StreamInfo(
    device="demo patch",
    fs=Fraction(250),
    channels=(
        Channel("I", 0.0005, 0, 24, 0.05, 40, 0.012, "LA", "RA"),
        Channel("V2", 163_487_026e-12, 4194304, 24),
    ),
    firmware="1.0",
    serial="A7",
    tick_hz=Fraction(32768),
    samples_per_frame=2,
    sensed=0b100111,
)
ENCODER = EcgLinkEncoder(INFO, boot=3)
FRAMES = {
    "description": ENCODER.describe(),
    "samples-1": ENCODER.samples([[1, 4194304], [-2, NO_VALUE]], 1000, 131072, lead_off=0b10),
    "samples-2": ENCODER.samples([[256, -1]], 1002, 131334, valid=[True, False]),
    "status": ENCODER.status(DeviceStatus(12, 87, 61.5)),
    "start": encode_command(f.CommandCode.START, 1),
    "ack-start": ENCODER.ack(f.Command(f.CommandCode.START, 1)),
    "ping": encode_command(f.CommandCode.PING, 2, b"hi"),
    "ack-ping": ENCODER.ack(f.Command(f.CommandCode.PING, 2), f.AckCode.OK, b"hi"),
    "describe": encode_command(f.CommandCode.DESCRIBE, 3),
    "stop": encode_command(f.CommandCode.STOP, 4),
}


def examples(kind):
    found = re.findall(rf"^{kind} +([\w-]+)  ((?:[0-9a-f]{{2}}[ \n]+)+)", PAGE, re.MULTILINE)
    return {name: bytes.fromhex(hexes) for name, hexes in found}


def test_the_page_shows_every_frame_exactly_as_encoded():
    assert examples("wire") == FRAMES


def test_frames_before_stuffing_are_as_shown():
    shown = examples("frame")
    assert shown == {name: cobs.decode(FRAMES[name][:-1]) for name in shown}
    assert len(shown) == 4


def test_the_decoder_reads_the_page():
    decoder = EcgLinkDecoder()
    info, first, second, status, *acks = decoder.feed(
        b"".join(w for name, w in examples("wire").items() if name not in ("start", "ping", "describe", "stop"))
    )
    assert info == INFO
    assert first.counts.tolist() == [[1, 4194304], [-2, NO_VALUE]]
    assert first.mv[0].tolist() == pytest.approx([0.0005, 0.0])
    assert first.valid.tolist() == [[False, False], [False, False]]  # LA is off: both need it
    assert second.valid.tolist() == [[True, False]]
    assert (second.index, second.ticks, status.battery_percent) == (2, 131334, 87)
    assert [(a.command, a.sequence, a.data) for a in acks] == [(1, 1, b""), (4, 2, b"hi")]
    heard = CommandParser().feed(b"".join(examples("wire")[n] for n in ("start", "stop", "ping")))
    assert [c.code for c in heard] == [1, 2, 4]


def test_the_constants_the_page_names():
    assert binascii.crc_hqx(b"123456789", 0xFFFF) == 0x29B1
    assert "`0x29B1`" in PAGE
    assert (f.MAX_FRAME, f.MAX_COMMAND, f.MAX_CHANNELS, f.MAJOR, f.MINOR) == (1024, 64, 16, 1, 0)
    assert ", ".join(f"{k} {name}" for k, name in enumerate(ELECTRODES)) in PAGE
    for kind in f.FrameType:
        assert f"| `{f.first_byte(kind):02x}` | {kind.name.lower()} |" in PAGE
    for code in f.CommandCode:
        assert f"| {code.value} | {code.name} |" in PAGE
    assert ENCODER.hash == 0x12
    five = EcgLinkEncoder(INFO).samples([[1000, -1000]] * 5, 500)
    assert len(five) <= 49
