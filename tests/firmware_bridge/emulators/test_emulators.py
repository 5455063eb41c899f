"""Every emulated device against our own decoder of it: the counts that went in come out, and losses are told."""

import os
import select
import threading
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecg_edge.firmware_bridge.clock import ManualClock
from ecg_edge.firmware_bridge.decoders.catalogue import DEVICES, find_device
from ecg_edge.firmware_bridge.emulators.catalogue import _BY_FACTORY, find_emulated
from ecg_edge.firmware_bridge.errors import UsageError
from ecg_edge.firmware_bridge.events import NO_VALUE, Channel, Gap, StreamInfo
from ecg_edge.firmware_bridge.lead_names import ELECTRODES
from ecg_edge.firmware_bridge.ports.capture_file import decode_bytes
from ecg_edge.firmware_bridge.virtual_patch.faults import parse_faults
from ecg_edge.firmware_bridge.virtual_patch.link_pty import PtyLink
from ecg_edge.firmware_bridge.virtual_patch.patch import PatchOptions, VirtualPatch
from ecg_edge.firmware_bridge.virtual_patch.signal_source import ArraySource

NAMES = [device.name for device in DEVICES if device.factory in _BY_FACTORY]
N = 672
"""Whole packets of every device."""
COUNTED = ["cyton", "shimmer3", "olimex", "chords-uno-r3"]
RAILS = {"ads1293": (0, 2**23 - 1), "ads1292r": (-(2**15), 2**15 - 1)}


def volts(info):
    return [k for k, c in enumerate(info.channels) if c.lsb_mv == c.lsb_mv]


def random_counts(info, n, seed=0):
    """Counts that wander over the converter's range: a wrong frame of BITalino is told by a jump."""
    rng, out = np.random.default_rng(seed), np.zeros((n, len(info.channels)), np.int32)
    for k in volts(info):
        channel = info.channels[k]
        low, high = NO_VALUE + 1, 2**23 - 1
        if info.device in RAILS:
            low, high = RAILS[info.device]
        elif channel.offset:
            low, high = 0, 2**channel.bits - 1
        elif channel.bits < 24:
            low, high = -(2 ** (channel.bits - 1)), 2 ** (channel.bits - 1) - 1
        step = (high - low) // 40
        wander = np.cumsum(rng.integers(-step, step + 1, n)) + channel.offset
        out[:, k] = np.clip(wander, low, high)
    return out


class Bench:
    """An emulated device and its reader in one thread, over a real pseudo-terminal."""

    def __init__(self, name, counts=None, n=N, source_info=None, decoder=None, **options):
        self.device = find_emulated(name)
        self.info = self.device.info()
        self.counts = random_counts(self.info, n) if counts is None else counts
        source = ArraySource(source_info or self.info, self.counts)
        faults = parse_faults(options.pop("fault", ""))
        self.clock, self.stop, self.link = ManualClock(), threading.Event(), PtyLink()
        voice = self.device.voice(self.info, source.info)
        self.patch = VirtualPatch(source, self.link, PatchOptions(faults=faults, **options), self.clock, voice)
        self.decoder = decoder or find_device(name).decoder()
        self.fd, self.heard = os.open(self.link.port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK), b""

    def pull(self):
        poller = select.poll()
        poller.register(self.fd, select.POLLIN)
        while any(e & select.POLLIN for _, e in poller.poll(0)) and (data := os.read(self.fd, 65536)):
            self.heard += data

    def step(self, times=1):
        for _ in range(times):
            self.patch.step(self.stop)
            self.pull()

    def step_unread(self, times):
        for _ in range(times):
            self.patch.step(self.stop)

    def say(self, data):
        """Write, and return what comes back until the device has nothing more to say at once."""
        before = len(self.heard)
        os.write(self.fd, data)
        self.step(2)
        return self.heard[before:]

    def run_out(self):
        """Open as the decoder asks for, take all samples, decode."""
        self.say(self.decoder.opening()) if self.decoder.opening() else self.step()
        while not self.patch.ended:
            self.step()
        self.patch._release(self.stop, whatever=True)
        self.pull()
        return decode_bytes(self.decoder, self.heard)


