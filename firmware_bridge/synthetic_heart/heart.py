"""The synthetic heart: an endless twelve-lead ECG in mV, for demonstrations, simulators and tests."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np

from ecg_edge.firmware_bridge.array_types import FloatArray
from ecg_edge.firmware_bridge.errors import UsageError
from ecg_edge.firmware_bridge.lead_names import LEADS, SKIN, channel_name, electrodes_of
from ecg_edge.firmware_bridge.synthetic_heart.dipole import Patient
from ecg_edge.firmware_bridge.synthetic_heart.electrode_noise import ElectrodeNoise
from ecg_edge.firmware_bridge.synthetic_heart.rhythm import Beat, Rhythm

_BLOCK = 1024
_REACH_S = 2.0
"""No wave lies further than this from its R peak at any rate allowed (the U wave at 30/min: 0.95 s)."""


class SyntheticHeart:
    """An endless twelve-lead ECG: a rotating dipole seen by nine electrodes.

    Leads are differences of electrode potentials (chest leads against Wilson's
    terminal), noise included, so Einthoven's and Goldberger's equations hold to
    rounding. The same seed gives the same patient, beats, wander and hum at every
    sampling rate, and the same columns for every choice of leads.

    Parameters
    ----------
    fs : Fraction or float
        Sampling rate in Hz, at least 100.
    leads : tuple of str
        Columns of the output; any of `LEADS` or pairs of electrodes such as ``RA-V5``, in any case.
    heart_rate_bpm : float
        Mean heart rate, 30 to 220.
    seed : int
        Fixes patient, rhythm and noise.
    noise_uv : float
        RMS of electrode noise (white and some muscle) in a limb lead, in µV.
    mains_uv : float
        Amplitude of the mains hum in lead I, in µV; the other leads differ.
    mains_hz : float
        Mains frequency in Hz.
    wander_uv : float
        RMS of the baseline wander in a limb lead, in µV.

    Attributes
    ----------
    fs : Fraction
        Sampling rate in Hz.
    leads : tuple of str
        Lead of each column.
    patient : Patient
        Heart and torso drawn from the seed.

    Raises
    ------
    UsageError
        An argument is out of range.
    """

    def __init__(
        self,
        fs: Fraction | float,
        leads: tuple[str, ...] = LEADS,
        heart_rate_bpm: float = 65.0,
        seed: int = 0,
        noise_uv: float = 5.0,
        mains_uv: float = 0.0,
        mains_hz: float = 50.0,
        wander_uv: float = 40.0,
    ) -> None:
        _require(100 <= fs < math.inf, f"cannot sample an ECG at {fs} Hz", "use a rate of 100 Hz or more")
        _require(30 <= heart_rate_bpm <= 220, f"heart rate {heart_rate_bpm} /min", "use 30 to 220 /min")
        _require(seed >= 0, f"seed {seed}", "use a seed of 0 or more")
        self.fs = Fraction(fs)
        self.leads = tuple(channel_name(lead) for lead in leads)
        _require(len(self.leads) > 0, "no leads", "name at least one, such as ('I', 'II')")
        streams = np.random.SeedSequence(seed).spawn(3)
        self.patient = Patient.draw(np.random.default_rng(streams[0]))
        self._rhythm = Rhythm(heart_rate_bpm, streams[1])
        noise = np.random.default_rng(streams[2])
        self._skin = ElectrodeNoise(float(fs), noise, len(SKIN), noise_uv, mains_uv, mains_hz, wander_uv)
        self._to_come = self._rhythm.beats()
        self._beats: list[Beat] = [next(self._to_come)]
        self._made = 0
        self._block: FloatArray = np.empty((0, len(self.leads)))
        self._used = 0

    def read(self, n: int) -> FloatArray:
        """Return the next `n` samples; how the stream is cut does not change a bit of it.

        Parameters
        ----------
        n : int
            Number of samples, 0 or more.

        Returns
        -------
        ndarray of float64, shape (n, n_leads)
            In mV.
        """
        _require(n >= 0, f"cannot read {n} samples", "ask for 0 or more")
        out = np.empty((n, len(self.leads)))
        filled = 0
        while filled < n:
            if self._used == len(self._block):
                self._block, self._used = self._next_block(), 0
            take = min(n - filled, len(self._block) - self._used)
            out[filled : filled + take] = self._block[self._used : self._used + take]
            filled, self._used = filled + take, self._used + take
        return out

    def r_times(self, until: float) -> FloatArray:
        """Return the true times of the R peaks of lead II.

        Parameters
        ----------
        until : float
            End of the time span, in seconds after the first sample.

        Returns
        -------
        ndarray of float64, shape (n_beats,)
            Ascending seconds in ``[0, until)``.
        """
        beats = itertools.takewhile(lambda beat: beat.r < until, self._rhythm.beats())
        return np.array([beat.r for beat in beats if beat.r >= 0])

    def _next_block(self) -> FloatArray:
        # Blocks of one size, made in order: rounding and random streams cannot depend on how they are read.
        t = np.arange(self._made, self._made + _BLOCK, dtype=np.float64) / float(self.fs)
        self._made += _BLOCK
        breath = self._rhythm.breath(t)
        dipole = _breathe(self.patient.dipole(t, self._beats_within(t[0], t[-1])), breath)
        potentials = dipole @ self.patient.torso.T + self._skin.block(t, breath)
        columns = {name: potentials[:, k] for k, name in enumerate(SKIN)}
        return np.stack([_lead(columns, lead) for lead in self.leads], axis=1)

    def _beats_within(self, start: float, stop: float) -> list[Beat]:
        while self._beats[-1].r < stop + _REACH_S:
            self._beats.append(next(self._to_come))
        self._beats = [beat for beat in self._beats if beat.r > start - _REACH_S]
        return self._beats


def _breathe(dipole: FloatArray, breath: FloatArray) -> FloatArray:
    """Turn the heart by up to 2.5 degrees in either plane; weaken it when air fills the chest."""
    frontal = horizontal = np.radians(2.5) * breath
    gain = 1.0 - 0.04 * breath
    x = dipole[:, 0] * np.cos(frontal) - dipole[:, 1] * np.sin(frontal)
    y = dipole[:, 0] * np.sin(frontal) + dipole[:, 1] * np.cos(frontal)
    left = x * np.cos(horizontal) - dipole[:, 2] * np.sin(horizontal)
    back = x * np.sin(horizontal) + dipole[:, 2] * np.cos(horizontal)
    return np.stack([left * gain, y * gain, back * gain], axis=1)


def _lead(potential: dict[str, FloatArray], lead: str) -> FloatArray:
    positive, *negative = electrodes_of(lead)
    total = potential[negative[0]]
    for name in negative[1:]:
        total = total + potential[name]
    return potential[positive] - total / len(negative)


def _require(good: bool, message: str, fix: str) -> None:
    if not good:
        raise UsageError(message, fix)
