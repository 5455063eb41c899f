"""The virtual patch in a process of its own, a real pseudo-terminal, the run, the record."""

import json
import re
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
import wfdb

from ecg_edge.device.cli.main import main
from ecg_edge.device.conditioning.conditioner import Conditioner
from ecg_edge.device.inference.load import load_model
from ecg_edge.device.reconstruction.stream_reconstructor import StreamReconstructor
from ecg_edge.firmware_bridge.errors import EcgEdgeError
from ecg_edge.firmware_bridge.synthetic_heart.heart import SyntheticHeart
from ecg_edge.firmware_bridge.virtual_patch.child_process import virtual_patch
from tests.support.tiny_model import write_tiny

COMMAND = [sys.executable, "-m", "ecg_edge"]


@pytest.fixture(scope="module")
def model_file(tmp_path_factory):
    return str(write_tiny(tmp_path_factory.mktemp("m") / "tiny.onnx"))


def simulate(*arguments):
    child = subprocess.Popen(
        [*COMMAND, "simulate", *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    return child, child.stdout.readline().strip()


def last_json(text):
    return json.loads(text.splitlines()[-1])


def test_every_loss_is_accounted_for(model_file, tmp_path, capsys):
    log = tmp_path / "faults.json"
    child, port = simulate(
        "--speed", "10", "--seconds", "40", "--fault", "drop=2%,corrupt=1%,dup=1%", "--fault-log", str(log)
    )
    with child:
        status = main(["run", port, "--model", model_file, "--out", str(tmp_path), "--no-reconnect", "--json"])
        child.stdout.read()
    d = last_json(capsys.readouterr().out)
    assert status == 4  # the patch ended, which looks like a pulled plug
    truth = json.loads(log.read_text())
    lost = [tuple(r) for r in truth["lost"]]
    first = lost.pop(0)[1] if lost[0][0] == 0 else 0  # the axis begins with the first sample that arrived
    last = d["samples_in"] + d["samples_lost"] + first
    want = [[a - first, b - first] for a, b in lost if b <= last]
    assert d["lost_ranges"] == want and len(want) > 50
    measured = wfdb.rdrecord(d["recording"] + "_measured")
    gone = np.isnan(measured.p_signal[:, 0])
    assert [gone[a:b].all() for a, b in want] == [True] * len(want)
    assert gone.sum() == d["samples_lost"]
    heart = SyntheticHeart(250, ("I", "II"), seed=0).read(last)[first:]
    assert np.nanmax(np.abs(measured.p_signal - heart)) <= 0.0005
    assert wfdb.rdrecord(d["recording"]).sig_len == d["samples_out"] == -(-(last - first) * 100 // 250)


def test_demo_ends_by_itself_and_leaves_no_process(model_file, tmp_path, capsys):
    assert main(["demo", "--headless", "--seconds", "2", "--model", model_file, "--out", str(tmp_path), "--json"]) == 0
    out, err = capsys.readouterr()
    d = last_json(out)
    assert d["samples_in"] == 500 and d["samples_lost"] == 0 and d["exit"] == 0
    assert wfdb.rdrecord(d["recording"] + "_measured").sig_len == 500
    port = re.search(r"virtual patch on (\S+):", err)[1]
    assert d["source"] == port and " ecg-edge run replay:" in err.splitlines()[-1]


def test_a_patch_that_does_not_start_says_why(monkeypatch):
    monkeypatch.setattr("ecg_edge.firmware_bridge.virtual_patch.child_process.PATCH_FS", "not-a-rate")
    with pytest.raises(EcgEdgeError, match=r"did not start: .*not-a-rate"), virtual_patch():
        pass


def test_the_demo_calibrates_to_its_patient_while_it_runs(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("ecg_edge.device.cli.demo._TWELVE_PACE", ("--speed", "12"))  # the reference comes soon
    command = ["demo", "--headless", "--calibrated", "--seconds", "16", "--model", "i-ii-int8", "--out", str(tmp_path)]
    assert main(command) == 0
    out = capsys.readouterr().out
    errors = [
        [float(x) for x in re.findall(r"(\d\.\d+) mV", line)] for line in out.splitlines() if line.startswith("V")
    ]
    assert len(errors) == 6 and all(after < before for before, after in errors)
    record = re.search(r"recording\s+(\S+)", out)[1]
    notes = wfdb.rdann(record, "atr")
    (at,) = (s for s, text in zip(notes.sample, notes.aux_note, strict=True) if "calibration: reconstructed" in text)
    measured, mine = wfdb.rdrecord(record + "_measured").p_signal, wfdb.rdrecord(record).p_signal
    heart = SyntheticHeart(250, seed=0).read(8000)
    first = next(k for k in range(3000) if np.abs(heart[k : k + 500, :2] - measured[:500]).max() < 0.001)
    model = load_model("i-ii-int8")
    seen = heart[first : first + len(measured)]
    truth = Conditioner(Fraction(250), 100, 12, model.spec.conditioning, None).feed(seen)
    own = StreamReconstructor(model).feed(truth[:, :2]).mv
    rows = slice(max(200, at) + 50, 1580)
    errors = [np.sqrt(((x[rows, 6:12] - truth[rows, 6:]) ** 2).mean()) for x in (own, mine)]
    assert rows.start < 1500
    assert errors[1] < 0.5 * errors[0]