@pytest.fixture
def bench():
    made = []

    def make(*args, **options):
        made.append(Bench(*args, **options))
        return made[-1]

    yield make
    for one in made:
        one.link.close()
        os.close(one.fd)


@pytest.mark.parametrize("name", NAMES)
def test_what_goes_in_comes_out_over_a_port(bench, name):
    b = bench(name)
    decoded = b.run_out()
    width = len(decoded.info.channels)
    columns = [k for k in volts(b.info) if k < width]
    assert decoded.info.leads == b.info.leads[:width] and decoded.info.fs == b.info.fs
    np.testing.assert_array_equal(decoded.counts[:, columns], b.counts[:, columns])
    tally = decoded.tally
    assert (tally.samples, tally.lost, tally.duplicates, tally.bad_frames) == (N, 0, 0, 0)
    assert b.patch.tally.sent == N and b.patch.log.ranges == []


@pytest.mark.parametrize("name", ["cyton", "ads1292r", "ads1293", "olimex", "chords-giga", "shimmer3"])
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_any_content_survives(name, data):
    device = find_emulated(name)
    info = device.info()
    low, high = RAILS.get(
        name, (0, 2 ** info.channels[0].bits - 1) if info.channels[0].offset else (NO_VALUE + 1, 2**23)
    )
    edges = st.sampled_from([low, high - 1, 0xA0 << 8, 0xC0A041, 0xA55A02, 0x0AFA])
    value = st.one_of(edges, st.integers(low, high - 1)).map(lambda v: min(max(v, low), high - 1))
    rows = data.draw(st.lists(st.tuples(*[value] * len(volts(info))), min_size=12, max_size=12))
    counts = np.zeros((12, len(info.channels)), np.int32)
    counts[:, volts(info)] = rows
    voice = device.voice(info, info)
    sent = voice.greet() + b"".join(voice.frame(counts[k : k + 1], k, 0, 0) for k in range(12))
    decoded = decode_bytes(find_device(name).decoder(), sent)
    np.testing.assert_array_equal(decoded.counts[:, volts(info)], counts[:, volts(info)])


@pytest.mark.parametrize("name", COUNTED)
def test_losses_and_copies_are_told_as_they_were(bench, name):
    b = bench(name, n=3000, fault="drop=2%,corrupt=1%,dup=1%", seed=9)
    decoded = b.run_out()
    lost = {i for start, stop in b.patch.log.lost() for i in range(start, stop)}
    dropped = {i for kind, start, stop in b.patch.log.ranges if kind == "drop" for i in range(start, stop)}
    corrupt = lost - dropped
    assert dropped and corrupt and b.patch.log.count("dup")
    missed = {i for start, stop in decoded.tally.lost_ranges for i in range(start, stop)}
    kept = np.array(sorted(set(range(3000)) - missed))
    # a format without a checksum lets a corrupted payload through
    assert dropped <= missed <= lost
    assert decoded.tally.duplicates == b.patch.log.count("dup")
    good = np.isin(kept, sorted(corrupt), invert=True)
    columns = volts(b.info)
    np.testing.assert_array_equal(decoded.counts[good][:, columns], b.counts[kept[good]][:, columns])
    if name == "shimmer3":  # which has one
        assert missed == lost


def test_signals_go_to_the_channel_of_their_name_in_its_scale(bench):
    t = np.arange(600) / 250
    mv = np.stack([np.sin(7 * t), 0.3 * np.cos(9 * t)], axis=1)
    source = StreamInfo("heart", Fraction(512), (Channel("V1", 0.0005), Channel("I", 0.0005)))
    b = bench("shimmer3", counts=np.rint(mv / 0.0005).astype(np.int32), source_info=source)
    decoded = b.run_out()
    by_lead = dict(zip(decoded.info.leads, decoded.mv.T, strict=True))
    np.testing.assert_allclose(by_lead["V1"], mv[:, 0], atol=3e-4)
    np.testing.assert_allclose(by_lead["I"], mv[:, 1], atol=3e-4)
    assert np.all(by_lead["II"] == 0)


