import json
from dataclasses import replace
from pathlib import Path

import pytest

from ecg_edge.device.conditioning.spec import ConditioningSpec
from ecg_edge.device.inference.load import load_model, read_description
from ecg_edge.device.inference.shipped import shipped_files
from ecg_edge.device.inference.spec import METADATA_KEY
from ecg_edge.firmware_bridge.errors import ModelFileError
from tests.support.tiny_model import tiny_spec, write_tiny


@pytest.mark.parametrize("other", [{"version": 2}, {"fingerprint": "0123456789ab"}])
def test_a_model_trained_behind_another_conditioning_is_refused(tmp_path: Path, other: dict[str, object]) -> None:
    spec = tiny_spec(conditioning=replace(ConditioningSpec(), **other))
    path = write_tiny(tmp_path / "m.onnx", spec)
    with pytest.raises(ModelFileError, match=r"trained on records of conditioning version .*this build has") as e:
        load_model(path)
    assert "the version of ecg-edge that made it" in e.value.fix
    assert read_description(path)[1].conditioning == spec.conditioning  # `info` still describes it


def test_a_model_from_before_there_were_versions_loads(tmp_path: Path) -> None:
    doc = json.loads(tiny_spec().to_json())
    for name in ("version", "fingerprint"):
        del doc["conditioning"][name]
    model = load_model(write_tiny(tmp_path / "m.onnx", metadata={METADATA_KEY: json.dumps(doc)}))
    assert model.spec.conditioning == ConditioningSpec()


@pytest.mark.parametrize("path", shipped_files(), ids=lambda p: p.name)
def test_todays_shipped_files_load(path: Path) -> None:
    assert not load_model(path).spec.conditioning.departure
