"""Numbers in a frame: big- and little-endian fields of whole columns."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ecg_edge.firmware_bridge.framing.sequencer import Frames


def big_endian_16(frames: Frames, start: int, n: int) -> npt.NDArray[np.int32]:
    """``n`` unsigned 16-bit numbers from byte `start` of each frame."""
    return np.ascontiguousarray(frames[:, start : start + 2 * n]).view(">u2").astype(np.int32)


def big_endian_24(frames: Frames, start: int, n: int) -> npt.NDArray[np.int32]:
    """``n`` two's-complement 24-bit numbers from byte `start` of each frame."""
    parts = frames[:, start : start + 3 * n].reshape(len(frames), n, 3).astype(np.int32)
    return (((parts[..., 0] << 24) | (parts[..., 1] << 16) | (parts[..., 2] << 8)) >> 8).astype(np.int32)


def little_endian(frames: Frames, start: int, n: int, dtype: str) -> npt.NDArray[np.int64]:
    """``n`` numbers of the little-endian `dtype` (``"<i4"``) from byte `start` of each frame, as int64."""
    size = np.dtype(dtype).itemsize
    return np.ascontiguousarray(frames[:, start : start + size * n]).view(dtype).astype(np.int64)
