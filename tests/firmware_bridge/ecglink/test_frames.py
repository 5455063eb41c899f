import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecg_edge.firmware_bridge.ecglink import frames as f
from ecg_edge.firmware_bridge.ecglink.description import Description, pack_description, unpack_description
from ecg_edge.firmware_bridge.ecglink.encoder import EcgLinkEncoder, encode_command
from ecg_edge.firmware_bridge.errors import UsageError
from ecg_edge.firmware_bridge.events import NO_VALUE, Ack, Channel, DeviceStatus, StreamInfo
from ecg_edge.firmware_bridge.lead_names import ELECTRODES

U32 = st.integers(0, 2**32 - 1)
TEXT = st.text(st.characters(codec="ascii", categories=("L", "N")), max_size=48)
CHANNELS = st.builds(
    Channel,
    lead=st.sampled_from(["I", "II", "aVR", "V6", "Resp", "µV"]),
    lsb_mv=st.integers(1, 2**40).map(lambda fv: fv / 1e12),
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
    fs=st.fractions(Fraction(1, 10), 10**5, max_denominator=1000),
    channels=st.lists(CHANNELS, min_size=1, max_size=16).map(tuple),
    firmware=TEXT,
    serial=TEXT,
    tick_hz=st.none() | st.fractions(1, 10**6, max_denominator=1000),
    samples_per_frame=st.integers(1, 255),
    sensed=st.integers(0, 2**16 - 1),
)


def body_of(wire):
    assert wire.endswith(b"\0") and wire.count(b"\0") == 1
    body = f.unseal(wire[:-1])
    assert body is not None
    return body


@given(INFOS, U32)
def test_description_round_trip(info, boot):
    body = pack_description(Description(info, boot))
    assert len(body) + 2 <= f.MAX_FRAME
    assert unpack_description(body) == Description(info, boot)


def test_unknown_tlvs_and_a_later_minor_version_are_read(kit):
    body = pack_description(Description(kit.two_leads()))
    later = body[:1] + b"\x07" + body[2:] + bytes((200, 3)) + b"new"
    got = unpack_description(later)
    assert (got.info, got.minor) == (kit.two_leads(), 7)


def test_every_truncation_of_a_description_is_refused(kit):
    body = pack_description(Description(kit.two_leads()))
    for cut in range(len(body)):
        with pytest.raises(f.FrameError):
            unpack_description(body[:cut])


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (2, b"\x00"),  # no channel
        (2, b"\x03"),  # one channel more than follow
        (3, b"\x00"),  # no sample per frame
        (4, bytes(4)),  # rate 0
        (8, bytes(4)),  # rate over 0
        (4, b"\xff\xff\xff\xff"),  # 4 GHz
        (16, bytes(4)),  # tick rate over 0
    ],
)
def test_impossible_descriptions_are_refused(kit, at, value):
    body = pack_description(Description(kit.two_leads()))
    with pytest.raises(f.FrameError):
        unpack_description(body[:at] + value + body[at + len(value) :])


def test_text_from_outside_is_made_printable(kit):
    body = pack_description(Description(replace(kit.two_leads(), device="evil")))
    assert unpack_description(body.replace(b"evil", b"\x1b[2J")).info.device == "[2J"


@pytest.mark.parametrize(("pair", "lead"), [(("LA", "RA"), "I"), (("LL", "RA"), "II"), (("V1", "RL"), "V1-RL")])
def test_a_pair_without_label_names_the_lead(kit, pair, lead):
    channel = Channel("", 0.001, positive=pair[0], negative=pair[1])
    body = pack_description(Description(replace(kit.two_leads(), channels=(channel,))))
    assert unpack_description(body).info.leads == (lead,)


@pytest.mark.parametrize(
    "wrong",
    [
        {"fs": Fraction(0)},
        {"fs": Fraction(200_000)},
        {"fs": Fraction(2**33, 2**32 + 1)},
        {"channels": ()},
        {"channels": (Channel("I", 1.0),) * 17},
        {"channels": (Channel("I", math.nan),)},
        {"channels": (Channel("I", 1e-16),)},
        {"channels": (Channel("I", 1.0, offset=0.5),)},
        {"channels": (Channel("I", 1.0, bits=0),)},
        {"channels": (Channel("I", 1.0, highpass_hz=-1.0),)},
        {"channels": (Channel("I", 1.0, positive="nose"),)},
        {"channels": (Channel("a lead of too many words", 1.0),)},
        {"device": "x" * 49},
        {"samples_per_frame": 0},
    ],
)
def test_what_does_not_fit_a_description_is_a_usage_error(kit, wrong):
    with pytest.raises(UsageError, match="does not fit"):
        EcgLinkEncoder(replace(kit.two_leads(), **wrong))


