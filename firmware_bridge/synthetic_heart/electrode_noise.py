"""What electrodes add to the heart: baseline wander, white and muscle noise, mains hum."""

from __future__ import annotations

import math

import numpy as np

from ecg_edge.firmware_bridge.array_types import FloatArray
from ecg_edge.firmware_bridge.errors import UsageError
from ecg_edge.firmware_bridge.synthetic_heart.rhythm import Oscillation

_MUSCLE = 0.4
"""Share of the noise amplitude that is muscle rather than white."""
_UNIT_S = 0.003
"""Width of a motor unit's potential; puts the top of the muscle spectrum at 75 Hz."""
_UNEASE = 0.5
"""How much the muscles' tension varies, relative to its mean."""
_BREATH = 0.5
"""Mean square of the breath's part of the wander, relative to the slow drift's."""
_THIRD = 0.12
"""Third harmonic of the mains relative to the fundamental."""


class ElectrodeNoise:
    """Unwanted potential of each electrode, made block after block.

    Amplitudes are those seen in a limb lead, the difference of two electrodes.

    Parameters
    ----------
    fs : float
        Sampling rate in Hz.
    rng : numpy.random.Generator
        Source of all randomness.
    electrodes : int
        Number of electrodes; the first two are those of lead I.
    noise_uv : float
        RMS of white and muscle noise together, in µV.
    mains_uv : float
        Amplitude of the hum in lead I, in µV.
    mains_hz : float
        Mains frequency in Hz.
    wander_uv : float
        RMS of the baseline wander, in µV, averaged over electrode pairs.

    Raises
    ------
    UsageError
        An amplitude is negative, or the hum's frequency cannot be sampled.
    """

    def __init__(
        self,
        fs: float,
        rng: np.random.Generator,
        electrodes: int,
        noise_uv: float,
        mains_uv: float,
        mains_hz: float,
        wander_uv: float,
    ) -> None:
        for name, value in (("noise_uv", noise_uv), ("mains_uv", mains_uv), ("wander_uv", wander_uv)):
            if not 0 <= value < math.inf:
                raise UsageError(f"{name} is {value}", "use 0 µV or more")
        if mains_uv and not 0 < mains_hz < fs / 2:
            raise UsageError(f"no {mains_hz} Hz hum at {fs} Hz", "sample faster or set the hum to 0 µV")
        self._rng = rng
        self._noise_mv = noise_uv * 1e-3 / math.sqrt(2)
        self._wander_mv = wander_uv * 1e-3 / math.sqrt(2 * (1 + _BREATH))
        self._tension = Oscillation(rng, 0.03, 0.4)
        self._drift = [Oscillation(rng, 0.02, 0.35) for _ in range(electrodes)]
        self._breath = rng.normal(size=electrodes)
        coupling = rng.normal(size=electrodes) + 1j * rng.normal(size=electrodes)
        self._hum = mains_uv * 1e-3 * coupling / abs(coupling[1] - coupling[0])
        self._mains_hz = mains_hz
        # Drawn last: all that is drawn above is then the same at every sampling rate.
        self._unit = _motor_unit(fs)
        self._tail = rng.standard_normal((len(self._unit) - 1, electrodes))
        # The amplifier's filter removes what it could not sample.
        self._third = _THIRD if 3 * mains_hz < fs / 2 else 0.0

    def block(self, t: FloatArray, breath: FloatArray) -> FloatArray:
        """Return the noise of the next samples.

        Parameters
        ----------
        t, breath : ndarray of float64, shape (n,)
            Time in seconds and depth of the breath (-1 to 1) of the samples that follow the last block's.

        Returns
        -------
        ndarray of float64, shape (n, n_electrodes)
            In mV.
        """
        drift = np.stack([process(t) for process in self._drift], axis=1)
        # The breath is a sine of mean square 1/2.
        wander = drift + math.sqrt(2 * _BREATH) * self._breath * breath[:, None]
        noise: FloatArray = self._wander_mv * wander + self._noise_mv * self._random(t) + self._mains(t)
        return noise

    def _random(self, t: FloatArray) -> FloatArray:
        n = len(t)
        white, fresh = self._rng.standard_normal((2, n, len(self._hum)))
        raw = np.concatenate([self._tail, fresh])
        self._tail = raw[n:]
        muscle = np.zeros_like(fresh)
        for lag, weight in enumerate(self._unit):
            muscle += weight * raw[lag : lag + n]
        tension = (1 + _UNEASE * self._tension(t)) / math.sqrt(1 + _UNEASE**2)
        random: FloatArray = math.sqrt(1 - _MUSCLE**2) * white + _MUSCLE * tension[:, None] * muscle
        return random

    def _mains(self, t: FloatArray) -> FloatArray:
        if not self._hum.any():
            return np.zeros((len(t), len(self._hum)))
        # The grid's frequency is never exact: it swings by a sixtieth of a hertz.
        phase = 2 * np.pi * self._mains_hz * t + np.sin(2 * np.pi * t / 60)
        carrier = np.exp(1j * phase) + self._third * np.exp(3j * phase)
        hum: FloatArray = np.real(carrier[:, None] * self._hum)
        return hum


def _motor_unit(fs: float) -> FloatArray:
    """Potential of one motor unit passing by: a triphasic pulse of unit energy.

    White noise convolved with it is the hum of many units firing independently.
    """
    half = math.ceil(4 * _UNIT_S * fs)
    u = np.arange(-half, half + 1) / (_UNIT_S * fs)
    pulse: FloatArray = (1 - u * u) * np.exp(-0.5 * u * u)
    return pulse / math.sqrt(float(np.sum(pulse * pulse)))
