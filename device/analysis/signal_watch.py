"""All that is watched on the measured leads: faults, plausibility, the quality index and the gate, with their notes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from ecg_edge.device.analysis.noise_gate import NoiseGate
from ecg_edge.device.analysis.plausibility import Doubt, Plausibility
from ecg_edge.device.analysis.signal_quality import FaultWatch, Quality, QualityIndex
from ecg_edge.device.lead_block import Note
from ecg_edge.firmware_bridge.events import Channel

_FAULTS = ("", "flat", "clipped")
BoolArray = npt.NDArray[np.bool_]


class SignalWatch:
    """Follows the leads a model reads.

    Parameters
    ----------
    leads : tuple of str
        Their names.
    channels : tuple of Channel
        As the device describes them.
    fs : Fraction
        Native rate in Hz.
    model_fs : int
        Rate of the conditioned rows in Hz.
    """

    def __init__(self, leads: tuple[str, ...], channels: tuple[Channel, ...], fs: Fraction, model_fs: int) -> None:
        self._leads, self._step = leads, fs / model_fs
        self._faults = FaultWatch(channels, fs)
        self._index = QualityIndex(fs, len(leads))
        self._gate = NoiseGate(model_fs, len(leads))
        self._plausible = Plausibility(fs, len(leads), channels)
        self._barred = np.zeros(len(leads), np.bool_)
        self._closed, self._said = [""] * len(leads), [""] * len(leads)
        self._turns: list[tuple[int, int, bool]] = []
        self._next_row = 0
        self._faulty: tuple[str, ...] = ("",) * len(leads)

    @property
    def quality(self) -> dict[str, Quality]:
        """How good each lead is now; 0 where nothing is reconstructed from it."""
        reasons = [d.word if d else gate for d, gate in zip(self._plausible.doubts, self._gate.reasons, strict=True)]
        now = zip(self._index.now(self._faults), reasons, strict=True)
        judged = (replace(q, index=0.0, reason=reason) if reason and q.index else q for q, reason in now)
        return dict(zip(self._leads, judged, strict=True))

    @property
    def doubts(self) -> dict[str, Doubt]:
        """Leads that cannot be millivolts of a heart, and why."""
        return {lead: d for lead, d in zip(self._leads, self._plausible.doubts, strict=True) if d}

    @property
    def trusted(self) -> frozenset[str]:
        """Leads that have passed for an ECG, and are not doubted; none before the first verdict."""
        return frozenset(lead for lead, good in zip(self._leads, self._plausible.trusted, strict=True) if good)

    def reset(self, row: int) -> None:
        """The signal begins anew at a row of the model rate."""
        self._gate.reset(row)
        self._closed, self._said = [""] * len(self._leads), [""] * len(self._leads)
        self._next_row = row

    def faults(self, counts: npt.NDArray[np.int32], valid: BoolArray) -> tuple[BoolArray, BoolArray]:
        """Where counts of shape (n_samples, n_leads) are flat, and where clipped; see `FaultWatch.feed`."""
        return self._faults.feed(counts, valid)

    def native(
        self, mv: npt.NDArray[np.float64], valid: BoolArray, faults: tuple[BoolArray, BoolArray], index: int
    ) -> Iterator[Note]:
        """Take native samples from `index` on; notes of where a lead became flat, clipped or implausible, or not."""
        self._index.feed(mv, valid)
        for at, column, doubt in self._plausible.feed(mv, valid):
            at += index
            self._turns.append((math.ceil(at / self._step), column, doubt is not None))
            yield Note("signal", at, at, f"lead {self._leads[column]} {doubt.text if doubt else 'may be an ECG again'}")
        flat, clipped = faults
        if not (any(self._faulty) or flat.any() or clipped.any()):
            return
        state = flat + 2 * clipped
        before = np.array([_FAULTS.index(word) for word in self._faulty])
        for row in np.flatnonzero((np.diff(state, axis=0, prepend=before[None]) != 0).any(axis=1)):
            now = tuple(_FAULTS[k] for k in state[row])
            for lead, old, new in zip(self._leads, self._faulty, now, strict=True):
                if old != new:
                    at = index + int(row)
                    yield Note("signal", at, at, f"lead {lead} is {new}" if new else f"lead {lead} is no longer {old}")
            self._faulty = now

    def rows(self, x: npt.NDArray[np.float32], valid: BoolArray) -> tuple[BoolArray, list[Note]]:
        """Take conditioned rows; where a lead is fit to reconstruct from, and notes of where that changed."""
        fit, turns = self._gate.feed(x, valid)
        first, self._next_row = self._next_row, self._next_row + len(x)
        due = [turn for turn in self._turns if turn[0] < self._next_row]
        self._turns = self._turns[len(due) :]
        notes = self._turned(due, turns)
        return fit & ~self._barred_rows(first, len(x), due), notes

    def _turned(self, bars: list[tuple[int, int, bool]], gates: list[tuple[int, int, str]]) -> list[Note]:
        """Notes of the gate; none while the lead cannot be an ECG, which has a note of its own."""
        barred, notes = self._barred.copy(), []
        events: list[tuple[int, int, bool | str]] = sorted([*bars, *gates], key=lambda event: event[0])
        for row, k, state in events:
            if isinstance(state, bool):
                barred[k], self._said[k] = state, ""
            else:
                self._closed[k] = state
            if barred[k] or (reason := self._closed[k]) == self._said[k]:
                continue
            self._said[k], at = reason, round(row * self._step)
            word = f"too noisy to reconstruct from ({reason})" if reason else "fit to reconstruct from again"
            notes.append(Note("signal", at, at, f"lead {self._leads[k]} is {word}"))
        return notes

    def _barred_rows(self, first: int, n: int, turns: list[tuple[int, int, bool]]) -> BoolArray:
        """Where a lead cannot be an ECG, of `n` rows from `first` on."""
        barred = np.repeat(self._barred[None], n, axis=0)
        for row, k, bar in turns:
            barred[max(0, row - first) :, k] = bar
            self._barred[k] = bar
        return barred
