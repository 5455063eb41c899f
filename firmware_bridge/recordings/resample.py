"""Samples at another rate, in place: a windowed sinc at every instant (Oppenheim & Schafer, section 7.5.3).

Every instant is an exact fraction, so that 511.422 Hz becomes 500 Hz without drift, in pieces as in one go. The line
that bridges a hole runs between the samples on both sides of it, however far they lie beyond a piece.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np

from ecg_edge.firmware_bridge.array_types import FloatArray
from ecg_edge.firmware_bridge.recordings.recording import Recording

_HALF_WIDTH = 16
"""Half-length of the kernel in periods of the lower of the two rates."""
_CUTOFF = 0.45
"""-6 dB point in units of the lower rate."""
_BETA = 6.0
_CHUNK = 8192

Rows = Callable[[int, int], FloatArray]
"""Reads rows ``[start, stop)`` of one signal, NaN where there is none."""


def resampled_length(length: int, native: Fraction, rate: Fraction) -> int:
    """Number of samples at `rate` within `length` samples at `native`."""
    return int(-(-length * rate // native))


def resample_rows(rows: Rows, length: int, native: Fraction, rate: Fraction, start: int, stop: int) -> FloatArray:
    """Read rows ``[start, stop)`` of a signal at another rate.

    Parameters
    ----------
    rows : callable
        Reads the signal at its own rate; see `Rows`.
    length : int
        Its number of samples.
    native, rate : Fraction
        Rates in Hz before and after.
    start, stop : int
        Rows at the new rate: row ``m`` shows the instant ``m / rate`` of the signal. No delay.

    Returns
    -------
    ndarray of float64, shape (stop - start,)
        NaN where the sample at or before an instant is missing. Missing samples are bridged under the kernel, and
        the ends are taken to go on for ever.
    """
    if native == rate:
        return rows(start, stop)
    low = min(native, rate)
    half = float(_HALF_WIDTH * native / low)
    reach = int(half) + 1
    cutoff = _CUTOFF * float(low / native)
    out = np.empty(stop - start)
    step = native / rate
    for at in range(start, stop, _CHUNK):
        m = np.arange(at, min(at + _CHUNK, stop))
        whole, part = _positions(m, step, length)
        first, last = max(0, int(whole[0]) - reach), min(length, int(whole[-1]) + reach + 2)
        x = rows(first, last)
        missing = np.isnan(x)
        absent = missing[np.clip(whole - first, 0, len(x) - 1)]
        if absent.all():
            out[m - start] = np.nan
            continue
        x = _bridged_piece(rows, x, first, length) if missing.any() else x
        taps = np.arange(-reach, reach + 2)
        t = taps[None, :] - part[:, None]
        inside = np.clip(1 - (t / half) ** 2, 0, None)
        h = np.sinc(2 * cutoff * t) * np.i0(_BETA * np.sqrt(inside)) * (inside > 0)
        columns = np.clip(whole[:, None] + taps - first, 0, len(x) - 1)
        y = (h * x[columns]).sum(axis=1) / h.sum(axis=1)
        out[m - start] = np.where(absent, np.nan, y)
    return out


def _positions(m: np.ndarray, step: Fraction, length: int) -> tuple[np.ndarray, FloatArray]:
    """Sample at or before each row's instant, and the part of a period behind it."""
    exact = [divmod(int(k) * step.numerator, step.denominator) for k in m]
    whole = np.array([min(q, length - 1) for q, _ in exact], np.int64)
    return whole, np.array([r for _, r in exact], np.float64) / step.denominator


def bridged(x: FloatArray) -> FloatArray:
    """A signal with straight lines where samples are missing; zeros where all are."""
    good = np.flatnonzero(~np.isnan(x))
    return np.interp(np.arange(len(x)), good, x[good]) if len(good) else np.zeros_like(x)


def _bridged_piece(rows: Rows, x: FloatArray, first: int, length: int) -> FloatArray:
    """A piece that begins at row `first`, bridged as in the whole signal."""
    last = first + len(x)
    good = np.flatnonzero(~np.isnan(x)) + first
    before = _sample_before(rows, first) if good[0] > first else []
    after = _sample_after(rows, last, length) if good[-1] < last - 1 else []
    known = np.array([*before, *zip(good, x[good - first], strict=True), *after])
    return np.asarray(np.interp(np.arange(first, last), known[:, 0], known[:, 1]), np.float64)


def _sample_before(rows: Rows, at: int) -> list[tuple[int, float]]:
    """The last sample before a row, with its row; none where all are missing."""
    for stop in range(at, 0, -_CHUNK):
        start = max(0, stop - _CHUNK)
        x = rows(start, stop)
        if len(good := np.flatnonzero(~np.isnan(x))):
            return [(start + int(good[-1]), float(x[good[-1]]))]
    return []


def _sample_after(rows: Rows, at: int, length: int) -> list[tuple[int, float]]:
    """The first sample from a row on, with its row; none where all are missing."""
    for start in range(at, length, _CHUNK):
        x = rows(start, min(start + _CHUNK, length))
        if len(good := np.flatnonzero(~np.isnan(x))):
            return [(start + int(good[0]), float(x[good[0]]))]
    return []


def values_at(recording: Recording, column: int, rate: Fraction, start: int, stop: int) -> FloatArray:
    """Read rows ``[start, stop)`` of one signal at a rate, in its unit; NaN beyond its end."""
    s = recording.signals[column]

    def rows(a: int, b: int) -> FloatArray:
        return np.asarray(recording.values([column], a, b)[:, 0])

    end = min(stop, resampled_length(s.length, s.fs, rate))
    out = np.full(stop - start, np.nan)
    if end > start:
        out[: end - start] = resample_rows(rows, s.length, s.fs, rate, start, end)
    return out
