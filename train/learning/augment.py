"""Augmentation of training crops: other devices' filters, gains and noise, drawn per record.

Filters and gain act on inputs and targets alike, as another recorder would. Noise, misplaced electrodes and leads
that fall off act on the inputs alone: the network must not learn to predict them.
All randomness comes from the generator that is passed in, so that a resumed run draws the same numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import fft

from ecg_edge.firmware_bridge.array_types import Float32Array
from ecg_edge.train.learning import wearable_noise as disturb

Rng = np.random.Generator

_LOWPASS_HZ = (16.0, 45.0)
_HIGHPASS_HZ = (0.05, 0.8)
_LIMB = {"I": "II", "II": "I"}
_NEIGHBOURS = {f"V{k}": (f"V{k - 1}", f"V{k + 1}") for k in range(1, 7)}


@dataclass(frozen=True)
class Augmentation:
    """How much of what.

    Attributes
    ----------
    gain : float
        Each record is scaled by a factor between ``1 / (1 + gain)`` and ``1 + gain``.
    band : float
        Probability that a record passes another recorder's low-pass (Butterworth magnitude, 16 to
        45 Hz), and independently its first-order high-pass (0.05 to 0.8 Hz).
    noise_mv : float
        Each input gets noise of an RMS drawn log-uniformly between 1 µV and this.
    colour : float
        The noise's amplitude falls with frequency as ``f ** -a``, a drawn between 0 (muscle) and
        this (baseline wander, motion).
    wander_mv, mains_mv, muscle_mv, motion_mv : float
        Each input gets this kind of noise (see `disturb`), its RMS log-uniform between 1 µV and this.
    mask : float
        Probability that one of several inputs falls silent for a stretch: a lead that is off.
    shift : float
        Misplaced electrodes: largest share of a neighbour's signal mixed into a measured chest lead.
        A limb lead gets as much of the other limb lead. The share lies to both sides of nothing.
    """

    gain: float = 0.25
    band: float = 0.0
    noise_mv: float = 0.005
    colour: float = 0.0
    wander_mv: float = 0.0
    mains_mv: float = 0.0
    muscle_mv: float = 0.0
    motion_mv: float = 0.0
    mask: float = 0.0
    shift: float = 0.0


def recorded(x: Float32Array, fs: int, how: Augmentation, rng: Rng) -> Float32Array:
    """The records as another device would have recorded them: filters and gain, all leads alike.

    Parameters
    ----------
    x : ndarray of float32, shape (n_records, n_leads, n_samples)
        In mV.
    fs : int
        Rate in Hz.
    """
    if how.band:
        x = filtered(x, fs, how.band, rng)
    gain = np.exp(rng.uniform(-1, 1, (len(x), 1, 1)) * math.log1p(how.gain))
    return np.asarray(x * gain, np.float32)


def measured(
    x: Float32Array, leads: tuple[str, ...], n_inputs: int, fs: int, how: Augmentation, rng: Rng
) -> Float32Array:
    """Return what a wearable measures: the first `n_inputs` leads, chest electrodes misplaced, noise added.

    Parameters
    ----------
    x : ndarray of float32, shape (n_records, len(leads), n_samples)
        In mV.
    leads : tuple of str
        Names of the rows.
    """
    inputs = x[:, :n_inputs].copy()
    if how.shift:
        _misplace(inputs, x, leads, how.shift, rng)
    if how.noise_mv:
        inputs += noise(inputs.shape, fs, how, rng)
    for kind, make in disturb.KINDS.items():
        if top := getattr(how, f"{kind}_mv"):
            inputs += make(inputs.shape, fs, rng) * disturb.levels(len(x), top, rng)
    if how.mask:
        inputs = disturb.fallen_off(inputs, how.mask, rng)
    return np.asarray(inputs)


def _misplace(inputs: Float32Array, x: Float32Array, leads: tuple[str, ...], shift: float, rng: Rng) -> None:
    """Mix neighbours into the measured leads: chest electrodes toward the next one, limb electrodes off the limb."""
    for k, lead in enumerate(leads[: inputs.shape[1]]):
        if near := [leads.index(n) for n in _NEIGHBOURS.get(lead, ()) if n in leads]:
            share = rng.uniform(0, shift, (len(x), 1)).astype(np.float32)
            inputs[:, k] += share * (x[np.arange(len(x)), rng.choice(near, len(x))] - x[:, k])
        elif (other := _LIMB.get(lead)) in leads:
            share = rng.uniform(-shift, shift, (len(x), 1)).astype(np.float32)
            inputs[:, k] += share * x[:, leads.index(other)]


def filtered(x: Float32Array, fs: int, probability: float, rng: Rng) -> Float32Array:
    """Pass each record, with the given probability each, through a random low-pass and a random high-pass."""
    n, samples = len(x), x.shape[-1]
    f = np.fft.rfftfreq(samples, 1 / fs)
    low = rng.uniform(*_LOWPASS_HZ, (n, 1))
    order = rng.integers(1, 5, (n, 1))
    high = np.exp(rng.uniform(math.log(_HIGHPASS_HZ[0]), math.log(_HIGHPASS_HZ[1]), (n, 1)))
    response = np.where(rng.random((n, 1)) < probability, 1 / np.sqrt(1 + (f / low) ** (2 * order)), 1).astype(complex)
    response *= np.where(rng.random((n, 1)) < probability, 1j * f / (1j * f + high), 1)
    spectrum = fft.rfft(x, axis=-1) * response[:, None].astype(np.complex64)
    return np.asarray(fft.irfft(spectrum, n=samples, axis=-1), np.float32)


def noise(shape: tuple[int, ...], fs: int, how: Augmentation, rng: Rng) -> Float32Array:
    """Coloured noise in mV, one level and one colour per record."""
    n, samples = shape[0], shape[-1]
    rms = disturb.levels(n, how.noise_mv, rng)
    white = rng.standard_normal(shape, np.float32)
    if how.colour:
        f = np.maximum(np.fft.rfftfreq(samples, 1 / fs), 0.3)
        weight = f ** -rng.uniform(0, how.colour, (n, 1, 1))
        weight /= np.sqrt((weight**2).mean(axis=-1, keepdims=True))
        white = fft.irfft(fft.rfft(white, axis=-1) * weight.astype(np.float32), n=samples, axis=-1)
    return np.asarray(white * rms, np.float32)
