"""Whether the numbers that arrive can be what the device says: some are valid, and counts fit the converter."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ecg_edge.firmware_bridge.events import Channel, SampleBlock

_AFTER_S = 2.0
"""So much signal without one valid value is no pause."""
_TIMES = 8
"""So many counts beyond the range are no damaged bytes."""
NOTHING = "no value that arrives is a valid number"


class NumbersWatch:
    """Follows the samples as the device sent them.

    Parameters
    ----------
    channels : tuple of Channel
        As the device describes them.
    fs : float
        Native rate in Hz.
    """

    def __init__(self, channels: tuple[Channel, ...], fs: float) -> None:
        self._names = tuple(c.lead for c in channels)
        # only counts of a converter without a sign, whose zero lies inside its range, have a known largest one
        unsigned = [0 < c.offset < 2.0**c.bits and bool(np.isfinite(c.lsb_mv)) for c in channels]
        self._bits = [c.bits if there else 0 for c, there in zip(channels, unsigned, strict=True)]
        self._above = np.array([1 << b if b else np.iinfo(np.int64).max for b in self._bits], np.int64)
        self._watched = any(unsigned)
        self._times = np.zeros(len(channels), np.int64)
        self._largest = np.zeros(len(channels), np.int64)
        self._patience = _AFTER_S * fs
        self._blank, self._any = 0, False
        self._said: set[str] = set()

    def feed(self, block: SampleBlock) -> None:
        """Take samples; those of electrodes that are known to be off say nothing."""
        if block.valid.any() or block.lead_off:
            self._any, self._blank = self._any or bool(block.valid.any()) or bool(block.lead_off), 0
        else:
            self._blank += len(block)
        if self._watched:
            beyond = (block.counts >= self._above) & block.valid
            if beyond.any():
                self._times += beyond.sum(axis=0)
                self._largest = np.maximum(self._largest, np.where(beyond, block.counts, 0).max(axis=0))

    @property
    def never_valid(self) -> bool:
        """Whether enough arrived and not one value of it was valid."""
        return not self._any and self._blank >= self._patience

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is wrong now, in words."""
        blank = (NOTHING,) if self._blank >= self._patience else ()
        return (*blank, *(self._wide(k) for k in np.flatnonzero(self._times >= _TIMES).tolist()))

    def news(self) -> Iterator[str]:
        """Warnings that are new; each is said again only after it was gone."""
        now = set(self.warnings)
        kinds = {text.partition(" up to ")[0] for text in now}
        for text in self.warnings:
            if text.partition(" up to ")[0] not in self._said:
                yield text
        self._said = kinds

    def _wide(self, k: int) -> str:
        bits, largest = self._bits[k], int(self._largest[k])
        return (
            f"{self._names[k]} has counts up to {largest}, beyond {bits} bits: its millivolts are wrong; "
            f"give its scale in a file (--config), or the device (--as)"
        )
