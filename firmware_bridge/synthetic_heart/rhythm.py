"""When the synthetic heart beats and its chest moves: respiration, variability, beat times."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ecg_edge.firmware_bridge.array_types import FloatArray

_RSA = 0.030
_MAYER = 0.022
_JITTER = 0.004
_BEAT_GAIN = 0.015


class Oscillation:
    """A band of sinusoids with random phases: a smooth random process known at any time.

    A closed form in `t` needs no state. So it is the same at every sampling rate and for every way of cutting the time
    axis.

    Parameters
    ----------
    rng : numpy.random.Generator
        Draws frequencies and phases.
    low_hz, high_hz : float
        Band of the process.
    terms : int
        Number of sinusoids; the process is scaled to unit mean square.
    """

    def __init__(self, rng: np.random.Generator, low_hz: float, high_hz: float, terms: int = 5) -> None:
        # One frequency per equal slice of the band: no two coincide, so the mean square is exact.
        slices = (np.arange(terms) + rng.uniform(size=terms)) / terms
        self._omega = 2 * np.pi * (low_hz + (high_hz - low_hz) * slices)
        self._phase = rng.uniform(0, 2 * np.pi, terms)
        self._scale = math.sqrt(2 / terms)

    def __call__(self, t: FloatArray) -> FloatArray:
        """Value at times `t` (any shape), in units of its own RMS."""
        total = np.zeros_like(t)
        for omega, phase in zip(self._omega, self._phase, strict=True):
            total += np.sin(omega * t + phase)
        return self._scale * total


@dataclass(frozen=True)
class Beat:
    """One heart beat.

    Attributes
    ----------
    r : float
        Time of the R peak in seconds.
    rr : float
        Interval to the R peak before, in seconds.
    gain : float
        Amplitude relative to the mean beat.
    """

    r: float
    rr: float
    gain: float


class Rhythm:
    """Sinus rhythm whose rate follows the breath and the blood-pressure waves.

    The two bands (respiratory sinus arrhythmia near 0.25 Hz, Mayer waves near
    0.1 Hz) are those of McSharry et al., IEEE Trans. Biomed. Eng. 50 (2003) 289;
    here the upper one follows the very breath that also moves the baseline.

    Parameters
    ----------
    heart_rate_bpm : float
        Mean heart rate.
    seed : numpy.random.SeedSequence
        Fixes breath, waves and every beat.
    """

    def __init__(self, heart_rate_bpm: float, seed: np.random.SeedSequence) -> None:
        shape, self._beat_seed = seed.spawn(2)
        rng = np.random.default_rng(shape)
        self._mean_rr = 60.0 / heart_rate_bpm
        self._breath_hz = rng.uniform(0.20, 0.28)
        self._breath_phase = rng.uniform(0, 2 * np.pi)
        self._breath_wander = Oscillation(rng, 0.01, 0.05)
        self._mayer = Oscillation(rng, 0.07, 0.13)

    def breath(self, t: FloatArray) -> FloatArray:
        """Depth of the breath at times `t`, from -1 (out) to 1 (in)."""
        phase = 2 * np.pi * self._breath_hz * t + self._breath_phase
        return np.sin(phase + 0.8 * self._breath_wander(t))

    def beats(self) -> Iterator[Beat]:
        """All beats from shortly before time 0 on, without end; the same at every call."""
        rng = np.random.default_rng(self._beat_seed)
        r = -self._mean_rr * rng.uniform(1.0, 2.0)
        rr = self._mean_rr
        # A fast heart varies less, relative to its interval.
        depth = min(1.2, self._mean_rr)
        while True:
            yield Beat(r, rr, 1.0 + _BEAT_GAIN * rng.standard_normal())
            at = np.array(r)
            slow = -_RSA * math.sqrt(2) * self.breath(at) + _MAYER * self._mayer(at)
            rr = self._mean_rr * float(1.0 + depth * (slow + _JITTER * rng.standard_normal()))
            r += rr
