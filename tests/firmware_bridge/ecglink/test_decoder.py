import binascii
import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecg_edge.firmware_bridge.decoder import Decoder
from ecg_edge.firmware_bridge.ecglink import cobs
from ecg_edge.firmware_bridge.ecglink.commands import CommandParser
from ecg_edge.firmware_bridge.ecglink.decoder import EcgLinkDecoder
from ecg_edge.firmware_bridge.ecglink.encoder import EcgLinkEncoder, encode_command
from ecg_edge.firmware_bridge.ecglink.frames import MAX_COMMAND, MAX_FRAME, Command, CommandCode, seal
from ecg_edge.firmware_bridge.errors import ProtocolVersionError
from ecg_edge.firmware_bridge.events import Ack, Channel, DeviceStatus, StreamInfo
from ecg_edge.firmware_bridge.lead_names import ELECTRODES


def foreign(major=2, kind=2):
    return seal(bytes((kind << 4 | major, 0, 1, 2)))


def mixed_stream(kit, rng):
    """Everything a wire may carry: loss, duplicates, damage, noise, restarts, every kind of frame."""
    wire, out = kit.Wire(), []
    index = rng.choice([0, 2**32 - 37])
    for _ in range(40):
        frame = wire.frame(index)
        dice = rng.random()
        if dice < 0.1:
            frame = b""
        elif dice < 0.2:
            frame *= 2
        elif dice < 0.3:
            frame = bytes(b ^ (rng.random() < 0.1) * rng.randrange(256) for b in frame)
        elif dice < 0.35:
            frame = rng.randbytes(rng.randrange(3000)) + frame
        elif dice < 0.4:
            index = 0
        elif dice < 0.6:
            frame += rng.choice(
                [
                    wire.encoder.describe(),
                    wire.encoder.status(DeviceStatus(3, 50, 1.5)),
                    wire.encoder.ack(Command(CommandCode.PING, 9), 0, b"hello"),
                    EcgLinkEncoder(replace(wire.info, firmware="2")).describe(),
                    kit.Wire(boot=rng.randrange(1, 4)).encoder.describe(),
                    foreign() + wire.encoder.status(DeviceStatus()),
                    b"\0\0Hello from the boot loader\r\n",
                ]
            )
        out.append(frame)
        index += 5
    return wire.encoder.describe() + b"".join(out)


@given(st.integers(0, 2**32), st.lists(st.integers(0, 12_000), max_size=60))
@settings(max_examples=60, deadline=None)
def test_any_cut_gives_the_same_events(kit, seed, cuts):
    stream = mixed_stream(kit, random.Random(seed))
    whole, one = kit.decode(stream)
    pieces, other = kit.decode(stream, [c for c in cuts if c < len(stream)])
    assert kit.plain(pieces) == kit.plain(whole)
    assert other.tally == one.tally


def test_byte_by_byte_gives_the_same_events(kit):
    stream = mixed_stream(kit, random.Random(3))
    whole, one = kit.decode(stream)
    pieces, other = kit.decode(stream, range(1, len(stream)))
    assert kit.plain(pieces) == kit.plain(whole)
    assert other.tally == one.tally
    assert len(kit.blocks(pieces)) > 10


@pytest.mark.parametrize("tick_hz", [None, 32768])
@pytest.mark.parametrize("first_tick", [0, 2**32 - 2000])
def test_frames_that_arrive_together_are_placed_as_one_by_one(kit, tick_hz, first_tick):
    """What follows is one block; a lost frame, a repeated one and a jump of the ticks end it."""
    wire = kit.Wire(kit.two_leads(tick_hz=tick_hz), first_tick=first_tick)
    frames = [wire.frame(start) for start in range(0, 400, 5)]
    leap = [wire.frame(400, ticks=wire.ticks(5400))] if tick_hz else []
    frames = [*frames[:30], frames[12], *frames[31:60], *leap, *frames[60:]]
    stream = wire.encoder.describe() + b"".join(frames)
    whole, one = kit.decode(stream)
    pieces, other = kit.decode(stream, range(1, len(stream)))
    assert kit.plain(pieces) == kit.plain(whole)
    assert other.tally == one.tally
    assert (one.tally.duplicates, one.tally.lost_ranges) == (5, [(150, 155)])
    assert len(kit.blocks(whole)) < 8 < 60 < len(kit.blocks(pieces))


def test_a_run_of_frames_is_one_block_with_the_time_of_its_first_sample(kit):
    wire = kit.Wire()
    stream = wire.encoder.describe() + b"".join(wire.frame(start) for start in range(0, 100, 5))
    (block,) = kit.blocks(kit.decode(stream)[0])
    assert (block.index, len(block), block.ticks) == (0, 100, wire.ticks(0))
    assert block.valid.all()


