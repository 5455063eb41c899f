"""Captures of real devices whose frames have sync words, against the truth beside them.

What no check in the format can see, and is therefore accepted here:

* ``flip_bit2_payload`` in an ECG field of formats without checksum: the packet of that
  name carries one wrong value (ADS1292R, ADS1293, MAX30003, Cyton, Chords). It is seen in
  the Olimex capture (the flip leaves ten bits), by HealthyPi 6 (CRC), and in the HealthyPi 5
  capture it hits the PPG;
* ``duplicate_packet`` in formats without counter (ProtoCentral, HealthyPi 5): one sample more;
* whole packets missing there: the samples that follow sit too early on the axis,
  `loss_known` is False, and what was seen to break is listed;
* a whole counter wrap without arrival times: found with ``--times`` only.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import firwin, lfilter

from ecg_edge.firmware_bridge.decoders.catalogue import find_device
from ecg_edge.firmware_bridge.ports.capture_file import decode_bytes
from tests.support.wire import as_summary, capture, decode

pytestmark = pytest.mark.data

COUNTED = {
    "cyton": "openbci_cyton_plain",
    "olimex": "olimex_demo",
    "chords": "chords_uno_r3",
}
COUNTERLESS = {
    "ads1292r": "protocentral_ads1292r",
    "ads1293": "protocentral_ads1293",
    "max30003": "protocentral_max30003",
    "healthypi5": "healthypi5_openview",
}
ALL = COUNTED | COUNTERLESS | {"healthypi6": "healthypi6_dblk"}
SEES_THE_FLIP = {"olimex", "healthypi6"}


@pytest.mark.parametrize("device", ALL)
def test_clean_capture_is_decoded_exactly(device):
    truth = capture(ALL[device])
    got = decode(device, truth.clean)
    assert np.array_equal(got.counts, truth.expected)
    assert np.array_equal(got.index, np.arange(len(truth.expected)))
    assert (got.tally.lost, got.tally.duplicates, got.tally.bad_frames) == (0, 0, 0)
    assert got.tally.skipped_bytes == truth.facts["first_packet_offset"]
    assert got.tally.loss_known == (device not in COUNTERLESS)


@pytest.mark.parametrize("device", ALL)
@pytest.mark.parametrize("cut", [1, 2, 3, 7, 64])
def test_cuts_of_the_clean_capture_do_not_matter(device, cut):
    truth = capture(ALL[device])
    data = truth.clean if cut == 64 else truth.clean[: len(truth.clean) // 16]
    _, counts, _, gaps, tally = decode(device, data, cut)
    assert counts == truth.expected[: len(counts)].tolist()
    assert len(counts) > 0.98 * len(truth.expected) * (len(data) - tally["skipped_bytes"]) / len(truth.clean)
    assert not gaps


@pytest.mark.parametrize("device", ALL)
@pytest.mark.parametrize("cut", [1, 2, 3, 7, 64])
def test_cuts_around_every_injury_do_not_matter(device, cut):
    data = _injuries_alone(capture(ALL[device]))
    assert decode(device, data, cut) == as_summary(decode(device, data))


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
@pytest.mark.parametrize("device", ALL)
def test_random_cuts_do_not_matter(device, seed):
    data = _injuries_alone(capture(ALL[device]))
    cuts = np.sort(np.random.default_rng(seed).integers(0, len(data), 200)).tolist()
    assert decode(device, data, cuts) == as_summary(decode(device, data))


def _injuries_alone(truth):
    """The damaged bytes around each injury, one after the other (the seams are injuries too)."""
    data = truth.damaged
    return b"".join(data[max(0, d["damaged_offset"] - 500) : d["damaged_offset"] + 500] for d in truth.facts["damage"])


@pytest.mark.parametrize("device", [d for d in ALL if d != "ads1292r"])
def test_millivolts_are_within_a_count_of_the_electrodes(device):
    truth = capture(ALL[device])
    got = decode(device, truth.clean)
    columns = [got.info.leads.index(lead) for lead in truth.facts["leads"]]
    error = np.abs(got.mv[:, columns] - truth.waveform) / [got.info.channels[k].lsb_mv for k in columns]
    if device == "olimex":  # its lead II clips at 1023 on R peaks, as the side-car says
        error[got.counts[:, columns] == 1023] = 0
    assert error.max() < 0.51


def test_ads1292r_millivolts_follow_its_own_filter_chain():
    truth = capture("protocentral_ads1292r")
    got = decode("ads1292r", truth.clean)
    raw = np.floor(truth.waveform[:, 0] / 2420 * 12 * (2**23 - 1) / 256)
    mean_free, last, before = np.zeros(len(raw)), 0.0, 0.0
    for k, x in enumerate(raw):
        last, before = np.trunc(x - before + 0.992 * last), x
        mean_free[k] = last
    filtered = lfilter(firwin(161, 40, fs=125), 1, np.floor(mean_free / 4))
    error = got.mv[:, 0] / got.info.channels[0].lsb_mv - filtered
    usable = np.ones(len(error), bool)
    usable[:500] = usable[50 * 125 - 5 : 52 * 125 + 300] = False  # start-up, and lead-off sent as 0
    # the sketch's own filter rounds down: half a count of bias, two at most
    assert np.abs(error[usable] + 0.5).max() < 2
    assert error[usable].std() < 0.5


def _survivors(device, truth):
    lost = truth.lost | (set(truth.packets("flip_bit2_payload")) if device in SEES_THE_FLIP else set())
    return [k for k in range(truth.facts["n_packets"]) if k not in lost]


def _ranges(positions, first):
    """Half-open ranges of what is missing between positions, counted from the first."""
    steps = np.diff(positions)
    return [(int(positions[k]) + 1 - first, int(positions[k + 1]) - first) for k in np.flatnonzero(steps > 1)]


@pytest.mark.parametrize("device", COUNTED)
def test_damaged_capture_with_a_counter(device):
    truth = capture(COUNTED[device])
    got = decode(device, truth.damaged)
    survivors = np.array(_survivors(device, truth))
    differs = np.flatnonzero((got.counts != truth.expected[survivors]).any(axis=1))
    flipped = set() if device in SEES_THE_FLIP else set(truth.packets("flip_bit2_payload"))
    assert set(survivors[differs]) == flipped
    wrap = truth.packets("drop_packets_exactly_one_counter_wrap")
    seen = np.where(survivors > wrap[0], survivors - 256, survivors)  # the counter cannot show it
    assert got.index.tolist() == (seen - seen[0]).tolist()
    assert got.tally.lost_ranges == _ranges(seen, seen[0])
    assert got.tally.lost == sum(b - a for a, b in got.tally.lost_ranges)
    assert got.tally.duplicates == 1
    assert got.tally.loss_known


@pytest.mark.parametrize("device", COUNTED)
@pytest.mark.parametrize("jitter", [0.0, 0.08])
def test_arrival_times_resolve_the_whole_wrap(device, jitter):
    truth = capture(COUNTED[device])
    data = truth.damaged
    times = _arrival_times(truth, len(data), jitter)
    got = decode_bytes(find_device(device).decoder(), data, times)
    survivors = np.array(_survivors(device, truth))
    assert got.tally.lost_ranges == _ranges(survivors, survivors[0])
    assert got.index.tolist() == (survivors - survivors[0]).tolist()


def _arrival_times(truth, size, jitter):
    """Arrival of the damaged bytes in pieces of 16 ms with random delay, as a host would note it."""
    origin, at = [], 0
    for injury in truth.facts["damage"]:
        begin = injury["clean_offset"]
        origin += [*range(at, begin), *[begin] * injury["inserted"]]
        at = begin + injury["deleted"]
    origin += range(at, at + size - len(origin))
    sent = np.array(origin) / truth.facts["packet_len"] / truth.facts["rate_hz"]
    edges = np.flatnonzero(np.diff(np.floor(sent / 0.016), prepend=-1))
    arrival = sent[np.append(edges[1:], size) - 1] + np.random.default_rng(3).uniform(0, jitter, len(edges))
    return np.column_stack((edges, 100 + np.maximum.accumulate(arrival)))


@pytest.mark.parametrize("device", COUNTERLESS)
def test_damaged_capture_without_a_counter(device):
    truth = capture(COUNTERLESS[device])
    got = decode(device, truth.damaged)
    twice = truth.packets("duplicate_packet")
    survivors = np.array(sorted(_survivors(device, truth) + twice))
    differs = np.flatnonzero((got.counts != truth.expected[survivors]).any(axis=1))
    assert set(survivors[differs]) <= set(truth.packets("flip_bit2_payload"))
    assert not got.tally.loss_known
    # the three packets that broke in place are seen, those that vanished whole are not
    broken = ("drop_byte_mid_packet", "corrupt_first_byte", "corrupt_last_byte")
    where = [np.searchsorted(survivors, truth.packets(kind)[0]) for kind in broken]
    assert got.tally.lost_ranges == [(w + k, w + k + 1) for k, w in enumerate(where)]
    assert len(got.index) + got.tally.lost == got.index[-1] + 1


def test_damaged_healthypi6_reports_every_lost_sample():
    truth = capture("healthypi6_dblk")
    got = decode("healthypi6", truth.damaged)
    kinds = _block_channels(truth.clean)
    ours = np.flatnonzero(kinds == 1)
    flipped = set(truth.packets("flip_bit2_payload"))
    kept = np.array([k for k, block in enumerate(ours) if block not in truth.lost | flipped])
    rows = (kept[:, None] * 16 + np.arange(16)).ravel()
    assert np.array_equal(got.counts, truth.expected[rows])
    assert got.index.tolist() == (rows - rows[0]).tolist()
    assert got.tally.lost_ranges == _ranges(rows, rows[0])
    assert got.tally.loss_known
    assert got.tally.duplicates == 16


def _block_channels(data):
    channels, at = [], 0
    while at < len(data):
        channels.append(data[at + 20])
        at += int.from_bytes(data[at + 4 : at + 8], "little")
    return np.array(channels)


def test_healthypi6_marks_what_depends_on_the_left_leg():
    truth = capture("healthypi6_dblk")
    got = decode("healthypi6", truth.clean)
    off = truth.expected[:, 4] == 4
    assert off.sum() == 1000
    assert np.array_equal(~got.valid[:, 1], off)  # II = LL - RA
    assert np.array_equal(~got.valid[:, 2], off)  # V1 is taken against RA, LA and LL
    assert got.valid[:, 0].all()
