"""TFLite from the graph: streaming or offline; float32, float16 weights, dynamic-range or full-integer int8.

Time runs along the width of (batch, 1, frame, channel) tensors, so that every convolution is the one
kernel all runtimes have fast. Integers are those of the ONNX file, 128 lower.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from ai_edge_litert import schema_py_generated as fb

from ecg_edge.device.inference.spec import METADATA_KEY, ModelSpec, StateSpec
from ecg_edge.export.eight_bits.quantise import Affine, Quantisation, quantise_weight
from ecg_edge.export.graph import FEATURES, INPUT, Add, Concat, Conv, Delay, Graph, Op, Remember, Upsample
from ecg_edge.export.tflite_file import FLOAT, HALF, INT8, INT32, TFLiteFile

_TIME = 2
_RELU = fb.ActivationFunctionType.RELU
_NONE = fb.ActivationFunctionType.NONE


@dataclass
class _Writer:
    graph: Graph
    quant: Quantisation | None
    weights: str
    n_samples: int
    streaming: bool
    file: TFLiteFile = field(default_factory=lambda: TFLiteFile("ecg_edge_body"))
    at: dict[str, int] = field(default_factory=dict)
    floats: dict[str, int] = field(default_factory=dict)

    def affine(self, name: str) -> Affine | None:
        return self.quant.tensors.get(name) if self.quant else None

    def shape(self, name: str, frames: int | None = None) -> list[int]:
        n = self.n_samples // self.graph.rate[name] if frames is None else frames
        return [1, 1, n, self.graph.channels[name]]

    def define(self, name: str, like: str, frames: int | None = None) -> int:
        """Add the tensor `name`, held as the graph's tensor `like` is."""
        p = self.affine(like)
        self.at[name] = self.file.tensor(name, INT8 if p else FLOAT, self.shape(like, frames), p)
        return self.at[name]

    def floating(self, name: str) -> int:
        """The tensor as float, dequantised once."""
        if self.affine(name) is None:
            return self.at[name]
        if name not in self.floats:
            y = self.file.tensor(f"{name}_float", FLOAT, self.shape(name, self.frames_of(name)))
            self.floats[name] = self.file.operator("DEQUANTIZE", 2, [self.at[name]], y, fb.DequantizeOptionsT())
        return self.floats[name]

    def frames_of(self, name: str) -> int:
        """Frames of a tensor, those it remembers included."""
        n = self.n_samples // self.graph.rate[name]
        return n + sum(op.frames for op in self.graph.ops if isinstance(op, Remember) and op.y == name)

    def store(self, value: int, name: str) -> None:
        """Name a float result, quantising it where the tensor is held in 8 bits."""
        if self.affine(name) is None:
            self.at[name] = value
        else:
            self.file.operator("QUANTIZE", 1, [value], self.define(name, name), fb.QuantizeOptionsT())

    def emit(self, op: Op) -> None:
        """Write the operators of one operation."""
        if isinstance(op, Conv):
            self.conv(op)
        elif isinstance(op, Add):
            options = fb.AddOptionsT(fusedActivationFunction=_RELU)
            version = 2 if self.affine(op.y) else 1
            self.file.operator("ADD", version, [self.at[op.a], self.at[op.b]], self.define(op.y, op.y), options)
        elif isinstance(op, Concat):
            self.concat([self.at[x] for x in op.xs], self.define(op.y, op.y), axis=3, like=op.y)
        elif isinstance(op, Upsample):
            y = self.define(op.y, op.y)
            size = self.file.constant(f"{op.y}_size", INT32, np.array([1, self.shape(op.y)[_TIME]]))
            version = 2 if self.affine(op.y) else 1
            options = fb.ResizeNearestNeighborOptionsT()
            self.file.operator("RESIZE_NEAREST_NEIGHBOR", version, [self.at[op.x], size], y, options)
        elif self.streaming:
            self.memory(op)
        else:
            self.padding(op)

    def concat(self, xs: list[int], y: int, axis: int, like: str) -> int:
        options = fb.ConcatenationOptionsT(axis=axis, fusedActivationFunction=_NONE)
        return self.file.operator("CONCATENATION", 2 if self.affine(like) else 1, xs, y, options)

    def conv(self, op: Conv) -> None:
        p = self.affine(op.x)
        options = fb.Conv2DOptionsT(
            padding=fb.Padding.VALID, strideW=op.stride, strideH=1, dilationWFactor=op.dilation, dilationHFactor=1,
            fusedActivationFunction=_RELU if op.relu else _NONE,
        )  # fmt: skip
        weight = op.weight.transpose(0, 2, 1)[:, None]  # (out, 1, tap, in)
        if p is not None and self.affine(op.y) is not None and self.quant and op.y not in self.quant.float_convs:
            q, scale = quantise_weight(op.weight)
            w = self.file.constant(f"{op.y}_w", INT8, q.transpose(0, 2, 1)[:, None], scale)
            bias_scale = (scale * np.float32(p.scale)).astype(np.float32)
            b = self.file.constant(f"{op.y}_b", INT32, np.round(op.bias.astype(np.float64) / bias_scale), bias_scale)
            self.file.operator("CONV_2D", 3, [self.at[op.x], w, b], self.define(op.y, op.y), options)
            return
        version, w = self.float_weight(op, weight)
        b = self.file.constant(f"{op.y}_b", FLOAT, op.bias)
        y = op.y if self.affine(op.y) is None else f"{op.y}_float"
        value = self.file.tensor(y, FLOAT, self.shape(op.y))
        self.store(self.file.operator("CONV_2D", version, [self.floating(op.x), w, b], value, options), op.y)

    def float_weight(self, op: Conv, weight: np.ndarray) -> tuple[int, int]:
        """(operator version, weight tensor) of a convolution on float activations."""
        name = f"{op.y}_w"
        if self.weights == "dynamic" and op.x != INPUT and op.y != FEATURES:
            q, scale = quantise_weight(op.weight)
            return 5, self.file.constant(name, INT8, q.transpose(0, 2, 1)[:, None], scale)
        if self.weights == "fp16":
            half = self.file.constant(f"{name}_half", HALF, weight)
            y = self.file.tensor(name, FLOAT, list(weight.shape))
            return 1, self.file.operator("DEQUANTIZE", 3, [half], y, fb.DequantizeOptionsT())
        return 1, self.file.constant(name, FLOAT, weight)

    def memory(self, op: Remember | Delay) -> None:
        """Join state and new frames; what is kept goes out as the next state."""
        frames = self.n_samples // self.graph.rate[op.x]
        state = self.define(op.state, op.x, op.frames)
        self.file.inputs.append(state)
        joined = self.define(op.y if isinstance(op, Remember) else f"{op.y}_joined", op.x, frames + op.frames)
        self.concat([state, self.at[op.x]], joined, axis=_TIME, like=op.x)
        if isinstance(op, Delay):
            self.slice(joined, self.define(op.y, op.y), 0, op.x, frames)
        out = self.define(f"{op.state}_out", op.x, op.frames)
        self.file.outputs.append(self.slice(joined, out, frames, op.x, op.frames))

    def padding(self, op: Remember | Delay) -> None:
        """Zeros before the record, where a streaming file has its state."""
        frames = self.n_samples // self.graph.rate[op.x]
        pads = np.zeros((4, 2), np.int32)
        pads[_TIME, 0] = op.frames
        rows = self.file.constant(f"before_{op.frames}", INT32, pads)
        joined = self.define(op.y if isinstance(op, Remember) else f"{op.y}_joined", op.x, frames + op.frames)
        self.file.operator("PAD", 2 if self.affine(op.x) else 1, [self.at[op.x], rows], joined, fb.PadOptionsT())
        if isinstance(op, Delay):
            self.slice(joined, self.define(op.y, op.y), 0, op.x, frames)

    def slice(self, x: int, y: int, start: int, like: str, frames: int) -> int:
        begin = self.file.constant(f"from_{start}", INT32, np.array([0, 0, start, 0]))
        size = self.file.constant(f"size_{like}_{frames}", INT32, np.array(self.shape(like, frames)))
        return self.file.operator("SLICE", 2 if self.affine(like) else 1, [x, begin, size], y, fb.SliceOptionsT())


