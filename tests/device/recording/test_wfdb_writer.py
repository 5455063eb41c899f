import os
from datetime import datetime, timezone
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import wfdb
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ecg_edge.device.recording.safe_files import disk_errors
from ecg_edge.device.recording.wfdb_writer import WfdbColumn, WfdbWriter, recover_record
from ecg_edge.firmware_bridge.errors import DiskFullError, RecordingError
from ecg_edge.firmware_bridge.recordings.wfdb_annotations import read_notes

STARTED = datetime(2024, 2, 29, 23, 59, 58, 250000, tzinfo=timezone.utc)
WIDE = {16: 32767, 24: 2**23 - 1, 32: 2**31 - 1}


def fits(record):
    return [c % 65536 for c in record.checksum] == [int(c) % 65536 for c in record.calc_checksum()]


def writer(folder, name="r", fmt=16, n=2, fs=Fraction(250), comments=()):
    signals = [WfdbColumn(f"lead {k}", 200.0 * (k + 1), 7 * k) for k in range(n)]
    return WfdbWriter(folder, name, fs, signals, fmt, STARTED, comments)


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from([16, 24, 32]),
    st.integers(1, 4),
    st.lists(st.integers(0, 50), min_size=1, max_size=5),
    st.integers(0, 99),
)
def test_everything_reads_back(tmp_path_factory, fmt, n, parts, seed):
    folder = tmp_path_factory.mktemp("w")
    rng = np.random.default_rng(seed)
    w = writer(folder, fmt=fmt, n=n)
    rows, flags = [np.zeros((0, n), int)], [np.zeros((0, n), bool)]
    for part in parts:
        x = rng.integers(-WIDE[fmt], WIDE[fmt], (part, n), endpoint=True)
        ok = rng.random((part, n)) > 0.2
        w.append(x, ok)
        rows.append(x)
        flags.append(ok)
    w.close()
    x, ok = np.concatenate(rows), np.concatenate(flags)
    if not len(x):
        return  # wfdb cannot read a record without samples
    record = wfdb.rdrecord(str(w.path), physical=False)
    assert (record.d_signal[ok] == x[ok]).all()
    assert fits(record)
    mv = wfdb.rdrecord(str(w.path)).p_signal
    assert np.isnan(mv[~ok]).all()
    gain, baseline = np.array([200.0 * (k + 1) for k in range(n)]), np.array([7 * k for k in range(n)])
    assert np.allclose(mv[ok], ((x - baseline) / gain)[ok])


def test_header_says_when_how_fast_and_what(tmp_path):
    w = writer(tmp_path, fs=Fraction(40201, 4), comments=["a: b", "evil\nline"])
    w.append(np.ones((3, 2), int), np.ones((3, 2), bool))
    w.close()
    h = wfdb.rdheader(str(w.path))
    assert (h.fs, h.sig_len, h.base_datetime) == (10050.25, 3, STARTED.replace(tzinfo=None))
    assert h.sig_name == ["lead 0", "lead 1"] and h.comments == ["recorded by ecg-edge", "a: b", "evil line"]
    assert h.units == ["mV", "mV"]


@settings(max_examples=40, deadline=None)
@example([(5, "\u0132" * 200), (5, "one word " * 40)])
@given(st.lists(st.tuples(st.sampled_from([0, 1, 5, 1023, 1024, 70_000, 10**9]), st.text(max_size=300)), max_size=6))
def test_notes_read_back(tmp_path_factory, notes):
    w = writer(tmp_path_factory.mktemp("n"))
    w.annotate(0, "start")
    at, want = 0, [(0, "start")]
    for step, text in notes:
        at += step
        w.annotate(at, "x" + text)
        want.append((at, "x" + text))
    got = wfdb.rdann(str(w.path), "atr")  # not closed: the file is whole at any moment
    w.close()
    assert got.sample.tolist() == [a for a, _ in want] and set(got.symbol) == {"~"}
    for said, (_, text) in zip(got.aux_note, want, strict=True):
        plain = "".join(c if c.isprintable() else " " for c in text)
        read = said.encode("latin-1").decode()  # the package takes a byte for a letter
        if len(plain.encode()) <= 255:
            assert read == plain
        else:  # cut between words, or within one that is longer
            kept = read.removesuffix("…")
            assert kept != read and kept and plain.startswith(kept) and len(read.encode()) <= 255
    ours = read_notes(w.path.with_suffix(".atr"))
    assert [at for at, _ in ours] == [at for at, _ in want]


def test_extremes_stay_samples_and_overflow_does_not_wrap(tmp_path):
    w = writer(tmp_path, n=1)
    w.append(np.array([[-32768], [32767], [40000], [-40000]]), np.ones((4, 1), bool))
    w.close()
    assert wfdb.rdrecord(str(w.path), physical=False).d_signal[:, 0].tolist() == [-32767, 32767, -32768, -32768]


