"""Where a virtual patch takes its samples from."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ecg_edge.firmware_bridge.errors import UsageError
from ecg_edge.firmware_bridge.events import NO_VALUE, Channel, StreamInfo
from ecg_edge.firmware_bridge.lead_names import electrode_bits, electrodes_of

DEFAULT_LSB_MV = 0.0005
"""0.5 µV: finer than any electrode's noise, and 24 bits then reach ±4.2 V."""

_MAX_COUNT = 2**23 - 1


class SampleSource(Protocol):
    """An analogue front end: it has channels and gives counts."""

    info: StreamInfo

    def read(self, n: int) -> tuple[npt.NDArray[np.int32], int]:
        """Take the next samples.

        Parameters
        ----------
        n : int
            How many.

        Returns
        -------
        counts : ndarray of int32, shape (n_samples, n_channels)
            Fewer than `n` rows, or none, at the end. `NO_VALUE` marks a stale sample.
        lead_off : int
            Bit mask over `lead_names.ELECTRODES`.
        """
        ...


class Heart(Protocol):
    """What a synthetic heart offers: endless samples in mV, the same for every cut."""

    def read(self, n: int) -> npt.NDArray[np.float64]:
        """Return the next `n` samples in mV, shape (n, n_leads)."""
        ...


def to_counts(mv: npt.NDArray[np.floating], lsb_mv: float) -> npt.NDArray[np.int32]:
    """Convert millivolts to 24-bit counts: rounded, held at the rails, `NO_VALUE` where not a number."""
    if not lsb_mv > 0:
        raise UsageError(f"an LSB of {lsb_mv} mV", "give a positive one, for example 0.5 µV")
    scaled = np.clip(np.rint(np.nan_to_num(mv / lsb_mv, nan=0.0)), -_MAX_COUNT, _MAX_COUNT)
    return np.where(np.isnan(mv), NO_VALUE, scaled).astype(np.int32)


def plain_info(device: str, fs: Fraction, labels: tuple[str, ...], lsb_mv: float) -> StreamInfo:
    """Describe a device whose channels are all alike: 24 bits, offset 0, ticks at 32768 Hz."""
    channels = tuple(Channel(label, lsb_mv) for label in labels)
    sensed = electrode_bits(e for label in labels for e in electrodes_of(label))
    return StreamInfo(device, fs, channels, tick_hz=Fraction(32768), sensed=sensed)


class ArraySource:
    """Samples that are all there already.

    Parameters
    ----------
    info : StreamInfo
        What they are.
    counts : ndarray of int32, shape (n_samples, n_channels)
    loop : bool
        Begin again at the end.
    """

    def __init__(self, info: StreamInfo, counts: npt.NDArray[np.int32], loop: bool = False) -> None:
        if len(counts) == 0:
            raise UsageError("a source without samples", "choose a longer record")
        self.info = info
        self._counts = counts
        self._loop = loop
        self._at = 0

    def read(self, n: int) -> tuple[npt.NDArray[np.int32], int]:
        """Take the next samples; see `SampleSource.read`."""
        size = len(self._counts)
        if self._loop:
            rows = np.arange(self._at, self._at + n) % size
            self._at = (self._at + n) % size
            return self._counts[rows], 0
        taken = self._counts[self._at : self._at + n]
        self._at += len(taken)
        return taken, 0


class SyntheticSource:
    """A synthetic heart behind a converter.

    Parameters
    ----------
    heart : Heart
        Gives the leads below in mV.
    leads : tuple of str
        Its columns.
    fs : Fraction
        Its rate in Hz.
    lsb_mv : float
        Millivolts per count.
    """

    def __init__(self, heart: Heart, leads: tuple[str, ...], fs: Fraction, lsb_mv: float = DEFAULT_LSB_MV) -> None:
        self.info = replace(plain_info("ecg-edge virtual patch", fs, leads, lsb_mv), firmware="synthetic")
        self._heart = heart
        self._lsb_mv = lsb_mv

    def read(self, n: int) -> tuple[npt.NDArray[np.int32], int]:
        """Take the next samples; see `SampleSource.read`."""
        return to_counts(self._heart.read(n), self._lsb_mv), 0
