"""The virtual patch on a real pseudo-terminal, its time told by a clock that moves when waited on."""

import os
import select
import threading
from dataclasses import replace

import numpy as np
import pytest

from ecg_edge.firmware_bridge.clock import ManualClock
from ecg_edge.firmware_bridge.ecglink.decoder import EcgLinkDecoder
from ecg_edge.firmware_bridge.ecglink.encoder import encode_command
from ecg_edge.firmware_bridge.ecglink.frames import AckCode, CommandCode
from ecg_edge.firmware_bridge.events import Ack, DeviceStatus, Gap, SampleBlock, StreamInfo
from ecg_edge.firmware_bridge.virtual_patch.faults import parse_faults
from ecg_edge.firmware_bridge.virtual_patch.link_pty import PtyLink
from ecg_edge.firmware_bridge.virtual_patch.patch import PatchOptions, VirtualPatch
from ecg_edge.firmware_bridge.virtual_patch.signal_source import ArraySource

FS = 250


def random_counts(n, seed=0):
    return np.random.default_rng(seed).integers(-(2**23) + 1, 2**23, (n, 2), dtype=np.int32)


class Bench:
    """A patch and its reader in one thread: each step of the patch is followed by a look at the port."""

    def __init__(self, kit, seconds=10.0, path=None, **options):
        faults = parse_faults(options.pop("fault", ""))
        self.counts = random_counts(int(seconds * FS))
        self.source = ArraySource(kit.two_leads(), self.counts)
        self.clock, self.stop = ManualClock(), threading.Event()
        self.link = PtyLink(path)
        self.patch = VirtualPatch(self.source, self.link, PatchOptions(faults=faults, **options), self.clock)
        self.decoder, self.events, self.fd = EcgLinkDecoder(), [], -1

    def open(self):
        self.fd = os.open(self.link.port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)

    def close_port(self):
        os.close(self.fd)
        self.fd = -1

    def write(self, data):
        os.write(self.fd, data)

    def start(self):
        self.open()
        self.write(self.decoder.opening())

    def pull(self):
        poller = select.poll()
        poller.register(self.fd, select.POLLIN)
        while any(e & select.POLLIN for _, e in poller.poll(0)) and (data := os.read(self.fd, 65536)):
            self.events += self.decoder.feed(data, self.clock.monotonic())

    def run(self, seconds, read=True):
        until = self.clock.monotonic() + seconds
        while self.clock.monotonic() < until and not self.patch.ended:
            self.patch.step(self.stop)
            if read and self.fd >= 0:
                self.pull()

    def run_out(self):
        self.run(1e6)
        self.patch._release(self.stop, whatever=True)
        self.pull()
        self.decoder.close()

    def of(self, kind):
        return [e for e in self.events if isinstance(e, kind)]

    def received(self):
        return np.concatenate([b.counts for b in self.of(SampleBlock)])

    def places(self):
        """Index on the receiver's axis of each sample received."""
        return np.concatenate([np.arange(b.index, b.index + len(b)) for b in self.of(SampleBlock)])


@pytest.fixture
def bench(kit):
    made = []

    def make(**options):
        made.append(Bench(kit, **options))
        return made[-1]

    yield make
    for one in made:
        one.link.close()
        if one.fd >= 0:
            one.close_port()


def test_a_reader_gets_every_count_in_time_and_its_beacons(bench):
    b = bench(seconds=10)
    b.start()
    b.run_out()
    np.testing.assert_array_equal(b.received(), b.counts)
    tally = b.decoder.tally
    assert (tally.lost, tally.duplicates, tally.bad_frames, tally.skipped_bytes) == (0, 0, 0, 0)
    assert b.of(StreamInfo) == [b.patch.info]
    assert (b.patch.info.samples_per_frame, b.patch.info.leads) == (2, ("I", "II"))
    uptimes = [s.uptime_s for s in b.of(DeviceStatus)]
    assert uptimes[0] < 0.05 and np.allclose(np.diff(uptimes), 1.0, atol=0.11) and len(uptimes) >= 10
    blocks = b.of(SampleBlock)
    ticks = np.array([x.ticks for x in blocks])
    expected = np.array([x.index for x in blocks]) * 32768 / FS
    assert np.abs(ticks - ticks[0] - expected).max() <= 1
    # No frame is sent before its last sample is taken, nor later than the patch looks at its clock.
    taken = np.array([(x.index + len(x)) / FS for x in blocks])
    late = np.array([x.arrival for x in blocks]) - taken
    assert late.min() >= -1e-9 and late.max() - late.min() < 0.011
    assert b.patch.log.ranges == [] and b.patch.tally.sent == len(b.counts)


def test_a_clock_that_moves_at_every_look_loses_nothing(bench):
    b = bench(seconds=3)
    look = b.clock.monotonic

    def restless():
        b.clock.advance(2e-6)
        return look()

    b.clock.monotonic = restless
    b.start()
    b.run_out()
    np.testing.assert_array_equal(b.received(), b.counts)
    assert b.patch.log.ranges == []


