"""What travels from a decoder to the rest: lead and electrode names, blocks of samples, events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from fractions import Fraction
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ecg_edge.firmware_bridge.array_types import same_contents
from ecg_edge.firmware_bridge.errors import LeadMismatchError
from ecg_edge.firmware_bridge.lead_names import SKIP


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
        Width of the counts; 0 where it is not known. They lie in ``0 … 2**bits - 1``, or with a sign in
        ``-2**(bits - 1) … 2**(bits - 1) - 1``. The ends are the converter's rails.
    highpass_hz, lowpass_hz : float
        Band the device leaves (0: no filter of that kind).
    group_delay_s : float
        Delay of the device's own filter in seconds.
    positive, negative : str
        Electrode names where the device describes the channel by a pair; empty otherwise.
    unit : str
        ``mV``; another unit for a channel that is no voltage, whose `lsb_mv` is NaN.
    lsb : float
        Of such a channel: `unit` per count.
    per_count : float
        What the device writes for one count: text with fractions is counted in finer steps than 1.

    Examples
    --------
    >>> import ecg_edge as ee
    >>> lead = ee.Channel("II", lsb_mv=0.001, offset=2048, bits=12)
    >>> round((3048 - lead.offset) * lead.lsb_mv, 3)  # a count of 3048 in mV
    1.0
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
    unit: str = "mV"
    lsb: float = 0.0
    per_count: float = 1.0


@dataclass(frozen=True)
class Origin:
    """When and of whom a stored source was taken.

    Attributes
    ----------
    started : datetime or None
        Of the first sample. Without a time zone it is local time of an unknown place.
    patient : str
        Identifier or name; empty where the file states none.
    comments : tuple of str
        Free text: age, sex, what the file says of itself.
    remarks : tuple of str
        What had to be assumed or left out to read it.
    past : SampleBlock or None
        A stretch of it that may stand for the time before its first sample; it ends at index 0.
    """

    started: datetime | None = None
    patient: str = ""
    comments: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    past: SampleBlock | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class StreamInfo:
    """What the device says of itself: the event that precedes the first samples, and every change.

    `sensed` is a bit mask over `ELECTRODES`: those whose loss the device can notice. `origin` is set for what was
    stored.

    Examples
    --------
    >>> from fractions import Fraction
    >>> import ecg_edge as ee
    >>> info = ee.StreamInfo("my board", Fraction(250), (ee.Channel("I", 0.001), ee.Channel("II", 0.001)))
    >>> info.leads
    ('I', 'II')
    """

    device: str
    fs: Fraction
    channels: tuple[Channel, ...]
    firmware: str = ""
    serial: str = ""
    tick_hz: Fraction | None = None
    samples_per_frame: int = 1
    sensed: int = 0
    origin: Origin | None = None

    @property
    def leads(self) -> tuple[str, ...]:
        """Lead of each channel, in channel order."""
        return tuple(c.lead for c in self.channels)

    def renamed(self, leads: tuple[str, ...] | None) -> StreamInfo:
        """Name the first channels of a source whose device does not name them, or names them wrongly.

        Parameters
        ----------
        leads : tuple of str or None
            Names in the order of the channels, see `placed_leads`; None leaves them all as they are.

        Raises
        ------
        LeadMismatchError
            More names than channels.
        """
        if not leads:
            return self
        names = placed_leads(leads, self.channels)
        if len(names) < sum(lead != SKIP for lead in leads):
            volts = [c.lead for c in self.channels if c.lsb_mv == c.lsb_mv]
            raise LeadMismatchError(
                f"--leads names {len(leads)} channels, but the source has {len(volts)}: {', '.join(volts)}",
                "name the source's channels in their order, - for one that is no lead; those left over are not used",
            )
        # A channel left over must not answer to a name that is now another's.
        rest = {k: f"ch{k + 1}" for k, c in enumerate(self.channels) if c.lsb_mv == c.lsb_mv or c.lead in leads} | names
        return replace(self, channels=tuple(replace(c, lead=rest.get(k, c.lead)) for k, c in enumerate(self.channels)))

    def placed(self, names: Mapping[str, str]) -> StreamInfo:
        """Give channels whose place was fitted the names that carry it.

        Parameters
        ----------
        names : mapping of str to str
            By the channel's label, in any case.
        """
        if not names:
            return self
        found = {label.lower(): name for label, name in names.items()}
        channels = tuple(replace(c, lead=found.get(c.lead.lower(), c.lead)) for c in self.channels)
        return replace(self, channels=channels)


@dataclass(frozen=True, eq=False)
class SampleBlock:
    """Consecutive samples of all channels; equal to another one in everything but `arrival`.

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

    Examples
    --------
    >>> import numpy as np, ecg_edge as ee
    >>> counts = np.array([[100, 200], [101, 199]], np.int32)
    >>> block = ee.SampleBlock(0, counts, (counts * 0.001).astype(np.float32), np.ones((2, 2), bool))
    >>> len(block), block.lead_off
    (2, 0)
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

    def __eq__(self, other: object) -> bool:
        return same_contents(self, other, but="arrival")

    __hash__ = None  # type: ignore[assignment]  # arrays have none


@dataclass(frozen=True)
class Gap:
    """Samples known to be lost: the half-open range ``[start, stop)`` of the sample axis.

    `known` is False where the format cannot tell how many were lost
    (a restart of the device's counter without device time): then ``stop == start``.

    Examples
    --------
    >>> import ecg_edge as ee
    >>> gap = ee.Gap(500, 750)
    >>> gap.stop - gap.start, gap.reason
    (250, 'lost')
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


def placed_leads(leads: Sequence[str], channels: Sequence[Channel]) -> dict[int, str]:
    """Which channel each name of a list belongs to, by number; names too many are left out.

    Names are counted among the channels that carry a voltage. A list that passes over every channel before
    its last name that carries none, by `lead_names.SKIP`, is counted among all channels.
    """
    volts = [k for k, c in enumerate(channels) if c.lsb_mv == c.lsb_mv]
    everywhere = len(leads) <= len(channels) and all(lead == SKIP or k in volts for k, lead in enumerate(leads))
    places = range(len(leads)) if SKIP in leads and everywhere else volts
    return {k: lead for k, lead in zip(places, leads, strict=False) if lead != SKIP}


BACKLOG = "backlog full"
"""`Gap.reason` of samples that arrived but were dropped because the consumer was too slow."""


@dataclass(frozen=True)
class Disconnected:
    """The device went away.

    Attributes
    ----------
    at : float
        Host time (``Clock.monotonic``).
    reason : str
        What was seen.
    """

    at: float
    reason: str


@dataclass(frozen=True)
class Reconnected:
    """The device is back.

    Attributes
    ----------
    at : float
        Host time (``Clock.monotonic``).
    down_s : float
        Seconds since it went away.
    attempts : int
        How often it was tried.
    """

    at: float
    down_s: float
    attempts: int


ReaderEvent: TypeAlias = Event | Disconnected | Reconnected


NO_VALUE = -(2**23)
"""The count that says "no valid sample here"; a converter at its lower rail sends one more."""
