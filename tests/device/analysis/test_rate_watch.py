from fractions import Fraction

import numpy as np
import pytest

from ecg_edge.device.analysis.rate_watch import RateWatch, usual
from ecg_edge.firmware_bridge.events import SampleBlock


def watched(true_hz, nominal=250, seconds=20, per_read=10, delay=lambda t: 0.0, lost=()):
    """What the watch says after each read, with when: samples of a device that arrive late by `delay`."""
    watch, seen, last = RateWatch(Fraction(nominal)), [], 0.0
    for stop in range(per_read, int(true_hz * seconds), per_read):
        taken = stop / true_hz
        last = max(last, taken + delay(taken))
        watch.feed(stop, last)
        seen.append((taken, watch.off_hz))
    return seen


@pytest.mark.parametrize("true_hz", [100, 192, 240, 260, 500])
def test_a_wrong_rate_is_found_after_some_seconds(true_hz):
    found = [(t, hz) for t, hz in watched(true_hz, seconds=30) if hz is not None]
    assert found[0][0] <= 5 and abs(found[0][1] / true_hz - 1) < 0.01


@pytest.mark.parametrize(
    ("speed", "told"), [(0.8, True), (1, False), (1.5, True), (5, False), (10, False), (20, False)]
)
def test_a_signal_that_is_played_faster_is_no_other_rate_where_the_device_tells_its_own_time(speed, told):
    watch, n = RateWatch(Fraction(250), Fraction(1_000_000)), 10
    for k in range(0, 250 * 60, n):
        counts = np.zeros((n, 1), np.int32)
        mv, valid = counts.astype(np.float32), np.ones((n, 1), bool)
        watch.event(SampleBlock(k, counts, mv, valid, ticks=4000 * k, arrival=(k + n) / 250 / speed))
    assert (watch.off_hz is not None) == told


@pytest.mark.parametrize("burst_s", [0.016, 0.128, 0.25])
@pytest.mark.parametrize("true_hz", [192, 241, 259])
def test_bursts_of_usb_neither_hide_a_wrong_rate_nor_make_one(burst_s, true_hz):
    def next_burst(t):
        return -t % burst_s

    found = [t for t, hz in watched(true_hz, seconds=10, per_read=1, delay=next_burst) if hz is not None]
    assert found[0] <= 5
    for honest in (245.5, 250, 254.5):
        assert all(hz is None for _, hz in watched(honest, seconds=60, per_read=1, delay=next_burst))


@pytest.mark.parametrize("true_hz", [245.5, 250, 254])
def test_oscillators_are_no_fault(true_hz):
    assert all(hz is None for _, hz in watched(true_hz))


def test_jitter_bursts_and_stalls_are_no_other_rate():
    rng = np.random.default_rng(0)
    assert all(hz is None for _, hz in watched(250, seconds=60, delay=lambda t: rng.exponential(0.03)))
    burst = watched(250, delay=lambda t: max(0.0, 2 - t))  # two seconds were waiting when the port was opened
    assert all(hz is None for _, hz in burst)
    stall = watched(250, delay=lambda t: max(0.0, 8.5 - t) if 5 < t < 9 else 0.0)
    assert all(hz is None for _, hz in stall)


def test_a_wrong_rate_is_found_under_jitter():
    rng = np.random.default_rng(1)
    found = [hz for _, hz in watched(192, delay=lambda t: rng.exponential(0.03)) if hz is not None]
    assert found and usual(found[-1]) == 192


@pytest.mark.parametrize(("hz", "is_so"), [(191.2, 192), (251.7, 250), (222.4, 222), (125.9, 125)])
def test_measured_rates_are_what_a_designer_chose(hz, is_so):
    assert usual(hz) == is_so
