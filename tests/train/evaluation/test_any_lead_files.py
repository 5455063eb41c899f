"""An any-lead network from training to model files, and those files as models of fixed leads."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from ecg_edge.device.inference.any_lead import for_leads
from ecg_edge.device.inference.head import features, regressors
from ecg_edge.device.inference.load import Model, load_model
from ecg_edge.device.inference.shipped import default_model
from ecg_edge.device.inference.spec import ModelSpec
from ecg_edge.device.lead_algebra import BASIS, Provenance, missing_basis
from ecg_edge.device.reconstruction.stream_reconstructor import StreamReconstructor
from ecg_edge.device.verification import model_checks as verify
from ecg_edge.export.cli import EXPORT
from ecg_edge.firmware_bridge.cli.verb import Verb
from ecg_edge.firmware_bridge.errors import LeadMismatchError, ModelFileError
from ecg_edge.firmware_bridge.lead_names import LEADS
from ecg_edge.train.cli.evaluate import EVALUATE
from ecg_edge.train.cli.train import TRAIN
from ecg_edge.train.network import lead_subsets as subsets
from ecg_edge.train.network.inputs import masked
from ecg_edge.train.runs.checkpoints import load_network, reconstruct
from tests.support.nets import noise

SMALL = ["--set", "channels=6,8,10,12", "--set", "dilations=1,2", "--set", "n_features=6", "--set", "batch=8"]


def call(verb: Verb, *args: str) -> int:
    parser = argparse.ArgumentParser()
    verb.configure(parser)
    return verb.run(parser.parse_args(args))


@pytest.fixture(scope="module")
def run(ptbxl: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("any") / "r"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ECG_EDGE_CACHE", str(tmp_path_factory.mktemp("cache4")))
        assert call(TRAIN, "--leads", "any", "--data", str(ptbxl), "--out", str(out), *SMALL, "--set", "epochs=1") == 0
        budget = ["--budget", "rmse=50%,st=500uV,rpeak=50ms"]
        assert call(EXPORT, str(out), "--int8", "--data", str(ptbxl), *budget) == 0
    return out


@pytest.fixture(scope="module", params=["r-fp32.onnx", "r-fp32.tflite"])
def model(request: pytest.FixtureRequest, run: Path) -> Model:
    return load_model(run / "export" / request.param)


@pytest.mark.parametrize(
    "leads", [("I",), ("I", "II", "V2", "V5"), ("V6", "II"), ("V1", "V2", "V3", "V4")], ids="+".join
)
def test_a_view_is_the_network_with_these_leads(model: Model, run: Path, leads: tuple[str, ...]) -> None:
    part = for_leads(model, leads)
    assert part.spec.target_leads == missing_basis(leads)
    x = noise(240, 8, 3)
    x[:, :2] *= 0.5
    inputs = np.ascontiguousarray(x[:, [BASIS.index(lead) for lead in leads]])
    out = StreamReconstructor(part).feed(inputs)
    want = reconstruct(load_network(run), masked(x[None], leads))[0]
    hidden = [BASIS.index(lead) for lead in part.spec.target_leads]
    got = out.mv[:, [LEADS.index(lead) for lead in part.spec.target_leads]]
    np.testing.assert_allclose(got, want[: len(got), hidden], atol=2e-5)
    assert {out.provenance[LEADS.index(lead)] for lead in leads} == {Provenance.MEASURED}
    assert part.interval_calibrated == (set(leads) in [set(s) for s in subsets.LISTED])


@pytest.mark.parametrize("leads", [("I", "II"), ("II", "I"), ("V3",)], ids="+".join)
def test_moments_are_those_of_the_views_regressors(model: Model, leads: tuple[str, ...]) -> None:
    """In the order in which the device builds them, whatever the order of the leads."""
    part = for_leads(model, leads)
    x = noise(2000, len(leads), 7)
    rows = regressors(part.spec, features(part, x), x)
    assert part.spec.head.moments.shape == (rows.shape[1],) * 2
    swapped = for_leads(model, leads[::-1])
    other = regressors(swapped.spec, features(swapped, x[:, ::-1]), x[:, ::-1])
    key = [tuple(np.round(c, 5)) for c in rows.T]
    order = [key.index(tuple(np.round(c, 5))) for c in other.T]
    np.testing.assert_allclose(swapped.spec.head.moments, part.spec.head.moments[np.ix_(order, order)])
    np.testing.assert_allclose(swapped.spec.head.mean, part.spec.head.mean[order])


def test_leads_that_leave_nothing_to_do(model: Model) -> None:
    for leads in ((), ("aVR",), BASIS):
        with pytest.raises(LeadMismatchError, match="one to seven"):
            for_leads(model, leads)
    fixed = load_model("i-ii-int8")
    assert for_leads(fixed, ("V1",)) is fixed


def test_the_files_say_what_they_were_proved_on(run: Path) -> None:
    spec = load_model(run / "export/r-int8.tflite").spec
    for leads in subsets.SPECIALISTS:
        table = spec.accuracy[f"int8 tflite {'+'.join(leads)}"]
        assert set(table["leads"]) == set(missing_basis(leads))
    assert [s.leads for s in spec.subsets] == list(subsets.LISTED)
    assert not [f for f in verify.checks(load_model(run / "export/r-int8.tflite")) if not f.ok]
    card = (run / "export/r.md").read_text()
    assert "| int8 I+II+V2 |" in card
    assert "not for diagnosis" in card


def test_a_damaged_lead_set_is_refused(run: Path) -> None:
    text = load_model(run / "export/r-int8.onnx").spec.to_json()
    doc = json.loads(text)
    doc["subsets"][0]["leads"] = ["I", "II"]
    with pytest.raises(ModelFileError, match=r"lead set I\+II is malformed"):
        ModelSpec.from_json(json.dumps(doc))


def test_evaluate_wants_a_lead_set(run: Path, ptbxl: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(run / "export/r-int8.onnx")
    assert call(EVALUATE, path, "--leads", "I,V2", "--data", str(ptbxl), "--limit", "2", "--json") == 0
    doc = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert doc["inputs"] == ["I", "V2"]
    assert set(doc["leads"]) == set(missing_basis(("I", "V2")))
    with pytest.raises(LeadMismatchError, match="one to seven"):
        call(EVALUATE, path, "--data", str(ptbxl), "--limit", "2")


def test_the_default_is_the_model_that_uses_most_leads(monkeypatch: pytest.MonkeyPatch, run: Path) -> None:
    any_file = run / "export/r-int8.onnx"
    shipped = {"any-int8": any_file, "i-ii-int8": load_model("i-ii-int8").path}
    monkeypatch.setattr("ecg_edge.device.inference.shipped.shipped_models", lambda: shipped)
    assert default_model(("I", "II")).name.startswith("i-ii")
    for leads in (("I", "II", "V1"), ("V3",)):
        assert default_model(leads) == any_file
    assert default_model(BASIS).name.startswith("i-ii")
    with pytest.raises(LeadMismatchError):
        default_model(("aVR",))


def test_torch_is_left_alone_by_a_view(model: Model) -> None:
    part = for_leads(model, ("I",))
    state = part.backend.initial_state()
    before = [s.copy() for s in state]
    part.backend.step(noise(8, 1), state)
    for a, b in zip(before, state, strict=True):
        np.testing.assert_array_equal(a, b)
    assert torch.is_grad_enabled()
