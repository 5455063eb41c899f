"""What disturbs a wearable's leads, made up: baseline wander, mains, muscle, electrode motion; a lead that falls off.

Each kind of noise comes with an RMS of 1 over the record, as it looks behind the device's own high-pass. The same
functions disturb training crops (`augment`) and the test records of the study of what that is worth.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy import fft

from ecg_edge.firmware_bridge.array_types import AnyFloatArray, Float32Array, FloatArray

Rng = np.random.Generator
Noise = Callable[[tuple[int, ...], int, Rng], Float32Array]

_MIN_MV = 0.001
_HIGHPASS_HZ = 0.5
_MAINS_HZ = ((47.0, 49.5), (50.0, 50.0), (60.0, 60.0))
"""Of mains at 50 Hz a model rate of 100 Hz keeps what lies below: the beat of a clock that is not exact."""


def levels(n: int, top_mv: float, rng: Rng) -> Float32Array:
    """RMS per record in mV, log-uniform between 1 µV and `top_mv`; shape (n, 1, 1)."""
    low, high = math.log(_MIN_MV), math.log(max(top_mv, _MIN_MV))
    return np.exp(rng.uniform(low, high, (n, 1, 1))).astype(np.float32)


def white(shape: tuple[int, ...], fs: int, rng: Rng) -> Float32Array:
    """The converter's and the amplifier's."""
    return _unit(rng.standard_normal(shape, np.float32))


def wander(shape: tuple[int, ...], fs: int, rng: Rng) -> Float32Array:
    """Baseline wander: breath and drifting electrodes, below 1 Hz, behind the high-pass."""
    f = _frequencies(shape, fs)
    centre = rng.uniform(0.15, 0.6, (*shape[:-1], 1))
    weight = np.exp(-0.5 * (f - centre) ** 2 / 0.1**2) * f**2 / np.sqrt(f**4 + _HIGHPASS_HZ**4)
    return _shaped(shape, weight, rng)


def mains(shape: tuple[int, ...], fs: int, rng: Rng) -> Float32Array:
    """Mains that the notch left: one tone, the same phase in all leads."""
    bands = [b for b in _MAINS_HZ if b[1] <= 0.495 * fs]
    low, high = np.array(bands)[rng.integers(len(bands), size=shape[0])].T
    hz, phase = rng.uniform(low, high)[:, None], rng.uniform(0, 2 * np.pi, (shape[0], 1))
    tone = np.sin(2 * np.pi * hz * np.arange(shape[-1]) / fs + phase)
    each = rng.uniform(0.3, 1.0, shape[:-1])[..., None]
    return _unit((tone[:, None] * each).astype(np.float32))


def muscle(shape: tuple[int, ...], fs: int, rng: Rng) -> Float32Array:
    """Muscle: 10 Hz and up, in bursts of half a second to some seconds."""
    f = _frequencies(shape, fs)
    carrier = _shaped(shape, 1 / (1 + (10 / np.maximum(f, 0.1)) ** 4), rng)
    burst = _shaped(shape, np.exp(-0.5 * (f / rng.uniform(0.1, 0.6, (*shape[:-1], 1))) ** 2), rng)
    return _unit(carrier * np.exp(burst))


def motion(shape: tuple[int, ...], fs: int, rng: Rng) -> Float32Array:
    """Electrode motion: sudden shifts that decay within a second, where the ECG has its own frequencies."""
    *lead, n = shape
    t = np.arange(n) / fs
    kicks = (rng.random(shape) < 0.5 / fs) * rng.standard_normal(shape)
    kicks[..., 0] += 0.01 * rng.standard_normal(lead)  # never nothing at all
    rise, decay = rng.uniform(0.01, 0.06, (*lead, 1)), rng.uniform(0.1, 0.7, (*lead, 1))
    pulse = np.exp(-t / decay) - np.exp(-t / rise)
    f = np.fft.rfftfreq(2 * n, 1 / fs)
    both = fft.rfft(kicks, 2 * n) * fft.rfft(pulse, 2 * n) * (f**2 / np.sqrt(f**4 + _HIGHPASS_HZ**4))
    return _unit(fft.irfft(both)[..., :n].astype(np.float32))


KINDS: dict[str, Noise] = {"wander": wander, "mains": mains, "muscle": muscle, "motion": motion}


def fallen_off(x: Float32Array, probability: float, rng: Rng) -> Float32Array:
    """Silence one of several leads for a stretch, in a share of the records; shape (n, n_leads, n_samples)."""
    n, leads, samples = x.shape
    if leads == 1:
        return x
    x = x.copy()
    for k in np.flatnonzero(rng.random(n) < probability):
        start, stop = np.sort(rng.integers(samples + 1, size=2))
        x[k, rng.integers(leads), start:stop] = 0
    return x


def _frequencies(shape: tuple[int, ...], fs: int) -> FloatArray:
    return np.asarray(np.fft.rfftfreq(shape[-1], 1 / fs), np.float64)


def _shaped(shape: tuple[int, ...], weight: FloatArray, rng: Rng) -> Float32Array:
    """Gaussian noise with the given magnitude over frequency."""
    spectrum = fft.rfft(rng.standard_normal(shape, np.float32), axis=-1) * weight.astype(np.float32)
    return _unit(fft.irfft(spectrum, n=shape[-1], axis=-1))


def _unit(x: AnyFloatArray) -> Float32Array:
    """Scaled to an RMS of 1 along time."""
    rms = np.sqrt(np.square(x).mean(axis=-1, keepdims=True))
    return np.asarray(x / np.maximum(rms, 1e-12), np.float32)
