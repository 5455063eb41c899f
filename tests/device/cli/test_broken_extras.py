"""An extra that is there and cannot be loaded is not called missing, whatever it raises."""

import builtins
import json
import os
import sys

import pytest

from ecg_edge.device.cli.main import main
from ecg_edge.device.inference import onnx_backend
from ecg_edge.firmware_bridge.errors import MissingExtraError

RECORD = "rec"
COMMANDS = {
    "pylsl": ["run", "synthetic:", "--fast", "--seconds", "1", "--lsl", "--json"],
    "paho": ["run", "synthetic:", "--fast", "--seconds", "1", "--mqtt", "mqtt://127.0.0.1/x", "--json"],
    "websockets": ["run", "synthetic:", "--fast", "--seconds", "1", "--monitor", "--port", "0", "--json"],
    "edfio": ["convert", RECORD, "--force"],
    "matplotlib": ["report", RECORD, "--out", "page.png"],
}
FAULTS = [OSError("libbroken.so.2: cannot open shared object file"), ImportError("undefined symbol: libbroken")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    where = tmp_path_factory.mktemp("r")
    assert main(["run", "synthetic:", "--fast", "--seconds", "11", "--out", str(where)]) == 0
    [header] = where.glob("*Z.hea")
    for file in where.glob(f"{header.stem}.*"):
        file.with_name(RECORD + file.suffix).write_bytes(file.read_bytes().replace(header.stem.encode(), b"rec"))
    return where


def _break(monkeypatch, package, fault):
    """Make the import of a package raise."""
    real = builtins.__import__

    def broken(name, *rest, **more):
        if name.split(".")[0] == package:
            raise fault
        return real(name, *rest, **more)

    for name in [m for m in sys.modules if m.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", broken)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: type(f).__name__)
@pytest.mark.parametrize("package", COMMANDS)
def test_a_broken_extra_is_called_broken(package, fault, folder, monkeypatch, capfd):
    monkeypatch.chdir(folder)
    _break(monkeypatch, package, fault)
    assert main(COMMANDS[package]) == 1
    err = capfd.readouterr().err
    assert "cannot be loaded" in err and "libbroken" in err and "--force-reinstall" in err
    assert "not installed" not in err and "Traceback" not in err


def test_one_that_is_missing_is_called_missing():
    with pytest.raises(MissingExtraError, match="not installed"):
        try:
            import no_such_package  # noqa: F401
        except ImportError as e:
            raise MissingExtraError("no_such_package", "web") from e


def test_chatter_of_a_gpu_provider_never_reaches_stdout(monkeypatch, capfd):
    real = onnx_backend.ort.InferenceSession

    def chatty(blob, options, providers, **how):
        os.write(1, b"*** EP Error *** from C\n")
        print("*** EP Error *** from Python")
        return real(blob, options, providers=["CPUExecutionProvider"], **how)

    monkeypatch.setattr(onnx_backend.ort, "get_available_providers", lambda: list(onnx_backend._PREFERRED))
    monkeypatch.setattr(onnx_backend.ort, "InferenceSession", chatty)
    assert main(["info", "i-ii-int8", "--json"]) == 0
    out, err = capfd.readouterr()
    assert json.loads(out)["runtime"] == "onnxruntime on CPU"
    assert "from C" in err and "from Python" in err
