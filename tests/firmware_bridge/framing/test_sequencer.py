from dataclasses import asdict
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecg_edge.firmware_bridge.events import Gap
from ecg_edge.firmware_bridge.framing.sequencer import PacketRun, Sequencer, Unwrap
from ecg_edge.firmware_bridge.tally import Tally


def _place(sequencer, counters, seconds=None, arrival=0.0, **seen):
    counters = np.array(counters, np.int64)
    frames = (counters % 256).astype(np.uint8)[:, None]
    times = None if seconds is None else np.array(seconds, float)
    return sequencer.place(frames, counters, times, arrival, **seen)


def _shape(items):
    return [(i.index, len(i.frames)) if isinstance(i, PacketRun) else (i.start, i.stop, i.known) for i in items]


@pytest.mark.parametrize("modulus", [16, 256, 1 << 32])
def test_gap_duplicate_and_wrap(modulus):
    tally = Tally()
    sequencer = Sequencer(tally, Fraction(250), 2, modulus)
    start = modulus - 2
    steps = [0, 1, 2, 3, 3, 4, 8, 9]
    items = _place(sequencer, [(start + s) % modulus for s in steps])
    assert _shape(items) == [(0, 4), (8, 1), (10, 16, True), (16, 2)]
    assert (tally.lost_ranges, tally.duplicates, tally.loss_known) == ([(10, 16)], 2, True)


@pytest.mark.parametrize(("modulus", "lost", "twice"), [(16, [(3, 18)], 0), (256, [], 1)])
def test_few_bits_that_stand_still_over_other_contents_are_a_wrap_less_one(modulus, lost, twice):
    sequencer = Sequencer(tally := Tally(), Fraction(100), 1, modulus)
    frames = np.array([[0, 7], [1, 7], [2, 7], [2, 8], [3, 7]], np.uint8)
    sequencer.place(frames, frames[:, 0].astype(np.int64))
    assert (tally.lost_ranges, tally.duplicates) == (lost, twice)


@given(st.lists(st.integers(0, 15), min_size=1, max_size=60), st.integers(1, 7))
def test_cutting_the_run_does_not_matter(counters, size):
    def run(size):
        sequencer = Sequencer(tally := Tally(), Fraction(100), 3, 16)
        out = []
        for start in range(0, len(counters), size):
            for item in _place(sequencer, counters[start : start + size]):
                rows = range(item.index, item.index + 3 * len(item.frames)) if isinstance(item, PacketRun) else []
                out += [*rows] if isinstance(item, PacketRun) else [(item.start, item.stop)]
        return out, asdict(tally)

    assert run(size) == run(len(counters))


def test_restart_of_a_wide_counter_is_unknown_without_time_and_known_with_it():
    tally = Tally()
    sequencer = Sequencer(tally, Fraction(100), 1, 1 << 32)
    assert _shape(_place(sequencer, [900, 901, 0, 1])) == [(0, 2), (2, 2, False), (2, 2)]
    assert not tally.loss_known
    tally = Tally()
    sequencer = Sequencer(tally, Fraction(100), 1, 1 << 32, timed=True)
    items = _place(sequencer, [900, 901, 0, 1], [5.00, 5.01, 5.06, 5.07])
    assert _shape(items) == [(0, 2), (2, 6, True), (6, 2)]
    assert tally.loss_known


def test_device_time_resolves_whole_wraps():
    sequencer = Sequencer(tally := Tally(), Fraction(1000), 1, 16, timed=True)
    _place(sequencer, [3, 4], [1.000, 1.001])
    assert _shape(_place(sequencer, [5], [1.001 + 0.129])) == [(2, 130, True), (130, 1)]
    assert tally.lost == 128


def test_time_alone_places_packets_that_have_no_counter():
    sequencer = Sequencer(tally := Tally(), Fraction(512), timed=True)
    ticks = np.array([0, 64, 128, 128, 320, 384]) / 32768
    items = sequencer.place(np.zeros((6, 1), np.uint8), np.empty(0, np.int64), ticks)
    assert _shape(items) == [(0, 3), (3, 5, True), (5, 2)]
    assert (tally.lost, tally.duplicates, tally.loss_known) == (2, 1, True)


def test_shared_counter_leaves_the_number_to_the_time():
    sequencer = Sequencer(tally := Tally(), Fraction(500), 16, 1 << 32, shared=True, timed=True)
    _place(sequencer, [0, 1], [0.0, 0.032])
    assert _shape(_place(sequencer, [3, 7], [0.064, 0.160])) == [(32, 1), (48, 80, True), (80, 1)]
    assert tally.lost == 32


def test_shared_counter_bounds_what_a_leaping_clock_claims():
    sequencer = Sequencer(tally := Tally(), Fraction(500), 16, 1 << 32, shared=True, timed=True)
    _place(sequencer, [0, 1, 4], [0.0, 0.032, 3600.0])
    assert tally.lost_ranges == [(32, 64)]