def test_signals_no_channel_is_called_after_go_to_the_channels_in_order(bench):
    source = StreamInfo("heart", Fraction(250), (Channel("MLII", 1.0), Channel("V5", 1.0)))
    decoded = bench("cyton", counts=np.tile(np.int32([5, -7]), (50, 1)), source_info=source).run_out()
    assert np.allclose(decoded.mv[:, :3], [5, -7, 0], atol=1e-4)


def test_the_rails_hold(bench):
    source = StreamInfo("heart", Fraction(250), (Channel("I", 1.0),))
    counts = np.int32([[10**6], [-(10**6)]] * 20)
    assert set(bench("cyton", counts=counts, source_info=source).run_out().counts[:, 0]) == {2**23 - 1, -(2**23)}
    assert set(bench("olimex", counts=counts, source_info=source).run_out().counts[:, 0]) == {1023, 0}


def test_shimmer_repeats_what_is_stale_and_says_so(bench):
    b = bench("shimmer3", n=100)
    truth = b.counts.copy()
    b.counts[50, :4] = NO_VALUE
    decoded = b.run_out()
    np.testing.assert_array_equal(decoded.counts[50, :4], truth[49, :4])
    assert decoded.tally.stale == 1 and not decoded.valid[50, :4].any() and decoded.valid[49, :4].all()


@pytest.mark.parametrize("name", ["shimmer3", "ad8232"])
def test_a_lead_off_is_told_as_the_device_tells_it(bench, name):
    b = bench(name, n=60)
    read, mask = b.patch._source.read, 1 << ELECTRODES.index("LA")
    b.patch._source = type("Loose", (), {"read": staticmethod(lambda n: (read(n)[0], mask))})
    decoded = b.run_out()
    lead = decoded.info.leads.index("I")
    assert not decoded.valid[:, lead].any()
    if name == "shimmer3":
        assert decoded.valid[:, decoded.info.leads.index("II")].all()


def test_a_new_reader_has_to_start_the_stream_again(bench):
    b = bench("cyton")
    b.say(b"vb")
    b.step(20)
    assert b.heard.endswith(b"\xc0")
    os.close(b.fd)
    b.step_unread(20)
    b.fd, taken = os.open(b.link.port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK), b.patch.tally.taken
    b.heard = b""
    b.step(20)
    assert b.heard == b"" and b.patch.tally.taken == taken
    assert b.say(b"b")[:2] == b"\xa0\x00"


def test_a_board_that_boots_begins_anew_with_every_reader(bench):
    b = bench("olimex-logston")
    b.step(20)
    b.decoder.feed(b.heard)
    os.close(b.fd)
    b.step_unread(20)
    b.fd, b.heard = os.open(b.link.port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK), b""
    b.step(20)
    assert b.heard[:17].hex() == "a55a0200" + "0200" * 6 + "02"
    events = b.decoder.feed(b.heard) + b.decoder.close()
    assert [gap.known for gap in events if isinstance(gap, Gap)] == [False]


def test_names_are_found_by_alias_and_wrong_ones_get_near_ones():
    assert find_emulated("protocentral_ads1293").device.name == "ads1293"
    assert find_emulated("openbci-cyton").device.name == "cyton"
    with pytest.raises(UsageError, match="cyton") as caught:
        find_emulated("cytn")
    assert "simulate --as" in caught.value.fix
    with pytest.raises(UsageError, match="shimmer3"):
        find_emulated("wrong")
    with pytest.raises(UsageError, match="cannot be a device 'nosuch'"):
        find_emulated("nosuch")


def test_rates_a_device_does_not_have_are_refused():
    with pytest.raises(UsageError, match="16384/33"):
        find_emulated("shimmer3").info(fs=Fraction(500))
    with pytest.raises(UsageError, match="1, 10, 100"):
        find_emulated("bitalino").info(fs=Fraction(250))
    assert find_emulated("shimmer3").info(fs=Fraction(256)).fs == 256
    assert replace(find_emulated("cyton").info(["V2"])).leads[0] == "V2"
