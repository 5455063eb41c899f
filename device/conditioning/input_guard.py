"""What enters the filters where the source has nothing to say: the last valid value, and a flag."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from ecg_edge.firmware_bridge.array_types import BoolArray

_NEVER = -(2**62)


@dataclass(frozen=True)
class Segment:
    """Consecutive native rows, all finite; `back` marks leads to restart before them, at their first value."""

    mv: npt.NDArray[np.float64]
    back: BoolArray


class InputGuard:
    """Holds the last valid value of each lead through invalid samples and remembers where they were.

    Parameters
    ----------
    n_leads : int
        Number of leads.
    hold : int
        A lead that returns after more invalid samples than this restarts its filters. After a shorter run the filters
        go on from the held value.
    support : int
        Native samples under the resampler's kernel; the last one is the output's own instant.
    """

    def __init__(self, n_leads: int, hold: int, support: int) -> None:
        self._hold, self._support = hold, support
        self._next = 0
        self._value = np.zeros(n_leads)
        self._last_good = np.full(n_leads, _NEVER, np.int64)
        self._bad_base = 0
        self._last_bad = np.full((1, n_leads), _NEVER, np.int64)

    def reset(self, index: int, lost_before: bool) -> None:
        """Begin anew: the next row has the given native index; whether the row before it was lost."""
        self._next = index
        self._last_good[:] = _NEVER
        self._bad_base = index - 1
        self._last_bad = np.full((1, len(self._value)), index - 1 if lost_before else _NEVER, np.int64)

    def feed(self, mv: npt.NDArray[np.floating], valid: BoolArray) -> Iterator[Segment]:
        """Take native rows, shape (n_samples, n_leads); run the iterator to its end."""
        n = len(mv)
        if n and valid.all() and (self._next - 1 - self._last_good <= self._hold).all():
            yield self._all_good(mv)
            return
        rows = self._next + np.arange(n, dtype=np.int64)[:, None]
        good = np.maximum.accumulate(np.concatenate([self._last_good[None], np.where(valid, rows, _NEVER)]))
        back = valid & (rows - 1 - good[:-1] > self._hold)
        # Row 0 of `known` is the value carried over; a lead's value at a row is that of its last good row.
        known = np.concatenate([self._value[None], np.where(valid, mv, 0.0)])
        held = np.take_along_axis(known, np.maximum(good[1:] - self._next + 1, 0), axis=0)
        self._last_bad = np.maximum.accumulate(np.concatenate([self._last_bad[-1:], np.where(valid, _NEVER, rows)]))
        self._bad_base = self._next - 1
        self._last_good = good[-1]
        self._next += n
        if n:
            self._value = held[-1].copy()
        starts = np.union1d([0], np.flatnonzero(back.any(axis=1)))
        for a, b in zip(starts, [*starts[1:], n], strict=True):
            if b > a:
                yield Segment(held[a:b], back[a])

    def _all_good(self, mv: npt.NDArray[np.floating]) -> Segment:
        """What the sums of `feed` come to where every row is valid and none restarts."""
        n = len(mv)
        held = np.asarray(mv, np.float64)
        self._last_bad = np.broadcast_to(self._last_bad[-1], (n + 1, held.shape[1]))
        self._bad_base = self._next - 1
        self._next += n
        self._last_good = np.full(held.shape[1], self._next - 1, np.int64)
        self._value = held[-1].copy()
        return Segment(held, np.zeros(held.shape[1], np.bool_))

    def valid(self, first: int, stop: int, step: Fraction) -> BoolArray:
        """Flags of the model-rate rows `first` to `stop`, all of whose instants lie in the rows last fed.

        Parameters
        ----------
        first, stop : int
            Half-open range of model-rate rows.
        step : Fraction
            Native samples per row.

        Returns
        -------
        ndarray of bool, shape (stop - first, n_leads)
            False where a native sample of the last `support` ones up to the row's instant is invalid.
        """
        at = np.arange(first, stop, dtype=np.int64) * step.numerator // step.denominator
        return np.asarray(self._last_bad[at - self._bad_base] <= at[:, None] - self._support, np.bool_)
