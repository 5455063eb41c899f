"""The electrical heart as one rotating dipole, and the torso that carries it to the electrodes.

The dipole is a sum of Gaussian waves in the cardiac cycle (McSharry et al., IEEE
Trans. Biomed. Eng. 50 (2003) 289, taken to three dimensions by Sameni et al.,
EURASIP J. Adv. Signal Process. 2007, 43407). Each wave here is one wavefront with
one direction. Timing stretches with the RR interval wave by wave, after Clifford
et al., Physiol. Meas. 31 (2010) 595: the QRS complex keeps its width, QT follows Bazett.

Axes are Frank's: x to the patient's left, y to the feet, z to the back. Unit: mV.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ecg_edge.firmware_bridge.array_types import FloatArray
from ecg_edge.firmware_bridge.synthetic_heart.rhythm import Beat

# Lead vectors after Dower, Clin. Cardiol. 3 (1980) 87.
_I = (0.632, -0.235, 0.059)
_II = (0.235, 1.066, -0.132)
_CHEST = (
    (-0.515, 0.157, -0.917),
    (0.044, 0.164, -1.387),
    (0.882, 0.098, -1.277),
    (1.213, 0.127, -0.601),
    (1.125, 0.127, -0.086),
    (0.831, 0.076, 0.230),
)

# Peak time (s after R, at RR = 1 s), width (s), exponent of RR on both, x, y, z (mV).
_WAVES = np.array(
    [
        # right, then left atrium
        (-0.152, 0.0190, 0.25, 0.045, 0.085, -0.055),
        (-0.116, 0.0200, 0.25, 0.095, 0.065, 0.055),
        # septum, apex, free wall, posterior base
        (-0.0250, 0.0070, 0.0, -0.160, -0.030, -0.260),
        (-0.0080, 0.0085, 0.0, 0.450, 0.360, -0.270),
        (0.0040, 0.0095, 0.0, 0.960, 0.540, 0.460),
        (0.0230, 0.0095, 0.0, 0.070, 0.060, 0.660),
        (0.0380, 0.0085, 0.0, -0.130, -0.120, 0.200),
        # ST segment into T: a slow rise and a faster fall; then U
        (0.226, 0.0570, 0.5, 0.095, 0.060, -0.080),
        (0.288, 0.0340, 0.5, 0.275, 0.185, -0.140),
        (0.470, 0.0380, 0.5, 0.010, 0.012, -0.014),
    ]
)
_REACH = 5.0
"""Widths after which a wave is cut: 4e-6 of its peak, below a nanovolt."""


def electrode_vectors() -> FloatArray:
    """Lead vectors of the single electrodes against Wilson's terminal.

    Two limb leads and RA + LA + LL = 0 (Wilson's terminal as the reference)
    determine the three limb potentials; a chest lead is its electrode's potential.

    Returns
    -------
    ndarray of float64, shape (9, 3)
        One row per electrode of `SKIN`, dimensionless.
    """
    one, two = np.array(_I), np.array(_II)
    limbs = np.array([-(one + two), 2 * one - two, 2 * two - one]) / 3
    return np.concatenate([limbs, np.array(_CHEST)])


@dataclass(frozen=True)
class Patient:
    """One patient's heart and torso.

    Attributes
    ----------
    peak, width, stretch : ndarray of float64, shape (n_waves,)
        Peak time after R and width in seconds at RR = 1 s, and the exponent of RR on both.
    moment : ndarray of float64, shape (n_waves, 3)
        Dipole moment at the peak, in mV.
    torso : ndarray of float64, shape (9, 3)
        Lead vector of each electrode of `SKIN`.
    """

    peak: FloatArray
    width: FloatArray
    stretch: FloatArray
    moment: FloatArray
    torso: FloatArray

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Patient:
        """Draw a patient near the mean one: axis, size, wave shapes and electrode places differ."""
        waves = len(_WAVES)
        size = np.exp(rng.normal(0.0, 0.10)) * np.exp(rng.normal(0.0, 0.06, (waves, 1)))
        turn = rotation(np.radians(rng.normal(0.0, 7.0)), np.radians(rng.normal(0.0, 6.0)))
        electrodes = electrode_vectors()
        spread = 0.03 * np.linalg.norm(electrodes, axis=1, keepdims=True)
        patient = cls(
            peak=_WAVES[:, 0] * np.exp(rng.normal(0.0, 0.03, waves)),
            width=_WAVES[:, 1] * np.exp(rng.normal(0.0, 0.03, waves)),
            stretch=_WAVES[:, 2],
            moment=size * _WAVES[:, 3:] @ turn.T,
            torso=electrodes + spread * rng.standard_normal(electrodes.shape),
        )
        return patient._with_r_at_zero()

    def _with_r_at_zero(self) -> Patient:
        """Shift time so that the R peak of lead II is at 0: a beat's time is what a detector finds."""
        t = np.arange(-0.06, 0.06, 1e-4)
        lead_ii = self.dipole(t, [Beat(0.0, 1.0, 1.0)]) @ (self.torso[2] - self.torso[0])
        return Patient(self.peak - t[lead_ii.argmax()], self.width, self.stretch, self.moment, self.torso)

    def dipole(self, t: FloatArray, beats: Iterable[Beat]) -> FloatArray:
        """Dipole moment at ascending times.

        Parameters
        ----------
        t : ndarray of float64, shape (n,)
            Seconds, ascending.
        beats : iterable of Beat
            Every beat whose waves reach into `t`.

        Returns
        -------
        ndarray of float64, shape (n, 3)
            In mV.
        """
        total = np.zeros((len(t), 3))
        for beat in beats:
            scale = beat.rr**self.stretch
            peak, width = beat.r + self.peak * scale, self.width * scale
            low = np.searchsorted(t, (peak - _REACH * width).min())
            high = np.searchsorted(t, (peak + _REACH * width).max())
            if low < high:
                u = (t[low:high, None] - peak) / width
                total[low:high] += np.exp(-0.5 * u * u) @ (beat.gain * self.moment)
        return total


def rotation(frontal: float, horizontal: float) -> FloatArray:
    """Rotation matrix: `frontal` radians in the frontal plane, then `horizontal` in the horizontal one.

    Returns
    -------
    ndarray of float64, shape (3, 3)
    """
    c, s = np.cos(frontal), np.sin(frontal)
    k, q = np.cos(horizontal), np.sin(horizontal)
    tilt = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    turn: FloatArray = np.array([[k, 0, -q], [0, 1, 0], [q, 0, k]]) @ tilt
    return turn