@given(st.data(), U32, U32, st.integers(0, 1023), st.integers(1, 16))
def test_samples_round_trip(data, index, ticks, lead_off, n_channels):
    n = data.draw(st.integers(1, min(255, 1000 // (3 * n_channels))))
    seed = data.draw(st.integers(0, 2**32 - 1))
    counts = np.random.default_rng(seed).integers(-(2**23), 2**23, (n, n_channels), dtype=np.int32)
    valid = data.draw(st.integers(0, 2**n_channels - 1))
    frame = f.SampleFrame(0x5A, index, ticks, lead_off, valid, counts)
    body = f.pack_samples(frame)
    assert len(body) + 2 == f.samples_size(n, n_channels)
    assert f.peek_samples(body) == (0x5A, n)
    got = f.unpack_samples(body, n_channels)
    np.testing.assert_array_equal(got.counts, counts)
    fields = ("description", "index", "ticks", "lead_off", "valid")
    assert [getattr(got, name) for name in fields] == [getattr(frame, name) for name in fields]
    with pytest.raises(f.FrameError):
        f.unpack_samples(body, n_channels + 1)
    with pytest.raises(f.FrameError):
        f.unpack_samples(body[:-1], n_channels)


def test_extreme_counts_survive(kit):
    counts = [[-(2**23), 2**23 - 1], [-1, 0], [1, -(2**23) + 1]]
    body = body_of(EcgLinkEncoder(kit.two_leads()).samples(counts, 0))
    assert f.unpack_samples(body, 2).counts.tolist() == counts


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ([[1, 2, 3]], "shape"),
        ([1, 2], "shape"),
        (np.zeros((0, 2)), "shape"),
        (np.zeros((256, 2)), "shape"),
        (np.zeros((200, 2)), "one frame"),
        ([[2**23, 0]], "24 bits"),
        ([[0, -(2**23) - 1]], "24 bits"),
    ],
)
def test_samples_that_do_not_fit_are_refused(kit, counts, words):
    with pytest.raises(UsageError, match=words):
        EcgLinkEncoder(kit.two_leads()).samples(counts, 0)


def test_stale_values_one_by_one_and_by_channel(kit):
    valid = np.array([[True, False], [False, False]])
    body = body_of(EcgLinkEncoder(kit.two_leads()).samples([[1, 2], [3, 4]], 0, valid=valid))
    got = f.unpack_samples(body, 2)
    assert got.valid == 0b01
    assert got.counts.tolist() == [[1, 2], [NO_VALUE, 4]]


@given(U32, st.none() | st.integers(0, 100), st.none() | st.integers(0, 10**8).map(lambda d: d / 10))
def test_status_round_trip(dropped, battery, uptime):
    status = DeviceStatus(dropped, battery, uptime)
    body = f.pack_status(status)
    assert f.unpack_status(body) == f.unpack_status(body + b"later fields") == status


@given(st.integers(0, 255), st.integers(0, 255), st.integers(0, 255), st.binary(max_size=59))
def test_ack_and_command_round_trip(code, sequence, answer, data):
    assert f.unpack_ack(f.pack_ack(Ack(code, sequence, answer, data))) == Ack(code, sequence, answer, data)
    assert f.unpack_command(body_of(encode_command(code, sequence, data))) == f.Command(code, sequence, data)


def test_a_command_too_long_for_a_device_is_refused():
    with pytest.raises(UsageError, match="at most 59"):
        encode_command(f.CommandCode.PING, 0, bytes(60))


@pytest.mark.parametrize("unpack", [f.unpack_status, f.unpack_ack, f.unpack_command, f.peek_samples])
def test_short_bodies_are_refused(unpack):
    with pytest.raises(f.FrameError):
        unpack(b"\x11")
