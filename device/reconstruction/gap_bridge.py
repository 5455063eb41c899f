"""Gaps of the native time axis: joined while they wait, told from those to bridge, and what was bridged."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from ecg_edge.firmware_bridge.array_types import BoolArray
from ecg_edge.firmware_bridge.events import Gap

HOLD_S = 0.040
"""A loss up to this long is bridged by a straight line; a longer gap of all leads resets the filters."""


class GapBridge:
    """Remembers the gap before the next sample, and what was bridged; `ShortLosses` draws the lines.

    Parameters
    ----------
    fs : Fraction
        Native rate in Hz.
    step : Fraction
        Native samples per row at the model rate.
    support : int
        Native samples under the resampler's kernel.

    Attributes
    ----------
    next : int
        Native index behind the last row that was taken, real or bridged.
    hold : int
        The longest loss that is bridged, in native samples.
    """

    def __init__(self, fs: Fraction, step: Fraction, support: int) -> None:
        self.next = 0
        self.hold = int(HOLD_S * fs)
        self._step, self._support = step, support
        self._reset_at = 0
        self._gap: Gap | None = None
        self._bridged: list[tuple[int, int]] = []

    @property
    def reached(self) -> int:
        """Native index of the next sample expected: behind the gap that waits, if there is one."""
        return self._gap.stop if self._gap else self.next

    def remember(self, gap: Gap) -> None:
        """Join adjacent gaps: they are bridged as one when the next samples arrive."""
        if self._gap is None:
            start, stop = self.next, max(gap.stop, self.next)
            if stop > start or not gap.known:
                self._gap = Gap(start, stop, gap.reason, gap.known)
        else:
            stop = max(gap.stop, self._gap.stop)
            self._gap = Gap(self._gap.start, stop, self._gap.reason, self._gap.known and gap.known)

    def take(self) -> Gap | None:
        """Return the gap that waits, which waits no longer."""
        gap, self._gap = self._gap, None
        return gap

    def bridges(self, gap: Gap) -> bool:
        """Whether a gap is short enough, and there is a row before it to begin the line at."""
        return gap.known and gap.stop - gap.start <= self.hold and self.next > self._reset_at

    def mark(self, start: int, stop: int) -> bool:
        """Remember that these native samples are bridged; return False if that is known already."""
        if (start, stop) in self._bridged:
            return False
        self._bridged.append((start, stop))
        return True

    def restart(self, index: int) -> None:
        """Begin anew behind a gap that was too long; the next native row has the given index."""
        self.next = self._reset_at = index

    def held(self, index: int, n: int) -> BoolArray | None:
        """Which of `n` rows at the model rate have bridged samples under the resampler's kernel.

        None where nothing was bridged of late. What lies behind is forgotten.
        """
        if not self._bridged:
            return None
        out = np.zeros(n, np.bool_)
        rows = [
            (-(-start // self._step) - index, -(-(stop + self._support - 1) // self._step) - index)
            for start, stop in self._bridged
        ]
        for a, b in rows:
            out[max(0, int(a)) : max(0, int(b))] = True
        self._bridged = [gap for gap, (_, b) in zip(self._bridged, rows, strict=True) if b > n]
        return out
