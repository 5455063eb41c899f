"""What stands beside an ECG on real boards: a pulse wave with its dicrotic notch, breathing, a sensor at rest."""

import numpy as np


def ppg(fs, n, bpm=65, seed=0, noise=0.005):
    """A photoplethysmogram of height 1: a steep rise, the dicrotic wave 0.2 s behind the peak, breathing, noise."""
    rng = np.random.default_rng(seed)
    t, y, beat = np.arange(n) / float(fs), np.zeros(n), -1.0
    while beat < n / float(fs) + 1:
        rr = 60 / bpm * (1 + 0.03 * rng.standard_normal())
        s = min(1.3, rr**0.5)
        for height, centre, width in ((1.0, 0.18, 0.07), (0.55, 0.36, 0.10), (0.18, 0.6, 0.12)):
            y += height * np.exp(-0.5 * ((t - beat - centre * s) / (width * s)) ** 2)
        beat += rr
    return y + 0.2 * np.sin(2 * np.pi * 0.25 * t) + noise * rng.standard_normal(n)


def breathing(fs, n, per_minute=15, noise=0.005, seed=0):
    """A belt or an impedance: slow, not quite a sine."""
    t = np.arange(n) / float(fs)
    wave = np.sin(2 * np.pi * per_minute / 60 * t)
    return wave + 0.25 * wave**2 + noise * np.random.default_rng(seed).standard_normal(n)


def acceleration(n, seed=0):
    """An axis of a sensor at rest, in g with two decimals."""
    return np.round(0.98 + 0.006 * np.random.default_rng(seed).standard_normal(n), 2)


def temperature(n):
    """Degrees with two decimals that rise slowly."""
    return np.round(36.5 + 0.00004 * np.arange(n), 2)
