"""The verb verify: a file that does here what it did elsewhere passes; one that does not is told apart."""

import json
from dataclasses import replace

import numpy as np
import pytest

from ecg_edge.device.cli.main import main
from ecg_edge.device.inference.load import Model, load_model
from ecg_edge.device.verification import model_checks as v
from ecg_edge.firmware_bridge.errors import ModelFileError
from tests.support.tiny_model import tiny_model, tiny_spec, write_tiny


def with_answer(model: Model) -> Model:
    spec = replace(model.spec, quantisation={"precision": "fp32", "self_test": v.self_test(model)})
    return replace(model, spec=spec)


def failed(findings):
    return [f.name for f in findings if not f.ok]


def test_a_sound_file_passes(tmp_path):
    model = with_answer(tiny_model(tmp_path))
    findings = v.checks(model)
    assert not failed(findings)
    assert len(findings) == 6
    assert findings[2].line().startswith("✓ the answer it gave where it was made: differs by at most 0.000")


def test_another_answer_is_told(tmp_path):
    """The same file with a kernel that computes something else: as a wrong build of a runtime would."""
    model = with_answer(tiny_model(tmp_path))

    class Wrong:
        name = "wrong"
        initial_state = model.backend.initial_state

        def step(self, x, state):
            features, state = model.backend.step(x, state)
            return features * np.float32(1.01), state

    assert failed(v.checks(replace(model, backend=Wrong()))) == ["the answer it gave where it was made"]


def test_a_conditioner_that_responds_otherwise_is_found(tmp_path, monkeypatch):
    model = with_answer(tiny_model(tmp_path))
    monkeypatch.setattr("ecg_edge.device.conditioning.resampler._CUTOFF", 0.4)
    assert failed(v.checks(model)) == ["conditioning"]


def test_drift_is_told(tmp_path):
    model = with_answer(tiny_model(tmp_path))

    class Drifting:
        name = "drifting"

        def initial_state(self):
            return [*model.backend.initial_state(), np.zeros(1, np.float32)]

        def step(self, x, state):
            features, new = model.backend.step(x, state[:-1])
            return features + state[-1], [*new, state[-1] + np.float32(1e-6)]

    assert "no drift" in failed(v.checks(replace(model, backend=Drifting())))


@pytest.mark.parametrize("stored", [{"mean": "x"}, {}, {"mean": {"shape": [1, 6], "f4": "AAAA"}}])
def test_a_damaged_answer_is_no_answer(tmp_path, stored):
    model = tiny_model(tmp_path)
    model = replace(model, spec=replace(model.spec, quantisation={"self_test": stored}))
    assert failed(v.checks(model)) == ["the answer it gave where it was made"]


def test_two_files_of_one_run(tmp_path):
    a = tiny_model(tmp_path)
    assert not failed(v.against(a, a))
    head = replace(a.spec.head, mean=a.spec.head.mean * 1.2)
    b = load_model(write_tiny(tmp_path / "b.onnx", replace(tiny_spec(), head=head)))
    assert len(failed(v.against(b, a))) == 6
    with pytest.raises(ModelFileError, match="different training runs"):
        v.against(load_model(write_tiny(tmp_path / "c.onnx", tiny_spec(seed=1))), a)


def test_shipped_formats_verify_against_each_other(capsys):
    pytest.importorskip("ai_edge_litert")
    assert main(["verify", "i-ii-int8.tflite", "--against", "i-ii-int8.onnx", "--json"]) == 0
    doc = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert doc["ok"]
    assert doc["backend"] == "LiteRT"
    assert len(doc["checks"]) == 12


def test_exit_status_and_usage(tmp_path, capsys):
    path = str(write_tiny(tmp_path / "a.onnx", replace(tiny_spec(), quantisation={"self_test": {}})))
    assert main(["verify", path]) == 3
    assert main(["verify", path, "--record", "r"]) == 2
    assert main(["verify", path, "--budget", "speed=1"]) == 2
    assert "✗ the answer it gave" in capsys.readouterr().out