@given(st.lists(st.binary(max_size=4000), max_size=10))
@settings(deadline=None)
def test_garbage_is_bounded_raises_nothing_and_is_left_at_the_next_delimiter(kit, chunks):
    wire, decoder = kit.Wire(), EcgLinkDecoder()
    for chunk in chunks:
        decoder.feed(chunk)
        assert decoder._splitter.pending <= cobs.encoded_size(MAX_FRAME)
    events = decoder.feed(b"\0" + wire.encoder.describe() + wire.frame(0))
    assert events[-2] == wire.info
    assert events[-1].counts.tolist() == wire.counts(0).tolist()


def test_noise_without_a_zero_is_not_kept(kit):
    decoder = EcgLinkDecoder()
    for _ in range(50):
        assert decoder.feed(b"U" * 1000) == []
        assert decoder._splitter.pending <= cobs.encoded_size(MAX_FRAME)
    wire = kit.Wire()
    assert decoder.feed(b"\0" + wire.encoder.describe()) == [wire.info]
    assert decoder.tally.skipped_bytes == 50_000
    assert decoder.tally.bad_frames == 0


def test_a_frame_glued_to_overlong_noise_is_refused_for_every_cut(kit):
    wire = kit.Wire()
    for cuts in ((), (1100,), (600, 1100), (1100, 1150)):
        events, decoder = kit.decode(b"U" * 1100 + wire.encoder.describe() + wire.frame(0), cuts)
        assert events == []
        assert (decoder.tally.undescribed, decoder.tally.skipped_bytes) == (
            5,
            1099 + len(wire.encoder.describe()),
        )


