"""A stored recording: aligned, warm, complete, honest about what is missing."""

import csv
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

import ecg_edge as ee
from ecg_edge.device.inference.load import load_model
from ecg_edge.device.lead_block import LeadBlock
from ecg_edge.device.reconstruction import offline
from ecg_edge.device.reconstruction.offline import at_rate, offline_blocks, reconstruct
from ecg_edge.firmware_bridge.lead_names import LEADS
from ecg_edge.firmware_bridge.synthetic_heart.heart import SyntheticHeart

RATES = [100, 128, 250, 360, 500, 1000]
HIDDEN = slice(6, 12)


def heart(fs, seconds=10, leads=LEADS):
    return SyntheticHeart(Fraction(fs), leads, 65, 3).read(round(seconds * fs))


def bumps(fs, seconds=10):
    """Two leads of symmetric bumps whose centres are known."""
    t = np.arange(round(seconds * fs)) / fs
    bump = np.exp(-((((t + 0.4) % 0.8 - 0.4) / 0.03) ** 2))
    return np.stack([0.5 * bump, bump], axis=1)


def lag(a, b, most):
    """Rows by which `a` is later than `b`."""
    return int(np.argmax(likeness(a, b, most))) - most


def likeness(a, b, most):
    """Correlation of `a`, so many rows later, with `b`: from `most` rows earlier on."""
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    inner = b[most : len(b) - most]
    score = [(a[most + k : len(a) - most + k] * inner).sum() for k in range(-most, most + 1)]
    return np.array(score) / np.sqrt((a**2).sum() * (b**2).sum())


def correlation(a, b):
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    return float(((a * b).sum(axis=0) / np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0) + 1e-12)).mean())


def banded(x, fs):
    """The model's band without its phase."""
    n = len(x)
    wide = np.fft.rfft(np.pad(x, ((n, n), (0, 0)), mode="reflect"), axis=0)
    sos = signal.butter(2, 0.5, "highpass", fs=fs, output="sos")
    _, response = signal.sosfreqz(sos, worN=np.fft.rfftfreq(3 * n, 1 / fs), fs=fs)
    return np.fft.irfft(wide * np.abs(response)[:, None], 3 * n, axis=0)[n : 2 * n]


def zero_phase(x, fs):
    return signal.sosfiltfilt(signal.butter(2, 0.5, "highpass", fs=fs, output="sos"), x, axis=0)


