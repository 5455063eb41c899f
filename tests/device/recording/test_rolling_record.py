"""Records one after another, and recorders that are killed."""

import subprocess
import sys
from datetime import datetime, timedelta, timezone
from fractions import Fraction

import mne
import numpy as np
import pyedflib
import pytest
import wfdb

from ecg_edge.device.recording.edf_writer import write_edf
from ecg_edge.device.recording.recorder import Recorder
from ecg_edge.device.recording.rolling_record import RollingRecord, parse_rotation
from ecg_edge.device.recording.stored_recording import read_stored
from ecg_edge.device.recording.wfdb_writer import WfdbColumn, WfdbWriter
from ecg_edge.firmware_bridge.errors import DiskFullError, UsageError
from ecg_edge.firmware_bridge.events import Gap
from tests.device.recording.test_recorder import STARTED, record
from tests.support import fakes

mne.set_log_level("error")


@pytest.mark.parametrize(
    ("text", "seconds"), [("1h", 3600), ("10min", 600), ("90s", 90), ("1d", 86400), ("24MB", 10_000), ("0.5h", 1800)]
)
def test_lengths_of_time_and_of_files(text, seconds):
    assert parse_rotation(text, 2400) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "1", "h", "5s", "1 week", "-1h", "1kb"])
def test_what_is_no_length_is_refused(text):
    with pytest.raises(UsageError, match="--rotate"):
        parse_rotation(text, 2400)


def test_no_sample_is_lost_between_two_records(model, tmp_path):
    counts = fakes.walk(10_000)
    events = [fakes.block(counts[k : k + 90], k) for k in range(0, 5400, 90)]
    events += [Gap(5400, 6000), *(fakes.block(counts[k : k + 80], k) for k in range(6000, 10_000, 80))]
    whole = record(model, tmp_path / "whole", events)
    record(model, tmp_path / "parts", events, rec=Recorder(tmp_path / "parts", "11s"))
    for suffix, fs in (("", 100), ("_measured", 250)):
        one = read_stored(str(whole) + suffix)
        names = sorted(p.with_suffix("") for p in (tmp_path / "parts").glob(f"*Z{suffix}.hea"))
        parts = [read_stored(str(n)) for n in names]
        assert len(parts) == 4 and [len(p.counts) for p in parts[:3]] == [11 * fs] * 3
        assert np.array_equal(np.concatenate([p.counts for p in parts]), one.counts)
        assert np.array_equal(np.concatenate([p.valid for p in parts]), one.valid)
        begins = [STARTED + timedelta(seconds=11 * k) for k in range(4)]
        assert [p.started for p in parts] == begins
        assert parts[0].notes[-1][1] == f"continued in {names[1].name}"
        assert parts[1].notes[0][1] == f"continues {names[0].name}"
        gap = [(s / fs + 11 * k, text) for k, p in enumerate(parts) for s, text in p.notes if text.startswith("gap")]
        # Told when the samples behind it come: then its beginning may lie in a record that is closed.
        ((at, text),) = gap
        assert 5400 / 250 - 0.01 <= at <= 22 and "600 samples" in text


def test_a_record_that_cannot_be_begun_leaves_the_one_before_whole(tmp_path):
    made = []

    def make(started):
        if made:
            raise DiskFullError("full", "buy a disk")
        made.append(WfdbWriter(tmp_path, "r", Fraction(100), [WfdbColumn("I", 1000)], 16, started))
        return made[0]

    rolling = RollingRecord(make, datetime(2026, 1, 1, tzinfo=timezone.utc), Fraction(100), 10)
    x = np.arange(2000, dtype=np.int32)[:, None]
    with pytest.raises(DiskFullError):
        rolling.append(x, x >= 0)
    rolling.close()
    assert (wfdb.rdrecord(str(tmp_path / "r"), physical=False).d_signal[:, 0] == x[:1000, 0]).all()


KILLER = """
import os, random, signal, sys, time
from datetime import datetime, timezone
from fractions import Fraction
from pathlib import Path
import numpy as np
from ecg_edge.device.recording.wfdb_writer import WfdbColumn
from ecg_edge.device.recording.wfdb_writer import WfdbWriter

folder, kills = Path(sys.argv[1]), int(sys.argv[2])
rng = random.Random(0)
for n in range(kills):
    ready, tell = os.pipe()
    pid = os.fork()
    if not pid:
        signals = [WfdbColumn("I (measured)", 1000), WfdbColumn("II (measured)", 1000)]
        w = WfdbWriter(folder, f"r{n}", Fraction(250), signals, 16, datetime(2026, 1, 1, tzinfo=timezone.utc))
        k = 0
        while True:
            rows = k + np.arange(25)
            w.append(np.stack([rows % 3000, -rows % 3000], axis=1), np.ones((25, 2), bool))
            k += 25
            if k % 125 == 0:
                w.annotate(k, f"gap: at {k}")
            if k % 250 == 0:
                w.sync()
                if k == 500:
                    os.write(tell, b"!")
    os.read(ready, 1)
    os.close(ready), os.close(tell)
    time.sleep(rng.uniform(0, 0.012))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
"""


def test_two_hundred_recorders_killed_leave_files_that_others_read(tmp_path):
    """wfdb reads the record as it lies; pyedflib and MNE what is converted from it."""
    kills = 200
    subprocess.run([sys.executable, "-c", KILLER, str(tmp_path), str(kills)], check=True, timeout=300)
    lengths = set()
    for n in range(kills):
        name = str(tmp_path / f"r{n}")
        read = wfdb.rdrecord(name, physical=False)
        rows = np.arange(read.sig_len)
        assert (read.d_signal == np.stack([rows % 3000, -rows % 3000], axis=1)).all()
        held = (tmp_path / f"r{n}.dat").stat().st_size // 4
        assert 500 <= read.sig_len <= held <= read.sig_len + 250 + 25  # at most a second beyond the header
        notes = wfdb.rdann(name, "atr")
        assert len(notes.sample) >= read.sig_len // 125
        lengths.add(held)
        stored = read_stored(name)
        write_edf(stored, tmp_path / "x.edf")
        with pyedflib.EdfReader(str(tmp_path / "x.edf")) as edf:
            assert (edf.readSignal(0, digital=True)[: read.sig_len] == read.d_signal[:, 0]).all()
        if n % 10 == 0:  # MNE takes its time
            raw = mne.io.read_raw_edf(tmp_path / "x.edf", preload=True)
            assert np.abs(raw.get_data()[1, : read.sig_len] * 1e3 - read.d_signal[:, 1] / 1000).max() < 1e-3
    assert len(lengths) > 10, "they died in many places"
