"""ONNX from the graph, streaming or offline: float32, or 8-bit in QDQ form with 8-bit states."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from ecg_edge.device.inference.spec import METADATA_KEY, ModelSpec, StateSpec
from ecg_edge.export.eight_bits.quantise import Affine, Quantisation, quantise_weight
from ecg_edge.export.graph import FEATURES, INPUT, Add, Concat, Conv, Delay, Graph, Op, Remember, Upsample

OPSET, IR_VERSION = 17, 9
_U8, _F32 = TensorProto.UINT8, TensorProto.FLOAT


@dataclass
class _Writer:
    graph: Graph
    quant: Quantisation | None
    streaming: bool
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: dict[str, onnx.TensorProto] = field(default_factory=dict)
    inputs: list[onnx.ValueInfoProto] = field(default_factory=list)
    outputs: list[onnx.ValueInfoProto] = field(default_factory=list)

    def affine(self, name: str) -> Affine | None:
        return self.quant.tensors.get(name) if self.quant else None

    def node(self, op: str, inputs: list[str], output: str, **attributes: object) -> str:
        self.nodes.append(helper.make_node(op, inputs, [output], name=f"{op}_{output}", **attributes))
        return output

    def constant(self, name: str, value: npt.NDArray[np.generic]) -> str:
        self.constants.setdefault(name, numpy_helper.from_array(np.asarray(value), name))
        return name

    def params(self, name: str, p: Affine) -> list[str]:
        """Constants of a scale and a zero point."""
        scale = self.constant(f"{name}_scale", np.array(p.scale, np.float32))
        return [scale, self.constant(f"{name}_zero", np.array(p.zero_point, np.uint8))]

    def floating(self, name: str) -> str:
        """The tensor as float: itself, or dequantised (once for each reader, as runtimes fuse it best)."""
        p = self.affine(name)
        if p is None:
            return name
        y = f"{name}_f{len(self.nodes)}"
        return self.node("DequantizeLinear", [name, *self.params(name, p)], y)

    def store(self, value: str, name: str) -> None:
        """Name a float result, quantising it where the tensor is held in 8 bits."""
        p = self.affine(name)
        if p is None:
            self.nodes[-1].output[0] = name
        else:
            self.node("QuantizeLinear", [value, *self.params(name, p)], name)

    def emit(self, op: Op) -> None:
        """Write the nodes of one operation."""
        if isinstance(op, Conv):
            self.conv(op)
        elif isinstance(op, Add):
            total = self.node("Add", [self.floating(op.a), self.floating(op.b)], f"{op.y}_sum")
            self.store(self.node("Relu", [total], f"{op.y}_relu"), op.y)
        elif isinstance(op, Concat):
            self.node("Concat", list(op.xs), op.y, axis=1)
        elif isinstance(op, Upsample):
            scales = self.constant("twice", np.array([1, 1, 2], np.float32))
            self.node(
                "Resize", [op.x, "", scales], op.y, mode="nearest", nearest_mode="floor",
                coordinate_transformation_mode="asymmetric",
            )  # fmt: skip
        elif self.streaming:
            self.memory(op)
        else:
            self.padding(op)

    def conv(self, op: Conv) -> None:
        """Convolution, its ReLU, and the rounding of the result, in the form runtimes fuse into one kernel."""
        attributes = {"strides": [op.stride], "dilations": [op.dilation], "kernel_shape": [op.weight.shape[2]]}
        x = self.floating(op.x)
        p = self.affine(op.x)
        if self.quant is None or op.y in self.quant.float_convs or p is None:
            w, b = self.constant(f"{op.y}_w", op.weight), self.constant(f"{op.y}_b", op.bias)
        else:
            w, b = self.quantised_weight(op, p)
        y = self.node("Conv", [x, w, b], f"{op.y}_conv", **attributes)
        if op.relu:
            y = self.node("Relu", [y], f"{op.y}_relu")
        self.store(y, op.y)

    def quantised_weight(self, op: Conv, p: Affine) -> tuple[str, str]:
        """Weight in int8 and bias in int32 (scale: input times weight), both dequantised."""
        q, scale = quantise_weight(op.weight)
        s = self.constant(f"{op.y}_w_scale", scale)
        w = self.node("DequantizeLinear", [self.constant(f"{op.y}_w", q), s], f"{op.y}_w_f", axis=0)
        bias_scale = (scale * np.float32(p.scale)).astype(np.float32)
        bias = np.round(op.bias.astype(np.float64) / bias_scale).astype(np.int32)
        names = [self.constant(f"{op.y}_b", bias), self.constant(f"{op.y}_b_scale", bias_scale)]
        return w, self.node("DequantizeLinear", names, f"{op.y}_b_f", axis=0)

    def memory(self, op: Remember | Delay) -> None:
        """Join state and new frames; what is kept goes out as the next state."""
        frames = self.graph.hop // self.graph.rate[op.x]
        joined = op.y if isinstance(op, Remember) else f"{op.y}_joined"
        self.node("Concat", [op.state, op.x], joined, axis=2)
        if isinstance(op, Delay):
            self.slice(joined, op.y, 0, frames)
        self.slice(joined, f"{op.state}_out", frames, frames + op.frames)
        kind = _U8 if self.affine(op.x) else _F32
        shape = [1, self.graph.channels[op.x], op.frames]
        self.inputs.append(helper.make_tensor_value_info(op.state, kind, shape))
        self.outputs.append(helper.make_tensor_value_info(f"{op.state}_out", kind, shape))

    def padding(self, op: Remember | Delay) -> None:
        """Zeros before the record, where a streaming file has its state."""
        p = self.affine(op.x)
        value = np.array(p.zero_point, np.uint8) if p else np.array(0, np.float32)
        zero = self.constant(f"{op.y}_before", value)
        pads = self.constant(f"pad_{op.frames}", np.array([0, 0, op.frames, 0, 0, 0], np.int64))
        joined = op.y if isinstance(op, Remember) else f"{op.y}_joined"
        self.node("Pad", [op.x, pads, zero], joined)
        if isinstance(op, Delay):
            self.slice(joined, op.y, 0, -op.frames)

    def slice(self, x: str, y: str, start: int, stop: int) -> None:
        bounds = [self.constant(f"at_{n}", np.array([n], np.int64)) for n in (start, stop)]
        self.node("Slice", [x, *bounds, self.constant("time_axis", np.array([2], np.int64))], y)


def state_specs(graph: Graph, quant: Quantisation | None) -> tuple[StateSpec, ...]:
    """The state pairs of a streaming file, in graph order."""
    specs = []
    for op in graph.states():
        shape = (1, graph.channels[op.x], op.frames)
        p = quant.tensors.get(op.x) if quant else None
        specs.append(StateSpec(op.state, shape, "uint8", p.scale, p.zero_point) if p else StateSpec(op.state, shape))
    return tuple(specs)


def write(graph: Graph, spec: ModelSpec, quant: Quantisation | None = None, streaming: bool = True) -> bytes:
    """Serialise the body with its description inside.

    Parameters
    ----------
    graph : Graph
        Folded network.
    spec : ModelSpec
        Stored in the metadata; its states must be those of `state_specs`.
    quant : Quantisation, optional
        8-bit parameters; None writes float32.
    streaming : bool
        False: for whole records, any number of them and of any length that is a multiple of the hop.

    Returns
    -------
    bytes
        An ONNX file that carries the placeholder for its digest (see `device.inference.sealed_file.seal`).
    """
    w = _Writer(graph, quant, streaming)
    for op in graph.ops:
        w.emit(op)
    batch, samples = (1, graph.hop) if streaming else ("batch", "samples")
    x = helper.make_tensor_value_info(INPUT, _F32, [batch, graph.channels[INPUT], samples])
    y = helper.make_tensor_value_info(FEATURES, _F32, [batch, graph.channels[FEATURES], samples])
    proto = helper.make_model(
        helper.make_graph(w.nodes, "ecg_edge_body", [x, *w.inputs], [y, *w.outputs], list(w.constants.values())),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="ecg-edge",
    )
    seal_place = "ecg_edge_sha256=" + "0" * 64
    helper.set_model_props(proto, {METADATA_KEY: spec.to_json(), "seal": seal_place})
    onnx.checker.check_model(proto, full_check=True)
    return bytes(proto.SerializeToString(deterministic=True))
