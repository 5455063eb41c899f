"""Calibration files that somebody forged or a disk spoilt: refused with a reason, and no end of a run."""

import base64
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecg_edge.device.cli.main import main
from ecg_edge.device.inference.load import load_model
from ecg_edge.device.personal_calibration.file import read_calibration, write_calibration
from ecg_edge.device.personal_calibration.file_watch import CalibrationWatch
from ecg_edge.firmware_bridge.errors import CalibrationError

OLD = Path(__file__).parents[1] / "old_files" / "i-ii.calibration.json"


@pytest.fixture
def good(tmp_path):
    path = tmp_path / "p.calibration"
    write_calibration(path, read_calibration(OLD))
    return path


def test_what_is_written_is_read_and_older_files_too(good):
    assert read_calibration(good).label == read_calibration(OLD).label


def test_two_that_say_the_same_are_equal_and_have_no_hash(good):
    one, other = read_calibration(good), read_calibration(OLD)
    assert one == other and one != replace(other, mean=other.mean + 1) and one != replace(other, patient="x")
    assert one != 3 and one in [other]
    with pytest.raises(TypeError, match="unhashable"):
        hash(one)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_a_flipped_bit_is_seen(good, data):
    whole = good.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    path = good.with_name("flipped")
    path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << data.draw(st.integers(0, 7))]) + whole[at + 1 :])
    try:
        found = read_calibration(path)
    except CalibrationError:
        return
    kept = read_calibration(good)  # a space, or the name of the digest itself
    assert np.array_equal(found.mean, kept.mean) and (found.patient, found.model_id) == (kept.patient, kept.model_id)


def forged(name, value):
    doc = json.loads(OLD.read_text())
    array = np.full(doc[name]["shape"], value, "<f4")
    doc[name]["f4"] = base64.b64encode(array.tobytes()).decode()
    return json.dumps(doc)


@pytest.mark.parametrize("name", ["mean", "again", "interval_factors", "covariance"])
@pytest.mark.parametrize("value", [3e38, np.inf, np.nan, -1e30])
def test_weights_that_are_no_hearts_are_refused(tmp_path, name, value):
    path = tmp_path / "x"
    path.write_text(forged(name, value))
    with pytest.raises(CalibrationError):
        read_calibration(path).apply(load_model("i-ii-int8"))


@pytest.mark.parametrize(
    "text", ["[" * 200_000, '{"a":' * 100_000, "", "null", "[]", '{"ecg_edge_calibration": 2}', "1" * 5000, "\x00\xff",
             '{"ecg_edge_calibration": 2, "sha256": 1}'],
)  # fmt: skip
def test_what_is_no_calibration_is_refused(tmp_path, text):
    path = tmp_path / "x"
    path.write_text(text)
    with pytest.raises(CalibrationError):
        read_calibration(path)


def test_a_pipe_and_a_device_are_no_files(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero"), tmp_path):
        with pytest.raises(CalibrationError):
            read_calibration(path)


@pytest.mark.parametrize("error", [RecursionError("deep"), CalibrationError("bad"), OSError("gone"), MemoryError()])
def test_a_file_that_cannot_be_used_does_not_end_the_run(model, tmp_path, monkeypatch, capsys, error):
    def renewed(self):
        raise error

    monkeypatch.setattr(CalibrationWatch, "__init__", lambda self, *_: setattr(self, "_calibration", None))
    monkeypatch.setattr(CalibrationWatch, "renewed", renewed)
    run = ["run", "synthetic:", "--fast", "--seconds", "5", "--model", str(model.path), "--calibration", "x"]
    run += ["--calibration-later", "--json"]
    assert main(run) == 0
    assert json.loads(capsys.readouterr().out)["notes"]["calibration"] >= 1