def state_specs(graph: Graph, quant: Quantisation | None) -> tuple[StateSpec, ...]:
    """The state pairs of a streaming file, in graph order."""
    specs = []
    for op in graph.states():
        shape = (1, 1, op.frames, graph.channels[op.x])
        p = quant.tensors.get(op.x) if quant else None
        specs.append(
            StateSpec(op.state, shape, "int8", p.scale, p.zero_point - 128) if p else StateSpec(op.state, shape)
        )
    return tuple(specs)


def write(
    graph: Graph,
    spec: ModelSpec,
    quant: Quantisation | None = None,
    weights: str = "fp32",
    n_samples: int | None = None,
) -> bytes:
    """Serialise the body with its description inside.

    Parameters
    ----------
    graph : Graph
        Folded network.
    spec : ModelSpec
        Stored in the metadata; its states must be those of `state_specs`.
    quant : Quantisation, optional
        Parameters of a full-integer file; None keeps activations in float.
    weights : {"fp32", "fp16", "dynamic"}
        How a file with float activations holds its weights. "dynamic": int8, where the runtime rounds
        each activation by its own range. The first and last convolution stay in float.
    n_samples : int, optional
        Make an offline file for records of this many samples, a multiple of the hop; None: streaming.

    Returns
    -------
    bytes
        A file that carries the placeholder for its digest (see `device.inference.sealed_file.seal`).
    """
    w = _Writer(graph, quant, weights, n_samples or graph.hop, n_samples is None)
    w.file.inputs.append(w.define(INPUT, INPUT))
    for op in graph.ops:
        w.emit(op)
    w.file.outputs.insert(0, w.at[FEATURES])
    w.file.note(METADATA_KEY, spec.to_json())
    w.file.note("ecg_edge_seal", "ecg_edge_sha256=" + "0" * 64)
    return w.file.serialise()
