"""Stretches of a stored recording that cannot be millivolts of a heart: judged as a live stream is, in hindsight."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from ecg_edge.device.analysis.leaps import without_leaps
from ecg_edge.device.analysis.plausibility import TRUST_AFTER, WINDOW_S, Doubt, Plausibility
from ecg_edge.firmware_bridge.array_types import AnyFloatArray, FloatArray

_PIECE_S = 60


@dataclass(frozen=True)
class Implausible:
    """A stretch of one lead.

    Attributes
    ----------
    column, start, stop : int
        The lead, and its rows ``[start, stop)``.
    doubt : Doubt
        What is seen there.
    """

    column: int
    start: int
    stop: int
    doubt: Doubt


class WithoutDoubted:
    """A stream with NaN where a lead is doubted; the same however the samples are cut.

    Parameters
    ----------
    fs : Fraction
        Native rate in Hz.
    n_leads : int
        Number of leads.
    """

    def __init__(self, fs: Fraction, n_leads: int) -> None:
        self._plausible = Plausibility(fs, n_leads)
        self._doubted = np.zeros(n_leads, np.bool_)

    def feed(self, mv: FloatArray) -> FloatArray:
        """Return native samples, shape (n_samples, n_leads) in mV; NaN where missing, and where a lead is doubted."""
        turns = self._plausible.feed(mv, np.isfinite(mv))
        if not (turns or self._doubted.any()):
            return mv
        doubted = np.repeat(self._doubted[None], len(mv), axis=0)
        for at, column, doubt in turns:
            doubted[at:, column] = self._doubted[column] = doubt is not None
        return np.where(doubted, np.nan, mv)


def implausible(mv: AnyFloatArray, fs: Fraction) -> list[Implausible]:
    """Judge a recording.

    A stretch begins with the first window that looks wrong, and ends with the first that looks right.

    Parameters
    ----------
    mv : ndarray of shape (n_samples, n_leads)
        In mV, NaN where a sample is missing.
    fs : Fraction
        Rate in Hz.

    Returns
    -------
    list of Implausible
        Ordered by column, then by row.
    """
    watch, turns = Plausibility(fs, mv.shape[1]), []
    step = max(1, int(_PIECE_S * fs))
    for at in range(0, len(mv), step):
        piece = np.asarray(mv[at : at + step], np.float64)
        turns += [(at + row, k, now) for row, k, now in watch.feed(piece, np.isfinite(piece))]
    turns += [(len(mv), k, now) for k, now in watch.finish()]
    return [s for k in range(mv.shape[1]) for s in _stretches([t for t in turns if t[1] == k], len(mv), fs)]


def without_implausible(mv: FloatArray, fs: Fraction) -> tuple[FloatArray, list[Implausible]]:
    """Return the recording with NaN where it cannot be an ECG, and these stretches; see `implausible`.

    Single samples that cannot be are NaN as well; see `without_leaps`.
    """
    found, known = implausible(mv, fs), without_leaps(mv, fs)
    mv = known.copy() if found and known is mv else known
    for stretch in found:
        mv[stretch.start : stretch.stop, stretch.column] = np.nan
    return mv, found


def _stretches(turns: list[tuple[int, int, Doubt | None]], n: int, fs: Fraction) -> Iterator[Implausible]:
    """Stretches of one lead from where its doubts arose and ended."""
    since, doubt = 0, None
    for row, column, now in [*turns, (n, -1, None)]:
        ended = row if now or column < 0 else row - round((TRUST_AFTER - 1) * fs)
        if doubt is not None and ended > since:
            yield Implausible(turns[0][1], since, ended, doubt)
        first = 0 if now is None else max(0, row - round((now.after - 1 + WINDOW_S) * fs))
        since, doubt = max(first, ended if doubt else 0), now
