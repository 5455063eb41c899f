"""The C library against the Python side: the same bytes out, the same commands in, under sanitizers."""

import random
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ecg_edge.firmware_bridge.ecglink import frames as f
from ecg_edge.firmware_bridge.ecglink.commands import CommandParser
from ecg_edge.firmware_bridge.ecglink.decoder import EcgLinkDecoder
from ecg_edge.firmware_bridge.ecglink.encoder import EcgLinkEncoder, encode_command
from ecg_edge.firmware_bridge.events import NO_VALUE, Ack, Channel, DeviceStatus, StreamInfo
from ecg_edge.firmware_bridge.lead_names import ELECTRODES
from tests.support.c_device import BAD_DESCRIPTION, OK, STALE, hexed, started_harness

U8, U16, U32 = (st.integers(0, 2**bits - 1) for bits in (8, 16, 32))
TEXT = st.text(st.characters(codec="utf-8", categories=("L", "N")), max_size=24).filter(lambda t: len(t.encode()) <= 48)
CHANNELS = st.builds(
    Channel,
    lead=st.sampled_from(["", "I", "aVR", "V6", "Resp", "µV", "sixteen-bytes-ok"]),
    lsb_mv=(st.integers(1, 2**45) | st.integers(-(2**45), -1)).map(lambda fv: fv / 1e12),
    offset=st.integers(-(2**31) + 1, 2**31 - 1).map(float),
    bits=st.integers(1, 32),
    highpass_hz=st.integers(0, 10**6).map(lambda mhz: mhz / 1e3),
    lowpass_hz=st.integers(0, 10**6).map(lambda mhz: mhz / 1e3),
    group_delay_s=st.integers(0, 10**7).map(lambda us: us / 1e6),
    positive=st.sampled_from(["", *ELECTRODES]),
    negative=st.sampled_from(["", *ELECTRODES]),
)
INFOS = st.builds(
    StreamInfo,
    device=TEXT,
    fs=st.fractions(Fraction(1, 10), 10**5, max_denominator=2**15),
    channels=st.lists(CHANNELS, min_size=1, max_size=16).map(tuple),
    firmware=TEXT,
    serial=TEXT,
    tick_hz=st.none() | st.fractions(1, 10**6, max_denominator=1000),
    samples_per_frame=st.integers(1, 20),
    sensed=U16,
)
many = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="session")
def harness(tmp_path_factory):
    running = started_harness(tmp_path_factory.mktemp("c"))
    yield running
    assert running.close() == ""


@many
@given(INFOS, U32)
def test_a_description_is_the_python_encoders(harness, info, boot):
    encoder = EcgLinkEncoder(info, boot)
    assert harness.init(info, boot) == OK
    wire = harness.get()
    assert wire == b"\0" + encoder.describe()
    (got,) = EcgLinkDecoder().feed(wire)
    assert got == EcgLinkDecoder().feed(encoder.describe())[0]
    assert harness.ask("D") == "0"
    assert harness.get() == encoder.describe()


