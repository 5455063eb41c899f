"""The high-pass without its phase: what it did to the shape and time of a wave is undone where rows have a future.

The filter that a model's millivolts are defined behind runs forward in time, live and stored alike. It moves a QRS
complex by about 2 ms to the left, widens P waves and lowers what follows a QRS. Its magnitude is kept. Its phase is
removed by the filter ``|H| / H``, which needs a few seconds of rows before and behind.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

import numpy as np

from ecg_edge.device.conditioning.conditioner import highpass_sos
from ecg_edge.device.conditioning.lead_in import lead_in, mirrored
from ecg_edge.device.conditioning.spec import ConditioningSpec
from ecg_edge.firmware_bridge.array_types import AnyFloatArray, FloatArray

_REACH = 2.5
"""Periods of the corner frequency: what lies further away hardly moves a row."""
_GRID = 1 << 15


def phase_undone(
    mv: AnyFloatArray, fs: float | Fraction, spec: ConditioningSpec, *, plain_ends: bool = False
) -> FloatArray:
    """Return rows without the phase of the high-pass they went through, shape and missing samples as before.

    Parameters
    ----------
    mv : ndarray of shape (n_samples, n_leads)
        In mV, behind the high-pass; NaN where there is no sample.
    fs : float or Fraction
        In Hz.
    spec : ConditioningSpec
        What they went through.
    plain_ends : bool
        Mirror both ends, which takes a tenth of the time; else the rhythm goes on behind them (`lead_in`).
    """
    rows = np.asarray(mv, np.float64)
    if len(rows) < 2:
        return rows
    known = np.isfinite(rows)
    plain, taps = np.where(known, rows, 0.0), _taps(spec, float(fs))
    n, rate = len(taps) // 2, Fraction(fs)
    if plain_ends:
        before, behind = mirrored(plain[::-1], n)[::-1], mirrored(plain, n)
    else:
        before, behind = lead_in(plain, rate, n), lead_in(plain[::-1], rate, n)[::-1]
    undone = _convolved(np.concatenate([before, plain, behind]), taps)[: len(rows)]
    return np.asarray(np.where(known, undone, np.nan), np.float64)


def _convolved(x: FloatArray, taps: FloatArray) -> FloatArray:
    """Where every tap meets a row, piece by piece: numpy's FFT, for scipy.signal loads in half a second."""
    size = 1 << (min(len(x), 8 * len(taps)) - 1).bit_length()
    response, out = np.fft.rfft(taps, size)[:, None], []
    for k in range(0, len(x) - len(taps) + 1, size - len(taps) + 1):
        spectrum = np.fft.rfft(x[k : k + size], size, axis=0)
        out.append(np.fft.irfft(spectrum * response, size, axis=0)[len(taps) - 1 :])
    return np.concatenate(out)


@lru_cache(4)
def _taps(spec: ConditioningSpec, fs: float) -> FloatArray:
    """Weights of the rows around a row."""
    z = np.exp(-2j * np.pi * np.fft.rfftfreq(_GRID))[1:, None] ** np.arange(3)
    response = np.prod([(z @ section[:3]) / (z @ section[3:]) for section in highpass_sos(spec, fs)], axis=0)
    phase = np.unwrap(np.angle(response))
    undo = np.concatenate([[np.cos(phase[0])], np.exp(-1j * phase)])
    n = max(2, round(_REACH / spec.highpass_hz * fs))
    return np.asarray(np.roll(np.fft.irfft(undo, _GRID), n)[: 2 * n + 1], np.float64)
