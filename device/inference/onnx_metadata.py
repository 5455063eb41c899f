"""What an ONNX file says of itself, read without its runtime: metadata and the size of every tensor.

An ONNX file is a Protocol Buffers message; every length in it may be false, so every read is checked
against what is there. Field numbers are those of the published schema (onnx.proto, IR version 9). A graph
of a few hundred bytes may make a runtime ask for any amount of memory. So the size of every tensor is worked
out here first. Only the operators of our own files are accepted.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ecg_edge.device.inference.tflite_metadata import MAX_ELEMENTS, check_elements
from ecg_edge.firmware_bridge.errors import ModelFileError

_GRAPH, _METADATA, _FUNCTIONS = 7, 14, 25
_NODES, _INITIALISERS, _INPUTS, _SPARSE = 1, 5, 11, 15
_MAX_FIELDS = 20_000
_MAX_NAME = 4096
_FLOAT, _INT64 = 1, 7
_SAME_SHAPE = ("Relu", "Tanh", "QuantizeLinear", "DequantizeLinear")
Shape = tuple[int, ...]
_Message = dict[int, list[Any]]


def read_metadata(blob: bytes, path: Path) -> dict[str, str]:
    """Return the metadata of an ONNX file.

    Raises
    ------
    ModelFileError
        The file's structure is broken.
    """
    try:
        entries = [_message(e) for e in _message(memoryview(blob)).get(_METADATA, [])]
        return {_text(e, 1): str(e[2][-1], "utf-8") for e in entries if 2 in e}
    except (ValueError, TypeError) as e:
        raise ModelFileError(f"{path} is not a whole ONNX file: {e}", "copy or export it again") from e


def check_size(blob: bytes, path: Path) -> None:
    """Refuse a graph whose tensors would fill the memory, or that does what no file of ours does.

    Raises
    ------
    ModelFileError
        It says what is in the way.
    """
    try:
        model = _message(memoryview(blob))
        if _FUNCTIONS in model or len(model.get(_GRAPH, [])) != 1:
            raise ValueError("it has not one plain graph")
        total = _Sizes(_message(model[_GRAPH][0])).total()
    except (ValueError, TypeError, KeyError, IndexError, struct.error) as e:
        raise ModelFileError(
            f"{path} holds a graph that is not ours: {e}", "use a file written by `ecg-edge export`"
        ) from e
    check_elements(total, path)


class _Sizes:
    """Works out the shape of every tensor of a graph, in order."""

    def __init__(self, graph: _Message) -> None:
        if _SPARSE in graph:
            raise ValueError("sparse constants")
        self._nodes = [_message(n) for n in graph.get(_NODES, [])]
        self._tensors: dict[str, _Message] = {}
        self._shapes: dict[str, Shape] = {}
        for t in (_message(m) for m in graph.get(_INITIALISERS, [])):
            if 13 in t or any(t.get(14, [])):
                raise ValueError("constants outside the file")
            self._tensors[_text(t, 8)] = t
            self._shapes[_text(t, 8)] = _sizes(_integers(t.get(1, [])))
        for v in (_message(m) for m in graph.get(_INPUTS, [])):
            dims = [_message(d) for d in _message(_message(_message(v[2][-1])[1][-1])[2][-1]).get(1, [])]
            self._shapes[_text(v, 1)] = _sizes(_signed(d[1][-1]) for d in dims)

    def total(self) -> int:
        """Elements of all tensors together; stops counting where there are too many."""
        total = sum(math.prod(s) for s in self._shapes.values())
        for node in self._nodes:
            if total > MAX_ELEMENTS:
                break
            (output,) = node[2]
            self._shapes[_name(output)] = shape = _sizes(self._shape(node))
            total += math.prod(shape)
        return total

    def _shape(self, node: _Message) -> Iterable[int]:
        """Shape of the one output of a node."""
        op, inputs = _text(node, 4), [_name(i) for i in node.get(1, [])]
        attributes = {_text(a, 1): a for a in (_message(m) for m in node.get(5, []))}
        x = self._shapes[inputs[0]]
        if _text(node, 7) or op not in (*_SAME_SHAPE, "Add", "Conv", "Concat", "Slice", "Resize"):
            raise ValueError(f"operator {_text(node, 7)} {op}")
        if op == "Add":
            return np.broadcast_shapes(x, self._shapes[inputs[1]])
        if op == "Conv":
            out, _, taps = self._shapes[inputs[1]]
            stride, dilation = (_integers(attributes[a].get(8, []))[0] for a in ("strides", "dilations"))
            return x[0], out, (x[2] - dilation * (taps - 1) - 1) // stride + 1
        if op == "Concat":
            axis = _signed(attributes["axis"][3][-1])
            return *x[:axis], sum(self._shapes[i][axis] for i in inputs), *x[axis + 1 :]
        if op == "Slice":
            ((start,), (stop,), (axis,)) = (self._numbers(i) for i in inputs[1:])
            return *x[:axis], len(range(*slice(start, stop).indices(x[axis]))), *x[axis + 1 :]
        if op == "Resize":
            return (int(n * f) for n, f in zip(x, self._numbers(inputs[2]), strict=True))
        return x

    def _numbers(self, name: str) -> list[Any]:
        """A short constant."""
        t = self._tensors[name]
        code, packed = {_INT64: ("q", 7), _FLOAT: ("f", 4)}[t[2][-1]]
        n = math.prod(self._shapes[name])
        if n > 8 or packed in t:
            raise ValueError(f"constant {name} in another form")
        return list(struct.unpack(f"<{n}{code}", t[9][-1]))


def _sizes(numbers: Iterable[int]) -> Shape:
    shape = tuple(numbers)
    if len(shape) > 8 or not all(0 <= n <= MAX_ELEMENTS for n in shape):
        raise ValueError(f"a tensor of shape {shape[:8]}")
    return shape


def _message(blob: memoryview) -> _Message:
    """Fields of a message: numbers as unsigned integers, everything else as bytes."""
    found: _Message = {}
    at, n = 0, 0
    while at < len(blob):
        key, at = _varint(blob, at)
        value: int | memoryview
        if key & 7 == 0:
            value, at = _varint(blob, at)
        else:
            if key & 7 == 2:
                size, at = _varint(blob, at)
            else:
                size = {1: 8, 5: 4}.get(key & 7, len(blob) + 1)
            if size > len(blob) - at:
                raise ValueError("a field ends outside the file")
            value, at = blob[at : at + size], at + size
        found.setdefault(key >> 3, []).append(value)
        n += 1
        if n > _MAX_FIELDS:
            raise ValueError("too many fields")
    return found


def _varint(blob: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for k in range(10):
        if at + k >= len(blob):
            break
        value |= (blob[at + k] & 0x7F) << 7 * k
        if blob[at + k] < 0x80:
            return value, at + k + 1
    raise ValueError("a number without an end")


def _signed(value: int) -> int:
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >> 63 else value


def _integers(values: list[Any]) -> list[int]:
    """A repeated integer; in one piece (packed) or one by one."""
    out: list[int] = []
    for v in values:
        if isinstance(v, int):
            out.append(_signed(v))
            continue
        at = 0
        while at < len(v) and len(out) <= _MAX_NAME:
            number, at = _varint(v, at)
            out.append(_signed(number))
    return out


def _text(message: _Message, field: int) -> str:
    return _name(message[field][-1]) if field in message else ""


def _name(value: memoryview) -> str:
    if len(value) > _MAX_NAME:
        raise ValueError("a name without an end")
    return str(value, "utf-8")
