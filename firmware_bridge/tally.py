"""What was counted and lost: decoder and run alike."""

from __future__ import annotations

from dataclasses import dataclass, field

MAX_RANGES = 10_000
"""Lost ranges that are listed; beyond them only their sum is known."""


@dataclass
class Losses:
    """Native samples per channel that were lost.

    Attributes
    ----------
    lost : int
        All of them.
    lost_ranges : list of (int, int)
        Half-open, joined where adjacent; the first `MAX_RANGES`.
    loss_known : bool
        False after a loss whose length is not known.
    """

    lost: int = 0
    lost_ranges: list[tuple[int, int]] = field(default_factory=list)
    loss_known: bool = True

    def lose(self, start: int, stop: int) -> None:
        """Count the half-open range ``[start, stop)`` as lost, joining it to an adjacent one."""
        if stop <= start:
            return
        self.lost += stop - start
        if self.lost_ranges and self.lost_ranges[-1][1] == start:
            start = self.lost_ranges.pop()[0]
        if len(self.lost_ranges) < MAX_RANGES:  # a bad cable for a day must not cost memory
            self.lost_ranges.append((start, stop))


@dataclass
class Counts(Losses):
    """What went through a run; `lost` counts what was lost on the way and what a full queue dropped.

    Attributes
    ----------
    samples_in : int
        Accepted native samples per channel.
    rows_out : int
        Rows emitted at the model rate.
    """

    samples_in: int = 0
    rows_out: int = 0


@dataclass
class Tally(Losses):
    """What a decoder saw, in samples per channel unless the name says otherwise.

    `undescribed` counts samples that could not be decoded because no description, or another one, was known. Those
    before the first accepted sample are not on the axis and so not lost. Later ones are also in `lost` once the next
    sample is accepted. `stale` counts samples of which the device marked at least one channel as not valid.

    Examples
    --------
    >>> import ecg_edge as ee
    >>> tally = ee.Tally(samples=500)
    >>> tally.samples, tally.lost_ranges
    (500, [])
    """

    samples: int = 0
    duplicates: int = 0
    bad_frames: int = 0
    skipped_bytes: int = 0
    stale: int = 0
    undescribed: int = 0
