"""Model files: what is inside, and what happens to the damaged, the foreign and the contradictory."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ecg_edge.device.inference.load import Model, check_leads, load_model
from ecg_edge.device.inference.packed_arrays import pack_array, unpack_array
from ecg_edge.device.inference.sealed_file import seal
from ecg_edge.device.inference.spec import METADATA_KEY, ModelSpec
from ecg_edge.export import graph_interpreter as interpreter
from ecg_edge.export.eight_bits.quantise import affine, calibrate, fake, groups, quantise_weight
from ecg_edge.export.exporter import Exporter
from ecg_edge.export.graph import from_body
from ecg_edge.export.onnx_writer import write
from ecg_edge.firmware_bridge.errors import LeadMismatchError, ModelFileError, OfflineModelError
from ecg_edge.train.network.unet import NetSpec
from tests.support.nets import noise


def test_folding_keeps_the_function(exporter: Exporter) -> None:
    x = torch.from_numpy(noise(160, 2).T[None].copy())
    with torch.no_grad():
        want = exporter.network.body(x[:, :, None])[:, :, 0]
        np.testing.assert_allclose(interpreter.run(exporter.graph, x).numpy(), want.numpy(), atol=1e-5)


@pytest.mark.parametrize(
    "spec",
    [
        NetSpec(("I",), channels=(4, 6, 8), kernels=(5, 4, 4), dilations=(1,), n_features=5, lookahead=0),
        NetSpec(("II", "V2"), channels=(4, 6), kernels=(7, 6), dilations=(1, 3), n_features=4, lookahead=5),
        NetSpec(("I", "II", "V2"), channels=(4, 4, 4, 4, 6), kernels=(3, 2, 4, 6, 4), dilations=(2,), lookahead=20),
    ],
    ids=lambda s: "+".join(s.input_leads),
)
def test_any_geometry_exports(make_models: Callable[[NetSpec], dict[str, Path]], spec: NetSpec) -> None:
    files = make_models(spec)
    for path in files.values():
        model = load_model(path)
        assert (model.spec.hop, model.spec.lookahead) == (spec.hop, spec.lookahead)
        assert model.spec.input_leads == spec.input_leads
        features, state = model.backend.step(noise(spec.hop, len(spec.input_leads)), model.backend.initial_state())
        assert np.isfinite(features).all()
        assert len(state) == len(model.spec.states)


def test_the_description_survives_the_file(models: dict[str, Model], exporter: Exporter) -> None:
    for precision, model in models.items():
        assert precision.endswith(model.spec.precision)
        assert model.spec.model_id == exporter.spec.model_id
        np.testing.assert_array_equal(model.spec.head.mean, exporter.spec.head.mean)
        np.testing.assert_array_equal(model.spec.ridge["1"], exporter.spec.ridge["1"])
        again = ModelSpec.from_json(model.spec.to_json())
        assert again.to_json() == model.spec.to_json()
    assert models["fp32"].file_sha256 != models["int8"].file_sha256
    assert {s.dtype for s in models["int8"].spec.states} == {"float32", "uint8"}
    assert {s.dtype for s in models["tflite-int8"].spec.states} == {"float32", "int8"}
    assert {s.dtype for s in models["tflite-dynamic"].spec.states} == {"float32"}


def test_state_pairs_share_scale_in_the_graph(exporter: Exporter) -> None:
    group = groups(exporter.graph)
    for op in exporter.graph.states():
        assert group[op.x] == group[op.y]


def test_int8_file_holds_the_integers_the_reference_holds(models: dict[str, Model], exporter: Exporter) -> None:
    """onnxruntime's integer kernels against fake quantisation in torch: the same up to rare roundings."""
    quant = calibrate(exporter.graph, np.stack([noise(400, 2, s) for s in range(12)]), frozenset({"enc0", "features"}))
    x = noise(400, 2, 5)
    with torch.no_grad():
        want = fake(exporter.graph, quant, torch.from_numpy(x.T[None].copy()))[0].numpy().T
    state, rows = models["int8"].backend.initial_state(), []
    for k in range(0, 400, 8):
        features, state = models["int8"].backend.step(x[k : k + 8], state)
        rows.append(features)
    got = np.concatenate(rows)
    snr = 10 * np.log10((want**2).mean() / ((want - got) ** 2).mean())
    assert snr > 38, f"{snr:.1f} dB"


def test_int8_kernels_really_run_in_int8(models: dict[str, Model], tmp_path: Path) -> None:
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    options.log_severity_level = 3
    ort.InferenceSession(models["int8"].path.read_bytes(), options, providers=["CPUExecutionProvider"])
    ops = [n.op_type for n in onnx.load(tmp_path / "optimised.onnx").graph.node]
    n_convs = len(NetSpec(("I", "II")).channels) + 3 + 3
    assert ops.count("QLinearConv") == n_convs - 2, ops
    assert sum(o in ("Conv", "FusedConv") for o in ops) == 2


@given(low=st.floats(-50, 0), high=st.floats(0, 50))
def test_affine_holds_zero_and_covers_the_range(low: float, high: float) -> None:
    p = affine(low, high)
    assert 0 <= p.zero_point <= 255
    for v in (low, high):
        q = np.clip(round(v / p.scale) + p.zero_point, 0, 255)
        assert abs((q - p.zero_point) * p.scale - v) <= 1.01 * p.scale


