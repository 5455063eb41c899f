"""Stored recordings of what is no ECG: every verb says so, and states no figure."""

import json

import numpy as np
import pytest

from ecg_edge.device.cli.main import main
from ecg_edge.firmware_bridge.recordings.open_recording import open_recording
from ecg_edge.firmware_bridge.synthetic_heart.heart import SyntheticHeart
from tests.support import stored_files

FS = 250
HEART = SyntheticHeart(FS, ("I", "II"), 65, 3).read(20 * FS)
T = np.arange(len(HEART))[:, None] / FS
NOISE = 0.3 * np.random.default_rng(1).standard_normal(HEART.shape)
STRANGE = {
    "noise": (NOISE, 1000),
    "counter": (np.hstack([0.1 * T, 0.2 * T]), 1000),
    "10 Hz": (np.hstack([np.sin(20 * np.pi * T), np.sin(20 * np.pi * T + 1)]), 1000),
    "too large": (1000 * HEART, 20),
    "too small": (0.001 * HEART, 1e6),
}


@pytest.fixture(params=STRANGE)
def strange(request, tmp_path):
    mv, gain = STRANGE[request.param]
    _record(tmp_path, mv, gain)
    return tmp_path / "r", request.param


def _record(folder, mv, gain):
    def line(k, lead):
        return f"r.dat 16 {gain:.0f}(0)/mV 16 0 0 0 0 {lead}"

    stored_files.wfdb_record(folder, "r", mv, FS, gain=gain, signal=line)


def told(capsys, *words):
    code = main([*map(str, words), "--json"])
    streams = capsys.readouterr()
    return code, json.loads(streams.out.splitlines()[-1]), streams.err


def test_measure_states_nothing(strange, capsys):
    record, word = strange
    code, document, _ = told(capsys, "measure", record)
    assert code == 1 and "lead I " in document["error"] and word in document["error"]


def test_convert_warns_and_leaves_a_note(strange, tmp_path, capsys):
    record, word = strange
    out = tmp_path / "o.csv"
    code, document, err = told(capsys, "convert", record, "--out", out)
    assert code == 0 and len(document["warnings"]) == 2 and all(word in text for text in document["warnings"])
    assert "warning: lead I " in err
    assert any(row.startswith("# note") and word in row for row in out.read_text().splitlines())


def test_reconstruct_refuses(strange, tmp_path, capsys):
    record, word = strange
    out = tmp_path / "o.csv"
    code, document, _ = told(capsys, "reconstruct", record, "--out", out)
    assert code != 0 and not out.exists() and document["fix"]
    assert word in document["error"] or "look like" in document["error"]


def test_a_single_lead_that_is_none_is_left_out_of_what_is_measured(tmp_path, capsys):
    _record(tmp_path, np.stack([NOISE[:, 0], HEART[:, 1]], axis=1), 1000)
    code, document, err = told(capsys, "measure", tmp_path / "r")
    assert code == 0 and document["heart_rate"]["leads"] == ["II"] and "I" not in document["amplitudes"]
    assert document["heart_rate"]["value"] == pytest.approx(65, abs=2)
    assert document["warnings"] == ["lead I is noise without heartbeats"] and "not measured" in err
    code, document, _ = told(capsys, "reconstruct", tmp_path / "r", "--out", tmp_path / "o.csv")
    assert code == 1 and "--leads II" in document["fix"]
    code, document, _ = told(capsys, "reconstruct", tmp_path / "r", "--out", tmp_path / "o.csv", "--leads", "II")
    assert code == 0


def test_a_stretch_of_it_is_marked_and_the_rest_is_reconstructed(tmp_path, capsys):
    mv = np.concatenate([HEART, NOISE[: 15 * FS], HEART])
    _record(tmp_path, mv, 1000)
    code, document, _ = told(capsys, "reconstruct", tmp_path / "r", "--out", tmp_path / "o.csv", "--fs", "input")
    assert code == 0 and any("noise" in text for text in document["remarks"])
    got = open_recording(tmp_path / "o.csv")
    v2 = got.mv([k for k, s in enumerate(got.signals) if s.lead.lead == "V2"][:1])[:, 0]
    assert np.isnan(v2[24 * FS : 35 * FS]).all()
    assert np.isfinite(v2[2 * FS : 12 * FS]).all() and np.isfinite(v2[45 * FS : 54 * FS]).all()
    assert "# note at" in (tmp_path / "o.csv").read_text()


def test_a_page_of_it_says_so_and_has_no_heart_rate(tmp_path, capsys):
    mv = 0.3 * np.random.default_rng(2).standard_normal((10 * FS, 12))
    counts = np.rint(mv * 1000).astype("<i2")
    stored_files.wfdb_record(tmp_path, "r", counts / 1000, FS, stored_files.TWELVE)
    code, document, err = told(capsys, "report", tmp_path / "r", "--out", tmp_path / "p.pdf")
    assert code == 0 and len(document["warnings"]) == 12 and "not measured" in err
