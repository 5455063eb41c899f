"""Backyard Brains SpikerBox: frames of two bytes a channel from boot on; questions are answered amid them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ecg_edge.firmware_bridge.emulators.emulator import Counts, Emulator
from ecg_edge.firmware_bridge.events import StreamInfo
from ecg_edge.firmware_bridge.virtual_patch.dialect import Answer

_BEGIN, _END = b"\xff\xff\x01\x01\x80\xff", b"\xff\xff\x01\x01\x81\xff"
_FRAME_S = 0.01
"""Signal that is sent at once."""
_BOOTED = b"StartUp!\r\n"
_NAME = b"HWT:HBLEOSB;"


class SpikerBox(Emulator):
    """A box with as many channels as it was described with: ``c:n;`` is taken in silence."""

    unasked = True

    def __init__(self, info: StreamInfo, source: StreamInfo) -> None:
        super().__init__(info, source)
        self.info = replace(info, samples_per_frame=max(1, round(_FRAME_S * info.fs)))
        self.low, self.high = 0, 2 ** info.channels[0].bits - 1

    def greet(self) -> bytes:
        """Return what the box says at boot."""
        self.start()
        return _BOOTED

    def hear(self, data: bytes) -> list[Answer]:
        """Tell its name when asked for it."""
        *questions, self._pending = (self._pending + data).split(b";")
        self._pending = self._pending[-8:]
        return [Answer(_BEGIN + _NAME + _END if q.strip() == b"b:" else b"") for q in questions]

    def frame(self, counts: npt.NDArray[np.int32], index: int, ticks: int, lead_off: int) -> bytes:
        """Return all frames of these samples at once: there are thousands a second."""
        self.counter += len(counts)
        return self.packet(self.convert(counts), self.counter, lead_off)

    def packet(self, counts: Counts, number: int, lead_off: int) -> bytes:
        """Two bytes a channel; the first of a frame has its highest bit set."""
        rows = np.atleast_2d(counts)
        words = np.stack([rows >> 7, rows & 0x7F], axis=2).astype(np.uint8).reshape(len(rows), -1)
        words[:, 0] |= 0x80
        return words.tobytes()
