"""Every layout, captured or not: exact counts, injuries, cuts, garbage.

As with the captures, a format without counter cannot show packets that vanished whole
nor a packet sent twice; one without checksum cannot show a flipped payload bit.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecg_edge.firmware_bridge.conformance import (
    check_clean,
    check_cuts,
    check_false_beginnings,
    check_garbage,
    check_injuries,
    check_start_within_a_frame,
)
from ecg_edge.firmware_bridge.decoders.catalogue import DEVICES, find_device
from ecg_edge.firmware_bridge.errors import NotAnEcgStreamError
from ecg_edge.firmware_bridge.events import SampleBlock
from ecg_edge.firmware_bridge.lead_names import ELECTRODES, lead_off_leads
from tests.support import wire
from tests.support.wire import as_summary, decode, injured, streams

STREAMS = streams()
IDS = [f"{s.device}-{k}" for k, s in enumerate(STREAMS)]


def _rows(stream, packets):
    return np.concatenate([stream.counts[k] for k in packets])


@pytest.mark.parametrize("check", [check_clean, check_injuries, check_start_within_a_frame])
@pytest.mark.parametrize("stream", STREAMS, ids=IDS)
def test_a_stream_is_decoded_as_every_decoder_must(stream, check):
    check(stream)


@settings(max_examples=12, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("stream", STREAMS, ids=IDS)
def test_cuts_do_not_matter(stream, data):
    injuries, _, _ = injured(stream, garbage=data.draw(st.binary(max_size=12)))
    cuts = data.draw(st.lists(st.integers(0, len(injuries)), max_size=60)) if data.draw(st.booleans()) else 1
    check_cuts(stream.make, injuries, sorted(cuts) if cuts != 1 else range(1, len(injuries)))


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), pieces=st.integers(1, 30))
@pytest.mark.parametrize("device", [d.name for d in DEVICES])
def test_garbage_with_true_beginnings_is_survived_in_bounded_memory(device, seed, pieces):
    own = [s for s in STREAMS if s.device == device]
    beginnings = [f[:k] for f in own[0].frames[:8] for k in range(len(f))] if own else []
    check_garbage(find_device(device).decoder, beginnings, seed, pieces)


@pytest.mark.parametrize("device", [d.name for d in DEVICES])
@pytest.mark.parametrize("filler", [b"\x00", b"\xa0", b"\n\xfa", b"DBLK\x00\x01\x00\x00", b"\xa5\x5a\x02", b"\xc7\x7c"])
def test_endless_false_beginnings_keep_memory_bounded(device, filler):
    check_false_beginnings(find_device(device).decoder, filler)


def test_frozen_counter_is_not_followed():
    # a start byte, a constant "counter" and a stop byte in the payload of constant channels
    rng = np.random.default_rng(0)
    counts = rng.integers(-(2**23), 2**23, (400, 8))
    counts[:, [1, 5]] = int.from_bytes(b"\xc0\xa0\x41", "big", signed=True)
    frames = [wire.cyton(k, c) for k, c in enumerate(counts)]
    for k in range(25, 400, 25):
        frames[k] = frames[k][:9] + frames[k][10:]
    got = decode("cyton", b"".join(frames)[20:])
    kept = [k for k in range(1, 400) if k % 25 or not k]
    assert np.array_equal(got.counts, counts[kept])
    assert got.tally.lost == 15


def test_damaged_counter_byte_is_one_lost_packet_not_a_wrap():
    stream = next(s for s in STREAMS if s.device == "cyton")
    frames = list(stream.frames)
    frames[20] = frames[20][:1] + bytes([frames[20][1] ^ 0x10]) + frames[20][2:]
    got = decode("cyton", b"".join(frames))
    assert np.array_equal(got.counts, _rows(stream, [k for k in range(wire.N) if k != 20]))
    assert got.tally.lost_ranges == [(20, 21)]


def test_good_packet_between_two_damaged_ones_is_kept():
    stream = next(s for s in STREAMS if s.device == "cyton")
    frames = list(stream.frames)
    for k in (20, 22, 24):
        frames[k] = bytes([0]) + frames[k][1:]
    got = decode("cyton", b"".join(frames))
    assert got.tally.lost_ranges == [(20, 21), (22, 23), (24, 25)]


def test_cyton_time_resolves_a_whole_wrap():
    counts = np.arange(8 * 900).reshape(900, 8)
    frames = [wire.cyton(k, c, kind=3, ms=2**32 - 1000 + 4 * k & 0xFFFFFFFF) for k, c in enumerate(counts)]
    got = decode("cyton", b"".join(frames[:100] + frames[100 + 2 * 256 :]))
    assert got.tally.lost_ranges == [(100, 612)]
    assert got.index[-1] == 899


def test_cyton_type_may_change_on_the_way():
    counts = np.arange(8 * 120).reshape(120, 8)
    kinds = [3 if 40 <= k < 80 else 0 for k in range(120)]
    data = b"".join(wire.cyton(k, c, kind, 4 * k) for k, (c, kind) in enumerate(zip(counts, kinds, strict=True)))
    got = decode("cyton", data)
    assert got.tally.lost == 0
    assert decode("cyton", data, 5) == as_summary(got)


def test_shifted_dongle_frames_are_refused():
    # a dongle of another version puts A0 before the board's own 41 and drops the last byte
    data = b"".join((b"\xa0" + wire.cyton(k, range(8), start=0x41))[:33] for k in range(50))
    with pytest.raises(NotAnEcgStreamError):
        decode("cyton", data)


def test_heartypatch_restart_of_its_counter_is_placed_by_time():
    frames = [wire.heartypatch(k, 10**6 + k * 62500, range(8)) for k in range(30)]
    frames += [wire.heartypatch(k, 10**6 + (k + 34) * 62500, range(8)) for k in range(30)]
    got = decode("heartypatch", b"".join(frames))
    assert got.tally.lost_ranges == [(240, 272)]
    assert got.tally.loss_known


def test_heartypatch_millivolts_use_the_upper_18_bits():
    data = b"".join(wire.heartypatch(k, k, [-(2**17), -1, 0, 1, 2, 3, 4, 2**17 - 1]) for k in range(3))
    lsb = 1000 / (131072 * 20)
    assert np.allclose(decode("heartypatch", data).mv[:8, 0], np.array([-(2**17), -1, 0, 1, 2, 3, 4, 2**17 - 1]) * lsb)


def test_olimex_reboot_is_an_unknown_loss():
    counts = np.arange(6 * 40).reshape(40, 6)
    before = [wire.olimex(k + 7, c) for k, c in enumerate(counts[:20])]
    boot = [wire.olimex(0, [512] * 6, switches=2)] * 125
    after = [wire.olimex(k, c) for k, c in enumerate(counts[20:])]
    data = b"".join(boot + before + boot + after)
    got = decode("olimex-logston", data)
    assert np.array_equal(got.counts, counts)
    assert got.index.tolist() == list(range(40))
    assert [(g.start, g.known) for g in got.gaps] == [(20, False)]
    assert not got.tally.loss_known
    assert got.info.fs == 125
    assert decode("olimex-logston", data, 3) == as_summary(got)


def test_olimex_refuses_values_beyond_ten_bits():
    frames = [wire.olimex(k, [57602 if k == 9 else 500] * 6) for k in range(20)]
    assert decode("olimex", b"".join(frames)).tally.lost_ranges == [(9, 10)]


def test_healthypi6_vitals_blocks_are_no_loss_and_reboot_is_unknown():
    rows = [[1, 2, 3, 4]] * 16
    first = [wire.dblk(0, 5000, rows), wire.dblk(1, 5032, rows[:1], channel=4), wire.dblk(2, 5032, rows)]
    again = [wire.dblk(0, 300, rows), wire.dblk(1, 332, rows)]
    got = decode("healthypi6", b"".join(first + again))
    assert len(got.counts) == 64
    assert got.tally.lost == 0
    assert not got.tally.loss_known
    assert [(g.start, g.known) for g in got.gaps] == [(32, False)]


def test_healthypi6_lost_vitals_block_is_no_lost_sample():
    rows = [[1, 2, 3, 4]] * 16
    got = decode("healthypi6", wire.dblk(0, 5000, rows) + wire.dblk(2, 5032, rows))
    assert (got.tally.lost, len(got.counts)) == (0, 32)


@pytest.mark.parametrize(
    ("device", "frame", "gone"),
    [
        ("healthypi3", wire.healthypi(0, 3, status=1), {"II"}),
        ("healthypi4", wire.healthypi(0, 4, status=0b00100), {"II"}),
        ("healthypi4", wire.healthypi(0, 4, status=0b00011), set()),
        ("ti-ads1x9x", wire.ti_evm([[1, 2]] * 14, lead_off=0b00001), {"I"}),
        ("ti-ads1x9x", wire.ti_evm([[1, 2]] * 14, lead_off=0b00010), {"I", "II"}),
        ("ti-ads1x9x", wire.ti_evm([[1, 2]] * 14, lead_off=0b00100), {"II"}),
        ("healthypi6", wire.dblk(1, 2, [[1, 2, 3, 4]] * 16, off=0b1000), {"V1"}),
        ("healthypi6", wire.dblk(1, 2, [[1, 2, 3, 4]] * 16, off=0b0010), {"I", "V1"}),
    ],
)
def test_lead_off_makes_the_leads_that_need_the_electrode_invalid(device, frame, gone):
    decoder = find_device(device).decoder()
    blocks = [e for e in decoder.feed(frame * 2) + decoder.close() if isinstance(e, SampleBlock)]
    leads = decoder.info.leads
    for block in blocks:
        assert {leads[k] for k in np.flatnonzero(~block.valid.all(axis=0))} == gone
        assert gone <= lead_off_leads(block.lead_off)


@pytest.mark.parametrize(("status", "electrode"), [(0b00100, "LL"), (0b01000, "RA"), (0b10000, "RL")])
def test_healthypi4_names_the_electrode(status, electrode):
    decoder = find_device("healthypi4").decoder()
    (block,) = (e for e in decoder.feed(wire.healthypi(0, 4, status) * 2) if isinstance(e, SampleBlock))
    assert block.lead_off == 1 << ELECTRODES.index(electrode)


@pytest.mark.parametrize(
    ("device", "gain", "raw", "mv"),
    [
        ("chords-uno-r3", 1000, [1023] * 6, (1023 * 5000 / 1024 - 2500) / 1000),
        ("chords-uno-r4", 500, [0] * 6, -2500 / 500),
        ("chords-pico", None, [4095] * 3, (4095 * 3300 / 4096 - 1650) / 1000),
        ("chords-npg-lite", None, [2048] * 3, 0.0),
    ],
)
def test_chords_scale_follows_reference_and_gain(device, gain, raw, mv):
    data = b"".join(wire.chords(k, raw) for k in range(5))
    assert np.allclose(decode(device, data, gain=gain).mv, mv, atol=1e-6)
