import subprocess
import sys

from tests.device.tiny_model import write_tiny

CHILD = """
import importlib, pkgutil, sys

CORE = {"numpy", "scipy", "onnxruntime", "serial", "ecg_edge"}
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
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{folder}.{module.name}")
        count += 1
from ecg_edge.device.main import main

model, folder = sys.argv[1:]
run = ["run", "synthetic:", "--fast", "--seconds", "3", "--model", model, "--out", folder, "--json"]
assert main(run) == 0
assert main(["doctor"]) == 0
assert main(["run", "replay:" + model, "--model", model]) == 1
try:
    import wfdb
except ModuleNotFoundError:
    print("modules", count)
"""


def test_the_core_dependencies_are_enough(tmp_path):
    model = write_tiny(tmp_path / "tiny.onnx")
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(model), str(tmp_path / "out")], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.splitlines()[-1].split()[1]) > 35
    assert 'pip install "ecg-edge[wfdb]"' in done.stderr
    assert len(list((tmp_path / "out").glob("*.hea"))) == 2
