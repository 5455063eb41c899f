"""Onsets and ends of P, QRS and T, common to all leads, on the representative beat.

The leads are joined into two curves: how far the heart's vector is from rest, and how fast it moves. The earliest
onset and the latest end in any lead show in both. QRS is where the vector moves fast. P and T begin and end where
the distance, extrapolated from two levels of the flank, is zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ecg_edge.device.measurements.typical_beat import FS, TypicalBeat
from ecg_edge.firmware_bridge.array_types import FloatArray

_QRS_REACH_S = 0.14
_QRS_SHARE = 0.06
_QRS_REST_S = 0.012
_LOW, _HIGHEST_LOW, _POWER = 0.03, 0.08, 1.5
"""The lower of two levels of a flank, as a share of the wave's height: above the noise. The other is four times it."""
_STEEP, _TAIL_S = 0.12, 0.02
"""Where the lower levels put the foot this far from the steeper part's, the wave has a tail, which is not counted."""
_CALM, _REST_WITHIN_S, _FLANK_S = 0.15, 0.06, 0.1
_P_LEAST_MV = 0.015
_T_LEAST_MV = 0.03
_ABOVE_NOISE = 4.0
_P_LEAST_S, _P_MOST_S, _PR_MOST_S, _P_END_S, _T_LEAST_S = 0.03, 0.20, 0.40, 0.12, 0.10
_P_ALIKE = 0.4
_MERGED_RR_S = 0.55
"""In shorter intervals the wave before a QRS may be the T wave of the beat before, where no T wave is found."""
_RISE = 0.15
"""Least rise of a T wave from the lowest level before it, as a share of its height."""
_T_FROM_J_S = 0.06
_SMOOTH_S = 0.006
_EARLY_QRS_S, _CLEAR_S = 0.16, 0.02
"""A wide QRS complex begins so long before its peak; a T wave must have ended so long before that."""
_REST_OF_RR = 0.72
"""By then the heart has been at rest: the next P wave comes later."""


@dataclass(frozen=True)
class Fiducials:
    """Instants in seconds from the R peak; NaN where a wave is not found.

    Attributes
    ----------
    p_on, p_off, qrs_on, qrs_off, t_peak, t_off : float
    """

    p_on: float
    p_off: float
    qrs_on: float
    qrs_off: float
    t_peak: float
    t_off: float


def fiducials(beat: TypicalBeat, columns: list[int], next_s: float = np.inf) -> Fiducials | None:
    """Find the instants on some of a beat's leads.

    Parameters
    ----------
    beat : TypicalBeat
    columns : list of int
        Leads to use: those measured or derived.
    next_s : float
        Seconds from the R peak to the beat that may come early: a T wave that does not end before it is not found.

    Returns
    -------
    Fiducials or None
        None where there is no QRS complex to be told from noise.
    """
    x, r = beat.mv[:, columns], beat.r
    noise = float(np.sqrt(2 * (beat.noise_mv[columns] ** 2).mean()))
    qrs = _qrs(x, r)
    if qrs is None:
        return None
    on, off = qrs
    latest = min(len(x) - 1, round(r + _REST_OF_RR * beat.rr_s * FS))
    if np.isfinite(next_s):
        latest = min(latest, r + round((next_s - _EARLY_QRS_S) * FS))
    t = _t_wave(x, off, latest, noise)
    if t and np.isfinite(next_s) and t[1] > latest - _CLEAR_S * FS:
        t = None
    t_peak, t_off = t or (np.nan, np.nan)
    first = max(0, round(t_off - beat.rr_s * FS)) if t else 0
    merged = t is None and beat.rr_s < _MERGED_RR_S
    p = _p_wave(x, first, on, noise) if beat.p_alike >= _P_ALIKE and not merged else None
    p_on, p_off = p or (np.nan, np.nan)
    return Fiducials(*((k - r) / FS for k in (p_on, p_off, float(on), float(off), t_peak, t_off)))


