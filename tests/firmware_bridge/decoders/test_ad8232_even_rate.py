"""The AD8232's lines on an even grid: the true waveform at the true instants, however the bytes are cut."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecg_edge.firmware_bridge.decoders.ad8232 import Ad8232
from ecg_edge.firmware_bridge.decoders.ad8232_even_rate import EvenAd8232, ad8232_even
from ecg_edge.firmware_bridge.decoders.catalogue import find_device
from ecg_edge.firmware_bridge.events import Gap, SampleBlock, StreamInfo
from tests.support.wire_unsynced import ad8232 as line


def decode(data: bytes, cuts: list[int] = ()):
    decoder, events, start = ad8232_even(), [], 0
    for stop in [*cuts, len(data)]:
        events += decoder.feed(data[start:stop], float(stop))
        start = stop
    return decoder, events + decoder.close()


def axis(events: list) -> tuple[np.ndarray, np.ndarray]:
    """mV and validity of every row, the lost ones NaN; the axis has no hole."""
    mv, valid = [], []
    for e in events:
        if isinstance(e, SampleBlock):
            assert e.index == len(mv)
            mv += e.mv[:, 0].tolist()
            valid += e.valid[:, 0].tolist()
        elif isinstance(e, Gap):
            assert e.start == len(mv) and e.known
            mv += [np.nan] * (e.stop - e.start)
            valid += [False] * (e.stop - e.start)
    return np.array(mv), np.array(valid)


def mv_of(counts: np.ndarray) -> np.ndarray:
    return (counts * 3300 / 1024 - 1650) / 1100


def sketch(seconds: float, hz: float, amplitude: float) -> tuple[bytes, np.ndarray]:
    """What the sketch sends of a sine, each line read when the one before has been sent; and the lines' times."""
    data, ticks = bytearray(), []
    while len(data) < 960 * seconds:
        t = len(data) / 960
        ticks.append(t)
        data += line(round(1000 + amplitude * np.sin(2 * np.pi * hz * t)))
    return bytes(data), np.array(ticks)


def test_a_sine_across_a_thousand_keeps_its_rate_and_shape() -> None:
    """Half its lines have four digits: at an assumed even rate it would drift by a tenth."""
    data, ticks = sketch(20, 1.3, 20)
    decoder, events = decode(data)
    mv, valid = axis(events)
    assert valid.all()
    t = np.arange(len(mv)) / 192
    assert abs(t[-1] - ticks[-1]) < 0.02
    truth = mv_of(1000 + 20 * np.sin(2 * np.pi * 1.3 * t))
    assert np.abs(mv - truth).max() < 0.004  # a count is 2.9 µV, rounded twice
    assert abs(len(ticks) / 192 - ticks[-1]) > 1  # by the count of lines a second would be missing
    assert decoder.tally.samples == len(mv) and decoder.tally.lost == 0


@pytest.mark.data
def test_the_capture_shows_the_waveform_at_its_instants(captures: Path) -> None:
    data = (captures / "ad8232_sparkfun_ascii.bin").read_bytes()
    times = np.load(captures / "ad8232_sparkfun_ascii.sample_times.npy")
    counts = np.load(captures / "ad8232_sparkfun_ascii.expected_counts.npy")[:, 0]
    _, events = decode(data)
    mv, valid = axis(events)
    t = np.arange(len(mv)) / 192
    on = counts >= 0
    right = np.interp(t, times[on], mv_of(counts[on]))
    np.testing.assert_allclose(mv[valid], right[valid], atol=1e-4)
    assert (~valid).sum() == pytest.approx((counts < 0).sum() * 3 / 5, abs=0.2 * (counts < 0).sum() + 4)
    assert abs(t[-1] - times[-1]) < 1 / 96


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32), st.lists(st.sampled_from([-1, 7, 42, 500, 512, 999, 1000, 1023]), min_size=3, max_size=60)
)
def test_the_cutting_does_not_show(seed: int, counts: list[int]) -> None:
    rng = random.Random(seed)
    data = bytearray(b"".join(map(line, counts)))
    for _ in range(rng.randint(0, 3)):
        data[rng.randrange(len(data))] = rng.randrange(256)
    whole, events = decode(bytes(data))
    cuts = sorted(rng.randrange(len(data)) for _ in range(rng.randint(0, 20)))
    cut, again = decode(bytes(data), cuts)
    for a, b in zip(axis(events), axis(again), strict=True):
        np.testing.assert_array_equal(a, b)
    assert (whole.tally.samples, whole.tally.lost) == (cut.tally.samples, cut.tally.lost)
    assert whole.tally.lost_ranges == cut.tally.lost_ranges
    assert [e for e in events if isinstance(e, Gap)] == [e for e in again if isinstance(e, Gap)]


def test_a_lost_line_is_a_gap_as_long_as_it_took() -> None:
    _, events = decode(b"510\r\n511\r\n5x2\r\n513\r\n514\r\n")
    assert [(e.start, e.stop) for e in events if isinstance(e, Gap)] == [(2, 3)]
    mv, _ = axis(events)
    np.testing.assert_allclose(mv[[0, 1, 3, 4]], mv_of(np.array([510, 511, 513, 514])), atol=1e-6)


def test_rows_beside_a_lifted_electrode_are_not_believed() -> None:
    _, events = decode(b"500\r\n500\r\n" + b"!\r\n" * 10 + b"500\r\n500\r\n500\r\n")
    _, valid = axis(events)
    assert valid[:2].all() and not valid[2:8].any() and valid[-2:].all()
    off = [e.lead_off for e in events if isinstance(e, SampleBlock)]
    assert off == [0, 0b11, 0]


def test_a_run_takes_it_and_decode_does_not() -> None:
    device = find_device("ad8232")
    assert isinstance(device.decoder(live=True), EvenAd8232)
    assert type(device.decoder()) is Ad8232
    assert type(device.decoder(fs=100, live=True)) is Ad8232
    assert find_device("cyton").decoder(live=True).info.device == "cyton"
    _, events = decode(b"500\r\n500\r\n")
    info = events[0]
    assert isinstance(info, StreamInfo) and info.fs == 192 and info.tick_hz is None
