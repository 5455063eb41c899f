"""Whether the numbers of a lead can be millivolts of a heart at all: their size, and signals no heart makes.

Judged on native samples. This finds inputs that are something else: a counter, a test tone, noise, another unit.
`noise_gate` judges whether an ECG is good enough to reconstruct from. The limits lie far from what hearts do. R waves
reach some 5 mV. Ventricular flutter looks like a sine wave of up to 5 Hz. Fibrillation has its power below 10 Hz.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from ecg_edge.device.analysis.recent_rows import Tail
from ecg_edge.firmware_bridge.events import Channel
from ecg_edge.firmware_bridge.framing.curve_shape import SMOOTH, bend

WINDOW_S, SHORTEST_S = 4, 2
"""Seconds that a verdict looks at; in the beginning the shorter for what is large or loud."""
DOUBT_AFTER, REST_AFTER, NOISE_AFTER, TRUST_AFTER = 2, 3, 6, 4
"""Verdicts in a row, one each second, that raise a doubt, the same where a resting heart looks alike, call quiet
noise a noise, and settle a doubt: a slow heart rests 5 s."""
LARGE_MV, SMALL_MV, LOUD_MV = 20.0, 0.02, 0.4
_ENDLESS_MV = 1e9
"""What is larger is no more wrong, and its fourth power has no number."""
_KNOWN = 0.75
"""Share of the samples in a window that must be valid; straight lines replace the others."""
_WHOLE_MV = 8.0
"""Text of whole numbers over so wide a range holds a converter's counts, not millivolts."""
_ONE_WAY = 0.97
_WANDER_HZ = 0.4
_TONE_HZ, _TONE, _PURE = 8.0, 0.9, 0.998
_PULSE_HZ, _PULSE_MV = 1.9, 0.2
"""A smooth wave is none of the ventricles below so many Hz, and more than the baseline from so many mV on."""
_EDGE_S, _STAYS_S, _STEPS = 0.024, 0.12, 3
"""A wave that steps by half its height within `_EDGE_S` and back no sooner than `_STAYS_S` is no QRS."""
_NARROW_FS, _NARROW_S, _BESIDE_S, _SILENT_MV = 200, 0.01, 0.02, 0.2
"""At so many Hz a QRS complex is wider than a pulse of `_NARROW_S`; what is left beside it may be noise."""
_HEART_HZ, _HISS_HZ, _BUMPS = (1.0, 10.0), (12.0, 40.0), (4.0, 3.6)
Array = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
T = TypeVar("T")


@dataclass(frozen=True)
class Doubt:
    """Why a lead cannot be millivolts of a heart.

    Attributes
    ----------
    word : str
        ``large``, ``small``, ``counter``, ``tone``, ``smooth``, ``noise`` or ``pulses``: for programs.
    text : str
        What is seen, for the human; follows the name of the lead.
    after : int
        Verdicts in a row that raise it.
    """

    word: str
    text: str
    after: int = field(default=DOUBT_AFTER, compare=False)


WORDS = ("large", "small", "counter", "tone", "smooth", "noise", "pulses")


def doubt(x: Array, fs: float, as_text: bool = False) -> Doubt | None:
    """Judge some seconds of one lead.

    Parameters
    ----------
    x : ndarray of shape (n_samples,)
        In mV, some seconds, all valid.
    fs : float
        Rate in Hz.
    as_text : bool
        The device writes numbers that are taken for millivolts.

    Returns
    -------
    Doubt or None
        None where it may be an ECG.
    """
    heights = _heights(x, fs)
    size = float(np.median(heights))
    whole = len(x) >= round(WINDOW_S * fs)
    if whole and _is_counter(x):
        return Doubt("counter", f"rises or falls evenly by {_mv(float(np.ptp(x)))}: a counter or a clock, not an ECG")
    if as_text and whole and (x == np.rint(x)).all() and np.ptp(x) >= _WHOLE_MV:
        span = f"{x.min():.0f} to {x.max():.0f}"
        return Doubt("large", f"has whole numbers from {span}, which are not mV: give --gain, or scale in a file")
    if max(heights) < SMALL_MV:
        text = f"is {_mv(size)} high, too small for a heart: electrodes and unit?"
        return Doubt("small", text, REST_AFTER) if whole else None
    power, hz = _spectrum(x, fs)
    if size >= LARGE_MV:
        return Doubt("large", f"is {_mv(size)} high, too large for a heart: is the unit or the gain right?")
    if whole and (tone := _tone(power, hz)) is not None:
        return Doubt("tone", f"is a steady tone of {tone:.3g} Hz, not an ECG")
    if whole and size >= _PULSE_MV and _is_square(x, fs):
        return Doubt("tone", "steps up and down and stays there: a square wave, not an ECG")
    if whole and fs >= _NARROW_FS and _is_pulses(x, fs):
        return Doubt("pulses", "has short pulses, as of a pacemaker, and no heartbeats")
    if whole and size >= _PULSE_MV and _is_smooth(x, fs, power, hz):
        return Doubt("smooth", "is a smooth wave, as a pulse sensor or breathing makes, not an ECG")
    loud = size >= LOUD_MV
    if (whole or loud) and _is_noise(x, power, hz, fs, loud):
        return Doubt("noise", "is noise without heartbeats", REST_AFTER if loud else NOISE_AFTER)
    return None


