import os
import resource
import signal
import subprocess
import sys
from datetime import datetime, timezone
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import wfdb

from ecg_edge.device.lead_block import Note
from ecg_edge.device.reconstruction.pipeline import Pipeline
from ecg_edge.device.recording.recorder import Recorder
from ecg_edge.device.recording.safe_files import AppendFile
from ecg_edge.device.sinks.sink import RunHeader
from ecg_edge.firmware_bridge.errors import DiskFullError, RecordingError
from ecg_edge.firmware_bridge.events import Channel, Gap, SampleBlock, StreamInfo
from ecg_edge.firmware_bridge.lead_names import LEADS
from tests.support import fakes

STARTED = datetime(2025, 3, 1, 12, 0, 5, tzinfo=timezone.utc)


def header(model, info):
    pipeline = Pipeline(model, info, mains_hz=None)
    terms = pipeline.latency_terms
    return pipeline, RunHeader(
        info, "tests:", model.spec, "tiny.onnx", model.file_sha256, pipeline.provenance, STARTED, terms
    )


def record(model, folder, events, info=None, rec=None):
    pipeline, head = header(model, info or fakes.info())
    rec = rec or Recorder(folder)
    rec.open(head)
    try:
        for event in [*events, None]:
            if isinstance(event, SampleBlock):
                rec.native(event)
            for out in pipeline.feed(event) if event is not None else pipeline.flush():
                (rec.note if isinstance(out, Note) else rec.leads)(out)
    finally:
        rec.close()
    return rec.path


def test_two_records_hold_what_went_through(model, tmp_path):
    counts = fakes.walk(1000)
    valid = np.ones((490, 2), bool)
    valid[100:200, 1] = False
    events = [
        fakes.block(counts[:500]),
        Gap(500, 510),
        fakes.block(counts[510:], 510, valid, lead_off=0),
        fakes.block(counts[:20], 1100, lead_off=2),
    ]
    path = record(model, tmp_path, events)
    assert path.name == "20250301T120005Z"
    twelve, measured = wfdb.rdrecord(str(path)), wfdb.rdrecord(f"{path}_measured", physical=False)
    assert (twelve.fs, twelve.sig_len, twelve.base_datetime) == (100, 448, STARTED.replace(tzinfo=None))
    kind = {"I": "measured", "II": "measured", "V1": "reconstructed", "aVR": "derived"}
    for lead, what in kind.items():
        assert twelve.sig_name[LEADS.index(lead)] == f"{lead} ({what})"
    said = "\n".join(twelve.comments)
    for word in ("not for diagnosis", model.file_sha256, "tests:", "0.5 Hz", "90 %", "V1, V2, V3, V4, V5, V6"):
        assert word in said
    blocks, notes = fakes.drain(Pipeline(model, fakes.info(), mains_hz=None), events)
    _, rows = fakes.join(blocks)
    assert (np.isnan(twelve.p_signal[:, :12]) == ~rows["valid"]).all() and np.isnan(twelve.p_signal[:, 12:]).all()
    assert np.nanmax(np.abs(twelve.p_signal[:, :12] - rows["mv"])) <= 0.00051
    want = np.full((1120, 2), -32768 * 256)
    want[:500], want[510:1000], want[1100:] = counts[:500], counts[510:], counts[:20]
    want[610:710, 1] = -32768 * 256
    assert (measured.d_signal == want).all()
    for name, ratio in ((path, 0.4), (f"{path}_measured", 1)):
        read = wfdb.rdann(str(name), "atr")
        said = [(s, a.split(":")[0]) for s, a in zip(read.sample.tolist(), read.aux_note, strict=True)]
        told = [(s, a) for s, a in said if a not in ("warm-up", "settled")]
        assert told == [(0, "start of recording"), *((int(n.index * ratio), n.kind) for n in notes)]
        if name == path:  # settled 0.2 s after the start; disturbed by the stale samples, the gap
            assert [x for x in said if x not in told][:3] == [(0, "warm-up"), (20, "settled"), (244, "warm-up")]


@pytest.mark.parametrize(
    ("bits", "offset", "lsb", "fmt", "top"),
    [(16, 0, 1e-3, "16", 32767), (16, 32768.0, 1e-3, "24", 65535), (24, 0, 2.4e-5, "24", 2**23 - 1),
     (24, 2.0**23, 2e-5, "32", 2**24 - 1), (10, 511.5, 0.003, "16", 1023)],
)  # fmt: skip
def test_counts_of_any_converter_fit(model, tmp_path, bits, offset, lsb, fmt, top):
    channels = tuple(Channel(x, lsb, offset, bits) for x in ("I", "II"))
    counts = np.random.default_rng(bits).integers(int(offset) - 5, top, (300, 2), endpoint=True).astype(np.int32)
    mv = ((counts - offset) * lsb).astype(np.float32)
    events = [SampleBlock(0, counts, mv, np.ones(mv.shape, bool))]
    path = record(model, tmp_path, events, StreamInfo("x", Fraction(250), channels))
    digital = wfdb.rdrecord(f"{path}_measured", physical=False)
    assert digital.fmt == [fmt, fmt] and (digital.d_signal == counts).all()
    assert np.abs(wfdb.rdrecord(f"{path}_measured").p_signal - mv).max() <= lsb