def test_weights_round_to_half_a_step() -> None:
    w = np.random.default_rng(0).normal(size=(5, 3, 4)).astype(np.float32)
    w[2] = 0
    q, s = quantise_weight(w)
    assert (np.abs(q * s[:, None, None] - w) <= s[:, None, None] / 2 + 1e-7).all()


@settings(max_examples=25, deadline=None)
@given(keep=st.floats(0, 0.999))
def test_a_truncated_file_says_so(
    models: dict[str, Model], tmp_path_factory: pytest.TempPathFactory, keep: float
) -> None:
    blob = models["int8"].path.read_bytes()
    path = tmp_path_factory.mktemp("cut") / "m.onnx"
    path.write_bytes(blob[: int(keep * len(blob))])
    with pytest.raises(ModelFileError, match=r"truncated|damaged"):
        load_model(path)


@settings(max_examples=25, deadline=None)
@given(at=st.floats(0, 0.9999), bit=st.integers(0, 7))
def test_a_flipped_bit_says_so(
    models: dict[str, Model], tmp_path_factory: pytest.TempPathFactory, at: float, bit: int
) -> None:
    blob = bytearray(models["int8"].path.read_bytes())
    blob[int(at * len(blob))] ^= 1 << bit
    path = tmp_path_factory.mktemp("flip") / "m.onnx"
    path.write_bytes(bytes(blob))
    with pytest.raises(ModelFileError, match="fix"):
        load_model(path)


def test_files_that_are_not_ours(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="cannot read model"):
        load_model(tmp_path / "missing.onnx")
    for name, blob in (("text.onnx", b"hello"), ("empty.onnx", b"")):
        (tmp_path / name).write_bytes(blob)
        with pytest.raises(ModelFileError, match="not an ecg-edge model"):
            load_model(tmp_path / name)
    (tmp_path / "sealed.onnx").write_bytes(seal(b"junk ecg_edge_sha256=" + b"0" * 64 + b" junk"))
    with pytest.raises(ModelFileError, match="not a whole ONNX file"):
        load_model(tmp_path / "sealed.onnx")
    with pytest.raises(ModelFileError, match="no place"):
        seal(b"no placeholder")


def rewritten(exporter: Exporter, path: Path, **changes: object) -> Path:
    """A correctly sealed file whose description was changed."""
    blob = write(exporter.graph, exporter.spec)
    proto = onnx.load_from_string(blob)
    for prop in proto.metadata_props:
        if prop.key == METADATA_KEY:
            doc = json.loads(prop.value)
            doc.update(changes)
            prop.value = json.dumps({k: v for k, v in doc.items() if v is not None})
    path.write_bytes(seal(proto.SerializeToString()))
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 99}, "model format 99"),
        ({"hop": 16}, "not those of its description"),
        ({"hop": 0}, "contradicts itself"),
        ({"hop": None}, "damaged"),
        ({"target_leads": ["V1"]}, "contradicts itself"),
        ({"input_leads": ["I", "X9"]}, "damaged"),
        ({"n_features": 8}, "contradicts itself"),
        ({"states": []}, "not those of its description"),
        ({"head": {}}, "damaged"),
        ({"fs": 10**9}, "contradicts itself"),
        (
            {"states": [{"name": "a", "shape": [1, 10**9, 9], "dtype": "uint8", "scale": 1, "zero_point": 0}]},
            "malformed",
        ),
        ({"states": [{"name": "a", "shape": [1, 2, 8], "dtype": "object", "scale": 1, "zero_point": 0}]}, "malformed"),
    ],
)
def test_contradictory_descriptions(exporter: Exporter, tmp_path: Path, changes: dict, message: str) -> None:
    with pytest.raises(ModelFileError, match=message):
        load_model(rewritten(exporter, tmp_path / "m.onnx", **changes))


def test_offline_models_are_told_apart(exporter: Exporter, tmp_path: Path) -> None:
    with pytest.raises(OfflineModelError, match="offline model"):
        load_model(rewritten(exporter, tmp_path / "m.onnx", kind="offline"))


def test_other_leads_than_the_source(models: dict[str, Model]) -> None:
    spec = models["fp32"].spec
    assert check_leads(spec, ("V1", "II", "I")) == [2, 1]
    with pytest.raises(LeadMismatchError, match="II missing"):
        check_leads(spec, ("I", "V2"))
    with pytest.raises(LeadMismatchError, match="no lead"):
        check_leads(spec, ())


def test_arrays_round_trip_and_refuse_damage() -> None:
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.testing.assert_array_equal(unpack_array(pack_array(x)), x)
    good = pack_array(x)
    for bad in (
        {**good, "shape": [2, 4]},
        {**good, "shape": [-1, 3]},
        {**good, "f4": "!!"},
        {**good, "shape": [10**9, 9]},
    ):
        with pytest.raises(ModelFileError):
            unpack_array(bad)
    with pytest.raises(ModelFileError, match="NaN"):
        unpack_array(pack_array(np.array([np.nan])))


def test_model_id_depends_on_weights_only(exporter: Exporter) -> None:
    assert from_body(exporter.network.body).digest() == exporter.graph.digest()
    assert exporter.graph.digest() != exporter.spec.model_id, "the head belongs to the identity"
    other = dataclasses.replace(exporter.spec, licence="other")
    assert other.model_id == exporter.spec.model_id
