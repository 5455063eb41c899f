"""What may be spent, and how what is read off a trace is compared."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
import torch

from ecg_edge.device.inference.head import features
from ecg_edge.device.inference.load import load_model
from ecg_edge.device.inference.onnx_backend import providers
from ecg_edge.device.verification import fiducials
from ecg_edge.device.verification.budget import Budget
from ecg_edge.export import graph_interpreter as interpreter
from ecg_edge.export import proof_checks as checks
from ecg_edge.export import run_file as estimates
from ecg_edge.export.eight_bits import qat
from ecg_edge.export.eight_bits.quantise import Affine, calibrate, fake, groups
from ecg_edge.export.eight_bits.sensitivity import costs
from ecg_edge.export.graph import FEATURES, Conv
from ecg_edge.export.targets import Target, choose
from ecg_edge.firmware_bridge.errors import UsageError
from ecg_edge.train.network.unet import NetSpec
from tests.support.nets import SMALL, exporter_of, lively, noise

FS = 100


def beats(n_records: int = 3, st_mv: float = 0.0, late: int = 0) -> np.ndarray:
    """Records of one lead, shape (n, 1000, 1): narrow QRS every 0.8 s, a plateau after it."""
    x = np.zeros((n_records, 1000, 1))
    for at in range(60, 960, 80):
        x[:, at + late - 1 : at + late + 2, 0] = [0.5, 1.0, 0.5]
        x[:, at + 6 : at + 16, 0] += st_mv
    return x


def test_budgets_read_back_as_written() -> None:
    assert Budget.parse(str(Budget())) == Budget()
    assert Budget.parse("rmse=2%,st=3uV") == Budget(0.02, 3.0, 0.0)
    assert Budget.parse("st=3µV, rpeak=10ms") == Budget(0.01, 3.0, 10.0)
    with pytest.raises(UsageError, match="bad budget"):
        Budget.parse("speed=1")


def test_equal_estimates_have_no_shift() -> None:
    x = beats()
    shift = fiducials.compare(x, x, x[:, :, 0], FS, 200)
    assert shift.beats > 20
    assert (shift.st_uv == 0).all()
    assert (shift.rpeak_ms == 0).all()
    assert (shift.moved == 0).all()


def test_a_raised_st_segment_is_read_in_microvolts() -> None:
    shift = fiducials.compare(beats(), beats(st_mv=0.02), beats()[:, :, 0], FS, 200)
    np.testing.assert_allclose(shift.st_uv, 20, atol=0.5)
    assert (shift.rpeak_ms == 0).all()


def test_a_late_r_peak_is_read_in_milliseconds() -> None:
    shift = fiducials.compare(beats(), beats(late=2), beats()[:, :, 0], FS, 200)
    np.testing.assert_allclose(shift.rpeak_ms, 20)
    assert (shift.moved == 1).all()


def test_records_without_beats_spend_nothing() -> None:
    flat = np.zeros((2, 1000, 3))
    shift = fiducials.compare(flat, flat + 1, flat[:, :, 0], FS, 200)
    assert shift.beats == 0
    assert shift.st_uv.shape == (3,)


@pytest.mark.parametrize(("limit", "ok"), [({"st": 19.0}, False), ({"st": 21.0}, True), ({"rmse": 0.0}, False)])
def test_each_limit_can_break(limit: dict, ok: bool) -> None:
    shift = fiducials.compare(beats(), beats(st_mv=0.02), beats()[:, :, 0], FS, 200)
    row = {"leads": {"V1": {"rmse_mv": 0.1005, "r": 0.9}}}
    fp32 = {"leads": {"V1": {"rmse_mv": 0.1000, "r": 0.9}}}
    limits = {**Budget(st=100.0).limits(), **limit}
    (check,) = checks.against_fp32("ONNX int8", row, fp32, shift, limits)
    assert check.ok is ok
    assert check.line().startswith("✓" if ok else "✗")


def test_files_that_compute_apart_are_told(exporter) -> None:
    a = np.random.default_rng(0).normal(size=(3, 50, 4)).astype(np.float32)
    assert checks.twins("", a, a + 0.009, 0.01).ok
    assert not checks.twins("", a, a + 0.011, 0.01).ok
    assert not checks.equal("x", a, a + 2e-5).ok


def test_integers_may_round_a_tie_apart_and_no_more() -> None:
    a = np.random.default_rng(0).normal(size=(3, 500, 4)).astype(np.float32)
    b = a.copy()
    b[1, 200, 2] += 0.012  # one tie
    check = checks.as_good_as_equal("x", a[:, :400], b)
    assert check.ok and "12.0 µV at most" in check.detail
    assert not checks.as_good_as_equal("x", a, a + 0.002).ok
    assert not checks.equal("x", a, b).ok


def test_targets_in_the_order_they_are_proved() -> None:
    names = [t.file_name("i") for t in choose("tflite,onnx", int8=True, fp16=True, dynamic=False, offline=False)]
    assert names == ["i-fp32.onnx", "i-int8.onnx", "i-fp32.tflite", "i-fp16.tflite", "i-int8.tflite"]
    assert choose("onnx", int8=False, fp16=True, dynamic=True, offline=True) == [Target(), Target(offline=True)]
    with pytest.raises(UsageError, match="unknown format in 'onnx,tf'"):
        choose("onnx,tf", int8=True, fp16=False, dynamic=False, offline=False)
    with pytest.raises(UsageError, match="unknown format"):
        choose("", int8=True, fp16=False, dynamic=False, offline=False)


def test_the_convolution_whose_8_bits_cost_most_is_found(exporter) -> None:
    """One channel with a huge weight leaves the others of its tensor a few steps: an old trap of 8 bits."""
    kept = frozenset({"enc0", FEATURES})
    q = calibrate(exporter.graph, np.stack([noise(400, 2, s) for s in range(6)]), kept)
    x = np.stack([noise(400, 2, s) for s in range(4)])
    head = exporter.spec.head.mean[: exporter.spec.n_features]
    found = costs(exporter.graph, q, x, head)
    names = {op.y for op in exporter.graph.ops if isinstance(op, Conv)} - q.float_convs
    assert {c.name for c in found} == names and found == sorted(found, key=lambda c: -c.rms_uv)
    victim = next(op for op in exporter.graph.ops if isinstance(op, Conv) and op.y in names)
    spoilt = victim.weight.copy()
    spoilt[:, 0, 0] = 40 * np.abs(spoilt).max()  # every output channel's step grows forty-fold
    ops = tuple(replace(op, weight=spoilt) if op is victim else op for op in exporter.graph.ops)
    graph = replace(exporter.graph, ops=ops)
    worse = costs(graph, calibrate(graph, x, q.float_convs), x, head)
    assert worse[0].name == victim.y and worse[0].rms_uv > 5 * max(1e-6, worse[1].rms_uv)


def test_torchs_own_export_gives_the_same_features(tmp_path) -> None:
    """The network as torch itself writes it, run by onnxruntime, against our folded offline file."""
    net = lively(NetSpec(("I", "II"), **SMALL))
    exporter = exporter_of(net)
    x = np.stack([noise(400, 2, s) for s in range(3)])
    path = tmp_path / "torch.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        batch = torch.from_numpy(np.ascontiguousarray(x.transpose(0, 2, 1)[:, :, None]))
        torch.onnx.export(net.body.eval(), (batch,), str(path), dynamo=False, opset_version=17)
    session = onnxruntime.InferenceSession(str(path))
    (theirs,) = session.run(None, {session.get_inputs()[0].name: batch.numpy()})
    ours = interpreter.run(exporter.graph, batch[:, :, 0]).numpy()
    assert np.abs(theirs[:, :, 0] - ours).max() < 1e-5
    target = Target("onnx", "fp32", True)
    file = exporter.write(tmp_path / "ours.onnx", target, exporter.describe(target, None, {}, {}))
    spec, body, _ = estimates.offline(file)
    for k in range(3):
        mine = body(x[k])
        assert np.abs(mine - theirs[k, :, 0].T[spec.lookahead :][: len(mine)]).max() < 1e-5


def test_the_processor_runs_where_nothing_better_is_there() -> None:
    assert providers(["CPUExecutionProvider", "AzureExecutionProvider"]) == ["CPUExecutionProvider"]
    jetson = ["CUDAExecutionProvider", "CPUExecutionProvider", "TensorrtExecutionProvider"]
    assert providers(jetson) == ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]


@pytest.mark.parametrize("n", [1, 3])
def test_files_with_more_in_float_still_compute_alike(exporter, tmp_path, n) -> None:
    x = np.stack([noise(400, 2, s) for s in range(4)])
    exporter = exporter.for_eight_bits(x)
    q = exporter.eight.quantisation
    found = costs(exporter.eight.graph, q, x, exporter.spec.head.mean[: exporter.spec.n_features])
    kept = replace(q, float_convs=q.float_convs | {c.name for c in found[:n]})
    found_features = {}
    for form in ("onnx", "tflite"):
        target = Target(form, "int8")
        path = exporter.write(tmp_path / f"m.{form}", target, exporter.describe(target, kept, {}, {}), kept)
        model = load_model(path)
        found_features[form] = np.stack([features(model, r) for r in x])
    batch = torch.from_numpy(np.ascontiguousarray(x.transpose(0, 2, 1)))
    with torch.no_grad():
        expected = fake(exporter.eight.graph, kept, batch).numpy().transpose(0, 2, 1)[:, exporter.spec.lookahead :]
    expected = expected[:, : found_features["onnx"].shape[1]]
    for got in found_features.values():  # a runtime that rounds what is kept in float is further off
        assert np.sqrt(np.mean((got - expected) ** 2)) <= 0.1 * q.feature_step


def test_fine_tuning_brings_8_bits_nearer_to_float(exporter, tmp_path) -> None:
    x = np.stack([noise(400, 2, s) for s in range(12)])
    exporter = exporter.for_eight_bits(x)
    q = exporter.eight.quantisation
    # steps eight times as wide: as coarse as where a few outliers have spread the ranges
    coarse = replace(q, tensors={name: Affine(8 * p.scale, p.zero_point) for name, p in q.tensors.items()})
    head = exporter.spec.head.mean[: exporter.spec.n_features]
    tuned = qat.tune(exporter.eight.graph, coarse, x, head, steps=120, lr=6e-4)
    assert tuned.after_uv < 0.7 * tuned.before_uv
    q = tuned.quantisation
    assert np.mean([q.tensors[n].scale / coarse.tensors[n].scale for n in q.tensors]) < 0.9
    group = groups(exporter.eight.graph)  # what only moves data still shares its step
    assert len({(group[n], q.tensors[n]) for n in q.tensors}) == len({group[n] for n in q.tensors})
    # the records were not seen in training, and both formats hold what was tuned
    fresh = np.stack([noise(400, 2, s) for s in range(50, 54)])
    batch = torch.from_numpy(np.ascontiguousarray(fresh.transpose(0, 2, 1)))
    with torch.no_grad():
        truth, expected = interpreter.run(exporter.eight.graph, batch), fake(tuned.graph, q, batch)
        plain = fake(exporter.eight.graph, coarse, batch)
    assert (expected - truth).square().mean() < (plain - truth).square().mean()
    made = replace(exporter, tuned=tuned)
    late = exporter.spec.lookahead
    for form in ("onnx", "tflite"):
        target = Target(form, "int8")
        spec = made.describe(target, q, {}, {})
        assert spec.quantisation["fine_tuning"]["steps"] == 120
        assert spec.model_id == exporter.spec.model_id
        model = load_model(made.write(tmp_path / f"m.{form}", target, spec, q))
        got = np.stack([features(model, r) for r in fresh])
        want = expected.numpy().transpose(0, 2, 1)[:, late : late + got.shape[1]]
        assert np.sqrt(np.mean((got - want) ** 2)) <= q.feature_step
    fp32 = Target("onnx", "fp32")
    same = made.write(tmp_path / "a.onnx", fp32, made.describe(fp32, None, {}, {})).read_bytes()
    assert same == exporter.write(tmp_path / "b.onnx", fp32, exporter.describe(fp32, None, {}, {})).read_bytes()


@pytest.mark.parametrize("lr", [0.1, 1e6])
def test_fine_tuning_that_does_not_help_is_not_kept(exporter, lr) -> None:
    x = np.stack([noise(400, 2, s) for s in range(4)])
    exporter = exporter.for_eight_bits(x)
    q = exporter.eight.quantisation
    tuned = qat.tune(exporter.eight.graph, q, x, exporter.spec.head.mean[: exporter.spec.n_features], steps=3, lr=lr)
    assert tuned.graph is exporter.eight.graph
    assert tuned.quantisation is q
    assert tuned.after_uv == tuned.before_uv > 0
