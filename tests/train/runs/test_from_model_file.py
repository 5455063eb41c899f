"""Training goes on from a model file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from ecg_edge.device.cli.main import main
from ecg_edge.device.lead_algebra import BASIS
from ecg_edge.export.targets import Target
from ecg_edge.firmware_bridge.errors import ModelFileError
from ecg_edge.train.network.unet import NetSpec
from ecg_edge.train.runs.from_model_file import load_file, settle_norms
from ecg_edge.train.runs.run_folder import RunFolder
from tests.support import nets

SPECS = (
    NetSpec(("I", "II"), **nets.SMALL),  # type: ignore[arg-type]
    NetSpec(BASIS, **nets.SMALL, any_lead=True),  # type: ignore[arg-type]
)


def _file(folder: Path, spec: NetSpec, precision: str, offline: bool = False) -> tuple[Path, torch.nn.Module]:
    net = nets.lively(spec)
    exporter, quant = nets.exporter_of(net), None
    x = np.stack([nets.noise(400, spec.n_inputs, k) for k in range(3)])
    if precision == "int8":
        exporter = exporter.for_eight_bits(x)
        quant = exporter.eight.quantisation
    target = Target("onnx", precision, offline)
    described = exporter.describe(target, quant, {}, {})
    return exporter.write(folder / f"m-{precision}.onnx", target, described, quant), net


def _inputs(spec: NetSpec, seed: int = 7) -> torch.Tensor:
    return torch.from_numpy(np.stack([nets.noise(400, spec.n_inputs, seed + k).T for k in range(4)]))


@pytest.mark.parametrize("spec", SPECS, ids=("I,II", "any"))
@pytest.mark.parametrize(("precision", "within"), [("fp32", 1e-5), ("int8", 0.03)])
def test_the_network_in_a_file_is_the_one_it_was_written_from(
    tmp_path: Path, spec: NetSpec, precision: str, within: float
) -> None:
    path, net = _file(tmp_path, spec, precision)
    again = load_file(path)
    assert again.spec == spec
    x = _inputs(spec)
    with torch.no_grad():
        for mine, theirs in zip(again(x), net(x), strict=True):
            assert float((mine - theirs).square().mean().sqrt()) <= within * float(theirs.square().mean().sqrt())


@pytest.mark.parametrize("spec", SPECS, ids=("I,II", "any"))
def test_settled_norms_change_nothing_and_training_starts_there(tmp_path: Path, spec: NetSpec) -> None:
    net = load_file(_file(tmp_path, spec, "fp32")[0])
    x = _inputs(spec)
    with torch.no_grad():
        before = net(x)[0]
        started = net.train()(x)[0]
        net = load_file(tmp_path / "m-fp32.onnx")
        settle_norms(net, x)
        torch.testing.assert_close(net(x)[0], before, atol=1e-5, rtol=1e-5)
        settled = net.train()(x)[0]
    assert float((settled - before).abs().max()) < 1e-3
    assert float((started - before).abs().max()) > 0.05, "without settling it would have started elsewhere"


def test_what_is_no_streaming_model_of_ours_is_refused(tmp_path: Path) -> None:
    offline, _ = _file(tmp_path, SPECS[0], "fp32", offline=True)
    with pytest.raises(ModelFileError, match="of another design"):
        load_file(offline)
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(offline.read_bytes()[:-200])
    with pytest.raises(ModelFileError):
        load_file(damaged)
    with pytest.raises(ModelFileError, match="cannot read model"):
        load_file(tmp_path / "absent.onnx")


def test_train_goes_on_from_a_file_and_says_so(ptbxl: Path, tmp_path: Path) -> None:
    path, _ = _file(tmp_path, SPECS[0], "int8")
    settings = [f"{k}={','.join(map(str, v)) if isinstance(v, tuple) else v}" for k, v in nets.SMALL.items()]
    words = [w for pair in (*settings, "epochs=1", "batch=8") for w in ("--set", pair)]
    run = tmp_path / "run"
    assert main(["train", "--leads", "I,II", "--init", str(path), "--data", str(ptbxl), "--out", str(run), *words]) == 0
    config = RunFolder(run).read_config()
    assert config["init"] == str(path)