def test_nothing_flows_before_start_but_descriptions(bench):
    b = bench()
    b.run(3)
    b.open()
    b.run(3)
    assert b.of(StreamInfo) == [b.patch.info] and len(b.of(DeviceStatus)) >= 2
    assert b.of(SampleBlock) == [] and b.patch.tally.taken == 0


def test_start_stop_ping_describe_and_nonsense_are_answered(bench):
    b = bench()
    b.open()
    b.run(0.1)
    for code, data in [(1, b""), (4, b"echo me"), (3, b""), (99, b"")]:
        b.write(encode_command(code, 10 + code, data))
    b.run(1)
    assert b.of(Ack) == [
        Ack(CommandCode.START, 11),
        Ack(CommandCode.PING, 14, AckCode.OK, b"echo me"),
        Ack(CommandCode.DESCRIBE, 13),
        Ack(99, 109, AckCode.UNKNOWN_COMMAND),
    ]
    assert b.patch.tally.commands == 4
    assert b.decoder.tally.samples > 200
    b.write(b.decoder.closing())
    b.run(0.05)
    taken = b.patch.tally.taken
    b.run(2)
    assert b.patch.tally.taken == b.decoder.tally.samples == taken
    assert b.of(Ack)[-1].command == CommandCode.STOP


def test_a_pause_is_a_gap_of_its_true_length_and_costs_no_sample_of_the_source(bench):
    b = bench(seconds=6)
    b.start()
    b.run(2)
    b.write(b.decoder.closing())
    b.run(3)
    b.write(encode_command(CommandCode.START, 1))
    b.run_out()
    np.testing.assert_array_equal(b.received(), b.counts)
    (gap,) = b.of(Gap)
    assert gap.known and abs((gap.stop - gap.start) / FS - 3) < 0.03
    assert b.decoder.tally.lost_ranges == b.patch.log.lost() == [(gap.start, gap.stop)]
    assert b.patch.log.ranges[0][0] == "stopped"


@pytest.mark.parametrize("seed", [1, 2])
def test_dropped_damaged_and_doubled_frames_are_accounted_for_exactly(bench, seed):
    b = bench(seconds=40, fault="drop=3%,corrupt=2%,dup=2%", seed=seed)
    b.start()
    b.run_out()
    log, tally = b.patch.log, b.decoder.tally
    assert {kind for kind, _, _ in log.ranges} == {"drop", "corrupt", "dup"}
    first = log.lost()[0][1] if log.lost() and log.lost()[0][0] == 0 else 0
    stop = first + b.places()[-1] + 1
    assert tally.lost_ranges == log.lost_between(first, stop)
    assert tally.duplicates == log.count("dup")
    assert tally.samples == b.patch.tally.sent
    assert tally.bad_frames >= log.count("corrupt") / 2
    np.testing.assert_array_equal(b.received(), b.counts[first + b.places()])
    assert tally.loss_known


def test_a_stall_holds_everything_back_and_then_loses_nothing(bench):
    b = bench(seconds=10, fault="stall=4/1.5")
    b.start()
    b.run_out()
    np.testing.assert_array_equal(b.received(), b.counts)
    arrivals = np.array([x.arrival for x in b.of(SampleBlock)])
    pauses = np.diff(arrivals)
    assert np.sum(pauses > 1) == 2
    np.testing.assert_allclose(pauses[pauses > 1], 1.5, atol=0.03)
    after = np.flatnonzero(pauses > 1)[0] + 1
    burst = sum(len(x) for x in b.of(SampleBlock) if x.arrival == arrivals[after])
    assert burst / FS >= 1.4
    assert b.patch.log.ranges == []


def test_the_end_during_a_stall_is_not_held_back(bench):
    b = bench(seconds=5, fault="stall=4/1.5")
    b.start()
    b.run_out()
    np.testing.assert_array_equal(b.received(), b.counts)


def test_stop_is_answered_in_the_middle_of_a_stall(bench):
    b = bench(seconds=10, fault="stall=2/1.5")
    b.start()
    b.run(2.5)
    b.write(b.decoder.closing())
    b.run(0.05)
    assert b.of(Ack)[-1].command == CommandCode.STOP
    np.testing.assert_array_equal(b.received(), b.counts[: b.patch.tally.taken])


def test_unplugged_samples_are_lost_and_the_port_comes_back_under_its_link(bench, tmp_path):
    path = tmp_path / "patch"
    b = bench(seconds=12, path=str(path), fault="unplug=4/3")
    b.start()
    b.run(4.5)
    assert not path.exists()
    assert os.read(b.fd, 100) == b""
    b.close_port()
    b.run(3)
    assert path.exists()
    b.start()  # nobody listened for half a second: that is lost too
    b.run_out()
    (gap,) = b.of(Gap)
    assert gap == Gap(1000, gap.stop, "lost") and gap.stop >= 1750
    assert b.patch.log.lost() == b.decoder.tally.lost_ranges == [(1000, gap.stop)]
    assert b.patch.log.count("unplug") == 750
    np.testing.assert_array_equal(b.received(), b.counts[b.places()])


