"""Packages that are here and cannot be loaded: doctor survives, says which and why, and the other runtime is taken."""

import json
import os
import subprocess
import sys

import pytest


def ecg_edge(folder, *words, **variables):
    path = os.pathsep.join([str(folder), *sys.path])
    return subprocess.run(
        [sys.executable, "-m", "ecg_edge.device.cli.main", *words], capture_output=True, text=True, timeout=240,
        env=os.environ | {"PYTHONPATH": path} | variables,
    )  # fmt: skip


def break_package(folder, name, code):
    (folder / name).mkdir(parents=True)
    (folder / name / "__init__.py").write_text(code)


DIES = "import os, signal\nos.kill(os.getpid(), signal.SIGILL)\n"
LEAVES = "import sys\nsys.exit(0)\n"
RAISES = "raise ImportError('libfoo.so.1: cannot open shared object file')\n"


@pytest.mark.parametrize(
    ("name", "code", "what", "why"),
    [
        ("onnxruntime", DIES, "onnxruntime", "SIGILL"),
        ("onnxruntime", RAISES, "onnxruntime", "libfoo.so.1"),
        ("ai_edge_litert", DIES, "extra tflite", "SIGILL"),
        ("scipy", RAISES, "scipy", "libfoo.so.1"),
        ("serial", RAISES, "pyserial", "libfoo.so.1"),
        ("serial", "", "pyserial", "serial.tools"),
        ("onnxruntime", LEAVES, "onnxruntime", "ends the program"),
        ("numpy", DIES, "numpy", "SIGILL"),
        ("websockets", RAISES, "extra web", "libfoo.so.1"),
    ],
)
def test_doctor_says_which_and_why(tmp_path, name, code, what, why):
    break_package(tmp_path, name, code)
    found = ecg_edge(tmp_path, "doctor", "--json")
    by = {f["what"]: f for f in json.loads(found.stdout)["findings"]}
    assert by[what]["ok"] is not True and why in by[what]["text"], by[what]


def test_the_other_runtime_is_taken(tmp_path):
    pytest.importorskip("ai_edge_litert")
    break_package(tmp_path / "raises", "onnxruntime", RAISES)
    break_package(tmp_path / "dies", "onnxruntime", DIES)
    break_package(tmp_path / "leaves", "onnxruntime", LEAVES)
    run = ["run", "synthetic:", "--fast", "--seconds", "3", "--json"]
    for folder, variables in (("raises", {}), ("leaves", {}), ("dies", {"ECG_EDGE_RUNTIME": "litert"})):
        found = ecg_edge(tmp_path / folder, *run, **variables)
        assert found.returncode == 0, found.stderr
        assert json.loads(found.stdout)["model"]["name"].endswith(".tflite")


RUN = ("run", "synthetic:", "--fast", "--seconds", "2", "--json")


def test_a_runtime_that_kills_the_process_leaves_the_way_out_behind(tmp_path):
    break_package(tmp_path, "onnxruntime", DIES)
    found = ecg_edge(tmp_path, *RUN)
    assert found.returncode != 0 and "ECG_EDGE_RUNTIME=litert" in found.stderr


def test_doctor_does_not_call_models_run_that_die_unless_told(tmp_path):
    pytest.importorskip("ai_edge_litert")
    break_package(tmp_path, "onnxruntime", DIES)
    by = {f["what"]: f for f in json.loads(ecg_edge(tmp_path, "doctor", "--json").stdout)["findings"]}
    assert "LiteRT alone" in by["models"]["text"] and "ECG_EDGE_RUNTIME=litert" in by["models"]["fix"]


@pytest.mark.parametrize(("name", "package"), [("numpy", "numpy"), ("scipy", "scipy")])
def test_a_package_that_cannot_be_loaded_is_named_with_the_way_out(tmp_path, name, package):
    break_package(tmp_path, name, RAISES)
    found = ecg_edge(tmp_path, *RUN)
    assert found.returncode == 1 and f"the package {package} cannot be loaded" in found.stderr
    assert f"--force-reinstall {package}" in found.stderr


def test_without_pyserial_what_needs_no_port_runs_and_a_port_names_it(tmp_path):
    break_package(tmp_path, "serial", "")
    assert ecg_edge(tmp_path, *RUN).returncode == 0
    found = ecg_edge(tmp_path, "run", "auto")
    assert found.returncode == 1 and "--force-reinstall pyserial" in found.stderr
