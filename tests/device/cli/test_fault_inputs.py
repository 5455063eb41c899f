"""Inputs that once went wrong, made by the script beside the captures: each prints the right value now.

The script is not of this repository. What each kind stands for is a test of its own elsewhere, which needs no file.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.data

RIGHT = {
    "K01": ["samples +[1-9]"],
    "K02": ["largest after 3 s nan", "summary says reconstructed"],
    "K03": ["nothing was changed", "118e06 2 360 650000$", "now k03 2 250 5000$"],
    "K04": ["uV replay: peak of II 0.99", "µV replay: peak of II 0.99.*convert: 0.99.*V1 +0.0"],
    "K05": ["replay: 250.0 Hz, R 0.99.*exit 0"],
    "K06": ["V1 valid 2000 of 2000 rows, heart 60.0 exit 0", "has 0 of 10000 values missing, exit 0"],
    "K07": ["Muller-Luczak_7", "rc 0 samples +5000 in"],
    "K08": ["'I': 'derived', 'II': 'measured', 'III': 'measured', 'aVF': 'derived'", r"twelve measured: \[\]"],
    "K09": ["R of 1000 mV: notes {.*'signal': 2}", "heart None.*notes {'signal': 2}"],
    "K10": ["out says 2019-03-05 10:00:00.*'age: 60', 'sex: F'"],
    "K11": [r"\[[^\]]*(nan|[ -]0\.0\d? *)+\] mV"],
    "K13": [r"calibrate: rc 1.*V3 twice.*report: rc 1.*V3 twice.*run: 1"],
    "K14": ["45/min -> 45.0", "60/min -> 60.0", "noise -> (12.0|None)"],
    "K15": ["a rc 0 V1", "b rc 0 V1", "c rc 0 V1", "d rc 0 V1", "e rc 0 V1"],
    "K16": ["rc 1 ecg-edge: this is a table"],
    "K17": ["no description: .*no shipped model for signal 1", "multi-segment: rc 0 samples +10000 in.*rc 0.*rc 0"],
    "K18": [r"k18.csv \| replay rc 0", r"k18.edf \| replay rc 0", r"A0001.mat \| replay rc 0"],
    "K19": [r"ECG I \| rc 0", r"Lead I \| rc 0", r"EKG I \| rc 0", r"DI \| rc 0", "plays with i-ii", "report rc 0"],
    "K20": [r"511.422 rc 0 .*\| rc 0", r"129.97 rc 0 .*\| rc 0"],
    "K21": ["date '3/5/89' read as", "24 h .*I, II at 250", "folder .*I, II at 250", "2021 .*I, II at 250",
            "2130 .*rc 0", "played 85.99"],
    "K22": ["II blank 0 ms, V1 0 ms, notes {'held': 1}"],
}  # fmt: skip
"""What the script prints, as patterns. Of K12 it reads figures of a refused file: see test_edf_through_the_verbs."""


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A folder with the command, whatever environment runs this."""
    folder = tmp_path_factory.mktemp("bin")
    program = "import sys; from ecg_edge.device.cli.main import main; sys.exit(main(sys.argv[1:]))"
    (folder / "ecg-edge").write_text(f"#!/bin/sh\nexec {sys.executable} -c '{program}' \"$@\"\n")
    (folder / "ecg-edge").chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


@pytest.mark.parametrize("kind", RIGHT)
def test_what_once_went_wrong(kind, faults, path, tmp_path):
    for package in ("wfdb", "edfio"):
        pytest.importorskip(package)
    run = subprocess.run(
        [sys.executable, str(Path(faults, "stored_files.py")), kind],
        cwd=tmp_path,
        env={**os.environ, "PATH": path, "PYTHONPATH": os.pathsep.join([str(faults), *filter(None, sys.path)])},
        capture_output=True,
        text=True,
        timeout=300,
    )
    missing = [p for p in RIGHT[kind] if not re.search(p, run.stdout, re.MULTILINE)]
    assert not missing and "TRACEBACK" not in run.stdout, (missing, run.stdout, run.stderr[-500:])
