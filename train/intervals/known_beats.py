"""Beats with known intervals: waves that begin and end at stated instants, in eight leads.

As in the calibration signals of electrocardiographs, QRS is made of straight lines, P and
T of half sines or of squared sines. A wave is exactly zero outside its support, so its onset and end are known.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ecg_edge.device.lead_algebra import BASIS
from ecg_edge.firmware_bridge.array_types import FloatArray


@dataclass(frozen=True)
class KnownBeats:
    """What a series of beats is made of, in seconds and mV.

    Attributes
    ----------
    bpm, p_s, pr_s, qrs_s, qt_s : float
        Rate, P duration, PR, QRS and QT.
    smooth : bool
        P and T are squared sines (they begin flat) instead of half sines (they begin with a slope).
    axis_deg : float
        Frontal axis of all three waves.
    noise_mv : float
        Standard deviation of white noise.
    """

    bpm: float = 65.0
    p_s: float = 0.100
    pr_s: float = 0.160
    qrs_s: float = 0.092
    qt_s: float = 0.390
    smooth: bool = False
    axis_deg: float = 50.0
    noise_mv: float = 0.0


CASES: tuple[KnownBeats, ...] = (
    KnownBeats(),
    KnownBeats(smooth=True),
    KnownBeats(bpm=50, pr_s=0.200, qt_s=0.440),
    KnownBeats(bpm=50, pr_s=0.200, qt_s=0.440, smooth=True),
    KnownBeats(bpm=100, p_s=0.090, pr_s=0.130, qrs_s=0.080, qt_s=0.320),
    KnownBeats(bpm=100, p_s=0.090, pr_s=0.130, qrs_s=0.080, qt_s=0.320, smooth=True),
    KnownBeats(bpm=70, qrs_s=0.140, qt_s=0.430, axis_deg=-45),
    KnownBeats(bpm=75, pr_s=0.240, axis_deg=100),
    KnownBeats(bpm=60, qt_s=0.480, smooth=True, axis_deg=10),
    KnownBeats(bpm=65, noise_mv=0.010),
    KnownBeats(bpm=80, qt_s=0.370, noise_mv=0.010, smooth=True),
)
"""Narrow and wide, slow and fast, sharp and smooth, with and without 10 µV of noise."""


def make(case: KnownBeats, fs: int = 500, seconds: float = 10.0, seed: int = 1) -> tuple[FloatArray, list[float]]:
    """Return the eight basis leads, shape (n_samples, 8) in mV, and the R peaks in seconds."""
    t = np.arange(round(seconds * fs)) / fs
    out = np.zeros((len(t), len(BASIS)))
    onsets = np.arange(0.45, seconds, 60 / case.bpm)
    for start in onsets:
        for wave, weights in _waves(case, t - start):
            out += wave[:, None] * weights
    if case.noise_mv:
        out += np.random.default_rng(seed).normal(0, case.noise_mv, out.shape)
    return out, [float(s + 0.4 * case.qrs_s) for s in onsets]


def _waves(case: KnownBeats, t: FloatArray) -> list[tuple[FloatArray, FloatArray]]:
    """Each wave around a QRS onset at zero, and its size in the leads."""
    limb = np.cos(np.radians([case.axis_deg, case.axis_deg - 60]))
    chest_p, chest_t = np.array([0.04, 0.06, 0.06, 0.05, 0.05, 0.05]), np.array([0.1, 0.4, 0.45, 0.4, 0.3, 0.2])
    p = _half_sine(t, -case.pr_s, case.p_s, case.smooth)
    t_length = 0.55 * (case.qt_s - case.qrs_s)
    wave_t = _half_sine(t, case.qt_s - t_length, t_length, case.smooth)
    q = case.qrs_s
    corners = np.array([0, 0.1, 0.2, 0.4, 0.65, 0.8, 1]) * q
    limb_qrs = np.interp(t, np.delete(corners, 5), [0, -0.1, 0, 1.0, -0.2, 0])
    right = np.interp(t, corners, [0, 0.1, 0.2, 0.3, -1.0, -0.2, 0])
    left = np.interp(t, np.delete(corners, 5), [0, -0.15, 0, 1.2, -0.25, 0])
    rv, lv = np.array([1, 1.3, 0.7, 0.2, 0, 0]), np.array([0, 0, 0.6, 1.1, 1.1, 0.8])
    none = np.zeros(2)
    return [
        (p, np.concatenate([0.12 * limb, chest_p])),
        (limb_qrs, np.concatenate([1.1 * limb, np.zeros(6)])),
        (right, np.concatenate([none, rv])),
        (left, np.concatenate([none, lv])),
        (wave_t, np.concatenate([0.3 * limb, chest_t])),
    ]


def _half_sine(t: FloatArray, start: float, length: float, smooth: bool) -> FloatArray:
    inside = np.clip((t - start) / length, 0, 1)
    wave = np.sin(np.pi * inside)
    return np.asarray(wave**2 if smooth else wave)
