"""Protocol of a virtual device: what it sends unasked, what it answers, and how samples become bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ecg_edge.firmware_bridge.events import DeviceStatus, StreamInfo


@dataclass(frozen=True)
class Answer:
    """What a device does about a command.

    Attributes
    ----------
    wire : bytes
        What it says; maybe nothing.
    streaming : bool or None
        Whether samples flow from now on; None: as before.
    """

    wire: bytes = b""
    streaming: bool | None = None


class Voice(Protocol):
    """A wire protocol from the device's side; `patch.VirtualPatch` gives it samples, time and a link.

    Attributes
    ----------
    info : StreamInfo
        What is sent, as a decoder of the device announces it; `samples_per_frame` is obeyed.
    unasked : bool
        Samples flow as soon as somebody opens the port.
    """

    info: StreamInfo
    unasked: bool

    def greet(self) -> bytes:
        """Meet a new reader: forget what the last one left half said, return what is said first."""
        ...

    def hear(self, data: bytes) -> list[Answer]:
        """Take bytes from the host, in any cut, and return the results in order."""
        ...

    def frame(self, counts: npt.NDArray[np.int32], index: int, ticks: int, lead_off: int) -> bytes:
        """Return one frame of samples.

        Parameters
        ----------
        counts : ndarray of int32, shape (n_samples, n_source_channels)
            As the source gives them; `frames.NO_VALUE` marks a stale one.
        index, ticks : int
            Of the first sample; instants while stopped are counted.
        lead_off : int
            Bit mask over `lead_names.ELECTRODES`.
        """
        ...

    def beacon(self, status: DeviceStatus) -> bytes:
        """Return what is said every second; maybe nothing."""
        ...

    def farewell(self, status: DeviceStatus) -> bytes:
        """Return what is said after the last sample; maybe nothing."""
        ...
