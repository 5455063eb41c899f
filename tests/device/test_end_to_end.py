"""The virtual patch in a process of its own, a real pseudo-terminal, the run, the record."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest
import wfdb

from ecg_edge.device.demo_verb import virtual_patch
from ecg_edge.device.main import main
from ecg_edge.firmware_bridge.errors import EcgEdgeError
from ecg_edge.firmware_bridge.synthetic import SyntheticHeart
from tests.device.tiny_model import write_tiny

COMMAND = [sys.executable, "-m", "ecg_edge.device.main"]


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
    child, port = simulate("--fast", "--seconds", "40", "--fault", "drop=2%,corrupt=1%,dup=1%", "--fault-log", str(log))
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
    assert d["source"] == port and err.splitlines()[-1].startswith("next: ecg-edge run replay:")


def test_a_patch_that_does_not_start_says_why(monkeypatch):
    monkeypatch.setattr("ecg_edge.device.demo_verb._FS", "not-a-rate")
    with pytest.raises(EcgEdgeError, match=r"did not start: .*not-a-rate"), virtual_patch():
        pass
