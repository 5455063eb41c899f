"""Whether the operators of a TFLite file are those of ours, and make tensors of the sizes that it states.

A runtime trusts the operators of a file, not the sizes that it states. So a chain of a few hundred bytes may want any
amount of memory. The size of each result is worked out here first.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

from ecg_edge.device.inference.tflite_metadata import FlatTable
from ecg_edge.firmware_bridge.errors import ModelFileError

_CODES, _SUBGRAPHS, _BUFFERS = 1, 2, 4
_OLD_CODE, _CUSTOM, _CODE = 0, 1, 3
_TENSORS, _OPERATORS = 0, 3
_SHAPE, _TENSOR_BUFFER, _DATA = 0, 2, 0
_OPCODE, _INPUTS, _OUTPUTS, _OPTIONS = 0, 1, 2, 4
Shape = tuple[int, ...]


def check_graph(blob: bytes, path: Path) -> None:
    """Refuse what no file of ours does.

    Raises
    ------
    ModelFileError
        It names the operator.
    """
    try:
        model = FlatTable.root(blob)
        codes = [_code(c) for c in model.tables(_CODES)]
        buffers = model.tables(_BUFFERS)
        for graph in model.tables(_SUBGRAPHS):
            tensors = graph.tables(_TENSORS)
            for op in graph.tables(_OPERATORS):
                _Operator(op, tensors, buffers).check(codes[op.number(_OPCODE)])
    except (struct.error, ValueError, IndexError) as e:
        raise ModelFileError(
            f"{path} holds a graph that is not ours: {e}", "use a file written by `ecg-edge export`"
        ) from e


def _code(code: FlatTable) -> int:
    return -1 if code.raw(_CUSTOM) else max(code.byte(_OLD_CODE), code.number(_CODE))


class _Operator:
    def __init__(self, op: FlatTable, tensors: list[FlatTable], buffers: list[FlatTable]) -> None:
        self._options = op.table(_OPTIONS)
        self._buffers = buffers
        self._inputs, (self._output,) = ([_at(tensors, k) for k in op.numbers(which)] for which in (_INPUTS, _OUTPUTS))
        self._shapes: list[Shape] = [t.numbers(_SHAPE) for t in self._inputs]

    def check(self, code: int) -> None:
        """The result has the size that the file states for it."""
        if code not in _RULES:
            raise ValueError(f"operator {code}")
        stated, made = self._output.numbers(_SHAPE), _RULES[code](self)
        if stated != made:
            raise ValueError(f"operator {code} makes a tensor of shape {made}, stated is {stated}")

    def constant(self, k: int) -> tuple[int, ...]:
        """Integers of an input that is a constant."""
        data = self._buffers[self._inputs[k].number(_TENSOR_BUFFER)].raw(_DATA)
        if not data or len(data) > 64:
            raise ValueError("a size that only a run would tell")
        return struct.unpack(f"<{len(data) // 4}i", data)

    def same(self) -> Shape:
        if any(s != self._shapes[0] for s in self._shapes):
            raise ValueError("tensors of different shapes")
        return self._shapes[0]

    def conv(self) -> Shape:
        """Height 1, no padding: time runs along the width."""
        n, height, width, _ = self._shapes[0]
        out, taps_h, taps, _ = self._shapes[1]
        o = self._options
        if o is None or (o.byte(0), height, taps_h) != (1, 1, 1):
            raise ValueError("a convolution in another form")
        stride, dilation = o.number(1), o.number(4, 1)
        return n, 1, (width - dilation * (taps - 1) - 1) // max(1, stride) + 1, out

    def concat(self) -> Shape:
        first = list(self._shapes[0])
        axis = self._options.number(0) if self._options else 0
        rest = [s[:axis] + s[axis + 1 :] for s in self._shapes]
        if any(r != rest[0] for r in rest):
            raise ValueError("tensors of different shapes")
        first[axis] = sum(s[axis] for s in self._shapes)
        return tuple(first)

    def resize(self) -> Shape:
        n, _, _, channels = self._shapes[0]
        return (n, *self.constant(1), channels)

    def slice(self) -> Shape:
        self.constant(1)
        return self.constant(2)

    def pad(self) -> Shape:
        pads = self.constant(1)
        return tuple(n + a + b for n, a, b in zip(self._shapes[0], pads[::2], pads[1::2], strict=True))


def _at(tensors: list[FlatTable], k: int) -> FlatTable:
    if k < 0:
        raise ValueError(f"tensor {k}")
    return tensors[k]


_RULES: dict[int, Callable[[_Operator], Shape]] = {
    0: _Operator.same,  # ADD
    2: _Operator.concat,
    3: _Operator.conv,
    6: _Operator.same,  # DEQUANTIZE
    34: _Operator.pad,
    65: _Operator.slice,
    97: _Operator.resize,  # nearest neighbour
    114: _Operator.same,  # QUANTIZE
}
"""By number in the schema's `BuiltinOperator`."""
