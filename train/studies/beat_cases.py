"""Made-up recordings of one lead with known beats: the hard cases of a beat detector, and inputs without a heart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import signal

from ecg_edge.firmware_bridge.array_types import FloatArray
from ecg_edge.firmware_bridge.synthetic_heart.heart import SyntheticHeart

FS = 250
SECONDS = 90.0


@dataclass(frozen=True)
class Case:
    """One made-up recording.

    Attributes
    ----------
    group, name : str
        Kind of difficulty, and what is special within it.
    mv : ndarray of shape (n_samples,)
        At `FS`, as an electrode gives it.
    beats : ndarray of shape (n_beats,)
        Times of the R peaks in seconds; empty where there is no heart.
    """

    group: str
    name: str
    mv: FloatArray
    beats: FloatArray


@dataclass(frozen=True)
class Shape:
    """One beat as Gaussian waves: heights in mV, widths (standard deviation) in seconds."""

    r: float = 1.0
    width: float = 0.010
    t: float = 0.25
    t_width: float = 0.045
    p: float = 0.12
    pr: float = 0.16

    def waves(self, rr: float) -> tuple[tuple[float, float, float], ...]:
        """Height, distance from R and width of each wave; the T wave follows the root of the interval (Bazett)."""
        s = self.width / 0.010
        return (
            (self.p, -self.pr, 0.02),
            (-0.1 * self.r, -0.025 * s, 0.008 * s),
            (self.r, 0.0, self.width),
            (-0.2 * self.r, 0.028 * s, 0.010 * s),
            (self.t, 0.25 * min(1.15, rr**0.5) + 0.02 * (s - 1), self.t_width),
        )


def drawn(times: FloatArray, *shapes: Shape) -> FloatArray:
    """Sum of the beats' waves at `FS`; the beats take the shapes in turn."""
    at = np.arange(round(SECONDS * FS)) / FS
    y = np.zeros_like(at)
    rr = np.diff(times, prepend=times[0] - 1.0)
    for k, (beat, interval) in enumerate(zip(times, rr, strict=True)):
        for height, shift, width in shapes[k % len(shapes)].waves(float(interval)):
            near = slice(*np.searchsorted(at, (beat + shift - 5 * width, beat + shift + 5 * width)))
            y[near] += height * np.exp(-0.5 * ((at[near] - beat - shift) / width) ** 2)
    return y


def even(bpm: float, rng: np.random.Generator, spread: float = 0.02) -> FloatArray:
    """Beat times of a rhythm with a little or much variation."""
    rr = 60 / bpm * np.clip(1 + spread * rng.standard_normal(2000), 0.45, 2.2)
    times = 0.5 + np.cumsum(rr)
    return np.asarray(times[times < SECONDS - 0.6])


def white(rng: np.random.Generator, mv: float) -> FloatArray:
    """White noise of the given RMS."""
    return mv * rng.standard_normal(round(SECONDS * FS))


def band(rng: np.random.Generator, mv: float, low: float, high: float) -> FloatArray:
    """Gaussian noise in a band, of the given RMS."""
    sos = signal.butter(2, [low, high], "bandpass", fs=FS, output="sos")
    x = signal.sosfilt(sos, rng.standard_normal(round(SECONDS * FS) + FS))[FS:]
    return np.asarray(mv * x / x.std())


def cases(seed: int = 0) -> Iterator[Case]:
    """All of them, the same for the same seed."""
    for number, make in enumerate((_sinus, _tall_t, _alternating, _slow, _shapes, _rhythms, _artefacts, _pacing)):
        yield from make(np.random.default_rng([seed, number]))


def heartless(seed: int = 0) -> Iterator[Case]:
    """Inputs without a heart: no rate may be stated."""
    rng = np.random.default_rng([seed, 99])
    t: FloatArray = np.arange(round(SECONDS * FS)) / FS
    none = np.zeros(0)
    for mv in (0.005, 0.02, 0.05, 0.2, 1.0):
        yield Case("noise", f"white {1e3 * mv:.0f} µV", white(rng, mv), none)
    for low, high, mv in ((10, 48, 0.05), (10, 48, 0.3), (0.5, 5, 0.3), (4, 7, 0.4)):
        yield Case("noise", f"{low}–{high} Hz, {1e3 * mv:.0f} µV", band(rng, mv, low, high), none)
    for hz in (1.0, 2.0, 10.0, 50.0):
        yield Case("no ECG", f"sine {hz:.0f} Hz", np.sin(2 * np.pi * hz * t) + white(rng, 0.002), none)
    yield Case("no ECG", "ramp", 0.25 * t, none)
    yield Case("no ECG", "counter of 8 bits", np.asarray(np.arange(len(t)) % 256 * 0.005, np.float64), none)
    yield Case("no ECG", "square 1 Hz", signal.square(2 * np.pi * t) + white(rng, 0.005), none)
    spikes = np.zeros_like(t)
    spikes[FS :: round(0.86 * FS)] = 5.0
    yield Case("no ECG", "pacing without a heart", spikes + white(rng, 0.01), none)


def _sinus(rng: np.random.Generator) -> Iterator[Case]:
    for bpm in (35, 45, 60, 80, 110, 150, 180, 210):
        heart = SyntheticHeart(FS, ("II",), heart_rate_bpm=bpm, seed=int(rng.integers(1000)), noise_uv=10)
        yield Case("sinus", f"{bpm}/min", heart.read(round(SECONDS * FS))[:, 0], heart.r_times(SECONDS - 0.6))


def _tall_t(rng: np.random.Generator) -> Iterator[Case]:
    for bpm in (38, 45, 55, 75):
        for r, t in ((0.4, 0.9), (0.5, 0.6), (1.0, 1.2), (0.5, -0.8)):
            times = even(bpm, rng)
            y = drawn(times, Shape(r=r, t=t)) + white(rng, 0.008)
            yield Case("tall T", f"T {t} over R {r}, {bpm}/min", y, times)