def _is_text_of_mv(channel: Channel) -> bool:
    return channel.per_count != 1 and abs(channel.lsb_mv / channel.per_count - 1) < 1e-9


def _mv(size: float) -> str:
    return f"{size:.3g} mV" if size >= 0.1 else f"{1e3 * size:.2g} µV"


def _heights(x: Array, fs: float) -> list[float]:
    """Height of each second without its slope."""
    n = max(2, round(fs))
    seconds = [x[k : k + n] for k in range(0, len(x) - n + 1, n)]
    line = np.linspace(0, 1, n)
    return [float(np.ptp(s - (s[-1] - s[0]) * line)) for s in seconds]


def _is_counter(x: Array) -> bool:
    """Whether nearly all steps that are none of zero go one way; an R wave alone goes both."""
    steps = np.diff(x)
    moved = steps[steps != 0]
    if len(moved) < len(x) // 50 + 2:
        return False
    return bool(max((moved > 0).mean(), (moved < 0).mean()) > _ONE_WAY)


def _spectrum(x: Array, fs: float) -> tuple[Array, Array]:
    """Power above the baseline's wander, and its frequencies."""
    hz = np.asarray(np.fft.rfftfreq(len(x), 1 / fs))
    power = np.abs(np.fft.rfft((x - x.mean()) * np.hanning(len(x)))) ** 2
    return power[hz > _WANDER_HZ], hz[hz > _WANDER_HZ]


def _tone(power: Array, hz: Array) -> float | None:
    """Frequency of the one line that holds the power."""
    top = int(power.argmax())
    share = float(power[max(0, top - 2) : top + 3].sum() / (power.sum() + 1e-30))
    return float(hz[top]) if share > (_TONE if hz[top] >= _TONE_HZ else _PURE) else None


def _is_square(x: Array, fs: float) -> bool:
    """Whether the lead steps up and down in turn and rests between; the slopes of a QRS follow each other at once."""
    n = max(1, round(_EDGE_S * fs))
    steps = x[n:] - x[:-n]
    edges = np.flatnonzero(np.abs(steps) > np.ptp(x) / 2)
    if not len(edges):
        return False
    firsts = edges[np.diff(edges, prepend=edges[0] - n - 1) > 1]
    signs = np.sign(steps[firsts])
    return len(firsts) >= _STEPS and bool((signs[1:] != signs[:-1]).all() and np.diff(firsts).min() > _STAYS_S * fs)


def _is_pulses(x: Array, fs: float) -> bool:
    """Whether nothing but noise is left beside pulses that are too short for a QRS."""
    off = np.abs(x - np.median(x))
    high = np.flatnonzero(off > off.max() / 2)
    starts = high[np.diff(high, prepend=high[0] - 2) > 1]
    ends = high[np.diff(high, append=high[-1] + 2) > 1]
    if int((ends - starts).max()) + 1 > _NARROW_S * fs or len(high) > len(x) // 20:
        return False
    beside = round(_BESIDE_S * fs)
    near = (high[:, None] + np.arange(-beside, beside + 1)).clip(0, len(x) - 1)
    kept = np.setdiff1d(np.arange(len(x)), near)
    rest = _level(np.interp(np.arange(len(x)), kept, x[kept]), fs)
    size = float(np.ptp(rest))
    quiet = size < SMALL_MV or float((rest**4).mean()) < _BUMPS[False] * float((rest**2).mean()) ** 2
    return quiet and size < min(_SILENT_MV, float(off.max()) / 4)


def _is_smooth(x: Array, fs: float, power: Array, hz: Array) -> bool:
    """Whether a slow wave never turns as sharply as a QRS."""
    return bend(x, fs) < SMOOTH and float(power[hz < _PULSE_HZ].sum()) > float(power.sum()) / 2


def _is_noise(x: Array, power: Array, hz: Array, fs: float, loud: bool) -> bool:
    """Whether more power lies above the heart's band than in it, and no wave stands out."""
    heart, hiss = (float(power[(hz >= a) & (hz < b)].sum()) for a, b in (_HEART_HZ, _HISS_HZ))
    if hiss <= heart:
        return False
    level = _level(x, fs)
    spread = float((level**2).mean())
    return float((level**4).mean()) < _BUMPS[loud] * spread**2


def _level(x: Array, fs: float) -> Array:
    """The lead without its slope and its wander, over which beats do not stand out."""
    waves = np.fft.rfft(x - np.linspace(x[0], x[-1], len(x)))
    waves[np.fft.rfftfreq(len(x), 1 / fs) < _HEART_HZ[0]] = 0
    return np.asarray(np.fft.irfft(waves, len(x)))


