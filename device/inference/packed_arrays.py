"""Arrays inside a model's description: shape and base64 of little-endian float32."""

from __future__ import annotations

import base64
import binascii
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from ecg_edge.firmware_bridge.errors import ModelFileError

_MAX_ARRAY = 4_000_000


def pack_array(x: npt.NDArray[np.floating]) -> dict[str, Any]:
    """Array → shape and base64 of little-endian float32."""
    return {"shape": list(x.shape), "f4": base64.b64encode(np.ascontiguousarray(x, "<f4").tobytes()).decode("ascii")}


def unpack_array(d: dict[str, Any]) -> npt.NDArray[np.float32]:
    """Inverse of `pack_array`.

    Raises
    ------
    ModelFileError
        Not base64, another length than the shape says, too large, or not finite.
    """
    shape = tuple(int(n) for n in d["shape"])
    try:
        raw = base64.b64decode(d["f4"], validate=True)
    except (binascii.Error, ValueError) as e:
        raise ModelFileError(f"an array in the model's description is damaged: {e}", "export the model again") from e
    if min(shape, default=1) < 0 or math.prod(shape) > _MAX_ARRAY or len(raw) != 4 * math.prod(shape):
        raise ModelFileError("an array in the model's description has the wrong length", "export the model again")
    x = np.frombuffer(raw, "<f4").reshape(shape).astype(np.float32)
    if not np.isfinite(x).all():
        raise ModelFileError("an array in the model's description holds NaN", "export the model again")
    return x


def pack_symmetric(x: npt.NDArray[np.floating]) -> dict[str, Any]:
    """Upper triangle of a symmetric matrix, row by row, as `pack_array`."""
    return pack_array(x[np.triu_indices(len(x))])


def unpack_symmetric(d: dict[str, Any]) -> npt.NDArray[np.float32]:
    """Inverse of `pack_symmetric`; takes a whole matrix as well, as earlier files have it.

    Raises
    ------
    ModelFileError
        See `unpack_array`; or the length is not that of a triangle.
    """
    x = unpack_array(d)
    if x.ndim == 2:
        return x
    n = (math.isqrt(8 * x.size + 1) - 1) // 2
    if n * (n + 1) // 2 != x.size:
        raise ModelFileError("a matrix in the model's description has the wrong length", "export the model again")
    full = np.zeros((n, n), np.float32)
    full[np.triu_indices(n)] = x
    return np.asarray(full + np.triu(full, 1).T, np.float32)
