"""What is released: the same bytes twice, and the steps of the container where there is no builder."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(not (ROOT / ".git").exists(), reason="what is tracked is known in a checkout alone")


def build(out, **environment):
    command = [sys.executable, str(ROOT / "packaging" / "build_dist.py"), str(out)]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {p.name: p for p in out.iterdir()}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return build(tmp_path_factory.mktemp("one"))


def test_two_builds_have_the_same_bytes(built, tmp_path):
    before = os.umask(0o077)
    try:
        again = build(tmp_path / "two", TZ="Pacific/Auckland", PYTHONHASHSEED="7", LC_ALL="C")
    finally:
        os.umask(before)
    digests = [{n: hashlib.sha256(p.read_bytes()).hexdigest() for n, p in x.items()} for x in (built, again)]
    assert digests[0] == digests[1] and {n.rpartition(".")[2] for n in built} == {"whl", "gz"}
    later = build(tmp_path / "three", SOURCE_DATE_EPOCH="1700000000")
    assert {n: p.read_bytes() for n, p in later.items()} != {n: p.read_bytes() for n, p in built.items()}


def test_the_sdist_holds_the_tree_and_nobodys_name(built):
    [sdist] = [p for n, p in built.items() if n.endswith(".tar.gz")]
    with tarfile.open(sdist) as archive:
        members = archive.getmembers()
    names = {m.name.partition("/")[2] for m in members}
    assert {"pyproject.toml", "device/live/execute.py", "device/models/i-ii-int8.onnx", "LICENSE"} <= names
    assert {(m.uid, m.uname) for m in members} == {(0, "")} and len({m.mtime for m in members}) == 1


def test_the_index_would_take_it(built):
    if shutil.which("twine") is None:
        pytest.importorskip("twine")
    command = [sys.executable, "-m", "twine", "check", "--strict", *map(str, built.values())]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_steps_of_the_container_run(built, tmp_path):
    [wheel] = [p for n, p in built.items() if n.endswith(".whl")]
    steps = ROOT / "packaging" / "container_steps.sh"
    # Without an index there are no dependencies: the command starts, and says what is missing.
    environment = {**os.environ, "PIP_ARGS": "--no-deps --no-index", "PYTHONPATH": ""}
    command = ["sh", str(steps), "build", str(wheel), str(tmp_path / "opt")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stdout.startswith("ecg-edge 0."), done.stderr
    health = [sys.executable, str(ROOT / "packaging" / "health.py"), "1"]
    assert subprocess.run(health, check=False).returncode == 1


def test_the_dockerfile_runs_those_steps_as_nobody_special():
    text = (ROOT / "Dockerfile").read_text()
    assert set(re.findall(r"^RUN sh \S+container_steps\.sh (\w+)", text, re.MULTILINE)) == {"build", "user"}
    assert "USER 10001:10001" in text and "HEALTHCHECK" in text and "bookworm" in text
    assert not re.search(r"amd64|x86_64|--platform", text.partition("FROM")[2]), "one file for both"
