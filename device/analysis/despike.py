"""Takes the pulses of a pacemaker out of a lead, so that they are not counted as beats.

A pulse of some milliseconds, sampled and filtered, is an impulse response of the resampler and nothing else; no
QRS complex is so short. Of 28 000 beats of PTB-XL, one in a thousand is as much like it as `_LIKE` asks.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_HALF = 5
_CUT = 4
_SHIFTS = np.arange(-0.5, 0.51, 0.1)
_CUTOFF, _BETA = 0.47, 3.0
_LIKE = 0.97
"""Share of the power around a pulse that the impulse response explains."""
_LEAST_MV = 0.1
FloatArray = npt.NDArray[np.float64]


def _bank() -> tuple[FloatArray, FloatArray]:
    """Impulse responses at parts of a sample, without mean, slope and curve; and what takes these out."""
    t = np.arange(-_HALF, _HALF + 1) - _SHIFTS[:, None]
    inside = np.clip(1 - (t / 4) ** 2, 0, None)
    pulses = np.sinc(2 * _CUTOFF * t) * np.i0(_BETA * np.sqrt(inside)) * (inside > 0)
    line = np.linalg.qr(np.vander(np.arange(-_HALF, _HALF + 1.0), 3))[0]
    level = np.eye(2 * _HALF + 1) - line @ line.T
    pulses = pulses @ level
    return pulses / np.linalg.norm(pulses, axis=1, keepdims=True), level


class Despike:
    """Replaces pulses by straight lines, `delay` samples late; the same however the samples are cut.

    Attributes
    ----------
    delay : int
        Samples by which the output lags.
    """

    def __init__(self) -> None:
        self._pulses, self._level = _bank()
        self.delay = _HALF + _CUT
        self.reset()

    def reset(self) -> None:
        """Forget everything; the next sample is taken to have stood for ever."""
        self._past: FloatArray | None = None

    def feed(self, mv: FloatArray) -> FloatArray:
        """Take samples; return as many, those of `delay` samples ago."""
        n = len(mv)
        if not n:
            return mv
        if self._past is None:
            self._past = np.full(2 * self.delay, mv[0])
        x = np.concatenate([self._past, mv])
        self._past = x[n:]
        out = x
        for centre in self._centres(x):
            out = out.copy() if out is x else out
            a, b = centre - _CUT - 1, centre + _CUT + 1
            out[a : b + 1] = np.linspace(x[a], x[b], b - a + 1)
        return out[self.delay : -self.delay]

    def _centres(self, x: FloatArray) -> npt.NDArray[np.int64]:
        """Where a pulse is whole within these samples."""
        sharp = np.abs(x[2:] - 2 * x[1:-1] + x[:-2]) > _LEAST_MV
        if not sharp.any():
            return np.zeros(0, np.int64)
        bent = np.flatnonzero(sharp) + 1
        bent = bent[(bent >= _HALF) & (bent < len(x) - _HALF)]
        near = x[bent[:, None] + np.arange(-_HALF, _HALF + 1)] @ self._level
        like = ((near @ self._pulses.T) ** 2).max(axis=1)
        return np.asarray(bent[like > np.maximum(_LIKE * (near**2).sum(axis=1), _LEAST_MV**2)])
