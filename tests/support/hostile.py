"""Model files as somebody may send them: correctly sealed, and wrong in one way each."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import onnx
from ai_edge_litert import schema_py_generated as fb
from onnx import TensorProto, helper, numpy_helper

from ecg_edge.device.inference.sealed_file import seal
from ecg_edge.device.inference.spec import METADATA_KEY

ZERO = b"ecg_edge_sha256=" + b"0" * 64
DEEP = "[" * 100_000


def _unsealed(blob: bytes) -> bytes:
    return re.sub(rb"ecg_edge_sha256=[0-9a-f]{64}", ZERO, blob)


def _described(text: str, change: Callable[[dict[str, Any]], None]) -> str:
    doc = json.loads(text)
    change(doc)
    return json.dumps(doc)


def _float_state(doc: dict[str, Any]) -> None:
    state = next(s for s in doc["states"] if s["dtype"] != "float32")
    state.update(dtype="float32", scale=1.0, zero_point=0)


TEXTS: dict[str, tuple[Callable[[str], str | None], str]] = {
    "no description": (lambda t: None, "no description"),
    "somebody else's description": (lambda t: '{"author": "somebody"}', "damaged"),
    "a description that is not JSON": (lambda t: "model: mine", "damaged"),
    "a description without end": (lambda t: DEEP, "damaged"),
    "a description of 5 MB": (lambda t: " " * 5_000_000 + t, "too long"),
    "a state pair less": (lambda t: _described(t, lambda d: d["states"].pop()), "not those of its description"),
    "a state of another type": (lambda t: _described(t, _float_state), "not those of its description"),
}


def onnx_files(sound: Path) -> Iterator[tuple[str, bytes, str]]:
    """Name, content, and what the error must say."""
    base = _unsealed(sound.read_bytes())

    def made(change: Callable[[Any], None]) -> bytes:
        proto = onnx.load_from_string(base)
        change(proto)
        return seal(proto.SerializeToString())

    def describe(change: Callable[[str], str | None]) -> Callable[[Any], None]:
        def apply(proto: Any) -> None:
            prop = next(p for p in proto.metadata_props if p.key == METADATA_KEY)
            text = change(prop.value)
            if text is None:
                proto.metadata_props.remove(prop)
            else:
                prop.value = text

        return apply

    for name, (change, message) in TEXTS.items():
        yield f"ONNX, {name}", made(describe(change)), message

    def doubling(proto: Any) -> None:
        last = "x"
        for k in range(40):
            proto.graph.node.append(helper.make_node("Concat", [last, last], [f"c{k}"], axis=2))
            last = f"c{k}"

    def stretched(proto: Any) -> None:
        next(t for t in proto.graph.initializer if t.name == "twice").raw_data = np.float32([1, 1, 1e7]).tobytes()

    def filled(proto: Any) -> None:
        proto.graph.initializer.append(numpy_helper.from_array(np.int64([1, 3_000_000_000]), "many"))
        proto.graph.node.append(helper.make_node("ConstantOfShape", ["many"], ["filled"]))

    def elsewhere(proto: Any) -> None:
        t = proto.graph.initializer[0]
        t.data_location = TensorProto.EXTERNAL
        t.external_data.add(key="location", value="/etc/passwd")

    def wide(proto: Any) -> None:
        next(v for v in proto.graph.input if v.name == "x").type.tensor_type.shape.dim[2].dim_value = 10**9

    def claimed(proto: Any) -> None:
        del proto.graph.initializer[0].dims[:]
        proto.graph.initializer[0].dims.extend([10**6, 10**6])

    def double(proto: Any) -> None:
        next(v for v in proto.graph.input if v.name == "x").type.tensor_type.elem_type = TensorProto.DOUBLE

    def unpaired(proto: Any) -> None:
        proto.graph.output.pop()

    def torn(proto: Any) -> None:
        del proto.graph.node[3].input[:]

    yield "ONNX, tensors that double forty times", made(doubling), "numbers of memory"
    yield "ONNX, frames repeated ten million times", made(stretched), "not ours|numbers of memory"
    yield "ONNX, three thousand million zeros", made(filled), "not ours.*ConstantOfShape"
    yield "ONNX, weights from another file", made(elsewhere), "outside the file"
    yield "ONNX, an hour-long hop", made(wide), "not ours"
    yield "ONNX, a constant that claims to be huge", made(claimed), "numbers of memory"
    yield "ONNX, inputs in double precision", made(double), "cannot read|not those"
    yield "ONNX, a state that does not come out", made(unpaired), "not those of its description"
    yield "ONNX, a node without inputs", made(torn), "not ours"
    for k in range(0, len(base), len(base) // 12):
        yield f"ONNX, cut at {k}", sound.read_bytes()[:k], "truncated|damaged"
    yield "ONNX, junk with a seal", seal(b"\x0a\xff\xff\xff\xff\x7f" + ZERO), "not a whole ONNX file"


def tflite_files(sound: Path) -> Iterator[tuple[str, bytes, str]]:
    """Name, content, and what the error must say."""
    base = _unsealed(sound.read_bytes())

    def made(change: Callable[[Any], None]) -> bytes:
        model = fb.ModelT.InitFromPackedBuf(base, 0)
        change(model)
        builder = flatbuffers.Builder(1 << 16)
        builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
        return seal(bytes(builder.Output()))

    def describe(change: Callable[[str], str | None]) -> Callable[[Any], None]:
        def apply(model: Any) -> None:
            entry = next(m for m in model.metadata if m.name.decode() == METADATA_KEY)
            text = change(bytes(model.buffers[entry.buffer].data).decode())
            if text is None:
                model.metadata.remove(entry)
            else:
                model.buffers[entry.buffer].data = np.frombuffer(text.encode(), np.uint8)

        return apply

    for name, (change, message) in TEXTS.items():
        yield f"TFLite, {name}", made(describe(change)), message

    def operator(model: Any, code: int, inputs: list[int], options: Any, kind: int) -> int:
        """Appended with a result that claims to be small."""
        graph = model.subgraphs[0]
        graph.tensors.append(fb.TensorT(shape=[1, 1, 8, 2], type=0, buffer=0, name=b"h", hasRank=True))
        model.operatorCodes.append(fb.OperatorCodeT(deprecatedBuiltinCode=code, version=1, builtinCode=code))
        op = fb.OperatorT(opcodeIndex=len(model.operatorCodes) - 1, inputs=inputs, outputs=[len(graph.tensors) - 1])
        op.builtinOptionsType, op.builtinOptions = kind, options
        graph.operators.append(op)
        return len(graph.tensors) - 1

    def constant(model: Any, value: np.ndarray) -> int:
        model.buffers.append(fb.BufferT(data=np.frombuffer(value.astype("<i4").tobytes(), np.uint8)))
        t = fb.TensorT(shape=[len(value)], type=2, buffer=len(model.buffers) - 1, name=b"s", hasRank=True)
        model.subgraphs[0].tensors.append(t)
        return len(model.subgraphs[0].tensors) - 1

    def doubling(model: Any) -> None:
        last = int(model.subgraphs[0].inputs[0])
        for _ in range(27):
            options = fb.ConcatenationOptionsT(axis=2)
            last = operator(model, 2, [last, last], options, fb.BuiltinOptions.ConcatenationOptions)

    def stretched(model: Any) -> None:
        size = constant(model, np.array([1, 400_000_000]))
        options = fb.ResizeNearestNeighborOptionsT()
        x = int(model.subgraphs[0].inputs[0])
        operator(model, 97, [x, size], options, fb.BuiltinOptions.ResizeNearestNeighborOptions)

    def unsized(model: Any) -> None:
        graph = model.subgraphs[0]
        graph.tensors.append(fb.TensorT(shape=[2], type=2, buffer=0, name=b"size", hasRank=True))
        options = fb.ResizeNearestNeighborOptionsT()
        x, kind = int(graph.inputs[0]), fb.BuiltinOptions.ResizeNearestNeighborOptions
        operator(model, 97, [x, len(graph.tensors) - 1], options, kind)

    def filled(model: Any) -> None:
        operator(model, 94, [constant(model, np.array([1, 10**9]))], fb.FillOptionsT(), fb.BuiltinOptions.FillOptions)

    def custom(model: Any) -> None:
        model.operatorCodes[0].customCode = b"FlexSomething"
        model.operatorCodes[0].builtinCode = model.operatorCodes[0].deprecatedBuiltinCode = 32

    def claimed(model: Any) -> None:
        model.subgraphs[0].tensors[int(model.subgraphs[0].inputs[0])].shape = [1, 1, 30_000, 30_000]

    def floating(model: Any) -> None:
        graph = model.subgraphs[0]
        tensor = next(graph.tensors[k] for k in graph.inputs if graph.tensors[k].type == fb.TensorType.INT8)
        tensor.type = fb.TensorType.FLOAT32

    def unpaired(model: Any) -> None:
        model.subgraphs[0].outputs = model.subgraphs[0].outputs[:-1]
        model.signatureDefs[0].outputs.pop()

    def rescaled(model: Any) -> None:
        graph = model.subgraphs[0]
        out = next(graph.tensors[k] for k in graph.outputs if graph.tensors[k].type == fb.TensorType.INT8)
        out.quantization.scale = [2 * float(out.quantization.scale[0])]

    yield "TFLite, tensors that double", made(doubling), "not ours"
    yield "TFLite, one frame repeated 400 million times", made(stretched), "not ours"
    yield "TFLite, a size that only a run would tell", made(unsized), "not ours"
    yield "TFLite, a thousand million zeros", made(filled), r"not ours.*94"
    yield "TFLite, an operator of somebody's own", made(custom), "not ours"
    yield "TFLite, a tensor that claims to be huge", made(claimed), "numbers of memory"
    yield "TFLite, a state of another type in the graph", made(floating), "cannot read|not those"
    yield "TFLite, a state that does not come out", made(unpaired), "not those of its description"
    yield "TFLite, a state that comes out in other steps", made(rescaled), "scale|cannot read"
    for k in range(0, len(base), len(base) // 12):
        yield f"TFLite, cut at {k}", sound.read_bytes()[:k], "truncated|damaged"
