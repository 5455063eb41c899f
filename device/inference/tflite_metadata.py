"""What a TFLite file says of itself, read without its runtime: metadata and the size of its tensors.

A TFLite file is a FlatBuffer; every offset in it may be false, so every read is checked
against the file's length. Field numbers are those of the published schema (schema.fbs, version 3).
"""

from __future__ import annotations

import math
import struct
from pathlib import Path

from ecg_edge.firmware_bridge.errors import ModelFileError

_IDENTIFIER = b"TFL3"
_SUBGRAPHS, _BUFFERS, _METADATA = 2, 4, 6
_TENSORS, _SHAPE, _NAME, _BUFFER, _DATA = 0, 0, 0, 1, 0
_MAX_ENTRIES = 10_000
MAX_ELEMENTS = 16_000_000


def is_tflite(blob: bytes) -> bool:
    """Whether the file says it is TFLite."""
    return blob[4:8] == _IDENTIFIER


def read_metadata(blob: bytes, path: Path) -> dict[str, str]:
    """Return the metadata of a TFLite file.

    Raises
    ------
    ModelFileError
        The file's structure is broken, or its tensors would fill the memory.
    """
    try:
        model = FlatTable.root(blob)
        _check_tensors(model, path)
        buffers = model.tables(_BUFFERS)
        found = {}
        for entry in model.tables(_METADATA):
            at = entry.number(_BUFFER)
            if not 0 <= at < len(buffers):
                raise ValueError("metadata names a buffer that is not there")
            found[entry.text(_NAME)] = buffers[at].raw(_DATA).decode()
    except (struct.error, ValueError, UnicodeDecodeError) as e:
        raise ModelFileError(f"{path} is not a whole TFLite file: {e}", "copy or export it again") from e
    return found


def _check_tensors(model: FlatTable, path: Path) -> None:
    total = 0
    for graph in model.tables(_SUBGRAPHS):
        for tensor in graph.tables(_TENSORS):
            shape = tensor.numbers(_SHAPE)
            if any(n < 0 for n in shape):
                raise ValueError("a tensor has a negative size")
            total += math.prod(shape)
    check_elements(total, path)


def check_elements(total: int, path: Path) -> None:
    """Refuse a graph whose tensors have more elements than those of a model of ours could.

    Raises
    ------
    ModelFileError
        There are too many.
    """
    if total > MAX_ELEMENTS:
        raise ModelFileError(f"{path} asks for {total} numbers of memory; no ecg-edge model does", "give a model file")


def _offset(blob: bytes, at: int) -> int:
    """Absolute position that the unsigned offset at `at` points to."""
    if at < 0:
        raise ValueError("an offset points before the file")
    return at + int(struct.unpack_from("<I", blob, at)[0])


class FlatTable:
    """One table of a FlatBuffer."""

    def __init__(self, blob: bytes, at: int) -> None:
        self._blob, self._at = blob, at
        self._fields = at - struct.unpack_from("<i", blob, at)[0]
        if self._fields < 0:
            raise ValueError("a table lies outside the file")
        self._size = struct.unpack_from("<H", blob, self._fields)[0]

    @classmethod
    def root(cls, blob: bytes) -> FlatTable:
        """The table that the file begins with."""
        return cls(blob, _offset(blob, 0))

    def _field(self, number: int) -> int:
        """Position of a field, 0 where it is absent."""
        entry = 4 + 2 * number
        if entry + 2 > self._size:
            return 0
        step = int(struct.unpack_from("<H", self._blob, self._fields + entry)[0])
        return self._at + step if step else 0

    def number(self, field: int, default: int = 0) -> int:
        """An unsigned integer."""
        at = self._field(field)
        return int(struct.unpack_from("<I", self._blob, at)[0]) if at else default

    def byte(self, field: int) -> int:
        """An unsigned byte, 0 by default."""
        at = self._field(field)
        return int(struct.unpack_from("<B", self._blob, at)[0]) if at else 0

    def table(self, field: int) -> FlatTable | None:
        """A table, where it is there."""
        at = self._field(field)
        return FlatTable(self._blob, _offset(self._blob, at)) if at else None

    def _vector(self, field: int, width: int) -> tuple[int, int]:
        """(position, length) of a vector."""
        at = self._field(field)
        if not at:
            return 0, 0
        at = _offset(self._blob, at)
        n = int(struct.unpack_from("<I", self._blob, at)[0])
        if at + 4 + n * width > len(self._blob):
            raise ValueError("a vector ends outside the file")
        return at + 4, n

    def raw(self, field: int) -> bytes:
        """A vector of bytes."""
        at, n = self._vector(field, 1)
        return self._blob[at : at + n]

    def text(self, field: int) -> str:
        """A string."""
        return self.raw(field).decode()

    def numbers(self, field: int) -> tuple[int, ...]:
        """A vector of 32-bit integers."""
        at, n = self._vector(field, 4)
        if n > _MAX_ENTRIES:
            raise ValueError("a vector is too long")
        return struct.unpack_from(f"<{n}i", self._blob, at)

    def tables(self, field: int) -> list[FlatTable]:
        """A vector of tables."""
        at, n = self._vector(field, 4)
        if n > _MAX_ENTRIES:
            raise ValueError("a vector is too long")
        return [FlatTable(self._blob, _offset(self._blob, at + 4 * k)) for k in range(n)]