class Plausibility:
    """Judges leads once a second; what it returns is the same however the samples are cut.

    Parameters
    ----------
    fs : Fraction
        Native rate in Hz.
    n_leads : int
        Number of leads.
    channels : sequence of Channel
        The leads as the device describes them; empty where only their millivolts are known.

    Attributes
    ----------
    doubts : tuple of (Doubt or None)
        Of each lead, now.
    trusted : tuple of bool
        Whether a whole window of the lead has passed for an ECG, since the start or since the last doubt.
    """

    def __init__(self, fs: Fraction, n_leads: int, channels: Sequence[Channel] = ()) -> None:
        self._fs, self._n = fs, n_leads
        self._as_text = [_is_text_of_mv(c) for c in channels] or [False] * n_leads
        self._window, self._shortest = max(8, round(WINDOW_S * fs)), max(8, round(SHORTEST_S * fs))
        self._recent = Tail(self._window, np.zeros((0, n_leads)))
        self._recent_ok = Tail(self._window, np.zeros((0, n_leads), np.bool_))
        self._seen, self._seconds = 0, 1
        self._bad, self._good = [0] * n_leads, [0] * n_leads
        self._last: list[Doubt | None] = [None] * n_leads
        self._passed = [False] * n_leads
        self.doubts: tuple[Doubt | None, ...] = (None,) * n_leads
        self.trusted: tuple[bool, ...] = (False,) * n_leads

    def feed(self, mv: npt.NDArray[np.floating], valid: BoolArray) -> list[tuple[int, int, Doubt | None]]:
        """Take native samples.

        Parameters
        ----------
        mv, valid : ndarray of shape (n_samples, n_leads)
            In mV, and where they can be trusted; invalid ones may hold anything.

        Returns
        -------
        list of (int, int, Doubt or None)
            Sample of this block at which a doubt arose or ended, column, and the doubt (None: ended).
        """
        turns: list[tuple[int, int, Doubt | None]] = []
        at = 0
        while (stop := self._due - self._seen) <= len(mv) - at:
            self._take(mv[at : at + stop], valid[at : at + stop])
            at += stop
            self._seconds += 1
            turns += [(at, k, now) for k, now in self._judge()]
        self._take(mv[at:], valid[at:])
        return turns

    def finish(self) -> list[tuple[int, Doubt]]:
        """Columns of too short a recording whose every verdict was a doubt, and the last of these."""
        found = [(k, doubt) for k, doubt in enumerate(self._last) if doubt and not (self._passed[k] or self.doubts[k])]
        for k, doubt in found:
            self.doubts = _with(self.doubts, k, doubt)
        return found

    @property
    def _due(self) -> int:
        """Samples after which the next verdict is given."""
        return -(-self._seconds * self._fs.numerator // self._fs.denominator)

    @property
    def _is_whole(self) -> bool:
        return self._seen >= self._window

    def _take(self, mv: npt.NDArray[np.floating], valid: BoolArray) -> None:
        self._recent.add(np.clip(np.where(valid, mv, 0.0), -_ENDLESS_MV, _ENDLESS_MV))
        self._recent_ok.add(valid)
        self._seen += len(mv)

    def _judge(self) -> list[tuple[int, Doubt | None]]:
        """Columns whose doubt has changed."""
        if self._seen < self._shortest:
            return []
        mv, ok = self._recent.rows(), self._recent_ok.rows()
        changed = []
        for k in np.flatnonzero(ok.mean(axis=0) >= _KNOWN).tolist():
            verdict = doubt(_filled(mv[:, k], ok[:, k]), float(self._fs), self._as_text[k])
            self._last[k], self._passed[k] = verdict, self._passed[k] or (verdict is None and self._is_whole)
            before, now = self.doubts[k], self._weigh(k, verdict)
            passed = now is None and (self.trusted[k] or (verdict is None and self._is_whole))
            self.trusted = _with(self.trusted, k, passed)
            if (before and before.word) != (now and now.word):
                self.doubts = _with(self.doubts, k, now)
                changed.append((k, now))
        return changed

    def _weigh(self, k: int, verdict: Doubt | None) -> Doubt | None:
        self._bad[k] = self._bad[k] + 1 if verdict else 0
        self._good[k] = 0 if verdict else self._good[k] + 1
        if verdict and self._bad[k] >= verdict.after:
            return verdict
        return None if self._good[k] >= TRUST_AFTER else self.doubts[k]


def _filled(x: Array, ok: BoolArray) -> Array:
    """The lead with straight lines over what is not valid."""
    if ok.all():
        return x
    rows = np.arange(len(x))
    return np.asarray(np.interp(rows, rows[ok], x[ok]), np.float64)


def _with(old: tuple[T, ...], k: int, new: T) -> tuple[T, ...]:
    return (*old[:k], new, *old[k + 1 :])
