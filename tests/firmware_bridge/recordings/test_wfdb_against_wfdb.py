"""Every storage format as the package wfdb reads it: written by wfdb where it writes it, by hand where it does not."""

import numpy as np
import pytest

from ecg_edge.firmware_bridge.recordings.open_recording import open_recording
from ecg_edge.firmware_bridge.recordings.wfdb_storage import FLAC, STORAGE

wfdb = pytest.importorskip("wfdb")
WRITTEN = {"80": 8, "16": 16, "24": 24, "32": 32, "508": 8, "516": 16, "524": 24}
BY_HAND = {"8": 8, "61": 16, "160": 16, "212": 12, "310": 10, "311": 10}


def test_no_storage_format_is_left_out():
    assert {*map(str, STORAGE), *map(str, FLAC)} == {*WRITTEN, *BY_HAND}


def compare(record):
    mine, theirs = open_recording(record), wfdb.rdrecord(str(record))
    values = mine.values(range(len(mine.signals)))
    np.testing.assert_allclose(values, theirs.p_signal, rtol=1e-12, atol=1e-12)
    part = mine.values([1], 37, 501)
    np.testing.assert_array_equal(part[:, 0], values[37:501, 1])
    assert [s.label for s in mine.signals] == theirs.sig_name and float(mine.signals[0].fs) == theirs.fs


@pytest.mark.parametrize("fmt", WRITTEN)
@pytest.mark.parametrize("n", [1000, 1001, 1003])
def test_formats_that_wfdb_writes(tmp_path, fmt, n):
    top = 1 << (WRITTEN[fmt] - 1)
    counts = np.random.default_rng(n).integers(-top + 1, top, (n, 3))
    counts[[5, 500], 1] = -top  # no sample
    wfdb.wrsamp("r", fs=360, units=["mV"] * 3, sig_name=["I", "II", "V1"], d_signal=counts, fmt=[fmt] * 3,
                adc_gain=[200.0] * 3, baseline=[3] * 3, write_dir=str(tmp_path))  # fmt: skip
    compare(tmp_path / "r")


def packed(counts, fmt):
    """Counts as WFDB stores them, by the words of signal(5)."""
    v = counts.astype(np.int64).ravel()
    if fmt == "8":
        return np.diff(counts, axis=0, prepend=counts[:1]).astype("<i1").tobytes()
    if fmt == "61":
        return counts.astype(">i2").tobytes()
    if fmt == "160":
        return (counts + 32768).astype("<u2").tobytes()
    if fmt == "212":
        a, b = (np.pad(v, (0, len(v) % 2)).reshape(-1, 2) & 0xFFF).T
        return np.stack([a & 255, a >> 8 | (b >> 8) << 4, b & 255], 1).astype(np.uint8).tobytes()
    a, b, c = (np.pad(v, (0, -len(v) % 3)).reshape(-1, 3) & 0x3FF).T
    if fmt == "310":
        return np.stack([a << 1 | (c & 31) << 11, b << 1 | (c >> 5) << 11], 1).astype("<u2").tobytes()
    return (a | b << 10 | c << 20).astype("<u4").tobytes()


@pytest.mark.parametrize("fmt", BY_HAND)
@pytest.mark.parametrize("n", [1000, 1001])
def test_formats_that_wfdb_only_reads(tmp_path, fmt, n):
    rng, top = np.random.default_rng(1), 1 << (BY_HAND[fmt] - 1)
    counts = np.cumsum(rng.integers(-100, 101, (n, 2)), axis=0) if fmt == "8" else rng.integers(-top + 1, top, (n, 2))
    first = counts[0] if fmt == "8" else (0, 0)
    (tmp_path / "r.dat").write_bytes(packed(counts, fmt))
    lines = [f"r 2 360 {n}", *(f"r.dat {fmt} 200(0)/mV 12 0 {first[k]} 0 0 {x}" for k, x in enumerate(("I", "II")))]
    (tmp_path / "r.hea").write_text("\n".join(lines) + "\n")
    compare(tmp_path / "r")


def test_offset_skew_and_a_file_per_signal(tmp_path):
    counts = np.random.default_rng(2).integers(-900, 900, (1000, 2)).astype("<i2")
    (tmp_path / "a.dat").write_bytes(b"x" * 24 + counts[:, 0].tobytes())
    (tmp_path / "b.dat").write_bytes(counts[:, 1].tobytes())
    (tmp_path / "r.hea").write_text("r 2 250 1000\na.dat 16+24 200/mV 12 0 0 0 0 I\nb.dat 16:3 200/mV 12 0 0 0 0 II\n")
    values = open_recording(tmp_path / "r").values([0, 1])
    np.testing.assert_array_equal(values[:, 0], counts[:, 0] / 200)
    np.testing.assert_array_equal(values[:-3, 1], counts[3:, 1] / 200)


def test_segments_are_joined_and_their_gaps_are_kept(tmp_path):
    for k, name in enumerate(("s1", "s2")):
        counts = np.full((500, 1), k + 1, "<i2")
        (tmp_path / f"{name}.dat").write_bytes(counts.tobytes())
        (tmp_path / f"{name}.hea").write_text(f"{name} 1 250 500\n{name}.dat 16 1/mV 16 0 0 0 0 II\n")
    (tmp_path / "m.hea").write_text("m/3 1 250 1250\ns1 500\n~ 250\ns2 500\n")
    values = open_recording(tmp_path / "m").values([0])[:, 0]
    assert (values[:500] == 1).all() and np.isnan(values[500:750]).all() and (values[750:] == 2).all()
