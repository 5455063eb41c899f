"""Loss, duplicates, wraps and restarts: every sample in its place, every gap exact."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecg_edge.firmware_bridge.ecglink.decoder import EcgLinkDecoder
from ecg_edge.firmware_bridge.events import Gap

TICK_HZ, FS = 32768, 250


def run(kit, frames, wire=None):
    wire = wire or kit.Wire()
    return kit.decode(wire.encoder.describe() + b"".join(frames))


def on_axis(events, kit):
    """Index of every row of every block."""
    return np.concatenate([np.arange(b.index, b.index + len(b)) for b in kit.blocks(events)])


@given(
    st.lists(st.tuples(st.integers(1, 20), st.booleans(), st.booleans()), min_size=1, max_size=60),
    st.sampled_from([0, 77, 2**32 - 100, 2**31 - 3]),
    st.sampled_from([0, 2**32 - 5000]),
)
def test_dropped_and_doubled_frames_give_exact_gaps(kit, plan, first, first_tick):
    wire, frames, index, truth, got = kit.Wire(first_tick=first_tick), [], first, set(), set()
    doubled = 0
    for n, lost, twice in plan:
        if not lost:
            copies = 1 + twice
            frames += [wire.frame(index, n)] * copies
            doubled += twice * n
            got.update(range(index, index + n))
        index += n
    events, decoder = run(kit, frames, wire)
    if not got:
        assert kit.blocks(events) == []
        return
    truth = set(range(min(got), max(got) + 1)) - got
    assert [r for g in kit.gaps(events) for r in range(g.start, g.stop)] == [r - min(got) for r in sorted(truth)]
    assert all(g.known and g.reason == "lost" for g in kit.gaps(events))
    assert (on_axis(events, kit) + min(got)).tolist() == sorted(got)
    for b in kit.blocks(events):
        assert b.counts.tolist() == wire.counts(b.index + min(got), len(b)).tolist()
        assert b.ticks % 2**32 == wire.ticks(b.index + min(got)) % 2**32
    tally = decoder.tally
    assert (tally.samples, tally.lost, tally.duplicates) == (len(got), len(truth), doubled)
    assert sum(b - a for a, b in tally.lost_ranges) == len(truth)
    assert tally.bad_frames == 0 and tally.loss_known


def test_index_and_ticks_wrap_without_a_seam(kit):
    wire = kit.Wire(first_tick=2**32 - 3000)
    start = 2**32 - 20
    frames = [wire.encoder.samples(wire.counts(i), i, wire.ticks(i - start)) for i in range(start, start + 60, 5)]
    del frames[4]
    decoder = EcgLinkDecoder()
    events = [e for frame in [wire.encoder.describe(), *frames] for e in decoder.feed(frame)]
    assert kit.gaps(events) == [Gap(20, 25, "lost")]
    ticks = [b.ticks for b in kit.blocks(events)]
    assert ticks[0] == 2**32 - 3000 and ticks[-1] == 2**32 - 3000 + round(55 * TICK_HZ / FS)


def test_a_gap_over_an_hour_is_a_restart_of_unknown_length(kit):
    wire = kit.Wire(kit.two_leads(tick_hz=1_000_000))
    late = 5 * 3600 * FS  # 1 MHz ticks wrap every 72 minutes
    events, _decoder = run(kit, [wire.frame(0), wire.frame(late), wire.frame(late + 5)], wire)
    assert kit.gaps(events) == [Gap(5, 5, "restart", known=False)]
    assert [b.index for b in kit.blocks(events)] == [0, 5, 10]


LEAPS = [(leap, tick_hz) for leap in (2**31 - 100, 50 * 3600 * FS) for tick_hz in (None, TICK_HZ)]


def test_a_leap_that_the_devices_own_time_confirms_is_a_gap(kit):
    """A host that was suspended reads at once what came before and after: ticks know how long it was."""
    wire, decoder = kit.Wire(kit.two_leads(tick_hz=TICK_HZ)), EcgLinkDecoder()
    decoder.feed(wire.encoder.describe())
    events = [e for k in (0, 5, 60 * FS) for e in decoder.feed(wire.frame(k), 100.0)]
    assert kit.gaps(events) == [Gap(10, 60 * FS, "lost")]


@pytest.mark.parametrize(("leap", "tick_hz"), [*LEAPS, (60 * FS, None)])
def test_a_leap_that_the_time_of_arrival_contradicts_is_a_restart(kit, leap, tick_hz):
    """Two forged frames, or a device that restarts at a higher index, make no rows."""
    wire = kit.Wire(kit.two_leads(tick_hz=tick_hz))
    decoder, events = EcgLinkDecoder(), []
    decoder.feed(wire.encoder.describe())
    for k, index in enumerate((0, 5, leap, leap + 5)):
        events += decoder.feed(wire.frame(index), 100 + k * 5 / FS)
    assert kit.gaps(events) == [Gap(10, 10, "restart", known=False)]
    assert not decoder.tally.loss_known


def test_a_gap_that_the_time_of_arrival_confirms_is_a_gap(kit):
    wire, decoder = kit.Wire(), EcgLinkDecoder()
    decoder.feed(wire.encoder.describe())
    events = decoder.feed(wire.frame(0), 100.0) + decoder.feed(wire.frame(600 * FS), 700.0)
    assert kit.gaps(events) == [Gap(5, 600 * FS, "lost")]


def test_a_restart_whose_ticks_ran_on_is_a_gap_of_known_length(kit):
    wire = kit.Wire()
    pause = wire.ticks(10 + 500)
    frames = [
        *wire.frames(0, 10),
        *(wire.encoder.samples(wire.counts(i), i, pause + round(i * TICK_HZ / FS)) for i in (0, 5, 10)),
    ]
    events, decoder = run(kit, frames)
    assert kit.gaps(events) == [Gap(10, 510, "restart")]
    assert on_axis(events, kit).tolist() == [*range(10), *range(510, 525)]
    assert decoder.tally.loss_known and decoder.tally.lost == 500


@pytest.mark.parametrize("tick_hz", [TICK_HZ, None])
def test_a_restart_without_time_is_told_as_unknown(kit, tick_hz):
    wire = kit.Wire(kit.two_leads(tick_hz=tick_hz), first_tick=0)
    events, decoder = run(kit, [*wire.frames(5000, 5020), *wire.frames(0, 20)], wire)
    assert kit.gaps(events) == [Gap(20, 20, "restart", known=False)]
    assert on_axis(events, kit).tolist() == list(range(40))
    assert not decoder.tally.loss_known and decoder.tally.lost == 0
    if tick_hz:
        assert next(b for b in kit.blocks(events) if b.index == 20).ticks == 0


def test_a_quick_reboot_that_repeats_index_and_ticks_is_no_duplicate(kit):
    wire = kit.Wire()
    again = [wire.encoder.samples(wire.counts(i) + 7, i, wire.ticks(i)) for i in range(0, 20, 5)]
    events, decoder = run(kit, [*wire.frames(0, 20), *again])
    assert kit.gaps(events) == [Gap(20, 20, "restart", known=False)]
    assert (decoder.tally.samples, decoder.tally.duplicates) == (40, 0)


def test_another_boot_number_is_a_restart_even_if_the_index_looks_plausible(kit):
    first, second = kit.Wire(boot=1), kit.Wire(boot=2)
    stream = first.encoder.describe() + first.frame(0)
    stream += second.encoder.describe() + second.frame(500) + second.frame(505)
    events, _decoder = kit.decode(stream)
    assert kit.gaps(events) == [Gap(5, 5, "restart", known=False)]
    assert events[0] == first.info and events.count(first.info) == 1
    assert on_axis(events, kit).tolist() == list(range(15))


@pytest.mark.parametrize("change", [{"fs": Fraction(500)}, {"tick_hz": 1000}, {"tick_hz": None}])
def test_another_rate_is_a_restart_and_a_new_description(kit, change):
    slow, fast = kit.Wire(), kit.Wire(kit.two_leads(**change))
    stream = slow.encoder.describe() + slow.frame(0) + fast.encoder.describe() + fast.frame(5)
    events, _ = kit.decode(stream)
    assert [type(e).__name__ for e in events] == [
        "StreamInfo",
        "SampleBlock",
        "StreamInfo",
        "Gap",
        "SampleBlock",
    ]
    assert not kit.gaps(events)[0].known


@pytest.mark.parametrize(
    ("index", "ticks"), [(2**31 + 5, None), (3, None), (2_000_000, 77), (10, 10**9), (60 * FS, 1000)]
)
def test_one_frame_that_fits_nowhere_moves_nothing(kit, index, ticks):
    """Noise that passes the CRC once in 65 536 times must also fit index and ticks."""
    wire = kit.Wire()
    frames = [*wire.frames(0, 10), wire.frame(index, ticks=ticks), *wire.frames(10, 20)]
    events, decoder = run(kit, frames)
    assert kit.gaps(events) == []
    assert on_axis(events, kit).tolist() == list(range(20))
    assert decoder.tally.bad_frames == 1


def test_a_frame_never_confirmed_is_refused_at_the_end(kit):
    wire = kit.Wire()
    events, decoder = run(kit, [*wire.frames(0, 10), wire.frame(2)])
    assert sum(len(b) for b in kit.blocks(events)) == 10
    assert decoder.tally.bad_frames == 1


def test_a_restart_survives_loss_and_doubling_of_its_first_frames(kit):
    old, new = kit.Wire(first_tick=10**6), kit.Wire(first_tick=0)
    frames = [*old.frames(0, 10), new.frame(0), new.frame(0), new.frame(15), new.frame(20)]
    events, decoder = run(kit, frames)
    assert kit.gaps(events) == [Gap(10, 10, "restart", known=False), Gap(15, 25, "lost")]
    assert decoder.tally.duplicates == 5 and decoder.tally.bad_frames == 0


def test_time_that_stood_still_in_the_index_is_not_compressed(kit):
    wire = kit.Wire()
    frozen = [wire.frame(i, ticks=wire.ticks(i + 1000)) for i in (10, 15, 20)]
    events, _ = run(kit, [*wire.frames(0, 10), *frozen])
    assert kit.gaps(events) == [Gap(10, 1010, "restart")]


def test_a_converter_two_percent_slow_beside_exact_ticks_stays_in_place(kit):
    wire = kit.Wire()
    frames = [wire.frame(i, ticks=1000 + round(i * 1.02 * TICK_HZ / FS)) for i in range(0, 12_500, 5)]
    del frames[100:2100]
    events, decoder = run(kit, frames)
    assert kit.gaps(events) == [Gap(500, 10_500, "lost")]
    assert decoder.tally.samples == 2500