def test_what_a_stall_held_back_is_lost_when_the_plug_is_pulled(bench, tmp_path):
    b = bench(seconds=9, path=str(tmp_path / "patch"), fault="stall=4/3,unplug=5/1")
    b.start()
    b.run(6.5)
    b.close_port()
    b.start()
    b.run_out()
    assert b.decoder.tally.lost_ranges == b.patch.log.lost() == [(998, 1500)]  # from the frame that ends at 4 s
    assert b.patch.log.count("unplug") == 502
    np.testing.assert_array_equal(b.received(), b.counts[b.places()])


def test_a_reader_that_never_reads_costs_whole_frames_and_the_status_says_so(bench):
    b = bench(seconds=60)
    b.start()
    b.run(50, read=False)
    assert b.patch.tally.dropped > 0
    b.run_out()
    tally = b.decoder.tally
    assert tally.bad_frames == 0 and tally.skipped_bytes == 0
    assert b.patch.log.count("full") == b.patch.tally.dropped == tally.lost
    assert tally.lost_ranges == b.patch.log.lost()
    assert b.of(DeviceStatus)[-1].dropped == tally.lost
    np.testing.assert_array_equal(b.received(), b.counts[b.places()])


def test_the_copy_of_a_frame_that_found_no_room_does_not_arrive_in_its_place(bench, monkeypatch):
    """Each frame is to be sent twice; every other one finds no room at first, and its copy would."""
    b = bench(seconds=2, fault="dup=100%")
    b.start()
    send, n = b.link.send, [0]

    def narrow(wire):
        n[0] += 1
        return bool(n[0] % 3) and send(wire)

    monkeypatch.setattr(b.link, "send", narrow)
    b.run_out()
    assert b.patch.log.count("full") > 50
    stop = b.places()[-1] + 1
    first = b.patch.log.lost()[0][1] if b.patch.log.lost()[0][0] == 0 else 0
    assert b.decoder.tally.lost_ranges == b.patch.log.lost_between(first, first + stop)
    np.testing.assert_array_equal(b.received(), b.counts[first + b.places()])


def test_when_the_reader_closes_the_patch_waits_for_the_next(bench, kit):
    b = bench(seconds=10)
    b.start()
    b.run(2)
    b.close_port()
    b.run(1)
    taken = b.patch.tally.taken
    b.run(5)
    assert b.patch.tally.taken == taken
    b.decoder, b.events = EcgLinkDecoder(), []
    b.start()
    b.run_out()
    assert b.decoder.tally.skipped_bytes == 0  # nothing stale
    np.testing.assert_array_equal(b.received()[-10:], b.counts[-10:])
    assert len(b.received()) == len(b.counts) - taken


def test_a_start_from_a_reader_that_has_gone_starts_nothing(bench):
    b = bench()
    b.start()
    b.close_port()
    b.run(1)
    assert b.patch.tally.taken == 0


def test_a_free_running_patch_needs_no_start_and_goes_on_alone(bench):
    b = bench(seconds=10, free_run=True)
    b.run(2)
    b.open()
    b.run(2)
    b.close_port()
    b.run(2)
    b.open()
    b.run_out()
    alone = b.patch.log.count("no_reader")
    assert alone > 900 and b.patch.tally.dropped == alone
    first = b.patch.log.lost()[0][1]
    stop = first + b.places()[-1] + 1
    assert b.decoder.tally.lost_ranges == b.patch.log.lost_between(first, stop)
    assert stop == len(b.counts)


def test_a_fast_patch_waits_for_its_reader_and_ends_after_so_many_samples(bench):
    b = bench(fast=True, free_run=True, max_samples=501)
    b.run(1)
    assert b.patch.tally.taken == 0
    b.open()
    b.run_out()
    assert b.patch.ended and b.patch.tally.taken == 501
    np.testing.assert_array_equal(b.received(), b.counts[:501])
    assert len(b.of(SampleBlock)[-1]) == 1
    assert b.of(DeviceStatus)  # seconds pass for it as samples do


def test_lead_off_reaches_the_reader(bench):
    b = bench(seconds=1)
    read = b.source.read
    b.patch._source = type("Loose", (), {"read": staticmethod(lambda n: (read(n)[0], 0b100))})
    b.start()
    b.run(0.5)
    block = b.of(SampleBlock)[0]
    assert block.lead_off == 0b100 and block.valid[0].tolist() == [True, False]


@pytest.mark.parametrize(
    ("fs", "frame_s", "channels", "samples"),
    [(250, 0.01, 2, 2), (500, 0.01, 2, 5), (100, 0.01, 2, 1), (1000, 1.0, 2, 167), (10000, 1.0, 1, 255)],
)
def test_frames_hold_as_much_as_asked_for_and_fits(kit, fs, frame_s, channels, samples):
    info = kit.two_leads(fs=fs)
    info = replace(info, channels=info.channels[:channels])
    source = ArraySource(info, np.zeros((10, channels), np.int32))
    with_link = PtyLink()
    patch = VirtualPatch(source, with_link, PatchOptions(frame_s=frame_s), ManualClock())
    with_link.close()
    assert patch.info.samples_per_frame == samples