def test_without_counter_and_time_only_broken_frames_are_seen():
    sequencer = Sequencer(tally := Tally(), Fraction(125))
    assert not tally.loss_known
    _place(sequencer, [], bad=0)
    frames, none = np.zeros((2, 1), np.uint8), np.empty(0, np.int64)
    assert _shape(sequencer.place(frames, none, skipped=9, bad=0)) == [(0, 2)]  # text before the stream
    assert _shape(sequencer.place(frames, none, skipped=16, bad=1)) == [(2, 3, True), (3, 2)]
    assert _shape(sequencer.place(frames, none, skipped=7)) == [(5, 5, False), (5, 2)]
    assert tally.lost_ranges == [(2, 3)]


def test_announced_restart_makes_the_loss_unknown():
    sequencer = Sequencer(tally := Tally(), Fraction(125), 1, 256)
    sequencer.restart()
    assert _shape(_place(sequencer, [7, 8])) == [(0, 2)]
    assert tally.loss_known
    sequencer.restart()
    assert _shape(_place(sequencer, [0, 1])) == [(2, 2, False), (2, 2)]
    assert not tally.loss_known


def _feed(sequencer, packets, late=lambda k: 0.0):
    """Feed packet numbers one at a time at the moment they were sent, plus a delay."""
    out = []
    for k in packets:
        out += _place(sequencer, [k % 256], arrival=50 + k / 250 + late(k))
    return out


def test_whole_wrap_is_found_by_arrival():
    sequencer = Sequencer(tally := Tally(), Fraction(250), 1, 256)
    out = _feed(sequencer, [*range(500), *range(500 + 512, 1500)], late=lambda k: 0.03 * (k % 7) / 7)
    assert tally.lost_ranges == [(500, 1012)]
    assert sum(len(i.frames) for i in out if isinstance(i, PacketRun)) == 988


def test_whole_wraps_lie_where_the_counter_jumps():
    sequencer = Sequencer(tally := Tally(), Fraction(250), 1, 256)
    _place(sequencer, range(8), arrival=50.028)
    # one read has the end of what came before the loss and the beginning of what came after
    _place(sequencer, [8, 9, (10 + 300) % 256, (11 + 300) % 256], arrival=50.044 + 1.2)
    sequencer.close()
    assert tally.lost_ranges == [(10, 310)]


def test_losses_shortly_after_one_another_lie_where_they_happened():
    sequencer = Sequencer(tally := Tally(), Fraction(1000), 1, 16)
    for k in [*range(100), *range(140, 220), *range(236, 900)]:
        _place(sequencer, [k % 16], arrival=50 + k / 1000)
    sequencer.close()
    assert tally.lost_ranges == [(100, 140), (220, 236)]


def test_late_end_of_a_capture_is_no_loss():
    sequencer = Sequencer(tally := Tally(), Fraction(1000), 1, 16)
    for k in range(0, 320, 16):
        _place(sequencer, [n % 16 for n in range(k, k + 16)], arrival=50 + (k + 16) / 1000)
    # the driver passes a few frames on when its timer ends
    _place(sequencer, [0, 1, 2, 3], arrival=50 + 336 / 1000)
    sequencer.close()
    assert tally.lost == 0


def test_stalled_link_that_catches_up_has_lost_nothing():
    sequencer = Sequencer(tally := Tally(), Fraction(250), 1, 256)
    # two seconds of silence, then the backlog within 100 ms
    out = _feed(sequencer, range(2000), late=lambda k: max(0.0, (1000 - k) / 250 + (k - 500) / 5000) if k >= 500 else 0)
    assert tally.lost == 0
    assert sum(len(i.frames) for i in out if isinstance(i, PacketRun)) == 2000


def test_loss_is_told_from_the_stall_that_hides_it():
    sequencer = Sequencer(tally := Tally(), Fraction(250), 1, 256)
    # a wrap is lost, and what follows comes 0.9 s late until the link has caught up
    _feed(sequencer, [*range(500), *range(756, 1500)], late=lambda k: max(0.0, 0.9 - (k - 756) / 50) if k > 755 else 0)
    assert tally.lost_ranges == [(500, 756)]


@pytest.mark.parametrize("slow", [0.005, 0.02, 0.05])
def test_slow_clock_of_the_device_is_no_loss(slow):
    sequencer = Sequencer(tally := Tally(), Fraction(250), 1, 256)
    _feed(sequencer, range(30000), late=lambda k: slow * k / 250)
    assert tally.lost == 0


def test_whole_wraps_of_a_slow_board_are_found():
    sequencer = Sequencer(tally := Tally(), Fraction(250), 1, 256)
    _feed(sequencer, [*range(5000), *range(5000 + 10 * 256, 9000)], late=lambda k: 0.02 * k / 250)
    assert tally.lost_ranges == [(5000, 5000 + 10 * 256)]