def _alternating(rng: np.random.Generator) -> Iterator[Case]:
    for bpm in (50, 60, 100):
        for share in (0.25, 0.35, 0.5):
            times = even(bpm, rng)
            shapes = (Shape(), Shape(r=share, t=0.25 * share, p=0.12 * share))
            y = drawn(times, *shapes) + white(rng, 0.008)
            yield Case("every other beat small", f"{share} of the other, {bpm}/min", y, times)


def _slow(rng: np.random.Generator) -> Iterator[Case]:
    for bpm in (12, 15, 20, 26):
        for noise in (0.005, 0.02, 0.04):
            times = even(bpm, rng)
            y = drawn(times, Shape()) + white(rng, noise)
            yield Case("slow", f"{bpm}/min, {1e3 * noise:.0f} µV of noise", y, times)


def _shapes(rng: np.random.Generator) -> Iterator[Case]:
    kinds = {
        "wide QRS": Shape(r=0.9, width=0.025, t=-0.35),
        "very wide QRS": Shape(r=1.2, width=0.04, t=-0.5, t_width=0.06),
        "small": Shape(r=0.15, t=0.04, p=0.02),
        "downwards": Shape(r=-0.8, t=0.2),
        "tall P, long PR": Shape(r=0.4, p=0.25, pr=0.30),
        "large": Shape(r=4.0, t=0.8, p=0.2),
        "narrow": Shape(r=0.8, width=0.007, t=0.15),
    }
    for name, shape in kinds.items():
        for bpm in (50, 80, 130) if shape.pr < 0.2 else (50, 70):
            times = even(bpm, rng)
            if bpm > 100:
                shape = Shape(shape.r, shape.width, 0.5 * shape.t, 0.03, shape.p, 0.13)
            y = drawn(times, shape) + white(rng, 0.008)
            yield Case("shapes", f"{name}, {bpm}/min", y, times)


def _rhythms(rng: np.random.Generator) -> Iterator[Case]:
    fibrillating = Shape(p=0.0)
    for bpm, spread in ((70, 0.2), (100, 0.22), (140, 0.2)):
        times = even(bpm, rng, spread)
        y = drawn(times, fibrillating) + band(rng, 0.03, 4, 8) + white(rng, 0.008)
        yield Case("rhythms", f"fibrillation of the atria, {bpm}/min", y, times)
    for bpm in (60, 80):  # every second beat early and wide
        pairs = even(bpm / 2, rng)
        times = np.sort(np.concatenate([pairs, pairs + 0.36 * 120 / bpm]))
        y = drawn(times, Shape(), Shape(r=-1.4, width=0.03, t=0.5, t_width=0.06, p=0.0))
        yield Case("rhythms", f"bigeminy, {bpm}/min", y + white(rng, 0.008), times)
    for bpm in (150, 190):
        times = even(bpm, rng, 0.01)
        y = drawn(times, Shape(r=1.2, width=0.045, t=-0.8, t_width=0.05, p=0.0)) + white(rng, 0.008)
        yield Case("rhythms", f"tachycardia of the ventricles, {bpm}/min", y, times)
    times = even(60, rng)
    times = times[(times % 20) > 4.5]
    yield Case("rhythms", "pauses of 4 s", drawn(times, Shape()) + white(rng, 0.008), times)
    times, atria = even(35, rng), even(92, rng)
    y = drawn(times, Shape(r=0.7, width=0.02, t=-0.3, p=0.0)) + drawn(atria, Shape(0.0, t=0.0, p=0.22))
    yield Case("rhythms", "block of the third degree, 35/min", y + white(rng, 0.008), times)
    for noise in (0.1, 0.2):
        times = even(75, rng)
        y = drawn(times, Shape())
        yield Case("noisy", f"white {1e3 * noise:.0f} µV", y + white(rng, noise), times)
        yield Case("noisy", f"muscle {1e3 * noise:.0f} µV", y + band(rng, noise, 10, 48), times)
        yield Case("noisy", f"motion {2e3 * noise:.0f} µV", y + band(rng, 2 * noise, 0.5, 5), times)


def _artefacts(rng: np.random.Generator) -> Iterator[Case]:
    for step in (0.8, 2.0, 5.0, -5.0):
        for bpm in (50, 75):
            times = even(bpm, rng)
            y = drawn(times, Shape()) + white(rng, 0.008)
            for number, at in enumerate(rng.uniform(0.45, 0.6, 20) + 8 + np.arange(0, 80, 8)[np.arange(20) % 10]):
                beat = times[np.searchsorted(times, at)] - 60 / bpm * 0.45
                y[round(beat * FS) :] += step * (-1) ** number if number < 10 else 0.0
            yield Case("steps", f"{step} mV, {bpm}/min", y, times)


def _pacing(rng: np.random.Generator) -> Iterator[Case]:
    wide = Shape(r=0.9, width=0.022, t=-0.3, p=0.0)
    for size in (1.0, 4.0, -4.0, 12.0):
        for name, ahead, shape in (("atrium", 0.20, Shape()), ("ventricle", 0.045, wide)):
            times = even(65, rng, 0.01)
            y = drawn(times, shape) + white(rng, 0.008)
            y[np.rint((times - ahead) * FS).astype(int)] += size
            yield Case("pacing", f"{size} mV before the {name}", y, times)
        times = even(40, rng)
        y = drawn(times, wide) + white(rng, 0.008)
        spikes = np.arange(0.7, SECONDS - 1, 0.83)
        y[np.rint(spikes * FS).astype(int)] += size
        yield Case("pacing", f"{size} mV without capture, 40/min", y, times)
