"""The delay of the twelve leads: stated where a program finds it, and true."""

import json
from datetime import datetime, timezone
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import ecg_edge as ee
from ecg_edge.device.cli.main import main
from ecg_edge.device.recording.edf_writer import write_edf
from ecg_edge.device.recording.stored_recording import read_stored
from ecg_edge.device.sinks.messages import header_message
from ecg_edge.firmware_bridge.recordings.open_recording import open_recording
from ecg_edge.firmware_bridge.recordings.recording import stated_delay
from ecg_edge.firmware_bridge.synthetic_heart.heart import SyntheticHeart
from tests.support import fakes, stored_files
from tests.support.stored_files import wfdb_record

FROM, TO = 300, 1500


@pytest.fixture(params=[100, 250, 360, 500, 1000])
def lived(request: pytest.FixtureRequest, model: ee.Model, tmp_path: Path) -> tuple[ee.RunHeader, Path]:
    """A recording of a run at some rate, and the run's header."""
    fs = request.param
    mv = SyntheticHeart(Fraction(fs), ("I", "II"), seed=1).read(20 * fs)
    path = wfdb_record(tmp_path, "source", mv, fs)
    sink = fakes.ListSink()
    summary = ee.run(f"replay:{path}", [ee.Recorder(tmp_path / "out"), sink], model=model, mains_hz=None, fast=True)
    assert summary.recording is not None
    return sink.header, summary.recording


def lag_s(record: Path) -> float:
    """By how much lead II of the twelve is later than that of the measured record, by cross-correlation."""
    twelve, measured = read_stored(str(record)), read_stored(f"{record}_measured")
    rows = twelve.mv[FROM:TO, twelve.columns("II")[0]]
    native = measured.mv[:, measured.columns("II")[0]]
    at = np.arange(FROM, TO) / 100
    times = np.arange(len(native)) / float(measured.fs)
    lags = np.arange(-20, 100) / 1000
    score = [np.corrcoef(rows, np.interp(at - lag, times, native))[0, 1] for lag in lags]
    return float(lags[int(np.argmax(score))])


def test_the_delay_is_what_the_correlation_finds(lived: tuple[ee.RunHeader, Path]) -> None:
    header, record = lived
    assert lag_s(record) == pytest.approx(header.delay_s, abs=0.002)


def test_every_outlet_states_the_same_number(lived: tuple[ee.RunHeader, Path], model: ee.Model, tmp_path: Path) -> None:
    header, record = lived
    assert json.loads(header_message(header))["delay_ms"] == pytest.approx(1000 * header.delay_s)
    assert open_recording(str(record)).delay_s == pytest.approx(header.delay_s, abs=1e-6)
    assert open_recording(f"{record}_measured").delay_s is None
    pytest.importorskip("edfio")
    write_edf(read_stored(str(record)), tmp_path / "x.edf")
    assert read_stored(str(tmp_path / "x.edf")).delay_s == pytest.approx(header.delay_s, abs=1e-6)
    with ee.open_stream(header.source, model, fast=True) as stream:
        next(stream)
    assert stream.delay == pytest.approx(header.delay_s)


def test_lsl_states_it(model: ee.Model) -> None:
    pylsl = pytest.importorskip("pylsl")
    from ecg_edge.device.reconstruction.pipeline import Pipeline
    from ecg_edge.device.sinks.lsl import LslSink

    pipeline = Pipeline(model, fakes.info(), mains_hz=None)
    started = datetime(2025, 1, 1, tzinfo=timezone.utc)
    header = ee.RunHeader(
        fakes.info(), "delay:", model.spec, "m", "0" * 64, pipeline.provenance, started, pipeline.latency_terms
    )
    sink = LslSink("delay")
    sink.open(header)
    try:
        [found] = pylsl.resolve_byprop("name", "ecg-edge delay", 1, 5)
        desc = pylsl.StreamInlet(found).info(5).desc()
        assert float(desc.child_value("delay_s")) == pytest.approx(header.delay_s, abs=1e-6) and header.delay_s > 0
    finally:
        sink.close()


def test_a_comment_that_is_no_number_states_nothing() -> None:
    assert stated_delay(("delay_s: soon",), ((0, "delay_s: 0.04"),)) == 0.04
    assert stated_delay(("alignment: none",)) is None


def test_the_delay_of_a_replayed_record_is_kept(
    model: ee.Model, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wfdb_record(tmp_path, "late", stored_files.beats(10), comments=("delay_s: 0.05",))
    words = ["run", f"replay:{tmp_path / 'late'}", "--fast", "--model", str(model.path), "--out", str(tmp_path / "o")]
    assert main([*words, "--json"]) == 0
    made = json.loads(capsys.readouterr().out.splitlines()[-1])["recording"]
    assert open_recording(f"{made}_measured").delay_s == pytest.approx(0.05)
    assert any("source, which is itself 0.0500 s late" in text for text in open_recording(made).comments)