@many
@given(INFOS, st.data(), U32, U32, U16)
def test_sample_frames_are_the_python_encoders(harness, info, data, index, ticks, lead_off):
    n_channels = len(info.channels)
    n = data.draw(st.integers(1, min(255, (f.MAX_FRAME - 17) // (3 * n_channels))))
    rng = np.random.default_rng(data.draw(U32))
    # Zeros and long runs without any are what stuffing is about.
    counts = rng.choice(
        [0, 1, -1, 0x010101, -(2**23) + 1, 2**23 - 1, int(rng.integers(-(2**23), 2**23))], (n, n_channels)
    )
    stale = rng.random((n, n_channels)) < rng.choice([0.0, 0.1])
    stale[0] = False  # a channel that is stale throughout is told by its bit
    encoder = EcgLinkEncoder(info)
    harness.started(info)
    harness.ask("X", index)
    assert harness.samples(np.where(stale, STALE, counts), ticks, lead_off, 2**n_channels - 1)
    assert harness.get() == encoder.samples(counts, index, ticks, lead_off, ~stale)
    assert harness.state()["index"] == (index + n) % 2**32


def test_stuffing_around_full_runs(harness, kit):
    # One code byte can announce 254 bytes: runs that end before, at and behind one and two of these, by a zero
    # or by the end of the frame. The header's last byte is a zero, the CRC's two bytes mostly are none.
    info = replace(kit.two_leads(), channels=(Channel("I", 0.001),), samples_per_frame=80)
    encoder = EcgLinkEncoder(info)
    harness.started(info)
    for n in (83, 84, 85, 168, 169, 170):
        for zero in {n, *range(80, 87), *range(n - 3, n)}:
            for where in (0x111100, 0x110011, 0x001111):
                counts = np.full((n, 1), 0x111111)
                counts[zero : zero + 1] = where
                index = harness.state()["index"]
                assert harness.samples(counts, valid=1)
                assert harness.get() == encoder.samples(counts, index)


def test_a_frame_that_ends_with_a_full_run(harness, kit):
    encoder = EcgLinkEncoder(kit.two_leads())
    harness.started(kit.two_leads())
    sizes = set()
    for code in range(1, 40):
        for n in (247, 248, 249):
            data = b"\x01" * n
            assert harness.ask("A", code, 1, 1, hexed(data)) == "1"
            wire = harness.get()
            assert wire == encoder.ack(f.Command(code, 1), 1, data)
            sizes.add(len(wire) - n)
    assert sizes == {8, 9}  # the code byte behind a full run is needed by some, not by all


def test_counts_beyond_24_bits_are_limited_and_the_rail_is_no_stale_sample(harness, kit):
    harness.started(kit.two_leads())
    assert harness.samples([[2**31 - 1, -(2**31) + 1], [2**23, -(2**23)], [STALE, 5]])
    body = f.unseal(harness.get()[:-1])
    counts = f.unpack_samples(body, 2).counts
    assert counts.tolist() == [[2**23 - 1, -(2**23) + 1]] * 2 + [[NO_VALUE, 5]]


def test_a_channel_that_is_stale_throughout(harness, kit):
    info = kit.two_leads()
    harness.started(info)
    assert harness.samples([[7, 8]], valid=0b01)
    assert harness.get() == EcgLinkEncoder(info).samples([[7, 8]], 0, valid=[True, False])


@many
@given(U8, U8, U8, st.binary(max_size=255))
def test_acks_are_the_python_encoders(harness, kit, code, sequence, result, data):
    info = kit.two_leads()
    harness.started(info)
    assert harness.ask("A", code, sequence, result, hexed(data)) == "1"
    wire = harness.get()
    assert wire == EcgLinkEncoder(info).ack(f.Command(code, sequence), result, data)
    assert EcgLinkDecoder().feed(wire) == [Ack(code, sequence, result, data)]


@many
@given(st.lists(st.integers(0, 5000), max_size=20), st.integers(0, 2**32 - 1), U8, st.integers(0, 2**20))
def test_poll_describes_and_reports_every_second(harness, kit, steps, start, battery, dropped):
    info = kit.two_leads()
    encoder = EcgLinkEncoder(info, 5)
    assert harness.init(info, 5) == OK
    harness.ask("P", start, battery)  # the host's clock may stand anywhere; the wrap of 2**32 ms is within
    harness.get()
    base = start - start % 100 if start >= 1000 else 0
    now, reported = start, base
    for step in steps:
        now += step
        harness.ask("P", now % 2**32, battery)
        due = now - reported >= 1000
        if due:
            reported += (now - reported) // 100 * 100
        status = f.pack_status(DeviceStatus(0, battery, reported / 1000))
        assert harness.get() == (encoder.describe() + f.seal(status) if due else b"")


COMMANDS = st.builds(encode_command, U8, U8, st.binary(max_size=59))
NOISE = st.one_of(
    st.binary(max_size=80),
    st.just(b"\0"),
    st.just(b"\xff" * 70),
    st.builds(f.seal, st.binary(min_size=1, max_size=70)),
    st.builds(lambda n: f.seal(b"\x81" + bytes(n)), st.integers(0, 63)),
    st.builds(lambda n, x: f.seal(b"\x81" + bytes([x]) * n), st.integers(58, 63), st.integers(1, 255)),
)


@many
@given(st.lists(COMMANDS | NOISE, max_size=12), st.randoms(use_true_random=False))
@example([b"\x01", b"\0", encode_command(1, 2)], random.Random(0))
@example([encode_command(4, 1, b"\xff" * 59), b"\xff" + b"\x01" * 254 + b"\0"], random.Random(0))
def test_the_parser_hears_what_pythons_hears(harness, pieces, rng):
    stream = bytearray(b"".join(pieces))
    for _ in range(rng.choice([0, 0, 1, 3]) if stream else 0):
        stream[rng.randrange(len(stream))] ^= 1 << rng.randrange(8)
    stream += b"\0"
    heard, at = "", 0
    harness.ask("K", "00")  # it keeps its parser: end what an example that was cut short left open
    while at < len(stream):
        step = rng.choice([1, 2, 7, 100])
        heard += harness.ask("K", hexed(stream[at : at + step]))
        at += step
    expected = CommandParser().feed(bytes(stream))
    assert heard == "".join(f"{c.code} {c.sequence} {c.data.hex()};" for c in expected)


def test_a_device_answers_as_the_protocol_says(harness, kit):
    info = kit.two_leads()
    encoder = EcgLinkEncoder(info, 9)
    assert harness.init(info, 9) == OK
    harness.get()
    stream = [
        (encode_command(f.CommandCode.START, 1), encoder.ack(f.Command(1, 1)) + encoder.describe(), 1),
        (encode_command(f.CommandCode.START, 2), encoder.ack(f.Command(1, 2)) + encoder.describe(), 1),
        (encode_command(f.CommandCode.PING, 3, b"hi\0"), encoder.ack(f.Command(4, 3), 0, b"hi\0"), 1),
        (encode_command(f.CommandCode.DESCRIBE, 4, b"?"), encoder.ack(f.Command(3, 4)) + encoder.describe(), 1),
        (encode_command(77, 5, b"x"), encoder.ack(f.Command(77, 5), f.AckCode.UNKNOWN_COMMAND), 1),
        (encode_command(f.CommandCode.STOP, 6), encoder.ack(f.Command(2, 6)), 0),
        (encode_command(0, 7), encoder.ack(f.Command(0, 7), f.AckCode.UNKNOWN_COMMAND), 0),
        (b"\0" + encode_command(f.CommandCode.STOP, 8), encoder.ack(f.Command(2, 8)), 0),
    ]
    for sent, answer, streaming in stream:
        harness.ask("R", hexed(sent))
        assert harness.get() == answer
        assert harness.state()["streaming"] == streaming
        assert harness.samples([[1, 2]]) == bool(streaming)
        harness.get()
    assert harness.state() == {"index": len(stream), "dropped": 0, "boot": 9, "streaming": 0}


@pytest.mark.parametrize(
    "wrong",
    [
        {"channels": ()},
        {"channels": (Channel("I", 1.0),) * 17},
        {"channels": (Channel("I", 0.0),)},
        {"channels": (Channel("I", 1.0, bits=0),)},
        {"channels": (Channel("I", 1.0), Channel("I", 1.0, bits=33))},
        {"channels": (Channel("a label too long!", 1.0),)},
        {"fs": Fraction(0)},
        {"fs": Fraction(100_001)},
        {"fs": Fraction(200_001, 2)},
        {"device": "x" * 49},
        {"serial": "x" * 300},
        {"firmware": "x" * 49},
        {"samples_per_frame": 0},
        {"samples_per_frame": 168},
    ],
)
def test_a_description_that_cannot_be_is_never_sent(harness, kit, wrong):
    assert harness.init(replace(kit.two_leads(), **wrong)) == BAD_DESCRIPTION
    harness.ask("T", 1)
    harness.ask("P", 5000, 50)
    events = EcgLinkDecoder().feed(harness.get())
    assert [type(e) for e in events] == [DeviceStatus]


@pytest.mark.parametrize("fs", [Fraction(100_000), Fraction(199_999, 2), Fraction(1, 2**32 - 1), Fraction(32768, 131)])
def test_rates_at_the_edge(harness, kit, fs):
    info = replace(kit.two_leads(), fs=fs)
    assert harness.init(info) == OK
    assert harness.get() == b"\0" + EcgLinkEncoder(info).describe()


def test_the_largest_description_fits_a_frame(harness):
    channels = tuple(Channel("x" * 16, 0.001) for _ in range(16))
    info = StreamInfo("d" * 48, Fraction(500), channels, "f" * 48, "s" * 48, Fraction(1000), 20, 0x3FF)
    assert harness.init(info, 1) == OK
    assert harness.get() == b"\0" + EcgLinkEncoder(info, 1).describe()