@pytest.mark.parametrize("fs", RATES)
@pytest.mark.parametrize("back", [False, True])
def test_a_row_is_the_instant_of_its_sample(model, fs, back):
    mv = bumps(fs)
    block = reconstruct(mv, fs=fs, leads=("I", "II"), model=model, mains_hz=None, out_fs=fs if back else None)
    rate = fs if back else 100
    assert (block.index, len(block), block.fs) == (0, -(-len(mv) * rate // fs), rate)
    assert lag(block.mv[:, :2], banded(bumps(rate), rate), rate // 10) == 0
    for k in np.rint(np.arange(0.8, 9.5, 0.8) * rate).astype(int):
        near = block.mv[k - rate // 10 : k + rate // 10 + 1, 1]
        assert abs(rate // 10 - int(near.argmax())) <= max(1, rate // 500)


@pytest.mark.parametrize("fs", RATES)
def test_lag_zero_and_a_warm_start(fs):
    model = load_model("i-ii-int8")
    twelve = heart(fs)
    out = reconstruct(twelve[:, :2], fs=fs, leads=("I", "II"), model=model, mains_hz=None, out_fs=fs)
    truth = banded(twelve, fs)
    assert lag(out.mv[:, :2], truth[:, :2], fs // 5) == 0
    assert lag(out.mv[:, :2], zero_phase(twelve, fs)[:, :2], fs // 5) == 0
    early, rest = (correlation(out.mv[s, HIDDEN], truth[s, HIDDEN]) for s in (slice(0, 2 * fs), slice(2 * fs, None)))
    assert early > rest - 0.05
    assert not out.warmup.any() and out.valid.all()


@pytest.mark.parametrize("seconds", [0.01, 0.3, 1, 1.5, 2, 3, 7.13])
@pytest.mark.parametrize("fs", [100, 250, 360.5, 1000])
def test_any_length_gives_all_its_rows(model, seconds, fs):
    mv = heart(fs, seconds, ("I", "II"))
    block = reconstruct(mv, fs=fs, leads=("I", "II"), model=model)
    assert len(block) == -(-len(mv) * 100 // Fraction(fs)) and block.index == 0
    short = len(block) < 20  # the tiny model settles in 0.2 s
    assert np.isfinite(block.mv).all() and block.valid[:, :6].all() and (block.valid[:, HIDDEN] != short).all()
    assert block.warmup.all() if short else not block.warmup.any()


def test_none_at_all(model):
    block = reconstruct(np.zeros((0, 2)), fs=250, leads=("I", "II"), model=model)
    assert block.mv.shape == (0, 12)
    assert len(reconstruct(np.zeros((0, 2)), fs=250, leads=("I", "II"), model=model, out_fs=250)) == 0


def test_the_last_rows_know_what_the_others_know(model):
    """The rows of a recording are those of a longer one, but for what the longer one adds at the end."""
    mv = heart(250, 12, ("I", "II"))
    short, long = (reconstruct(mv[:n], fs=250, leads=("I", "II"), model=model) for n in (2500, 3000))
    assert len(short) == 1000
    same = np.abs(short.mv - long.mv[:1000]).max(axis=1)
    assert same[300:880].max() < 0.02  # the phase of the high-pass cannot be known without the rows ahead
    assert same[300:980].max() < 0.1


@settings(max_examples=25, deadline=None)
@given(fs=st.sampled_from(RATES), piece=st.sampled_from([0.7, 1.3, 5, 30]), n=st.integers(1, 3000))
def test_pieces_are_the_whole(model, fs, piece, n):
    mv = heart(fs, 3.1, ("I", "II"))[:n]
    whole = LeadBlock.join(list(offline_blocks(model, mv, Fraction(fs))))
    before, offline._PIECE_S = offline._PIECE_S, piece
    try:
        again = LeadBlock.join(list(offline_blocks(model, mv, Fraction(fs))))
    finally:
        offline._PIECE_S = before
    assert whole.mv.tobytes() == again.mv.tobytes() and whole.warmup.tobytes() == again.warmup.tobytes()


def test_what_is_missing_is_invalid_and_only_that(model):
    mv = heart(500, 20, ("I", "II"))
    whole = reconstruct(mv, fs=500, leads=("I", "II"), model=model)
    mv[5000:5500, 0] = np.nan
    block = reconstruct(mv, fs=500, leads=("I", "II"), model=model)
    i, ii, v2 = (LEADS.index(x) for x in ("I", "II", "V2"))
    assert not block.valid[1001:1099, i].any() and block.valid[:, ii].all()
    assert block.valid[:985].all() and block.valid[1120:].all()
    assert not block.valid[1000:1100, v2].any()
    assert block.warmup[1100:1110].any() and not block.warmup[:900].any() and not block.warmup[1300:].any()
    assert np.abs(block.mv[:800] - whole.mv[:800]).max() < 0.1  # filters recall another past, and what is ahead


def test_a_recording_that_begins_with_nothing(model):
    mv = heart(250, 10, ("I", "II"))
    mv[:500] = np.nan
    block = reconstruct(mv, fs=250, leads=("I", "II"), model=model)
    assert not block.valid[:200].any() and block.valid[215:].all() and np.isfinite(block.mv).all()
    assert not reconstruct(np.full((900, 2), np.nan), fs=250, leads=("I", "II"), model=model).valid.any()


@pytest.mark.parametrize("fs", [50, 250, 360, 500])
def test_another_rate_keeps_the_signal(model, fs):
    mv = bumps(250)
    block = reconstruct(mv, fs=250, leads=("I", "II"), model=model)
    other = at_rate(block, Fraction(fs), fs * 10)
    assert len(other) == 10 * fs and other.sigma.shape == other.valid.shape == (10 * fs, 12)
    if fs == 500:
        assert np.abs(other.mv[::5] - block.mv)[5:-5].max() < 0.02


def test_a_day_does_not_need_to_fit(model):
    """Rows leave as they are made: the first ones do not wait for the last sample."""
    mv = np.tile(heart(100, 60, ("I", "II")), (10, 1))
    blocks = offline_blocks(model, mv, Fraction(100))
    first = next(blocks)
    assert first.index == 0 and len(first) < 0.1 * len(mv)


@pytest.mark.data
def test_twelve_records_of_ptb_xl(data_folder):
    """Limb leads alone through the offline path: no delay, and no cold start."""
    model = load_model("i-ii-int8")
    wfdb = pytest.importorskip("wfdb")
    with (data_folder / "ptb-xl/ptbxl_database.csv").open(newline="") as f:
        names = [r["filename_lr"] for r in csv.DictReader(f) if r["strat_fold"] == "10"]
    there = [n for n in names if (data_folder / "ptb-xl" / f"{n}.hea").is_file()]
    for fs in RATES:
        alike, measured, gains, most = [], [], [], fs // 10
        for name in there[:: max(1, len(there) // 12)][:12]:
            x = wfdb.rdrecord(str(data_folder / "ptb-xl" / name)).p_signal
            mv = signal.resample_poly(x, fs, 100, axis=0, padtype="line")
            out = reconstruct(mv[:, :2], fs=fs, leads=("I", "II"), model=model, mains_hz=None, out_fs=fs).mv
            truth = zero_phase(mv, fs)
            alike.append(likeness(out[:, HIDDEN], truth[:, HIDDEN], most))
            measured.append(lag(out[:, :2], truth[:, :2], most))
            halves = slice(0, 2 * fs), slice(2 * fs, None)
            gains.append([correlation(out[s, HIDDEN], truth[s, HIDDEN]) for s in halves])
        early, rest = np.mean(gains, axis=0)
        assert len(alike) == 12 and set(measured) == {0}
        # What the network errs by differs from person to person; together they are neither early nor late.
        assert np.argmax(np.sum(alike, axis=0)) == most, fs
        assert early > rest - 0.05, (fs, early, rest)


def test_what_is_measured_is_never_estimated():
    """Twelve leads pass through; II and III give I by algebra; a missing sample of III is missing in I alone."""
    heart = SyntheticHeart(Fraction(100), LEADS, seed=4).read(1500)
    twelve = ee.reconstruct(heart, fs=100, leads=LEADS)
    assert set(twelve.provenance) == {ee.Provenance.MEASURED} and not twelve.warmup.any()
    two = heart[:, [1, 2]].copy()
    two[700:720, 1] = np.nan
    block = ee.reconstruct(two, fs=100, leads=("II", "III"))
    kinds = dict(zip(LEADS, block.provenance, strict=True))
    assert kinds["II"] == kinds["III"] == ee.Provenance.MEASURED
    assert kinds["I"] == kinds["aVF"] == ee.Provenance.DERIVED
    assert kinds["V2"] == ee.Provenance.RECONSTRUCTED
    np.testing.assert_allclose(block.lead("I")[:600], twelve.lead("I")[:600], atol=0.01)
    np.testing.assert_allclose(block.lead("I")[:690], twelve.lead("I")[:690], atol=0.05)  # the phase needs rows ahead
    lost = slice(702, 718)
    assert block.valid[lost, 1].all() and not block.valid[lost, [0, 2]].any()


@pytest.mark.parametrize("size", [7, 100, 333])
def test_measured_leads_are_the_same_however_the_stream_is_cut(size):
    heart = SyntheticHeart(Fraction(100), LEADS, seed=4).read(900)[:, [1, 2]]
    heart[400:420, 1] = np.nan
    whole, cut = (ee.Reconstructor(fs=100, leads=("II", "III")) for _ in range(2))
    one = ee.LeadBlock.join([whole.feed(heart), whole.flush()])
    many = ee.LeadBlock.join([*(cut.feed(heart[a : a + size]) for a in range(0, 900, size)), cut.flush()])
    np.testing.assert_array_equal(one.mv, many.mv)
    np.testing.assert_array_equal(one.valid, many.valid)
    assert one.provenance == many.provenance


def test_what_is_bridged_is_flagged():
    """36 ms without samples are a straight line: the rows that hold it say so, and only they."""
    mv = SyntheticHeart(500, ("I", "II"), seed=3).read(5000)
    mv[2600:2618, 1] = np.nan
    block = reconstruct(mv, fs=500, leads=("I", "II"))
    assert block.valid.all() and block.held is not None
    rows = np.flatnonzero(block.held)
    assert rows[0] in range(510, 521) and rows[-1] in range(523, 535) and len(rows) == rows[-1] - rows[0] + 1
    assert reconstruct(mv[:2000], fs=500, leads=("I", "II")).held is None


def test_what_is_reconstructed_from_one_sample_is_not_valid():
    one = ee.reconstruct([[0.1, 0.2]], fs=250, leads=("I", "II"))
    assert one.warmup.all() and one.valid[:, :6].all() and not one.valid[:, HIDDEN].any()


@pytest.mark.parametrize("out_fs", [None, 500])
def test_of_nothing_there_are_no_rows_from_index_0(out_fs):
    for nothing, leads in ((np.zeros((0, 2)), ("I", "II")), ([], ("I",))):
        block = reconstruct(nothing, fs=500, leads=leads, out_fs=out_fs)
        assert block.index == 0 and block.mv.shape == (0, 12) and block.fs == (out_fs or 100) and not len(block.seconds)


@pytest.mark.parametrize("out_fs", [50, 100, 250])
def test_another_rate_loses_no_field(out_fs):
    mv = SyntheticHeart(250).read(2500)[:, :2].astype(np.float64)
    mv[1000:1005] = np.nan
    mv = np.hstack([mv, mv[:, :1]])
    plain, other = (reconstruct(mv, fs=250, leads=("I", "II", "RA-V5"), out_fs=rate) for rate in (None, out_fs))
    assert other.channels == plain.channels == ("RA-V5",)
    assert other.channel_mv.shape == other.channel_valid.shape == (10 * out_fs, 1)
    seconds = np.interp(plain.seconds, other.seconds, other.channel_mv[:, 0])
    if out_fs >= 100:
        assert np.abs(seconds - plain.channel_mv[:, 0])[:-2].max() < 0.2
    assert plain.held.any() and other.held.any() and abs(other.held.mean() - plain.held.mean()) < 0.01
