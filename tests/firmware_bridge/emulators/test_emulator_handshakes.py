"""What the emulated devices answer, however their commands are cut."""

import contextlib
import json
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
import serial
from hypothesis import given, settings
from hypothesis import strategies as st

from ecg_edge.firmware_bridge.decoders.catalogue import find_device
from ecg_edge.firmware_bridge.emulators.assemble import SourceOptions, build_source
from ecg_edge.firmware_bridge.emulators.catalogue import find_emulated
from ecg_edge.firmware_bridge.errors import UsageError
from ecg_edge.firmware_bridge.events import SampleBlock

PROGRAM = """
import argparse, sys
from ecg_edge.firmware_bridge.cli.simulate import SIMULATE
parser = argparse.ArgumentParser()
SIMULATE.configure(parser)
sys.exit(SIMULATE.run(parser.parse_args()))
"""


def voice(name, fs=None):
    device = find_emulated(name)
    info = device.info(fs=Fraction(fs) if fs else None)
    return device.voice(info, info)


def said(one, data):
    return b"".join(answer.wire for answer in one.hear(data))


def flow(one, data):
    """Whether samples flow after these bytes; None where nothing was said of it."""
    told = [answer.streaming for answer in one.hear(data) if answer.streaming is not None]
    return told[-1] if told else None


def packets(one, n, value=0):
    return [one.frame(np.full((1, len(one.info.channels)), value, np.int32), k, 0, 0) for k in range(n)]


def test_cyton_answers_with_its_three_dollars():
    cyton = voice("cyton")
    banner = said(cyton, b"v")
    assert banner.startswith(b"OpenBCI V3") and b"ADS1299" in banner and banner.endswith(b"$$$")
    assert said(cyton, b"d") == b"updating channel settings to default$$$"
    assert said(cyton, b"~6") == b"Success: Sample rate is 250Hz$$$" == said(cyton, b"~~")
    assert said(cyton, b"~4").startswith(b"Failure") and said(cyton, b"x9X").startswith(b"Failure")
    assert said(cyton, b"x3020000X") == b"Success: Channel set for 3$$$"
    assert said(cyton, b"x" * 36 + b"V").endswith(b"v3.1.2$$$")
    assert flow(cyton, b"b") is True
    assert said(cyton, b"dx3020000X") == b""  # a streaming board keeps silent
    assert flow(cyton, b"s") is False


def test_cyton_counts_from_every_start_and_tells_its_time_when_asked():
    cyton = voice("cyton")
    cyton.hear(b"b")
    assert [p[1] for p in packets(cyton, 3)] == [0, 1, 2]
    cyton.hear(b"sb")
    first, *_ = packets(cyton, 1)
    assert (first[0], first[1], first[32], len(first)) == (0xA0, 0, 0xC0, 33)
    cyton.hear(b"<")
    timed = packets(cyton, 3)
    assert [p[32] for p in timed] == [0xC3, 0xC4, 0xC4]
    assert [int.from_bytes(p[28:32], "big") for p in timed] == [16, 20, 24]
    cyton.hear(b">")
    assert packets(cyton, 1)[0][32] == 0xC0


def test_cyton_gain_and_power_change_what_is_sent():
    cyton = voice("cyton")
    cyton.hear(b"x1030000X2")
    packet = packets(cyton, 1, 2400)[0]
    values = [int.from_bytes(packet[k : k + 3], "big") for k in (2, 5, 8)]
    assert values == [600, 0, 2400]
    cyton.hear(b"@d")
    assert packets(cyton, 1, 2400)[0][2:8] == (2400).to_bytes(3, "big") * 2


def test_shimmer_acknowledges_tells_and_obeys():
    unit = voice("shimmer3")
    assert said(unit, b"\x3f") == b"\xff\x25\x03" and said(unit, b"\x2e")[:2] == b"\xff\x2f"
    assert said(unit, b"\x01") == b"\xff\x02\x40\0\0\0\0\0\x06\x01\x1d\x1e\x1f\x20\x21\x22"
    assert said(unit, b"\x08\0\0\x10\x01")[1:] == b"\xff\x02\x40\0\0\0\0\0\x03\x01\x1d\x23\x24"
    assert said(unit, b"\x05\x80\x00\x03") == b"\xff\xff\x04\x40\x00"  # the rate stays the source's
    assert said(unit, b"\x61\x00\x03\x02\x60\x50") == b"\xff"
    assert said(unit, b"\x63\x00\x03\x02") == b"\xff\x62\x02\x60\x50"
    assert (
        said(unit, b"\x72") == b"\xff\x8a\x71\x00"
        and said(unit, b"\xa3\x00\x72") == b"\xff\x8a\x71\x00"[:1] + b"\x8a\x71\x00"
    )
    assert said(unit, b"\xee") == b"\xfe"
    assert flow(unit, b"\x07") is True
    assert said(unit, b"\x72") == b"\x8a\x71\x10"
    # 16 bits are bits 22 to 7, gains of 12 and 8 where 4 is assumed
    assert packets(unit, 1, 1280)[0] == b"\0\x40\0\0\x80" + (30).to_bytes(2, "big") + (20).to_bytes(2, "big")
    assert flow(unit, b"\x20") is False
    assert len(said(unit, b"\x8b\x02")) == 3 and len(said(unit, b"\x8b\x01")) == 2


