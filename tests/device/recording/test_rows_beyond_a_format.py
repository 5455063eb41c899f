"""What a format cannot hold is no sample in it: a value held at the limit would be false."""

import json
from pathlib import Path

import numpy as np
import pytest

import ecg_edge as ee
from ecg_edge.device.lead_block import LeadBlock
from ecg_edge.device.recording.edf_writer import write_edf
from ecg_edge.device.recording.stored_recording import read_stored
from ecg_edge.device.sinks.json_lines import leads_line
from ecg_edge.firmware_bridge.recordings.open_recording import open_recording
from tests.support import fakes
from tests.support.stored_files import beats, wfdb_record


@pytest.fixture(params=[50.0, 1000.0])
def kept(request: pytest.FixtureRequest, model: ee.Model, tmp_path: Path) -> tuple[LeadBlock, Path]:
    """Rows of a source whose R waves no 16 bits hold, and the record of them."""
    path = wfdb_record(tmp_path, "high", request.param * beats(20), gain=20)
    sink = fakes.ListSink()
    summary = ee.run(f"replay:{path}", [ee.Recorder(tmp_path / "out"), sink], model=model, fast=True)
    assert summary.recording is not None
    return LeadBlock.join(sink.blocks), summary.recording


def held(rows: LeadBlock, stored: object, within: float) -> None:
    """Nothing that is there differs from what was said, and all that fits is there."""
    for k in range(12):
        x = stored.mv[: len(rows), k]  # type: ignore[attr-defined]
        there = np.isfinite(x)
        assert np.abs(x[there] - rows.mv[there, k]).max(initial=0) <= within
        assert np.array_equal(there, rows.valid[:, k] & (np.abs(rows.mv[:, k]) < 32.7675))


def test_a_recording(kept: tuple[LeadBlock, Path]) -> None:
    rows, record = kept
    assert np.abs(rows.mv[:, 1]).max() > 33
    held(rows, read_stored(str(record)), 6e-4)


def test_its_edf(kept: tuple[LeadBlock, Path], tmp_path: Path) -> None:
    pytest.importorskip("edfio")
    rows, record = kept
    write_edf(read_stored(str(record)), tmp_path / "x.edf")
    held(rows, read_stored(str(tmp_path / "x.edf")), 2e-3)


def test_the_measured_record_holds_what_was_sent(kept: tuple[LeadBlock, Path], tmp_path: Path) -> None:
    sent = open_recording(str(tmp_path / "high.hea")).mv([0, 1])
    stored = read_stored(f"{kept[1]}_measured")
    assert stored.valid.all() and np.abs(stored.mv - sent).max() < 1e-6


def test_json_lines_hold_null_beyond_a_hundred_volts() -> None:
    one = np.ones((2, 12), np.bool_)
    mv = np.array([[1e5] * 12, [1.1e5] * 12], np.float32)
    block = LeadBlock(0, mv, (ee.Provenance.RECONSTRUCTED,) * 12, one, one[:, 0], 2 * mv)
    doc = json.loads(leads_line(block, block.provenance))
    assert doc["uv"]["II"] == [100_000_000, None] and doc["interval_uv"]["II"] == [None, None]


def test_values_that_no_count_holds_are_no_samples(model: ee.Model, tmp_path: Path) -> None:
    """Text has no limit; counts of 0.1 µV have one at 214 V."""
    mv = beats(10)
    mv[1000, 1] = 3e5
    path = tmp_path / "t.csv"
    text = "time,I,II\n" + "".join(f"{k / 250},{a:.4f},{b:.4f}\n" for k, (a, b) in enumerate(mv))
    path.write_text(text)
    stored = read_stored(str(path))
    assert np.flatnonzero(~stored.valid[:, 1]).tolist() == [1000]
    sink = fakes.ListSink()
    summary = ee.run(f"replay:{path}", [ee.Recorder(tmp_path / "out"), sink], model=model, fast=True)
    measured = read_stored(f"{summary.recording}_measured")
    assert np.flatnonzero(~measured.valid[:, 1]).tolist() == [1000]
    assert np.abs(measured.mv - mv)[measured.valid].max() < 1e-4
