"""Short losses are bridged by straight lines; whether a loss is short is known when it ends."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Bridge:
    """Samples ``[start, stop)`` of some leads (their columns) that are a straight line now."""

    start: int
    stop: int
    columns: tuple[int, ...]


class ShortLosses:
    """Bridges runs of missing samples between two good ones.

    A run that is still open is withheld, so that the rows returned do not depend on how the input was cut.

    Parameters
    ----------
    n_leads : int
    longest : int
        Longest run that is bridged, in samples.
    """

    def __init__(self, n_leads: int, longest: int) -> None:
        self._n, self._longest = n_leads, longest
        self.reset(0)

    def reset(self, index: int) -> None:
        """Forget everything; the next row has this index. Nothing before it can be one side of a bridge."""
        self._at = index
        self._edge = (np.zeros(self._n), np.zeros(self._n, np.bool_))
        nothing = np.zeros((0, self._n), np.bool_)
        self._open: tuple[Floats, BoolArray, BoolArray] = (np.zeros((0, self._n)), nothing, nothing)

    def feed(self, mv: Floats, valid: BoolArray, missing: BoolArray) -> tuple[Floats, BoolArray, list[Bridge]]:
        """Take rows of shape (n_samples, n_leads).

        Parameters
        ----------
        mv : ndarray of float64
        valid : ndarray of bool
        missing : ndarray of bool
            Invalid samples that may be bridged: nothing is known of them. (A clipped one is no straight line.)

        Returns
        -------
        mv, valid : ndarray
            The rows withheld before and these, less those withheld now.
        bridges : list of Bridge
        """
        if not len(self._open[0]) and valid.all():
            return self._give(mv, valid, len(mv)), valid, []
        rows, good, may = (np.concatenate(pair) for pair in zip(self._open, (mv, valid, missing), strict=True))
        rows, good = rows.copy(), good.copy()
        stop, found = len(rows), dict[tuple[int, int], list[int]]()
        for k in np.flatnonzero(~good.all(axis=0)):
            for a, b in self._runs(good[:, k], may[:, k], int(k)):
                if b == len(rows):
                    stop = min(stop, a)
                    continue
                before = rows[a - 1, k] if a else self._edge[0][k]
                part = np.arange(1, b - a + 1) / (b - a + 1)
                rows[a:b, k] = before + part * (rows[b, k] - before)
                good[a:b, k] = True
                found.setdefault((a, b), []).append(int(k))
        bridges = [Bridge(self._at + a, self._at + b, tuple(ks)) for (a, b), ks in sorted(found.items())]
        self._open = (rows[stop:], good[stop:], may[stop:])
        return self._give(rows, good, stop), good[:stop], bridges

    def flush(self) -> tuple[Floats, BoolArray]:
        """Return what is withheld: its loss has no end."""
        rows, good, _ = self._open
        self._open = tuple(x[:0] for x in self._open)  # type: ignore[assignment]
        return self._give(rows, good, len(rows)), good

    def _give(self, rows: Floats, good: BoolArray, stop: int) -> Floats:
        if stop:
            self._edge = (rows[stop - 1].copy(), good[stop - 1].copy())
        self._at += stop
        return rows[:stop]

    def _runs(self, good: BoolArray, may: BoolArray, k: int) -> list[tuple[int, int]]:
        """Runs of a lead that may be bridged: short, all of them missing, with a good sample before."""
        turns = np.diff(np.concatenate([[True], good, [True]]).astype(np.int8))
        starts, stops = np.flatnonzero(turns < 0), np.flatnonzero(turns > 0)
        return [
            (a, b)
            for a, b in zip(starts.tolist(), stops.tolist(), strict=True)
            if b - a <= self._longest and may[a:b].all() and (a or self._edge[1][k])
        ]


def bridge_short(mv: Floats, longest: int) -> Floats:
    """Bridge short runs of NaN in whole columns, shape (n_samples, n_leads)."""
    losses = ShortLosses(mv.shape[1], longest)
    valid = np.isfinite(mv)
    rows, _, _ = losses.feed(mv, valid, ~valid)
    return np.concatenate([rows, losses.flush()[0]])
