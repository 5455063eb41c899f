"""The examples run as they stand, and the notebook from its first cell to its last."""

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import ecg_edge as ee
from ecg_edge.firmware_bridge.virtual_patch.child_process import virtual_patch
from tests.support.notebook import run_notebook

EXAMPLES = Path(__file__).resolve().parents[2] / "docs/examples"


def run(name, *arguments, cwd):
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *arguments], cwd=cwd, capture_output=True, text=True, timeout=120,
        env=os.environ | {"PYTHONWARNINGS": "error,ignore::DeprecationWarning"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_example_is_here():
    here = {p.name for p in EXAMPLES.iterdir() if p.suffix in (".py", ".ipynb")}
    assert here == {"from_array.py", "live_loop.py", "own_sink.py", "own_decoder.py", "twelve_leads.ipynb"}
    assert not {p.stem for p in EXAMPLES.glob("*.py")} & sys.stdlib_module_names


def test_an_array(tmp_path):
    out = run("from_array.py", cwd=tmp_path)
    assert "V2 reconstructed" in out and "II measured" in out
    assert len((tmp_path / "twelve.csv").read_text().splitlines()) == 1001
    assert (tmp_path / "twelve.png").read_bytes().startswith(b"\x89PNG")


def test_an_array_from_a_file(tmp_path):
    (tmp_path / "x.csv").write_text("".join(f"{k % 50 / 100},{k % 70 / 100}\n" for k in range(3000)))
    assert "600 rows" in run("from_array.py", "x.csv", cwd=tmp_path)


def test_the_live_loop(tmp_path):
    out = run("live_loop.py", "synthetic:", "2", cwd=tmp_path)
    assert "warming up" in out and "valid" in out and "rows from I, II" in out


def test_the_live_loop_ends_with_a_fix(tmp_path):
    command = [sys.executable, str(EXAMPLES / "live_loop.py"), "/dev/ttyNOWHERE"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "fix:" in done.stderr and "Traceback" not in done.stderr


def test_an_own_sink(tmp_path):
    out = run("own_sink.py", "synthetic:", "2", cwd=tmp_path)
    assert "synthetic heart: I, II at 250 Hz" in out and "of 200 rows may be used" in out and "500 samples in" in out


def test_an_own_sink_at_a_port(tmp_path):
    with virtual_patch(pace=("--speed", "10")) as port:
        assert "of 400 rows may be used" in run("own_sink.py", port, "4", cwd=tmp_path)


def test_an_own_decoder(tmp_path):
    out = run("own_decoder.py", cwd=tmp_path)
    assert "2498 samples, lost: [(700, 702)], lines skipped: 2" in out and "cut into sevens: the same" in out
    assert "1000 rows, " in out and " 0 not to be used" in out


def test_the_own_decoder_skips_what_is_no_sample(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["own_decoder.py"])
    decoder = runpy.run_path(str(EXAMPLES / "own_decoder.py"))["Semicolons"]()
    assert isinstance(decoder, ee.Decoder)
    assert len(decoder.feed(b"99999999999;1;5\n1;2;200\n1;2")) == 2 and decoder.tally.bad_frames == 1
    assert not decoder.tally.lost and decoder.feed(b";202\n")[0].stop == 2 and decoder.tally.lost == 1


@pytest.mark.parametrize("name", ["twelve_leads.ipynb"])
def test_a_notebook(name):
    pytest.importorskip("matplotlib"), pytest.importorskip("pandas")
    book = run_notebook(EXAMPLES / name)
    code = [c for c in book["cells"] if c["cell_type"] == "code"]
    shown = [o.get("data", {}) for c in code for o in c["outputs"]]
    assert sum("image/png" in data for data in shown) == 2 and any("text/html" in data for data in shown)
    said = "".join("".join(o.get("text", [])) for c in code for o in c["outputs"])
    assert said.count("fix: ") == 4 and "UnitsError" in said and "pass mv.T" in said
    assert len({c["id"] for c in book["cells"]}) == len(book["cells"])


def test_notebooks_are_stored_with_their_outputs():
    """A reader without Python sees them; ``python -m tests.support.notebook`` renews them."""
    for path in EXAMPLES.glob("*.ipynb"):
        code = [c for c in json.loads(path.read_text())["cells"] if c["cell_type"] == "code"]
        assert all(c["outputs"] or not c["source"] for c in code), path
        assert path.stat().st_size < 600_000