def test_a_loss_of_over_an_hour_is_of_unknown_length():
    sequencer = Sequencer(tally := Tally(), Fraction(250), 1, 256)
    out = _feed(sequencer, [*range(500), *range(500 + 256 * 4000, 500 + 256 * 4000 + 300)])
    (gap,) = [item for item in out if isinstance(item, Gap)]
    assert not gap.known and gap.start == gap.stop and not tally.loss_known


def test_packets_in_doubt_are_released_at_the_end():
    sequencer = Sequencer(tally := Tally(), Fraction(250), 1, 256)
    _feed(sequencer, [*range(300), *range(300 + 256, 310 + 256)])
    assert _shape(sequencer.close())[0] == (300, 556, True)
    assert tally.lost == 256
    assert sequencer.close() == []


def test_unwrap_counts_through_wraps_and_small_steps_back():
    unwrap = Unwrap(1 << 24)
    assert unwrap(np.array([2**24 - 2, 1, 5])).tolist() == [2**24 - 2, 2**24 + 1, 2**24 + 5]
    assert unwrap(np.array([4, 6])).tolist() == [2**24 + 4, 2**24 + 6]
    assert unwrap(np.empty(0, np.int64)).size == 0


def test_gap_of_nothing_is_no_gap():
    assert Sequencer(Tally(), Fraction(1), 1, 256).close() == []
    assert Gap(3, 3).known


@pytest.mark.parametrize("speed", [1.5, 2, 10])
def test_a_link_that_catches_up_slowly_has_lost_nothing(speed):
    """A second's stall, and then a little more than a second of signal per second."""
    sequencer = Sequencer(tally := Tally(), Fraction(250), 1, 256)
    for k in range(2500):
        due = k / 250
        arrival = due if due < 4 else max(due, 4.9 + (due - 4) / speed)
        _place(sequencer, [k % 256], arrival=arrival)
    sequencer.close()
    assert tally.lost == 0


def test_a_whole_wrap_is_found_soon_where_nothing_catches_up():
    sequencer, found = Sequencer(Tally(), Fraction(250), 1, 256), []
    for k in range(1500):
        gone = 256 if k >= 750 else 0
        if any(isinstance(item, Gap) for item in _place(sequencer, [k % 256], arrival=(k + gone) / 250)):
            found.append(k)
    assert found and 750 <= found[0] < 750 + 0.25 * 250


def _slow(sequencer, speed, fs, modulus, read_s, packets):
    """Feed packets of a device at `speed` of its nominal rate, in reads of `read_s` with some jitter."""
    out, k, at, random = [], 0, 50.0, np.random.default_rng(1)
    while k < packets:
        at += read_s
        stop = int((at - 50.0) * fs * speed)
        late = 0.05 * read_s * random.random()
        if stop > k:
            out += _place(sequencer, [n % modulus for n in range(k, stop)], arrival=at + late)
            k = stop
    return out + sequencer.close()


@pytest.mark.parametrize("speed", [0.5, 0.75, 0.8, 0.9])
@pytest.mark.parametrize(("fs", "modulus"), [(250, 256), (1000, 16)])
@pytest.mark.parametrize("read_s", [0.004, 0.02, 0.1])
def test_a_device_slower_than_its_nominal_rate_has_lost_no_whole_wraps(fs, modulus, speed, read_s):
    sequencer = Sequencer(tally := Tally(), Fraction(fs), 1, modulus)
    out = _slow(sequencer, speed, fs, modulus, read_s, 9 * fs)
    assert tally.lost == 0 and not any(isinstance(item, Gap) for item in out)
    if speed < 0.9:
        assert not tally.loss_known  # a whole wrap may hide in what is late


@pytest.mark.parametrize("went_on", [0, 5])
def test_a_silence_amid_a_slow_device_is_a_gap(went_on):
    sequencer = Sequencer(tally := Tally(), Fraction(250), 1, 256)
    for k in range(1200):
        silence = 3.0 if k >= 800 else 0.0
        _place(sequencer, [(k + (went_on if silence else 0)) % 256], arrival=50 + k / 250 / 0.75 + silence)
    sequencer.close()
    (gap,) = tally.lost_ranges
    assert gap[0] == 800 and abs((gap[1] - gap[0]) / 250 - 3.0) < 0.6


def test_a_device_that_becomes_slow_has_lost_no_whole_wraps():
    sequencer = Sequencer(tally := Tally(), Fraction(250), 1, 256)
    for k in range(4000):
        _place(sequencer, [k % 256], arrival=50 + k / 250 + max(0, k - 1500) / 250 / 3)
    sequencer.close()
    assert tally.lost == 0 and not tally.loss_known


def test_the_loss_of_a_steady_device_stays_known():
    sequencer = Sequencer(tally := Tally(), Fraction(250), 1, 256)
    _feed(sequencer, [*range(500), *range(500 + 300, 3000)], late=lambda k: 0.03 * (k % 7) / 7)
    assert tally.lost_ranges == [(500, 800)] and tally.loss_known
