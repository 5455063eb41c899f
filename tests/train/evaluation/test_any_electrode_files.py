"""An any-electrode network from training to model files, and those files as models of fixed channels."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecg_edge.device.inference.any_lead import for_leads
from ecg_edge.device.inference.head import features, regressors
from ecg_edge.device.inference.load import Model, load_model
from ecg_edge.device.inference.spec import ModelSpec
from ecg_edge.device.lead_algebra import BASIS, Provenance, measured, missing_basis
from ecg_edge.device.placement import guess_from
from ecg_edge.device.reconstruction.reconstructor import Reconstructor
from ecg_edge.device.reconstruction.stream_reconstructor import StreamReconstructor
from ecg_edge.device.verification import model_checks as verify
from ecg_edge.export.cli import EXPORT
from ecg_edge.firmware_bridge.cli.verb import Verb
from ecg_edge.firmware_bridge.errors import LeadMismatchError, ModelFileError, UsageError
from ecg_edge.firmware_bridge.lead_names import LEADS
from ecg_edge.train.cli.evaluate import EVALUATE
from ecg_edge.train.cli.train import TRAIN
from ecg_edge.train.network.inputs import seen_by
from ecg_edge.train.network.placement_draw import LISTED
from ecg_edge.train.runs.checkpoints import load_network, reconstruct
from ecg_edge.train.runs.from_model_file import load_file
from tests.support.nets import noise

SMALL = ["--set", "channels=6,8,10,12", "--set", "dilations=1,2", "--set", "n_features=6", "--set", "batch=8"]
PLACES = [("RA-V5",), ("RA-V2", "RA-V5"), ("V1-V5", "V1"), ("I", "II"), ("RA-LA", "V2-V3", "LL-V6"), ("LL-LA",)]


def call(verb: Verb, *args: str) -> int:
    parser = argparse.ArgumentParser()
    verb.configure(parser)
    return verb.run(parser.parse_args(args))


@pytest.fixture(scope="module")
def run(ptbxl: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("electrode") / "r"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ECG_EDGE_CACHE", str(tmp_path_factory.mktemp("cache5")))
        data = ["--data", str(ptbxl)]
        leads = ["--leads", "any-electrode"]
        assert call(TRAIN, *leads, *data, "--out", str(out), *SMALL, "--set", "epochs=1") == 0
        assert call(EXPORT, str(out), "--int8", *data, "--budget", "rmse=50%,st=500uV,rpeak=50ms") == 0
    return out


@pytest.fixture(scope="module", params=["r-fp32.onnx", "r-fp32.tflite"])
def model(request: pytest.FixtureRequest, run: Path) -> Model:
    return load_model(run / "export" / request.param)


@pytest.mark.parametrize("channels", PLACES, ids="+".join)
def test_a_view_is_the_network_behind_these_channels(model: Model, run: Path, channels: tuple[str, ...]) -> None:
    part = for_leads(model, channels)
    assert part.spec.target_leads == missing_basis(channels)
    network, x = load_network(run), noise(240, 8, 3)
    out = StreamReconstructor(part).feed(measured(x, channels))
    want = reconstruct(network, seen_by(network, x[None], channels))[0]
    hidden = [BASIS.index(lead) for lead in part.spec.target_leads]
    got = out.mv[:, [LEADS.index(lead) for lead in part.spec.target_leads]]
    np.testing.assert_allclose(got, want[: len(got), hidden], atol=3e-5)
    twelve = measured(x, LEADS)
    for k, lead in enumerate(LEADS):
        if out.provenance[k] is not Provenance.RECONSTRUCTED:
            np.testing.assert_allclose(out.mv[:, k], twelve[: len(got), k], atol=1e-5, err_msg=lead)


def test_the_file_holds_the_populations_covariance(model: Model, run: Path) -> None:
    covariance = load_network(run).get_buffer("covariance").numpy()
    np.testing.assert_allclose(model.spec.covariance, covariance, rtol=1e-12)
    assert model.spec.any_electrode
    again = ModelSpec.from_json(model.spec.to_json())
    np.testing.assert_array_equal(again.covariance, model.spec.covariance)
    assert [s.leads for s in model.spec.subsets] == list(LISTED)


@pytest.mark.parametrize("bad", [[[1.0]], (-np.eye(8)).tolist(), np.triu(np.ones((8, 8))).tolist()])
def test_a_damaged_covariance_is_refused(model: Model, bad: list[list[float]]) -> None:
    doc = json.loads(model.spec.to_json()) | {"covariance": bad}
    with pytest.raises(ModelFileError, match="covariance"):
        ModelSpec.from_json(json.dumps(doc))


def test_channels_that_know_the_same_have_the_same_moments_and_leads(model: Model) -> None:
    """RA, V2 and V5 are worn, whatever electrode the others are measured against."""
    a, b = for_leads(model, ("RA-V2", "RA-V5")), for_leads(model, ("V5-V2", "V5-RA"))
    x = noise(400, 8, 5)
    left, right = (StreamReconstructor(m).feed(measured(x, m.spec.input_leads)).mv for m in (a, b))
    np.testing.assert_allclose(left, right, atol=2e-4)
    np.testing.assert_array_equal(a.spec.head.interval_factors, b.spec.head.interval_factors)
    assert a.interval_calibrated and b.interval_calibrated
    rows = [regressors(m.spec, features(m, y), y) for m in (a, b) for y in [measured(x, m.spec.input_leads)]]
    turn = np.linalg.lstsq(rows[0], rows[1], rcond=None)[0].T
    np.testing.assert_allclose(b.spec.head.moments, turn @ a.spec.head.moments @ turn.T, atol=1e-3)


def test_channels_that_leave_nothing_to_do(model: Model) -> None:
    for channels in ((), ("resp",), BASIS):
        with pytest.raises(LeadMismatchError, match="one to seven"):
            for_leads(model, channels)
    assert for_leads(model, ("RA-V2", "RA-V5", "V2-V5")).spec.input_leads == ("RA-V2", "RA-V5")


@settings(max_examples=15)
@given(st.lists(st.integers(1, 300), min_size=1, max_size=8), st.sampled_from(PLACES))
def test_every_cut_gives_the_same_bytes(run: Path, cuts: list[int], channels: tuple[str, ...]) -> None:
    model = load_model(run / "export/r-int8.onnx")
    x = measured(noise(900, 8, 2), channels)

    def streamed(pieces: list[np.ndarray]) -> bytes:
        stream = Reconstructor(model, fs=250, leads=channels)
        return b"".join(b.mv.tobytes() for b in (*map(stream.feed, pieces), stream.flush()))

    assert streamed(np.split(x, np.cumsum(cuts).clip(max=len(x)))) == streamed([x])


def test_the_files_are_proved_and_go_on_to_train(run: Path) -> None:
    spec = load_model(run / "export/r-int8.tflite").spec
    table = spec.accuracy["int8 tflite RA-V2+RA-V5"]
    assert set(table["leads"]) == set(missing_basis(("RA-V2", "RA-V5")))
    assert not [f for f in verify.checks(load_model(run / "export/r-int8.tflite")) if not f.ok]
    assert "between any of the electrodes" in (run / "export/r.md").read_text()
    again = load_file(run / "export/r-fp32.onnx")
    x, network = noise(160, 8, 9), load_network(run)
    want = reconstruct(network, seen_by(network, x[None], ("RA-V5",)))
    np.testing.assert_allclose(reconstruct(again, seen_by(again, x[None], ("RA-V5",))), want, atol=1e-4)


def test_what_is_known_is_told_to_the_network(run: Path) -> None:
    """The graph's last eight inputs are the shares that the guess explains."""
    model = load_model(run / "export/r-fp32.onnx")
    part = for_leads(model, ("RA-V5",))
    found = guess_from(("RA-V5",), model.spec.covariance)
    x = noise(8, 1, 4)
    both = np.concatenate([x @ found.matrix.T, np.broadcast_to(found.known, (8, 8))], axis=1).astype(np.float32)
    want, _ = model.backend.step(both, model.backend.initial_state())
    got, _ = part.backend.step(x, part.backend.initial_state())
    np.testing.assert_allclose(got, want, atol=1e-6)


def test_evaluate_scores_file_and_run_with_the_linear_estimate_beside(
    run: Path, ptbxl: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rmse = []
    for subject in (run / "export/r-fp32.onnx", run):
        args = [str(subject), "--leads", "RA-V2,RA-V5", "--data", str(ptbxl), "--no-delineation", "--json"]
        assert call(EVALUATE, *args) == 0
        doc = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert set(doc["leads"]) == set(missing_basis(("RA-V2", "RA-V5"))) == set(BASIS)
        assert doc["baselines"]["linear 9"]["mean"]["r"] is not None
        assert doc["interval"]["level"] == 0.9
        rmse.append(doc["mean"]["rmse_mv"])
    assert rmse[0] == pytest.approx(rmse[1], rel=1e-3)
    with pytest.raises(UsageError, match="many lead sets"):
        call(EVALUATE, str(run), "--data", str(ptbxl))
