"""Tensors, operators and metadata put together into the bytes of a TFLite file."""

from __future__ import annotations

from typing import Any

import flatbuffers
import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as fb

from ecg_edge.export.eight_bits.quantise import Affine
from ecg_edge.firmware_bridge.array_types import AnyFloatArray

FLOAT, HALF, INT32, INT8 = (
    fb.TensorType.FLOAT32,
    fb.TensorType.FLOAT16,
    fb.TensorType.INT32,
    fb.TensorType.INT8,
)
_IDENTIFIER = b"TFL3"
_SCHEMA = 3
_ALIGNMENT = 16
_NUMPY = {FLOAT: "<f4", HALF: "<f2", INT32: "<i4", INT8: "i1"}
_LAST_PLAIN_CODE = 127


class _Buffer(fb.BufferT):  # type: ignore[misc]  # the generated classes carry no types
    """Constant data at the alignment the format asks for; the generated packer does not keep it."""

    def Pack(self, builder: Any) -> int:
        data = None
        if self.data is not None:
            blob = bytes(self.data)
            builder.StartVector(1, len(blob), _ALIGNMENT)
            builder.head -= len(blob)
            builder.Bytes[builder.head : builder.head + len(blob)] = blob
            data = builder.EndVector()
        fb.BufferStart(builder)
        if data is not None:
            fb.BufferAddData(builder, data)
        return int(fb.BufferEnd(builder))


class TFLiteFile:
    """Collects one subgraph.

    Attributes
    ----------
    inputs, outputs : list of int
        Tensors that enter and leave, in order.
    """

    def __init__(self, name: str) -> None:
        self._model = fb.ModelT(version=_SCHEMA, description=name, operatorCodes=[], metadata=[])
        self._model.buffers = [_Buffer()]
        self._graph = fb.SubGraphT(name=name, tensors=[], operators=[])
        self._model.subgraphs = [self._graph]
        self._codes: dict[tuple[int, int], int] = {}
        self._names: dict[str, int] = {}
        self.inputs: list[int] = []
        self.outputs: list[int] = []

    def tensor(self, name: str, kind: int, shape: list[int], affine: Affine | None = None) -> int:
        """Add a tensor; an 8-bit one with the parameters of its uint8 twin (zero point 128 lower)."""
        quantisation = fb.QuantizationParametersT()
        if affine is not None:
            quantisation.scale, quantisation.zeroPoint = [affine.scale], [affine.zero_point - 128]
        return self._add(name, kind, shape, quantisation, 0)

    def constant(self, name: str, kind: int, value: npt.NDArray[Any], scales: AnyFloatArray | None = None) -> int:
        """Add a constant (once per name); `scales` are per channel, along its first axis."""
        if name in self._names:
            return self._names[name]
        self._model.buffers.append(_Buffer(data=np.ascontiguousarray(value, _NUMPY[kind]).tobytes()))
        quantisation = fb.QuantizationParametersT()
        if scales is not None:
            quantisation.scale, quantisation.zeroPoint = [float(s) for s in scales], [0] * len(scales)
        return self._add(name, kind, list(value.shape), quantisation, len(self._model.buffers) - 1)

    def _add(self, name: str, kind: int, shape: list[int], quantisation: Any, buffer: int) -> int:
        tensor = fb.TensorT(shape=shape, type=kind, buffer=buffer, name=name, quantization=quantisation)
        tensor.hasRank = True
        self._graph.tensors.append(tensor)
        self._names[name] = len(self._graph.tensors) - 1
        return self._names[name]

    def operator(self, code: str, version: int, inputs: list[int], output: int, options: Any = None) -> int:
        """Add an operator by its name in the schema's `BuiltinOperator`; return its output."""
        number = int(getattr(fb.BuiltinOperator, code))
        op = fb.OperatorT(opcodeIndex=self._code(number, version), inputs=inputs, outputs=[output])
        if options is not None:
            kind = type(options).__name__.removesuffix("T")
            op.builtinOptionsType = getattr(fb.BuiltinOptions, kind)
            op.builtinOptions = options
        self._graph.operators.append(op)
        return output

    def _code(self, number: int, version: int) -> int:
        key = (number, version)
        if key not in self._codes:
            self._codes[key] = len(self._codes)
            self._model.operatorCodes.append(
                fb.OperatorCodeT(
                    deprecatedBuiltinCode=min(number, _LAST_PLAIN_CODE), version=version, builtinCode=number
                )
            )
        return self._codes[key]

    def note(self, key: str, text: str) -> None:
        """Add an entry of metadata."""
        self._model.buffers.append(_Buffer(data=text.encode()))
        self._model.metadata.append(fb.MetadataT(name=key, buffer=len(self._model.buffers) - 1))

    def serialise(self) -> bytes:
        """Return the file; its one signature names inputs and outputs as the tensors are named."""
        self._graph.inputs, self._graph.outputs = self.inputs, self.outputs
        signature = fb.SignatureDefT(signatureKey="serving_default", subgraphIndex=0)
        signature.inputs = [fb.TensorMapT(self._graph.tensors[k].name, k) for k in self.inputs]
        signature.outputs = [fb.TensorMapT(self._graph.tensors[k].name, k) for k in self.outputs]
        self._model.signatureDefs = [signature]
        builder = flatbuffers.Builder(1 << 16)
        builder.Finish(self._model.Pack(builder), file_identifier=_IDENTIFIER)
        return bytes(builder.Output())
