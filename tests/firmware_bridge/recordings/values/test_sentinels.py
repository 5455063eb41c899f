"""Numbers and words that stand for missing samples."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecg_edge.device.cli.main import main
from ecg_edge.firmware_bridge.recordings.open_recording import open_recording
from ecg_edge.firmware_bridge.recordings.values.sentinels import mark_missing, sentinels
from tests.support import stored_files

MV = stored_files.beats(20)
LOST = slice(2000, 2750)


def table(folder, word, rows=LOST, scale=1.0, unit="mV"):
    lines = ["time [s]," + ",".join(f"{lead} [{unit}]" for lead in ("I", "II"))]
    lost = set(range(*rows.indices(len(MV))))
    lines += [f"{k / 250:.3f},{word if k in lost else f'{i * scale:.4f}'},{ii * scale:.4f}"
              for k, (i, ii) in enumerate(MV)]  # fmt: skip
    (folder / "r.csv").write_text("\n".join(lines))
    return folder / "r.csv"


@pytest.mark.parametrize(
    "word", ["-9999", "9999", "-999", "-32768", "32767", "1e6", "nan", "NaN", "null", "-", "", "N/A", "#VALUE!", "-99"]
)
def test_a_stretch_without_samples_is_missing(word, tmp_path):
    recording = open_recording(table(tmp_path, word))
    mv = recording.mv([0, 1])
    assert np.isnan(mv[LOST, 0]).all() and np.isfinite(np.delete(mv[:, 0], np.r_[LOST])).all()
    assert np.isfinite(mv[:, 1]).all()
    assert not word[-1:].isdigit() or any("I: 750 values of" in r for r in recording.remarks)


@pytest.mark.parametrize(("scale", "unit"), [(1000.0, "uV"), (1e6, "nV")])
def test_in_microvolts_too(scale, unit, tmp_path):
    word = "-32768" if unit == "uV" else "-2147483648"
    assert np.isnan(open_recording(table(tmp_path, word, scale=scale, unit=unit)).mv([0])[LOST]).all()


@pytest.mark.parametrize(("word", "unit", "scale"), [("0.999", "mV", 1), ("1.5", "mV", 1), ("999", "uV", 1000)])
def test_a_plausible_value_stays(word, unit, scale, tmp_path):
    for rows in (slice(100, 101), slice(100, 110)):
        recording = open_recording(table(tmp_path, word, rows, scale, unit))
        assert np.isfinite(recording.mv([0])).all() and not recording.remarks


def test_a_zero_far_from_an_offset_is_missing_and_a_pulse_is_not():
    x = MV[:, 1] + 300
    x[500:600] = 0
    assert sentinels(x) == [0.0]
    pulse = MV[:, 1].copy()
    pulse[500:600] = 3.0
    assert sentinels(pulse) == []


def test_two_kinds_at_once():
    x = MV.copy()
    x[10:20, 0], x[30:40, 0] = -9999, 9999
    y, remarks = mark_missing(x, ["I", "II"])
    assert np.isnan(y[:, 0]).sum() == 20 and np.isfinite(x).all() and len(remarks) == 1


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 3.0))
def test_no_ordinary_signal_holds_any(seed, size):
    x = np.random.default_rng(seed).normal(0, size, 2000)
    assert sentinels(np.rint(x * 1000)) == [] and sentinels(np.clip(x, -size, size)) == []


@pytest.mark.parametrize("kind", ["npz", "edf"])
def test_in_other_files(kind, tmp_path):
    x = MV.copy()
    x[LOST, 0] = -9999 if kind == "npz" else -5
    if kind == "npz":
        np.savez(tmp_path / "r.npz", mv=x, fs=250, leads=["I", "II"])
    else:
        pytest.importorskip("edfio")
        stored_files.edf(tmp_path / "r.edf", [("I", "uV", x[:, 0] * 1000, 250), ("II", "uV", x[:, 1] * 1000, 250)])
    recording = open_recording(tmp_path / f"r.{kind}")
    mv = recording.mv([0, 1])
    assert np.isnan(mv[LOST, 0]).all() and np.isfinite(mv[:, 1]).all()
    assert any("750 values" in r for r in recording.remarks)


def test_an_edf_made_of_one_keeps_its_step_and_a_coarse_one_is_said(tmp_path, capsys):
    pytest.importorskip("edfio")
    assert main(["convert", str(table(tmp_path, "-9999")), "--out", str(tmp_path / "o.edf")]) == 0
    assert "taken as missing" in capsys.readouterr().err
    assert open_recording(tmp_path / "o.edf").signals[0].lsb < 0.001
    assert main(["convert", str(table(tmp_path, "3000", slice(9, 10))), "--out", str(tmp_path / "p.edf")]) == 0
    assert "I: written in steps of 0.092 mV" in capsys.readouterr().err
