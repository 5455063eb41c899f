import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.tiny_model import write_tiny

CHILD = """
import importlib, pkgutil, sys

CORE = {"numpy", "scipy", "serial", "ecg_edge", *sys.argv[1].split(",")}
OF_THE_CORE = {"flatbuffers", "google", "packaging", "coloredlogs", "humanfriendly", "sympy", "mpmath"}
refused = set()


class OnlyTheCore:
    def find_spec(self, name, path=None, target=None):
        top = name.split(".")[0]
        if top in sys.stdlib_module_names or top in CORE | OF_THE_CORE or top.startswith("_"):
            return None
        refused.add(top)
        raise ModuleNotFoundError(f"{name} is not installed here", name=name)


for name in [m for m in sys.modules if m.split(".")[0] not in sys.stdlib_module_names and "editable" not in m]:
    del sys.modules[name]
sys.modules["__main__"] = sys.modules.get("__main__") or type(sys)("__main__")
sys.meta_path.insert(0, OnlyTheCore())
count = 0
for folder in ("ecg_edge.firmware_bridge", "ecg_edge.device"):
    package = importlib.import_module(folder)
    for module in pkgutil.walk_packages(package.__path__, folder + "."):
        runs = module.name.endswith("__main__")  # importing it runs it
        if not runs and (not module.name.endswith(".onnx_backend") or "onnxruntime" in CORE):
            importlib.import_module(module.name)
            count += 1
from ecg_edge.device.cli.main import main

model, folder = sys.argv[2:]
run = ["run", "synthetic:", "--fast", "--seconds", "3", "--model", model, "--out", folder, "--json"]
assert main(run) == 0
assert main(["doctor"]) == 0
if model == "i-ii-int8":
    from ecg_edge.firmware_bridge.lead_names import LEADS
    from ecg_edge.firmware_bridge.synthetic_heart.heart import SyntheticHeart

    rows = [",".join(LEADS), *(",".join(f"{v:.4f}" for v in row) for row in SyntheticHeart(100).read(1200))]
    open(folder + ".csv", "w").write(chr(10).join(rows))
    fit = ["calibrate", "--model", model, "--reference", folder + ".csv", "--fs", "100", "--patient", "p"]
    assert main([*fit, "--out", folder + ".calibration"]) == 0
assert main(["run", "replay:" + model, "--model", model]) == 1
try:
    import wfdb
except ModuleNotFoundError:
    print("modules", count)
"""


def run_with(runtime, model, folder):
    command = [sys.executable, "-c", CHILD, runtime, str(model), str(folder / "out")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.splitlines()[-1].split()[1]) > 150
    assert "what can be read: WFDB" in done.stderr  # readers need the core alone
    assert len(list((folder / "out").glob("*.hea"))) == 2
    return done


def test_the_core_dependencies_are_enough(tmp_path):
    run_with("onnxruntime", write_tiny(tmp_path / "tiny.onnx"), tmp_path)


def test_a_device_with_litert_alone(tmp_path):
    """No onnxruntime: the shipped models are found by the same names."""
    pytest.importorskip("ai_edge_litert")
    done = run_with("ai_edge_litert,tqdm,backports,typing_extensions,ml_dtypes", "i-ii-int8", tmp_path)
    assert "model i-ii-int8: I+II, int8" in done.stdout
    assert "fp32" not in done.stdout  # shipped as ONNX only


@pytest.mark.parametrize(("name", "runtime"), [("litert", "ai-edge-litert"), ("jetson", "onnxruntime-gpu")])
def test_the_requirement_files_follow_the_core(name, runtime):
    root = Path(__file__).resolve().parents[2]
    listed = [x for x in (root / f"device/requirements-{name}.txt").read_text().splitlines() if not x.startswith("#")]
    tomllib = pytest.importorskip("tomllib", reason="tomllib comes with Python 3.11")
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    core = [x for x in project["dependencies"] if not x.startswith("onnxruntime")]
    assert [x for x in listed if not x.startswith(runtime)] == core
    if runtime == "ai-edge-litert":
        assert project["optional-dependencies"]["tflite"] == [x for x in listed if x.startswith(runtime)]