def _qrs(x: FloatArray, r: int) -> tuple[int, int] | None:
    """Rows between which the vector moves fast: from rest to rest, around the R peak."""
    v = np.sqrt((np.gradient(x, axis=0) ** 2).sum(axis=1)) * FS
    reach, rest = round(_QRS_REACH_S * FS), round(_QRS_REST_S * FS)
    a, b = max(rest, r - reach), min(len(x) - rest, r + reach)
    near = slice(max(0, r - reach // 2), r + reach // 2)
    top = float(v[near].max())
    floor = float(np.percentile(v[max(0, a - rest) : b + rest], 10))
    level = max(_QRS_SHARE * top, 2.5 * floor)
    if level > 0.5 * top:
        return None
    fast = v > level
    on, off = r, r
    k = r
    while k > a:  # backwards, across rests shorter than `rest`
        k -= 1
        if fast[k]:
            on = k
        elif on - k >= rest:
            break
    k = r
    while k < b - 1:
        k += 1
        if fast[k]:
            off = k
        elif k - off >= rest:
            break
    return on, off


def _p_wave(x: FloatArray, first: int, on: int, noise: float) -> tuple[float, float] | None:
    """Onset and end of the P wave between the T wave before and a QRS onset, in rows, or None; the end may be NaN."""
    last = on - round(0.004 * FS)
    if last - first < round(0.06 * FS):
        return None
    seen = x[first:last]
    wave = _from_line(seen, 0, len(seen) - 1)
    peak = int(np.argmax(_distance(wave, noise)))
    if not 0 < peak < len(seen) - round(0.02 * FS):
        return None
    rests = _rests_around(seen, wave @ wave[peak], peak)
    m = _distance(_from_line(seen, *rests), noise)
    peak = int(np.argmax(m[rests[0] : rests[1] + 1])) + rests[0]
    if m[peak] < max(_P_LEAST_MV, _ABOVE_NOISE * noise) or not rests[0] < peak < rests[1]:
        return None
    start, end = _foot(m, peak, -1, noise), _foot(m, peak, 1, noise)
    end = np.nan if end is None else min(end + first, float(on))
    if start is None or (np.isnan(end) and on - peak - first > _P_END_S * FS):
        return None  # a wave that never rests before the QRS, and not next to it: no P
    if not _P_LEAST_S <= (on - start - first) / FS <= _PR_MOST_S:
        return None
    start += first
    return start, (end if _P_LEAST_S <= (end - start) / FS <= _P_MOST_S else np.nan)


def _rests_around(x: FloatArray, wave: FloatArray, peak: int) -> tuple[int, int]:
    """Rows at which the vector moves least beyond the steepest parts of both flanks of a wave."""
    slope = np.gradient(_smooth(wave, 0.01))
    reach, rest, margin = round(_FLANK_S * FS), round(_REST_WITHIN_S * FS), round(0.01 * FS)
    a, b = max(0, peak - reach), min(len(x) - margin, peak + reach)
    up = a + int(np.argmax(slope[a : peak + 1]))
    down = peak + int(np.argmin(slope[peak : max(b, peak + 1)]))
    return _rest(x, max(0, up - rest), max(up, 1)), _rest(x, down, min(down + rest, len(x)))


def _rest(x: FloatArray, first: int, last: int) -> int:
    """Row between two at which the vector moves least."""
    speed = _smooth(np.sqrt((np.gradient(x, axis=0) ** 2).sum(axis=1)), 0.02)
    first = min(first, len(x) - 1)
    return first + int(np.argmin(speed[first : max(first + 1, last)]))


def _first_rest(x: FloatArray, after: int) -> int:
    """Row soon after a flank at which the vector moves least, before a wave that may follow."""
    speed = _smooth(np.sqrt((np.gradient(x, axis=0) ** 2).sum(axis=1)), 0.03)
    steepest = after - round(0.04 * FS) + int(np.argmax(speed[after - round(0.04 * FS) :]))
    calm = np.flatnonzero(speed[steepest:] < _CALM * speed[steepest])
    start = steepest + int(calm[0]) if len(calm) else after
    return _rest(x, start, start + round(_REST_WITHIN_S * FS))


def _from_line(x: FloatArray, a: int, b: int) -> FloatArray:
    """Rows with the line through the levels at two of them taken off: what is left is the wave."""
    width = round(0.008 * FS)
    level = [np.median(x[max(0, k - width) : k + width + 1], axis=0) for k in (a, b)]
    share = np.clip((np.arange(len(x)) - a) / max(1, b - a), 0, 1)[:, None]
    return np.asarray(x - (level[0] + (level[1] - level[0]) * share))


def _t_wave(x: FloatArray, off: int, latest: int, noise: float) -> tuple[float, float] | None:
    """Peak and end of the T wave, in rows, or None; the level at rest is where the vector moves least after it."""
    first = off + round(_T_FROM_J_S * FS)
    if latest - first < round(_T_LEAST_S * FS):
        return None
    seen, width = x[first : latest + 1], round(0.03 * FS)
    peak = _summit(_distance(seen - np.median(seen[-width:], axis=0), noise))
    if peak is None or (after := peak + round(0.04 * FS)) >= len(seen):
        return None
    at = _first_rest(seen, after)
    rest = np.median(seen[max(0, at - width // 2) : at + width // 2 + 1], axis=0)
    m = _distance(seen - rest, noise)
    peak = _summit(m[:at])
    if peak is None or m[peak] < max(_T_LEAST_MV, _ABOVE_NOISE * noise):
        return None
    end = _foot(m, peak, 1, noise)
    return None if end is None else (float(peak + first), min(end + first, float(latest)))


def _summit(m: FloatArray) -> int | None:
    """Row of the highest peak that rises from a lower level: what only falls from J on is no T wave."""
    calm = _smooth(m, 0.02)
    peaks = np.flatnonzero((calm[1:-1] >= calm[:-2]) & (calm[1:-1] > calm[2:])) + 1
    risen = [k for k in peaks if calm[k] - calm[:k].min() >= _RISE * calm[k]]
    return int(max(risen, key=lambda k: calm[k])) if risen else None


def _distance(x: FloatArray, noise: float) -> FloatArray:
    """How far the vector is from rest in mV, in the plane of the wave's largest two components, above the noise."""
    _, _, axes = np.linalg.svd(x, full_matrices=False)
    plane = x @ axes[:2].T
    width = round(_SMOOTH_S * FS) | 1
    kernel = np.ones(width) / width
    plane = np.stack([np.convolve(np.pad(c, width // 2, mode="edge"), kernel, "valid") for c in plane.T], axis=1)
    return np.asarray(np.sqrt(np.maximum(0.0, (plane**2).sum(axis=1) - noise**2)))


def _smooth(m: FloatArray, seconds: float) -> FloatArray:
    n = max(1, round(seconds * FS)) | 1
    return np.convolve(np.pad(m, n // 2, mode="edge"), np.ones(n) / n, "valid")


def _foot(m: FloatArray, peak: int, step: int, noise: float) -> float | None:
    """Where a wave's flank leaves rest: a power of time through two levels of it, extrapolated to zero.

    The power lies between those of a flank that begins with a slope (1) and of one that begins flat (2).
    """
    flank = m[peak:] if step > 0 else m[peak::-1]
    share = float(np.clip(2 * noise / flank[0], _LOW, _HIGHEST_LOW))
    steep, low = _zero_of(flank, 3 * _STEEP, _STEEP), _zero_of(flank, 4 * share, share)
    if steep is None:
        return None
    foot = steep if low is None or abs(low - steep) > _TAIL_S * FS else low
    return peak + step * foot


def _zero_of(flank: FloatArray, high: float, low: float) -> float | None:
    """Rows from the peak to where a power of time through two levels, shares of the height, is zero."""
    a, b = _first_below(flank, high * flank[0]), _first_below(flank, low * flank[0])
    if a is None or b is None:
        return None
    return b + (b - a) / float((high / low) ** (1 / _POWER) - 1)


def _first_below(flank: FloatArray, level: float) -> float | None:
    """Fraction of a row at which a flank first falls below a level."""
    below = np.flatnonzero(flank < level)
    if not len(below):
        return None
    k = int(below[0])
    return k - 1 + float((flank[k - 1] - level) / (flank[k - 1] - flank[k])) if k else 0.0