def test_bitalino_takes_masks_and_stops():
    unit = voice("bitalino")
    assert said(unit, b"\xc3\x07") == b"BITalino_v5.2\n"
    assert flow(unit, b"\x00") is False
    for mask, size in ((1, 3), (2, 3), (3, 4), (7, 6), (15, 7), (31, 8), (63, 8)):
        assert flow(unit, bytes([0x01 | mask << 2])) is True
        assert [len(p) for p in packets(unit, 2)] == [size] * 2
        assert said(unit, b"\x07") == b"" and flow(unit, b"\xff") is False
    unit.hear(bytes([0x01 | 2 << 2]))
    assert [p[-1] >> 4 for p in packets(unit, 18)] == [*range(16), 0, 1]


def test_chords_obeys_lines_and_any_byte_stops_it():
    board = voice("chords-uno-r4")
    assert said(board, b"WHO") == b"" and said(board, b"RU\n") == b"UNO-R4\r\n"
    assert said(board, b"STATUS\r\n") == b"STOPPED\r\n" and said(board, b"NONSENSE\n") == b"UNKNOWN COMMAND\r\n"
    assert flow(board, b"START\n") is True
    assert [p[2] for p in packets(board, 2)] == [0, 1]
    assert flow(board, b"?") is False
    assert flow(board, b"\nSTART\n") is True
    assert [p[2] for p in packets(board, 1)] == [2]
    assert flow(board, b"STOP\n") is False


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ads1292r", b"Initiliziation is done\r\n"),
        ("ads1293", b"\r\n"),
        ("max30003", b"MAX30003"),
        ("olimex-logston", b"\xa5\x5a\x02\0" + b"\x02\0" * 6 + b"\x02"),
    ],
)
def test_boards_that_boot_say_so_and_start_without_being_asked(name, text):
    board = voice(name)
    assert board.unasked and text in board.greet() and board.hear(b"anything") == []


SCRIPTS = {
    "cyton": b"vdx3020000X~6<V/0b12s~~D",
    "shimmer3": b"\x8b\x02\x08\x18\x00\x00\x05\x40\x00\x01\x63\x00\x00\x0a\x61\x01\x00\x02\x01\x02\x07\x72\x20",
    "bitalino": b"\x07\xc3\x0d\x00\x07",
    "chords-nano": b"WHORU\nSTATUS\r\n\nSTOP\n",
}


@pytest.mark.parametrize("name", SCRIPTS)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_answers_do_not_depend_on_how_commands_are_cut(name, data):
    script = SCRIPTS[name]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(script)), max_size=8)))
    whole, pieces, at, answers = voice(name), voice(name), 0, []
    for cut in [*cuts, len(script)]:
        answers += pieces.hear(script[at:cut])
        at = cut
    assert answers == whole.hear(script)


@pytest.mark.parametrize("name", SCRIPTS)
@settings(max_examples=50, deadline=None)
@given(noise=st.binary(max_size=300))
def test_noise_is_survived(name, noise):
    one = voice(name)
    one.hear(noise)
    assert len(one._pending) <= 300
    one.greet()
    assert one._pending == b"" and len(packets(one, 1)) == 1


def test_the_source_takes_rate_and_leads_from_the_device():
    info = build_source(SourceOptions(like=find_emulated("ads1293"))).info
    assert (info.fs, info.leads) == (100, ("I", "II", "V1"))
    info = build_source(SourceOptions(like=find_emulated("cyton"), leads="V5, II", fs=Fraction(500))).info
    assert (info.fs, info.leads) == (500, ("V5", "II"))
    with pytest.raises(UsageError, match="channel"):
        build_source(SourceOptions(like=find_emulated("ad8232"), leads="I,II"))


def test_the_verb_is_the_device():
    args = ["--as", "openbci-cyton", "--leads", "II,V2", "--fast", "--seconds", "4", "--json"]
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    decoder, events = find_device("cyton").decoder(leads=["II", "V2"]), []
    try:
        with serial.Serial(process.stdout.readline().strip(), timeout=30) as port:
            port.write(b"v")
            assert port.read_until(b"$$$").endswith(b"$$$")
            port.write(decoder.opening())
            with contextlib.suppress(OSError):  # the device ends; pyserial lets the ioctl of in_waiting raise its own
                while data := port.read(max(1, port.in_waiting)):
                    events += decoder.feed(data)
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
        process.communicate()
    document = json.loads(out)
    assert process.returncode == 0 and "--as cyton" in err
    assert (document["device"], document["leads"][:2], document["taken"]) == ("cyton", ["II", "V2"], 1000)
    events += decoder.close()
    assert (decoder.tally.samples, decoder.tally.lost) == (1000, 0)
    mv = np.concatenate([e.mv for e in events if isinstance(e, SampleBlock)])
    assert 0.2 < np.ptp(mv[:, 0]) < 5 and 0.2 < np.ptp(mv[:, 1]) < 5 and not mv[:, 2].any()