def test_two_runs_in_one_second_and_a_run_in_a_new_folder(model, tmp_path):
    events = [fakes.block(fakes.walk(300))]
    first, second = (record(model, tmp_path / "a" / "b", events) for _ in range(2))
    assert second.name == first.name + "_2"
    assert len(wfdb.rdrecord(str(first)).p_signal) == len(wfdb.rdrecord(str(second)).p_signal) == 120


def test_a_folder_that_cannot_be_is_a_typed_error(model, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordingError, match="--out"):
        record(model, tmp_path / "file", [])


CHILD = """
import sys
from tests.support import fakes
from tests.device.recording import test_recorder
from tests.support.tiny_model import tiny_model
from pathlib import Path
from ecg_edge.device.recording.recorder import Recorder
from ecg_edge.device.lead_block import Note
folder = Path(sys.argv[1])
pipeline, head = test_recorder.header(tiny_model(folder), fakes.info())
rec, counts, at = Recorder(folder), fakes.walk(10_000), 0
rec.open(head)
while True:
    block = fakes.block(counts[at % 9990 : at % 9990 + 10], at)
    rec.native(block)
    for out in pipeline.feed(block):
        (rec.note if isinstance(out, Note) else rec.leads)(out)
    at += 10
    print(at, flush=True)
"""


@pytest.mark.parametrize("after", [2000, 3333])
def test_killed_process_leaves_a_readable_record(tmp_path, after):
    root = Path(__file__).resolve().parents[3]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), *filter(None, [os.environ.get("PYTHONPATH")])])}
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path)], stdout=subprocess.PIPE, text=True, env=env, cwd=root
    ) as child:
        for line in child.stdout:
            if int(line) >= after:
                child.send_signal(signal.SIGKILL)
                break
    (path,) = (p.with_suffix("") for p in tmp_path.glob("*Z.hea"))
    for name, fs in ((str(path), 100), (f"{path}_measured", 250)):
        read = wfdb.rdrecord(name)
        assert read.sig_len >= (after / 250 - 1.2) * fs
        assert np.isfinite(read.p_signal[fs // 2 :, 0]).all()
        assert wfdb.rdann(name, "atr").aux_note[0] == "start of recording"


@pytest.mark.parametrize("limit", [3000, 4321, 20_000])
def test_full_disk_is_a_typed_error_and_leaves_what_was_written(model, tmp_path, limit):
    """A limit on the size of files stands in for the disk: the same path, without needing a mount."""
    counts = fakes.walk(5000)
    events = [fakes.block(counts[k : k + 10], k) for k in range(0, 5000, 10)]
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    rec = Recorder(tmp_path)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        with pytest.raises(DiskFullError, match="--out"):
            record(model, tmp_path, events, rec=rec)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    head = wfdb.rdheader(str(rec.path))
    if head.sig_len:
        assert np.isfinite(wfdb.rdrecord(str(rec.path)).p_signal[:, 0]).all()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small tmpfs needs root")
def test_full_tmpfs(model, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48k", "none", small], capture_output=True).returncode:
        pytest.skip("tmpfs cannot be mounted here")
    try:
        counts = fakes.walk(9000)
        events = [fakes.block(counts[k : k + 10], k) for k in range(0, 9000, 10)]
        rec = Recorder(small)
        with pytest.raises(DiskFullError):
            record(model, small, events, rec=rec)
        read = wfdb.rdrecord(str(rec.path))
        assert read.sig_len >= 100 and np.isfinite(read.p_signal[:, 0]).all()
    finally:
        subprocess.run(["umount", small], check=True)


@pytest.mark.parametrize("full_at", [1, 2, 3, 4])
def test_of_a_pair_that_cannot_begin_no_file_is_left(model, tmp_path, full_at, monkeypatch):
    written = []

    def write(file, data, back=0):
        written.append(file.path)
        if len(written) == full_at:
            raise DiskFullError("full", "buy a disk")

    monkeypatch.setattr(AppendFile, "write", write)
    with pytest.raises(DiskFullError):
        Recorder(tmp_path).open(header(model, fakes.info())[1])
    assert [p.name for p in tmp_path.iterdir()] == []
