"""The ring of the C library: whole frames or none, every lost sample counted, and no lock needed."""

import random
import subprocess
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from ecg_edge.firmware_bridge.ecglink import frames as f
from ecg_edge.firmware_bridge.ecglink.decoder import EcgLinkDecoder
from ecg_edge.firmware_bridge.ecglink.encoder import EcgLinkEncoder, encode_command
from ecg_edge.firmware_bridge.events import Ack, Channel, SampleBlock, StreamInfo
from tests.support.c_device import NO_ROOM, OK, RESERVE, RING_TOO_SMALL, build, hexed, started_harness, worst

U32 = st.integers(0, 2**32 - 1)
many = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="session")
def harness(tmp_path_factory):
    running = started_harness(tmp_path_factory.mktemp("c"))
    yield running
    assert running.close() == ""


@many
@given(st.data(), st.integers(0, 500), st.integers(1, 3), st.integers(1, 12))
def test_overflow_drops_whole_frames_and_counts_what_the_receiver_misses(harness, data, more, n_channels, per_frame):
    info = StreamInfo(
        "ring", Fraction(500), (Channel("I", 0.001), Channel("II", 0.001), Channel("V2", 0.001))[:n_channels]
    )
    info = replace(info, samples_per_frame=per_frame)
    encoder = EcgLinkEncoder(info)
    frame = worst(f.samples_size(per_frame, n_channels))
    size = worst(len(encoder.describe())) + frame + RESERVE + more
    harness.started(info, 0, size)
    decoder, rng = EcgLinkDecoder(), random.Random(data.draw(U32))
    decoder.feed(encoder.describe())
    got, waiting, last = [], 0, 0
    for k in range(60):
        first = k * per_frame
        counts = (np.arange(first, first + per_frame)[:, None] * 257 + np.arange(n_channels)) % 2**23
        sent = harness.samples(counts)
        assert sent == (waiting + frame + RESERVE < size)  # never dropped while there is room
        if sent:
            waiting += len(encoder.samples(counts, first))
            last = first + per_frame
        piece = harness.get(rng.choice([0, 0, 1, 20, 60, 200]))
        waiting -= len(piece)
        got += decoder.feed(piece)
    got += decoder.feed(harness.get())
    blocks = [e for e in got if isinstance(e, SampleBlock)]
    for block in blocks:
        rows = np.arange(block.index, block.index + len(block))
        np.testing.assert_array_equal(block.counts, (rows[:, None] * 257 + np.arange(n_channels)) % 2**23)
    state = harness.state()
    assert decoder.tally.bad_frames == 0 and decoder.tally.loss_known
    assert state["index"] == 60 * per_frame
    # What was dropped after the last frame that went out cannot be known to the receiver yet.
    assert state["dropped"] == decoder.tally.lost + (state["index"] - last)
    assert decoder.tally.samples + state["dropped"] == state["index"]


def test_an_ack_finds_room_when_samples_do_not(harness, kit):
    harness.started(kit.two_leads(), 0, 400)
    while harness.samples([[123456, -123456]] * 5):
        pass
    ping = encode_command(f.CommandCode.PING, 1, bytes(59))
    harness.ask("R", hexed(ping))
    assert EcgLinkDecoder().feed(harness.get())[-1] == Ack(f.CommandCode.PING, 1, 0, bytes(59))


def test_a_description_that_finds_no_room_goes_before_the_next_samples(harness, kit):
    info = kit.two_leads()
    encoder = EcgLinkEncoder(info)
    harness.started(info, 0, 260)
    while harness.samples([[1, 2]] * 5) or harness.ask("A", 1, 1, 0, "-") == "1":
        pass
    dropped = harness.state()["dropped"]
    assert harness.ask("D") == str(NO_ROOM)
    harness.get(40)
    assert not harness.samples([[1, 2]] * 5)
    assert harness.state()["dropped"] == dropped + 5
    harness.get()
    index = harness.state()["index"]
    assert harness.samples([[1, 2]] * 5, valid=0b11)
    assert harness.get() == encoder.describe() + encoder.samples([[1, 2]] * 5, index)


@many
@given(st.integers(1, 2**40), st.integers(1, 2**40), U32)
def test_a_changed_scale_always_changes_the_hash(harness, kit, old, new, boot):
    assume(old != new)
    info = kit.two_leads(lsb_mv=old / 1e12)
    before = EcgLinkEncoder(info, boot)
    harness.started(info, boot)
    harness.ask("L", 0, new)
    assert harness.ask("D") == str(OK)
    changed = replace(info, channels=(replace(info.channels[0], lsb_mv=new / 1e12), info.channels[1]))
    after = EcgLinkEncoder(changed, harness.state()["boot"])
    assert harness.get() == after.describe()
    assert after.hash != before.hash
    plain = EcgLinkEncoder(changed, boot)
    assert (harness.state()["boot"] == boot) == (plain.hash != before.hash)


def test_a_change_that_the_hash_would_hide_steps_the_boot_number(harness, kit):
    info = kit.two_leads(lsb_mv=1e-6)
    before = EcgLinkEncoder(info, 3)

    def changed(fv):
        return EcgLinkEncoder(
            replace(info, channels=(replace(info.channels[0], lsb_mv=fv / 1e12), info.channels[1])), 3
        )

    hidden = next(fv for fv in range(2, 10**5) if fv != 10**6 and changed(fv).hash == before.hash)
    harness.started(info, 3)
    harness.ask("L", 0, hidden)
    harness.ask("D")
    harness.get()
    assert harness.state()["boot"] > 3


def test_a_ring_that_can_never_hold_it_is_refused(harness, kit):
    info = kit.two_leads()
    needed = worst(len(EcgLinkEncoder(info).describe()) - 2) + worst(f.samples_size(5, 2)) + RESERVE + 1
    assert harness.init(info, 0, needed - 1) == RING_TOO_SMALL
    for size in (0, 1, 2, 60):
        assert harness.init(info, 0, size) == RING_TOO_SMALL
        assert harness.get() == b"\0"[: size - 1]
        assert not harness.samples([[1, 2]])
    harness.started(info, 0, needed)
    assert harness.ask("D") == str(OK)
    assert harness.samples([[1, 2]] * 5)


def test_a_frame_beyond_the_limit_is_dropped_and_counted(harness, kit):
    harness.started(kit.two_leads())
    assert not harness.samples(np.ones((168, 2), int))
    assert not harness.samples(np.ones((0, 2), int))
    assert harness.samples(np.ones((167, 2), int))
    assert (harness.state()["dropped"], harness.state()["index"]) == (168, 335)


@pytest.mark.parametrize("sanitizer", ["thread", "address,undefined"])
def test_producer_and_consumer_in_two_threads(tmp_path, sanitizer):
    program = build(
        tmp_path, "c_hammer.c", "-D_POSIX_C_SOURCE=200112L", "-pthread", "-g", "-O1", f"-fsanitize={sanitizer}"
    )
    done = subprocess.run([program, "6000"], capture_output=True, check=False)
    index, dropped = map(int, done.stderr.split())
    assert done.returncode == 0
    decoder = EcgLinkDecoder()
    blocks = [e for e in decoder.feed(done.stdout) if isinstance(e, SampleBlock)]
    assert decoder.tally.bad_frames == 0
    assert (decoder.tally.samples, decoder.tally.lost) == (index - dropped, dropped)
    assert 0 < dropped < index
    rows = np.concatenate([np.arange(b.index, b.index + len(b)) for b in blocks])
    np.testing.assert_array_equal(np.concatenate([b.counts for b in blocks]), np.stack([rows, -rows], axis=1))