@given(st.integers(1, 16), st.data())
@settings(max_examples=40, deadline=None)
def test_random_content_arrives_as_sent(n_channels, data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    channels = tuple(Channel(f"ch{k}", (k + 1) / 1000, offset=10.0 * k) for k in range(n_channels))
    info = StreamInfo("dev", data.draw(st.fractions(50, 1000)).limit_denominator(100), channels)
    encoder, decoder, sent = EcgLinkEncoder(info), EcgLinkDecoder(), []
    events, index = decoder.feed(encoder.describe()), data.draw(st.integers(0, 2**32 - 1))
    for _ in range(5):
        counts = rng.integers(-(2**23) + 1, 2**23, (data.draw(st.integers(1, 20)), n_channels))
        sent.append(counts)
        events += decoder.feed(encoder.samples(counts, index), arrival=float(len(sent)))
        index += len(counts)
    assert events[0] == info
    assert [e.arrival for e in events[1:]] == [1.0, 2.0, 3.0, 4.0, 5.0]
    got = np.concatenate([e.counts for e in events[1:]])
    np.testing.assert_array_equal(got, np.concatenate(sent))
    mv = (got - [c.offset for c in channels]) * [c.lsb_mv for c in channels]
    np.testing.assert_array_equal(np.concatenate([e.mv for e in events[1:]]), mv.astype(np.float32))
    assert all(e.valid.all() and e.ticks is None for e in events[1:])
    assert decoder.tally.samples == len(got) and decoder.tally.lost == 0


def test_lead_off_and_stale_channels_are_not_valid(kit):
    pair = Channel("belt", 0.001, positive="V1", negative="RL")
    info = replace(kit.two_leads(), channels=(Channel("I", 1.0), Channel("V2", 1.0), pair, Channel("resp", 1.0)))
    encoder, decoder = EcgLinkEncoder(info), EcgLinkDecoder()
    decoder.feed(encoder.describe())

    def valid(off, good=(True,) * 4):
        mask = sum(1 << ELECTRODES.index(name) for name in off)
        index = decoder.tally.samples
        wire = encoder.samples(np.ones((1, 4)), index, 1000 + index * 131, mask, good)
        (block,) = decoder.feed(wire)
        assert block.lead_off == mask
        return block.valid[0].tolist()

    assert valid([]) == [True] * 4
    assert valid(["RA"]) == [False, False, True, True]
    assert valid(["LL"]) == [True, False, True, True]
    assert valid(["RL"]) == [True, True, False, True]
    assert decoder.tally.stale == 0
    assert valid([], (True, False, True, True)) == [True, False, True, True]
    assert decoder.tally.stale == 1


def test_late_join_drops_what_it_cannot_read_and_asks_once(kit):
    wire, decoder = kit.Wire(), EcgLinkDecoder()
    assert decoder.request() == b""
    for frame in wire.frames(100, 130):
        assert decoder.feed(frame) == []
    (asked,) = CommandParser().feed(decoder.request())
    assert asked.code == CommandCode.DESCRIBE
    decoder.feed(wire.frame(130))
    assert decoder.request() == b""
    info, block = decoder.feed(wire.encoder.describe() + wire.frame(135))
    assert info == wire.info
    assert (block.index, block.ticks) == (0, wire.ticks(135))
    assert (decoder.tally.undescribed, decoder.tally.lost, decoder.tally.samples) == (35, 0, 5)


def test_samples_of_another_description_are_never_read_by_this_one(kit):
    old, new = kit.Wire(), kit.Wire(kit.two_leads(lsb_mv=0.001))
    assert old.encoder.hash != new.encoder.hash
    decoder = EcgLinkDecoder()
    decoder.feed(old.encoder.describe() + old.frame(0))
    assert decoder.feed(new.frame(5) + new.frame(10)) == []
    assert CommandParser().feed(decoder.request())[0].code == CommandCode.DESCRIBE
    info, gap, block = decoder.feed(new.encoder.describe() + new.frame(15))
    assert info == new.info
    assert (gap.start, gap.stop, gap.known) == (5, 15, True)
    assert block.mv[1, 0] == np.float32(0.016)
    assert (decoder.tally.undescribed, decoder.tally.lost) == (10, 10)
    # The old device is back for a moment: still refused.
    assert decoder.feed(old.frame(20)) == []


def test_a_repeated_description_is_no_event(kit):
    wire, decoder = kit.Wire(), EcgLinkDecoder()
    assert decoder.feed(wire.encoder.describe() * 3) == [wire.info]


def test_status_ack_and_kinds_of_later_versions(kit):
    wire, decoder = kit.Wire(), EcgLinkDecoder()
    stream = (
        wire.encoder.status(DeviceStatus(12, None, 3.5))
        + seal(b"\x51 a kind that minor version 1 may add")
        + wire.encoder.ack(Command(CommandCode.START, 3))
        + seal(b"\x31 short")
    )
    assert decoder.feed(stream) == [DeviceStatus(12, None, 3.5), Ack(CommandCode.START, 3)]
    assert decoder.tally.bad_frames == 1


@pytest.mark.parametrize("cuts", [(), range(1, 500)])
def test_another_major_version_is_refused_and_names_the_fix(kit, cuts):
    wire = kit.Wire()
    stream = wire.encoder.describe() + wire.frame(0) + foreign() * 2 + wire.frame(5)
    decoder, events, at = EcgLinkDecoder(), [], 0
    with pytest.raises(ProtocolVersionError, match="EcgLink 2") as caught:
        for cut in [*(c for c in cuts if c < len(stream)), len(stream)]:
            events += decoder.feed(stream[at:cut])
            at = cut
        decoder.close()
    assert "pip install -U ecg-edge" in caught.value.fix
    assert len(kit.blocks(events)) == 1


def test_one_foreign_frame_or_a_damaged_one_is_no_reason_to_refuse(kit):
    wire = kit.Wire()
    body = bytes((0x22, 0, 1, 2))
    wrong_crc = cobs.encode(body + (binascii.crc_hqx(body, 0xFFFF) ^ 1).to_bytes(2, "big")) + b"\0"
    stream = wire.encoder.describe() + foreign() + wrong_crc * 5 + wire.frame(0) + foreign() + foreign(3)
    events, decoder = kit.decode(stream)
    assert len(kit.blocks(events)) == 1
    assert decoder.tally.bad_frames == 5


def test_opening_and_closing_are_commands_a_device_understands():
    decoder, parser = EcgLinkDecoder(), CommandParser()
    assert isinstance(decoder, Decoder)
    heard = parser.feed(b"noise before" + decoder.opening() + decoder.closing())
    assert [c.code for c in heard] == [CommandCode.DESCRIBE, CommandCode.START, CommandCode.STOP]
    assert [c.sequence for c in heard] == [1, 2, 3]


@given(st.lists(st.binary(max_size=200), max_size=20), st.binary(max_size=59), st.integers(0, 255))
def test_the_command_parser_survives_garbage_bounded(chunks, data, sequence):
    parser = CommandParser()
    for chunk in chunks:
        parser.feed(chunk)
        assert parser._splitter.pending <= cobs.encoded_size(MAX_COMMAND)
    wire = b"\0" + encode_command(CommandCode.PING, sequence, data)
    assert parser.feed(wire[:3]) == []
    assert parser.feed(wire[3:]) == [Command(CommandCode.PING, sequence, data)]


def test_the_command_parser_counts_what_is_no_command():
    parser = CommandParser()
    parser.feed(encode_command(CommandCode.STOP, 1))
    assert parser.feed(foreign(1, 8) + foreign(2, 8) + seal(b"\x81") + b"\x05bad\0") == [Command(0, 1, b"\x02")]
    assert parser.bad_frames == 3
