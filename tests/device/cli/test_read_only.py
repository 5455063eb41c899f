"""A root that cannot be written, no HOME, no place for temporary files: what needs no file runs, the rest says so."""

import os
import shutil
import subprocess
import sys

import pytest

SCRIPT = """
mount -o remount,bind,ro / || exit 77
touch "$1/here" 2>/dev/null && exit 77
shift
exec "$@"
"""


def _ecg_edge(folder, *words):
    if shutil.which("unshare") is None:
        pytest.skip("no unshare here")
    environment = {k: v for k, v in os.environ.items() if k != "HOME"} | {"TMPDIR": str(folder)}
    environment["PYTHONPATH"] = os.pathsep.join(p for p in sys.path if p)
    command = ["unshare", "-m", "sh", "-c", SCRIPT, "sh", str(folder), sys.executable, "-m", "ecg_edge", *words]
    found = subprocess.run(command, capture_output=True, text=True, timeout=240, env=environment)
    if found.returncode == 77 or "unshare" in found.stderr:
        pytest.skip("no namespace of mounts here")
    return found


def test_a_run_without_files_runs(tmp_path):
    found = _ecg_edge(tmp_path, "run", "synthetic:", "--fast", "--seconds", "2", "--metrics", "0", "--jsonl")
    assert found.returncode == 0, found.stderr
    assert found.stdout.splitlines()[0].startswith('{"type": "header"')


@pytest.mark.parametrize("words", [("--out", "rec"), ("--serve", "unix:s.sock")])
def test_what_needs_a_file_is_refused_in_one_sentence(words, tmp_path):
    words = [w.replace("rec", str(tmp_path / "rec")).replace("s.sock", str(tmp_path / "s.sock")) for w in words]
    found = _ecg_edge(tmp_path, "run", "synthetic:", "--fast", "--seconds", "2", *words)
    assert found.returncode == 1 and "Read-only file system" in found.stderr and "fix: " in found.stderr
    assert "Traceback" not in found.stderr and not any(tmp_path.iterdir())
