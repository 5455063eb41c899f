"""TFLite files: the integers of the ONNX file, the types they promise, and what happens to damaged ones."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as fb
from ai_edge_litert.interpreter import Interpreter
from hypothesis import given, settings
from hypothesis import strategies as st

from ecg_edge.device.cli.main import main
from ecg_edge.device.inference import litert_backend, shipped, tflite_metadata
from ecg_edge.device.inference.load import Model, load_model
from ecg_edge.device.inference.sealed_file import seal
from ecg_edge.device.inference.shipped import resolve, shipped_models
from ecg_edge.device.inference.spec import ModelSpec
from ecg_edge.export import run_file as estimates
from ecg_edge.export.exporter import Exporter
from ecg_edge.export.targets import Target
from ecg_edge.export.tflite_writer import write
from ecg_edge.firmware_bridge.errors import MissingExtraError, ModelFileError, OfflineModelError
from tests.support.nets import noise


def operators(blob: bytes) -> list[tuple[str, list[str]]]:
    """(operator, types of its inputs) in order."""
    flat = fb.ModelT.InitFromPackedBuf(blob, 0)
    graph = flat.subgraphs[0]
    codes = {v: k for k, v in vars(fb.BuiltinOperator).items() if isinstance(v, int)}
    kinds = {v: k for k, v in vars(fb.TensorType).items() if isinstance(v, int)}
    return [
        (codes[flat.operatorCodes[o.opcodeIndex].builtinCode], [kinds[graph.tensors[k].type] for k in o.inputs])
        for o in graph.operators
    ]


def test_full_integer_means_all_but_first_and_last(files: dict[str, Path]) -> None:
    convs = [kinds for name, kinds in operators(files["tflite-int8"].read_bytes()) if name == "CONV_2D"]
    assert [k[0] for k in convs] == ["FLOAT32", *["INT8"] * (len(convs) - 2), "FLOAT32"]
    assert all(k == ["INT8", "INT8", "INT32"] for k in convs[1:-1])
    others = [
        kinds
        for name, kinds in operators(files["tflite-int8"].read_bytes())
        if name in ("ADD", "RESIZE_NEAREST_NEIGHBOR")
    ]
    assert all(k[0] == "INT8" for k in others)


def test_weights_of_the_other_files(files: dict[str, Path]) -> None:
    dynamic = [kinds for name, kinds in operators(files["tflite-dynamic"].read_bytes()) if name == "CONV_2D"]
    assert [k[:2] for k in dynamic[1:-1]] == [["FLOAT32", "INT8"]] * (len(dynamic) - 2)
    halves = [kinds for name, kinds in operators(files["tflite-fp16"].read_bytes()) if name == "DEQUANTIZE"]
    assert halves == [["FLOAT16"]] * len(dynamic)
    assert files["tflite-fp16"].stat().st_size < files["tflite-fp32"].stat().st_size


def test_the_same_integers_in_both_formats(models: dict[str, Model]) -> None:
    """A state of the TFLite file is that of the ONNX file, 128 lower; kernels may round a tie apart."""
    onnx, tflite = models["int8"].backend, models["tflite-int8"].backend
    a, b = onnx.initial_state(), tflite.initial_state()
    x = noise(400, 2, 5)
    worst, same, count = 0, 0, 0
    for k in range(0, 400, 8):
        _, a = onnx.step(x[k : k + 8], a)
        _, b = tflite.step(x[k : k + 8], b)
        for u, s in zip(a, b, strict=True):
            if u.dtype == np.uint8:
                apart = np.abs(u[0].T.astype(int) - (s[0, 0].astype(int) + 128))
                worst, same, count = max(worst, apart.max()), same + (apart == 0).sum(), count + apart.size
    assert worst <= 2
    assert same > 0.97 * count


@pytest.mark.parametrize("kind", ["fp32", "int8", "tflite-fp32", "tflite-fp16", "tflite-int8"])
def test_offline_equals_streaming(files: dict[str, Path], models: dict[str, Model], kind: str) -> None:
    spec, body, _ = estimates.offline(files[f"{kind}-offline"])
    assert spec.kind == "offline"
    x = noise(400, 2, 3)
    want = estimates.streaming(models[kind])(x)
    np.testing.assert_allclose(body(x), want, atol=2e-5)
    short = body(x[:203])
    np.testing.assert_allclose(short, want[: len(short)], atol=2e-5)
    assert len(short) == 200 - spec.lookahead
    with pytest.raises(OfflineModelError, match="offline model"):
        load_model(files[f"{kind}-offline"])


@pytest.mark.parametrize("kind", ["fp32", "tflite-int8"])
def test_info_shows_offline_files_too(files: dict[str, Path], kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(files[f"{kind}-offline"]), "--json"]) == 0
    doc = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (doc["kind"], doc["state_bytes"], doc["precision"]) == ("offline", 0, kind.removeprefix("tflite-"))
    assert main(["info", str(files[f"{kind}-offline"])]) == 0


def test_the_signature_names_the_tensors(files: dict[str, Path], models: dict[str, Model]) -> None:
    """As other users of the file find them: by name, through the signature."""
    runner = Interpreter(model_path=str(files["tflite-int8"])).get_signature_runner()
    spec = models["tflite-int8"].spec
    x = noise(8, 2, 1)
    out = runner(x=x[None, None], **{s.name: s.initial() for s in spec.states})
    features, state = models["tflite-int8"].backend.step(x, models["tflite-int8"].backend.initial_state())
    np.testing.assert_array_equal(out["features"][0, 0], features)
    for s, value in zip(spec.states, state, strict=True):
        np.testing.assert_array_equal(out[s.out], value)


def test_constants_are_aligned(files: dict[str, Path]) -> None:
    """The format asks for 16 bytes; runtimes map the file and read vectors from it."""
    blob = files["tflite-int8"].read_bytes()
    flat = fb.Model.GetRootAs(blob, 0)
    for k in range(flat.BuffersLength()):
        data = flat.Buffers(k)
        if data.DataLength():
            start = data._tab.Vector(data._tab.Offset(4))
            assert start % 16 == 0


@settings(max_examples=60, deadline=None)
@given(at=st.floats(0, 0.9999), value=st.binary(min_size=4, max_size=4))
def test_metadata_of_a_hostile_file_is_an_error_or_nothing(files: dict[str, Path], at: float, value: bytes) -> None:
    """Offsets that point anywhere: read as what they are, or a typed error; never a crash, never a big read."""
    blob = bytearray(files["tflite-int8"].read_bytes())
    where = int(at * len(blob))
    blob[where : where + 4] = value
    try:
        tflite_metadata.read_metadata(bytes(blob), Path("x"))
    except ModelFileError as e:
        assert e.fix


def changed(exporter: Exporter, path: Path, **changes: object) -> Path:
    """A correctly sealed file whose description does not fit its graph."""
    target = Target("tflite", "fp32")
    spec = exporter.describe(target, None, {}, {})
    doc = ModelSpec.from_json(spec.to_json()).to_json()
    for key, value in changes.items():
        doc = doc.replace(f'"{key}": {getattr(spec, key)}', f'"{key}": {value}')
    blob = write(exporter.graph, spec)
    at = blob.index(spec.to_json().encode())
    assert len(doc) == len(spec.to_json())
    path.write_bytes(seal(blob[:at] + doc.encode() + blob[at + len(doc) :]))
    return path


def test_a_description_that_does_not_fit(exporter: Exporter, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"graph's inputs are not those of its description \(x\)"):
        load_model(changed(exporter, tmp_path / "m.tflite", hop=4))


def test_states_that_mean_something_else(exporter: Exporter, files: dict[str, Path], tmp_path: Path) -> None:
    """The same shapes and types, another scale: the file would run, and be wrong."""
    blob = files["tflite-int8"].read_bytes()
    spec = load_model(files["tflite-int8"]).spec
    state = next(s for s in spec.states if s.dtype == "int8")
    text = f'"zero_point": {state.zero_point}'.encode()
    other = f'"zero_point": {state.zero_point + 1}'.encode()
    assert len(text) == len(other)
    bare = blob.replace(blob[blob.index(b"ecg_edge_sha256=") :][:80], b"ecg_edge_sha256=" + b"0" * 64)
    (tmp_path / "m.tflite").write_bytes(seal(bare.replace(text, other)))
    with pytest.raises(ModelFileError, match="zero point"):
        load_model(tmp_path / "m.tflite")


def test_truncated_foreign_and_huge(files: dict[str, Path], tmp_path: Path, exporter: Exporter) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(files["tflite-int8"].read_bytes()[:5000])
    with pytest.raises(ModelFileError, match="truncated"):
        load_model(path)
    path.write_bytes(seal(b"\x10\0\0\0TFL3" + b"\xff" * 40 + b"ecg_edge_sha256=" + b"0" * 64))
    with pytest.raises(ModelFileError, match="not a whole TFLite file"):
        load_model(path)
    spec = exporter.describe(Target("tflite", "fp32"), None, {}, {})
    blob = write(exporter.graph, spec)
    shape = struct.pack("<5i", 4, 1, 1, 8, 2)  # length and sizes of x
    assert blob.count(shape) >= 1
    path.write_bytes(seal(blob.replace(shape, struct.pack("<5i", 4, 1, 30_000, 30_000, 2))))
    with pytest.raises(ModelFileError, match="numbers of memory"):
        load_model(path)


def test_a_missing_runtime_names_the_extra(files: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ai_edge_litert.interpreter", "tflite_runtime.interpreter"):
        monkeypatch.setitem(__import__("sys").modules, name, None)
    with pytest.raises(MissingExtraError, match="tflite"):
        litert_backend.open_interpreter(files["tflite-int8"].read_bytes(), Path("x"))


def test_names_of_shipped_models_fit_the_runtime(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    onnx, both, tflite = tmp_path / "a-int8.onnx", tmp_path / "a-int8.tflite", tmp_path / "b-int8.tflite"
    monkeypatch.setattr(shipped, "shipped_files", lambda: [onnx, both, tflite, tmp_path / "c-fp32.onnx"])
    assert shipped_models() == {"a-int8": onnx, "b-int8": tflite, "c-fp32": tmp_path / "c-fp32.onnx"}
    monkeypatch.setattr(shipped, "find_spec", lambda name: name == "ai_edge_litert" or None)
    assert shipped_models() == {"a-int8": both, "b-int8": tflite}
    assert resolve("a-int8.onnx") == onnx
    with pytest.raises(ModelFileError, match="cannot read model"):
        load_model("c-fp32")
