"""What travels from a decoder to the rest: lead and electrode names, blocks of samples, events."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from ecg_edge.firmware_bridge.errors import UsageError

LEADS: tuple[str, ...] = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
ELECTRODES: tuple[str, ...] = ("RA", "LA", "LL", "RL", "V1", "V2", "V3", "V4", "V5", "V6")
"""Bit `k` of a lead-off mask is electrode ``ELECTRODES[k]``."""

_LIMB = {
    "I": ("LA", "RA"),
    "II": ("LL", "RA"),
    "III": ("LL", "LA"),
    "aVR": ("RA", "LA", "LL"),
    "aVL": ("LA", "RA", "LL"),
    "aVF": ("LL", "RA", "LA"),
}
_BY_LOWER = {lead.lower(): lead for lead in LEADS}


def lead_name(name: str) -> str:
    """Return the canonical spelling of a lead name.

    Parameters
    ----------
    name : str
        Any case: ``"AVR"``, ``"v1"``, ``"i"``.

    Returns
    -------
    str
        One of `LEADS`.

    Raises
    ------
    UsageError
        The name is none of the twelve.
    """
    try:
        return _BY_LOWER[name.strip().lower()]
    except KeyError:
        raise UsageError(f"unknown lead {name!r}", f"use one of {', '.join(LEADS)}") from None


def parse_leads(text: str) -> tuple[str, ...]:
    """Parse ``"I,II"`` into canonical lead names, refusing duplicates and an empty list."""
    leads = tuple(lead_name(part) for part in text.replace("+", ",").split(",") if part.strip())
    if not leads or len(set(leads)) != len(leads):
        raise UsageError(f"bad lead list {text!r}", "name each lead once, separated by commas: I,II")
    return leads


def electrodes_of(lead: str) -> tuple[str, ...]:
    """Electrodes a lead is made from (chest leads are taken against Wilson's terminal RA, LA, LL)."""
    return _LIMB.get(lead) or (lead, "RA", "LA", "LL")


def lead_off_leads(mask: int) -> frozenset[str]:
    """Leads that depend on an electrode whose lead-off bit is set in `mask`."""
    off = {name for k, name in enumerate(ELECTRODES) if mask >> k & 1}
    return frozenset(lead for lead in LEADS if off.intersection(electrodes_of(lead)))


@dataclass(frozen=True)
class Channel:
    """One channel as the device describes it.

    Attributes
    ----------
    lead : str
        One of `LEADS`, or the device's own label where the channel is no standard lead.
    lsb_mv : float
        Millivolts per count: ``mv = (count - offset) * lsb_mv``.
    offset : float
        Count at 0 mV.
    bits : int
        Resolution of the converter.
    highpass_hz, lowpass_hz : float
        Band the device leaves (0: no filter of that kind).
    group_delay_s : float
        Delay of the device's own filter in seconds.
    positive, negative : str
        Electrode names where the device describes the channel by a pair; empty otherwise.
    """

    lead: str
    lsb_mv: float
    offset: float = 0.0
    bits: int = 24
    highpass_hz: float = 0.0
    lowpass_hz: float = 0.0
    group_delay_s: float = 0.0
    positive: str = ""
    negative: str = ""


@dataclass(frozen=True)
class StreamInfo:
    """What the device says of itself: the event that precedes the first samples, and every change.

    `sensed` is a bit mask over `ELECTRODES`: those whose loss the device can notice.
    """

    device: str
    fs: Fraction
    channels: tuple[Channel, ...]
    firmware: str = ""
    serial: str = ""
    tick_hz: Fraction | None = None
    samples_per_frame: int = 1
    sensed: int = 0

    @property
    def leads(self) -> tuple[str, ...]:
        """Lead of each channel, in channel order."""
        return tuple(c.lead for c in self.channels)


@dataclass(frozen=True)
class SampleBlock:
    """Consecutive samples of all channels.

    Attributes
    ----------
    index : int
        Index of the first row on the unbroken sample axis; 0 is the first accepted sample.
    counts : ndarray of int32, shape (n_samples, n_channels)
        As the converter gave them.
    mv : ndarray of float32, shape (n_samples, n_channels)
        In millivolts.
    valid : ndarray of bool, shape (n_samples, n_channels)
        False where the device marks a sample stale, or an electrode of the lead is off.
    lead_off : int
        Bit mask over `ELECTRODES`.
    ticks : int or None
        Device time of the first row, in ticks of ``StreamInfo.tick_hz``, unwrapped.
    arrival : float
        Host time (``Clock.monotonic``) at which the last byte of the block arrived.
    """

    index: int
    counts: npt.NDArray[np.int32]
    mv: npt.NDArray[np.float32]
    valid: npt.NDArray[np.bool_]
    lead_off: int = 0
    ticks: int | None = None
    arrival: float = 0.0

    def __len__(self) -> int:
        return len(self.mv)


@dataclass(frozen=True)
class Gap:
    """Samples known to be lost: the half-open range ``[start, stop)`` of the sample axis.

    `known` is False where the format cannot tell how many were lost
    (a restart of the device's counter without device time): then ``stop == start``.
    """

    start: int
    stop: int
    reason: str = "lost"
    known: bool = True


@dataclass(frozen=True)
class DeviceStatus:
    """The producer's own account: samples it dropped, battery, uptime."""

    dropped: int = 0
    battery_percent: int | None = None
    uptime_s: float | None = None


@dataclass(frozen=True)
class Ack:
    """The device's answer to a command."""

    command: int
    sequence: int
    code: int = 0
    data: bytes = b""


Event = StreamInfo | SampleBlock | Gap | DeviceStatus | Ack


MAX_RANGES = 10_000
"""Lost ranges that are listed; beyond them only their sum is known."""


@dataclass
class Tally:
    """What a decoder saw, in samples per channel unless the name says otherwise.

    `undescribed` counts samples that could not be decoded because no description, or
    another one, was known. Those before the first accepted sample are not on the axis
    and so not lost; later ones are also in `lost` once the next sample is accepted.
    `lost_ranges` holds the first `MAX_RANGES`, joined where adjacent; `lost` counts all.
    `stale` counts samples of which the device marked at least one channel as not valid.
    """

    samples: int = 0
    lost: int = 0
    lost_ranges: list[tuple[int, int]] = field(default_factory=list)
    loss_known: bool = True
    duplicates: int = 0
    bad_frames: int = 0
    skipped_bytes: int = 0
    stale: int = 0
    undescribed: int = 0

    def lose(self, start: int, stop: int) -> None:
        """Count the half-open range ``[start, stop)`` as lost, joining it to an adjacent one."""
        if stop <= start:
            return
        self.lost += stop - start
        if self.lost_ranges and self.lost_ranges[-1][1] == start:
            start = self.lost_ranges.pop()[0]
        if len(self.lost_ranges) < MAX_RANGES:  # a bad cable for a day must not cost memory
            self.lost_ranges.append((start, stop))
