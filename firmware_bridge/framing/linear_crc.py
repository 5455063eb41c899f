"""Checksums of many frames at once: a CRC is linear, so a frame's is the sum of those of its bytes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from ecg_edge.firmware_bridge.framing.frame_formats import Bytes2D


class LinearCrc:
    """CRC of messages of one length.

    Parameters
    ----------
    size : int
        Length of the messages in bytes.
    step : callable
        ``(crc, byte) -> crc`` of the CRC, of up to 16 bits.
    start : int
        Its initial value.
    """

    def __init__(self, size: int, step: Callable[[int, int], int], start: int = 0) -> None:
        self._table = np.zeros((size, 256), np.uint16)
        self._places = np.arange(size)
        for value in range(256):
            crc = step(0, value)
            for place in range(size - 1, -1, -1):
                self._table[place, value] = crc
                crc = step(crc, 0)
        for _ in range(size):
            start = step(start, 0)
        self._start = np.uint16(start)

    def __call__(self, messages: Bytes2D) -> npt.NDArray[np.uint16]:
        """``(n, size)`` bytes -> n checksums."""
        parts = self._table[self._places, messages]
        crc: npt.NDArray[np.uint16] = np.bitwise_xor.reduce(parts, axis=1) ^ self._start
        return crc
