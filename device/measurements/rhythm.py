"""The beats of some seconds: their intervals, pauses, and what may be a beat between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np

from ecg_edge.device.analysis.beat_detector import BeatDetector
from ecg_edge.firmware_bridge.array_types import AnyFloatArray, BoolArray

MAY_BE_BEATS = "waves between the beats may be beats: no rate is stated"
_HIGHPASS_HZ = 0.5
_MISSED = 1.7
"""Of the mean interval; a longer one may hold a beat that was missed. Bigeminy's long halves are shorter."""
_PAUSE_S, _FIRST_S, _LAST_S = 2.0, 3.0, 2.5
"""A pause between beats, before the first and behind the last, at least."""
_HOLE_S = 0.2
_OFTEN = 0.25


@dataclass(frozen=True)
class Rhythm:
    """Beats of one lead.

    Attributes
    ----------
    peaks : tuple of int
        Rows of the R peaks.
    next_s : tuple of float
        Seconds from each to the next beat, or to a wave that may be one; infinite for the last.
    rr_s, mean_s : float
        Mean interval without and with the pauses. NaN where it is not known; the latter also where no beat follows.
    longest_s : float
        The longest interval; NaN where it is not known.
    even : bool
        Whether no interval is so long that it may hold a beat that was missed.
    notes : tuple of str
    """

    peaks: tuple[int, ...]
    next_s: tuple[float, ...]
    rr_s: float
    mean_s: float
    longest_s: float
    even: bool
    notes: tuple[str, ...]


def rhythm_of(mv: AnyFloatArray, fs: float | Fraction, peaks: Sequence[int] | None = None) -> Rhythm:
    """Find the beats of one lead.

    Parameters
    ----------
    mv : ndarray of shape (n_samples,)
        In mV; NaN counts as missing.
    fs : float or Fraction
        In Hz.
    peaks : sequence of int, optional
        The beats, where they are known.
    """
    known = np.isfinite(np.asarray(mv, np.float64))
    at, waves, doubtful = (list(peaks), [], False) if peaks is not None else _beats(mv, known, fs)
    rate = float(fs)
    events = np.asarray(sorted([*at, *waves]), np.float64)
    after = [events[events > k] for k in at]
    next_s = tuple(float(e[0] - k) / rate if len(e) else np.inf for k, e in zip(at, after, strict=True))
    nan = float("nan")
    if len(at) < 2:
        return Rhythm(tuple(at), next_s, nan, nan, nan, True, ())
    steps = np.diff(np.asarray(at, np.float64)) / rate
    usual = _MISSED * float(np.median(steps))
    whole = [not _hole(known[a:b], rate) for a, b in pairwise(at)]
    between = [(a / rate, s) for a, s, w in zip(at[:-1], steps.tolist(), whole, strict=True) if w]
    pauses = [(a, s) for a, s in between if s > max(_PAUSE_S, usual)]
    before, behind = at[0] / rate, (len(known) - 1 - at[-1]) / rate
    first = before > max(_FIRST_S, usual) and not _hole(known[: at[0]], rate)
    last = behind > max(_LAST_S, usual) and not _hole(known[at[-1] :], rate)
    ends = [*([(0.0, before)] if first else []), *pauses, *([(at[-1] / rate, behind)] if last else [])]
    said = [f"no heartbeat for {s:.1f} s from {a:.1f} s of the stretch" for a, s in ends]
    said += ["the heart may stand still at its end: no rate is stated"] if last else []
    said += [MAY_BE_BEATS] if doubtful else []
    regular = nan if doubtful else mean_rr(at, fs)
    counted = [regular] * int((steps <= _MISSED * steps.mean()).sum()) + [s for _, s in ends]
    return Rhythm(
        tuple(at), next_s, regular, nan if last else float(np.mean(counted)),
        max((s for _, s in [*between, *ends]), default=nan),
        not ends and bool((steps <= usual).all()), tuple(said),
    )  # fmt: skip


def mean_rr(peaks: Sequence[int], fs: float | Fraction) -> float:
    """Mean interval in seconds, those across a missed beat left out."""
    steps = np.diff(np.asarray(peaks, np.float64)) / float(fs)
    return float(steps[steps <= _MISSED * steps.mean()].mean())


def _hole(known: BoolArray, fs: float) -> bool:
    """Whether samples are missing for so long that a beat may be."""
    rows = np.arange(1, len(known) + 1)
    return bool((rows - np.maximum.accumulate(np.where(known, rows, 0))).max(initial=0) > _HOLE_S * fs)


def _beats(mv: AnyFloatArray, known: BoolArray, fs: float | Fraction) -> tuple[list[int], list[int], bool]:
    """R peaks, waves between them that may be beats, and whether these are so many that no rate can be stated."""
    from scipy.signal import butter, sosfiltfilt

    x = np.asarray(mv, np.float64)
    filled = np.where(known, x, np.nanmedian(x) if known.any() else 0.0)
    if len(filled) < 3 * float(fs):
        return [], [], False
    calm = sosfiltfilt(butter(2, _HIGHPASS_HZ, "highpass", fs=float(fs), output="sos"), filled)
    rate = round(fs)
    beats = BeatDetector(rate)
    rest = np.zeros(2 * beats.delay + rate)
    found = beats.feed(np.concatenate([calm, rest]), np.concatenate([known, np.ones(len(rest), np.bool_)]))
    peaks, waves = [k for k in found if k < len(x)], beats.waves
    return peaks, waves, beats.alternates or len(waves) > max(1.0, _OFTEN * (len(peaks) - 1))