def test_skipping_keeps_the_time_axis(tmp_path):
    w = writer(tmp_path)
    w.append(np.ones((5, 2), int), np.ones((5, 2), bool))
    w.skip(100_000)
    w.append(np.full((1, 2), 9), np.ones((1, 2), bool))
    w.close()
    mv = wfdb.rdrecord(str(w.path)).p_signal
    assert len(mv) == 100_006 and np.isnan(mv[5:-1]).all() and mv[-1, 0] == 9 / 200


def test_readable_at_every_moment(tmp_path):
    w = writer(tmp_path)
    for k in range(1, 6):
        w.append(np.full((10, 2), k), np.ones((10, 2), bool))
        if k > 1:
            assert len(wfdb.rdrecord(str(w.path)).p_signal) == 10 * (k - 1)
        w.sync()
        assert len(wfdb.rdrecord(str(w.path)).p_signal) == 10 * k
    w.close()


@pytest.mark.parametrize("fmt", [16, 24, 32])
def test_a_record_cut_at_any_byte_is_recovered(tmp_path, fmt):
    rng = np.random.default_rng(fmt)
    x = rng.integers(-30000, 30000, (40, 3))
    w = writer(tmp_path, fmt=fmt, n=3)
    w.append(x, np.ones(x.shape, bool))
    w.close()
    data, frame = w.path.with_suffix(".dat"), 3 * fmt // 8
    for size in sorted(rng.integers(frame, 40 * frame, 25), reverse=True):
        os.truncate(data, size)
        assert recover_record(w.path.with_suffix(".hea")) == size // frame
        record = wfdb.rdrecord(str(w.path), physical=False)
        assert (record.d_signal == x[: size // frame]).all()
        assert fits(record)


def test_recovering_what_is_not_ours_is_refused(tmp_path):
    (tmp_path / "x.hea").write_text("nothing of use\n")
    (tmp_path / "x.dat").write_bytes(b"123")
    with pytest.raises(RecordingError, match="no header written by ecg-edge"):
        recover_record(tmp_path / "x.hea")
    with pytest.raises(RecordingError, match=r"y\.hea"):
        recover_record(tmp_path / "y.hea")


FOREIGN = {
    "118e06": "118e06 1 360 650000\n118e06.dat 212 200(1024)/mV 12 0 1024 1 0 MLII\n",
    "packed": "packed 1 250 5\npacked.dat 311 200(0)/mV 10 0 0 0 0 I\n# source: x\n# device: y\n",
    "frames": "frames 1 50 5\nframes.dat 16x5 200(0)/mV 16 0 0 0 0 I\n# source: x\n# device: y\n",
    "plain": "plain 1 250 2\nplain.dat 16 200(0)/mV 16 0 0 0 0 I\n",
    "other": "other 1 250 2\nthis.dat 16 200(0)/mV 16 0 0 0 0 I\n# recorded by ecg-edge\n",
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_record_of_others_is_left_alone(tmp_path, name):
    header = tmp_path / f"{name}.hea"
    header.write_text(FOREIGN[name])
    header.with_suffix(".dat").write_bytes(bytes(1234))
    with pytest.raises(RecordingError, match="nothing was changed"):
        recover_record(header)
    assert header.read_text() == FOREIGN[name] and len(list(tmp_path.iterdir())) == 2


def test_what_fits_is_not_touched_and_what_is_changed_is_kept(tmp_path):
    w = writer(tmp_path, comments=("source: x",))
    w.append(np.arange(40).reshape(20, 2), np.ones((20, 2), bool))
    w.close()
    header = w.path.with_suffix(".hea")
    whole = header.read_text()
    assert recover_record(header) == 20 and header.read_text() == whole
    assert not list(tmp_path.glob("*.before*"))
    for k, size in ((1, 60), (2, 40)):
        os.truncate(w.path.with_suffix(".dat"), size)
        last = header.read_text()
        assert recover_record(header) == size // 4
        assert (tmp_path / f"r.hea.before{k if k > 1 else ''}").read_text() == last


def test_a_long_note_is_cut_between_words(tmp_path):
    w = writer(tmp_path)
    w.annotate(0, "Überlänge " * 40)
    w.close()
    ((_, text),) = [(at, text) for at, text in read_notes(w.path.with_suffix(".atr"))]
    assert text.endswith("Überlänge…") and len(text.encode()) <= 255


def test_an_existing_record_is_never_overwritten(tmp_path):
    writer(tmp_path).close()
    with pytest.raises(RecordingError, match="File exists"):
        writer(tmp_path)


def test_full_device_is_told_as_such(tmp_path):
    with pytest.raises(DiskFullError, match="--out"), disk_errors(tmp_path), Path("/dev/full").open("wb", 0) as f:
        f.write(b"x")


@pytest.mark.parametrize("name", ["folder", "nothing"])
def test_recovering_what_is_no_recording_says_so(tmp_path, name):
    (tmp_path / "folder").mkdir()
    with pytest.raises(RecordingError, match="there is no recording") as refused:
        recover_record(tmp_path / f"{name}.hea")
    assert ".hea" in refused.value.fix
