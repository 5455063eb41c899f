"""Causal streaming resampler: a polyphase windowed-sinc filter with state.

The prototype low-pass is a Kaiser-windowed sinc (Oppenheim & Schafer, section 7.5.3), centred on each output instant.
It is delayed by its half-length, which makes it causal. Its phase is linear: the waveform keeps its shape, and the
delay is one number.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt

from ecg_edge.firmware_bridge.errors import UsageError

_MAX_PHASES = 4096
_MAX_CELLS = 1 << 21
_SLOWEST, _FASTEST = 1, 100_000
"""Hz of a source. What an ECG needs at least is said where sources are opened."""
_HALF_WIDTH = 4
"""Half-length of the filter in periods of the lower of the two rates."""
_CUTOFF = 0.47
"""-6 dB point in units of the lower rate; at 100 Hz that is 47 Hz."""
_BETA = 3.0


class Resampler:
    """Resample a stream from one rational rate to another.

    Parameters
    ----------
    fs_in, fs_out : Fraction or int
        Rates in Hz, exact. Positions are exact fractions for ever. Where their ratio has a denominator above 4096, or
        the filter is very long, each takes the nearest of at most 4096 phases. It is then at most 1/8192 of an input
        period off, and this does not add up.
    n_leads : int
        Number of leads of the stream.

    Attributes
    ----------
    delay : float
        Group delay in seconds: output sample ``m`` shows the input at ``m / fs_out - delay``.
        Zero when the rates are equal (then the stream passes unchanged).

    Raises
    ------
    UsageError
        The source's rate is below 1 Hz or above 100 kHz.

    Notes
    -----
    Before its first sample the stream is taken to have held that sample's value for ever. So a constant stays that
    constant from the first output on.
    """

    def __init__(self, fs_in: Fraction | int, fs_out: Fraction | int, n_leads: int) -> None:
        self.fs_in, self.fs_out, self.n_leads = Fraction(fs_in), Fraction(fs_out), n_leads
        step = self.fs_in / self.fs_out
        self._num, self._den = step.numerator, step.denominator
        self.identity = step == 1
        if not _SLOWEST <= self.fs_in <= _FASTEST:
            raise UsageError(
                f"a source at {float(self.fs_in):g} Hz",
                f"use one of {_SLOWEST} to {_FASTEST} Hz; check the rate it states",
            )
        low = min(self.fs_in, self.fs_out)
        half = _HALF_WIDTH * self.fs_in / low
        self._half = 0 if self.identity else int(half) + 1
        self._taps = 2 * self._half
        self._exact = self._den <= _MAX_PHASES and self._den * self._taps <= _MAX_CELLS
        self._phases = self._den if self._exact else min(_MAX_PHASES, _MAX_CELLS // self._taps)
        self._tap = np.arange(self._taps)
        self.delay = 0.0 if self.identity else self._half / float(self.fs_in)
        self._bank = self._design(float(half), _CUTOFF * float(low / self.fs_in))
        self.reset()

    def _design(self, half: float, cutoff: float) -> npt.NDArray[np.float64]:
        """Filter bank of shape (phases, taps); row ``p`` interpolates at a fraction ``p / phases``."""
        phase = np.arange(self._phases + (not self._exact)) / self._phases
        t = np.arange(self._taps)[None, :] - (self._half - 1) - phase[:, None]
        inside = np.clip(1 - (t / half) ** 2, 0, None)
        h = np.sinc(2 * cutoff * t) * np.i0(_BETA * np.sqrt(inside)) * (inside > 0)
        return np.asarray(h / np.maximum(h.sum(axis=1, keepdims=True), 1e-300), dtype=np.float64)

    def reset(self, start: int = 0) -> None:
        """Forget everything.

        Parameters
        ----------
        start : int
            Index of the next input sample. Output samples keep to the grid ``m / fs_out``
            counted from input sample 0, so the time axis survives a gap.
        """
        self._history: npt.NDArray[np.float64] | None = None
        self._n_in = start
        self._n_out = -(-start * self._den // self._num)

    @property
    def next_output(self) -> int:
        """Index on the output grid of the next sample `feed` will return."""
        return self._n_out

    def missing(self, rows: int) -> int:
        """Count of further input samples that complete the next `rows` output samples (at least one)."""
        return (self._n_out + rows - 1) * self._num // self._den + 1 - self._n_in

    def reseed(self, columns: npt.NDArray[np.bool_], first: npt.NDArray[np.float64]) -> None:
        """Restart some leads as if they had held the value `first`, shape (n_leads,), for ever."""
        if self._history is not None:
            self._history[:, columns] = first[columns]

    def feed(self, x: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """Resample the next samples.

        Parameters
        ----------
        x : ndarray of shape (n_samples, n_leads)
            Any number of samples, also none.

        Returns
        -------
        ndarray of float64, shape (m_samples, n_leads)
            Every output sample that the input so far determines. The numbers are the same, bit for bit, however the
            input is cut.
        """
        samples: npt.NDArray[np.float64] = np.asarray(x, dtype=np.float64)
        if self.identity or not len(samples):
            self._n_in += len(samples)
            self._n_out += len(samples)
            return samples
        if self._history is None:
            self._history = np.repeat(samples[:1], self._taps - 1, axis=0)
        data = np.concatenate([self._history, samples])
        self._n_in += len(samples)
        # Output m sits at input position m * num / den, whose whole part must be a sample we have.
        n_total = -(-self._n_in * self._den // self._num)
        m = np.arange(self._n_out, n_total, dtype=np.int64)
        position, phase = np.divmod(m * self._num, self._den)
        first = position - (self._n_in - len(samples))  # row of `data` under tap 0
        if not self._exact:  # the last row is the next sample's first
            phase = (phase * self._phases + self._den // 2) // self._den
        terms = self._bank[phase][:, :, None] * data[first[:, None] + self._tap]
        # One addition after the other, from the first tap on: the result cannot depend on the cut.
        out = np.add.accumulate(terms, axis=1)[:, -1]
        self._history = data[len(data) - (self._taps - 1) :].copy()
        self._n_out = n_total
        return out
