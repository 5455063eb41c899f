"""What the emulated devices have in common: which signal goes where, and in which counts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from fractions import Fraction
from typing import Protocol, cast

import numpy as np
import numpy.typing as npt

from ecg_edge.firmware_bridge.decoders.catalogue import Device
from ecg_edge.firmware_bridge.events import NO_VALUE, DeviceStatus, StreamInfo
from ecg_edge.firmware_bridge.virtual_patch.dialect import Answer

Counts = npt.NDArray[np.int64]


class _Announcing(Protocol):
    """Decoders of devices that do not describe themselves know beforehand what they will announce."""

    info: StreamInfo


class Emulator(ABC):
    """Base of the voices of real devices; fulfils `dialect.Voice`.

    A subclass gives `packet`, and where the device listens `hear`.

    Parameters
    ----------
    info : StreamInfo
        The device as its decoder announces it.
    source : StreamInfo
        What is measured. A signal goes to the channel of its name; where no name
        fits, signals go to the channels in order. Channels without a signal lie at 0 mV.
    """

    unasked = False
    low, high = -(2**23), 2**23 - 1
    """Range of the converter, in counts."""

    def __init__(self, info: StreamInfo, source: StreamInfo) -> None:
        self.info = info
        self.streaming = False
        self.counter = 0
        self._pending = b""
        self._column = _columns(info, source)
        self._measured = [k for k, column in enumerate(self._column) if column >= 0]
        from_lsb = np.array([source.channels[self._column[k]].lsb_mv for k in self._measured])
        from_zero = np.array([source.channels[self._column[k]].offset for k in self._measured])
        zero = np.array([c.offset for c in info.channels])
        lsb = np.array([info.channels[k].lsb_mv for k in self._measured])
        self._zero, self._scale = zero, from_lsb / lsb
        self._shift = from_zero
        self._held: Counts = np.rint(zero).astype(np.int64)

    @classmethod
    def described(cls, device: Device, leads: Sequence[str] | None, fs: Fraction | None) -> StreamInfo:
        """Return what a decoder of `device` will announce; see `emulators.Emulated.info`."""
        return cast("_Announcing", device.decoder(leads=leads, fs=fs)).info

    def greet(self) -> bytes:
        """Nothing, and nothing is remembered of who was there before."""
        self._pending, self.streaming = b"", self.unasked
        return b""

    def hear(self, data: bytes) -> list[Answer]:
        """Nothing: most of these devices read no commands."""
        return []

    def frame(self, counts: npt.NDArray[np.int32], index: int, ticks: int, lead_off: int) -> bytes:
        """Return the packets of these samples; the device's own counter counts them."""
        rows = self.convert(counts)
        out, each = b"", self.info.samples_per_frame
        # of a packet of several samples a part is never sent
        for at in range(0, len(rows) - each + 1, each):
            packet = rows[at] if each == 1 else rows[at : at + each]
            out += self.packet(packet, self.counter, lead_off)
            self.counter += 1
        return out

    @abstractmethod
    def packet(self, counts: Counts, number: int, lead_off: int) -> bytes:
        """Return one packet.

        Parameters
        ----------
        counts : ndarray of int64, shape (n_channels,)
            Of the device's channels, in its own counts; shape (samples_per_frame, n_channels) where that is above 1.
        number : int
            Packets before this one since the counter was last reset.
        lead_off : int
            Bit mask over `lead_names.ELECTRODES`.
        """

    def convert(self, counts: npt.NDArray[np.int32]) -> Counts:
        """Samples of the source, shape (n, n_signals), in the device's counts; a stale value is the one before it."""
        columns = [self._column[k] for k in self._measured]
        x = counts[:, columns]
        values = (x - self._shift) * self._scale * self.gains()[self._measured] + self._zero[self._measured]
        fresh = np.clip(np.rint(values), self.low, self.high).astype(np.int64)
        last = np.maximum.accumulate(np.where(x != NO_VALUE, np.arange(1, len(x) + 1)[:, None], 0), axis=0)
        out: Counts = np.repeat(self._held[None], len(x), axis=0)
        out[:, self._measured] = np.take_along_axis(
            np.concatenate([self._held[None, self._measured], fresh]), last, axis=0
        )
        self._held = out[-1] if len(out) else self._held
        return out

    def gains(self) -> npt.NDArray[np.float64]:
        """Gain of each channel as a multiple of the one that `info` assumes."""
        return np.ones(len(self.info.channels))

    def start(self) -> None:
        """Begin to count from 0."""
        self.streaming, self.counter = True, 0

    def beacon(self, status: DeviceStatus) -> bytes:
        """Nothing."""
        return b""

    def farewell(self, status: DeviceStatus) -> bytes:
        """Nothing."""
        return b""


def _columns(info: StreamInfo, source: StreamInfo) -> list[int]:
    """Column of the source for each channel of the device, -1 for none."""
    volts = [k for k, c in enumerate(info.channels) if c.lsb_mv == c.lsb_mv]
    named = {lead: k for k, lead in enumerate(source.leads)}
    if any(info.channels[k].lead in named for k in volts):
        return [named.get(c.lead, -1) if k in volts else -1 for k, c in enumerate(info.channels)]
    order = dict(zip(volts, range(len(source.channels)), strict=False))
    return [order.get(k, -1) for k in range(len(info.channels))]
