"""The representative beat of the last ten seconds, and what it tells: ST levels, and arms exchanged.

ST is read 60 ms after the J point, against the level 80 ms before the R peak (as in the evaluation). J is
where the measured leads' slope has come to rest.
"""

from __future__ import annotations

from collections import deque

import numpy as np
import numpy.typing as npt

from ecg_edge.device.conditioning.spec import ConditioningSpec
from ecg_edge.device.conditioning.zero_phase import phase_undone
from ecg_edge.device.lead_algebra import ST_WEAK, Provenance
from ecg_edge.device.lead_block import LeadBlock
from ecg_edge.firmware_bridge.lead_names import LEADS

KEPT_S = 10.0
MIN_BEATS = 4
ST_INTERVAL_MV = 0.1
"""The level is stated where half the interval there is narrower than what is looked for."""
_BEFORE_S, _AFTER_S = 0.25, 0.50
_BASELINE_S = (-0.09, -0.07)
_J_S = (0.03, 0.12)
_ST_AFTER_J_S = 0.06
_SETTLED = 0.12
_ARMS = (0.94, 2.6, 0.67)
"""Weights of the P, QRS and T wave of lead I, each -1 (down) to 1 (up): logistic regression on 2 500 records of
PTB-XL folds 7 and 8 and the same with exchanged arms."""
ARMS_AT = 0.85
"""On fold 9: see docs/results.md for hits and false alarms."""
Array = npt.NDArray[np.float64]


class RepresentativeBeat:
    """Median over the beats of the last ten seconds, all leads.

    Parameters
    ----------
    fs : int
        Rate of the rows in Hz.
    conditioning : ConditioningSpec, optional
        What the rows went through: its high-pass lowers what follows a QRS, which is undone before ST is read.
    """

    def __init__(self, fs: int, conditioning: ConditioningSpec | None = None) -> None:
        self._conditioning = conditioning
        self._fs = fs
        self._before, self._after = round(_BEFORE_S * fs), round(_AFTER_S * fs)
        self._n = round(KEPT_S * fs) + self._before + self._after
        self._peaks: deque[int] = deque(maxlen=32)
        self._provenance: tuple[Provenance, ...] = ()
        self.reset(0)

    def reset(self, index: int) -> None:
        """Begin anew."""
        self._blocks: deque[LeadBlock] = deque()
        self._kept = 0
        self._guess: dict[tuple[Provenance, ...], npt.NDArray[np.bool_]] = {}
        self._next = index
        self._peaks.clear()

    def feed(self, block: LeadBlock, peaks: list[int]) -> None:
        """Take rows, and R peaks found so far (indices on the same axis)."""
        if block.index != self._next:
            self.reset(block.index)
        self._provenance = block.provenance
        self._blocks.append(block)
        self._kept += len(block)
        while self._kept - len(self._blocks[0]) >= self._n:
            self._kept -= len(self._blocks.popleft())
        self._next += len(block)
        self._peaks.extend(peaks)

    def st_mv(self) -> dict[str, float | None]:
        """ST level of each lead in mV at J+60; None where it is not identifiable, empty with too few beats."""
        beats = self._beats()
        if len(beats) < MIN_BEATS:
            return {}
        mv = self._joined("mv")
        if self._conditioning:
            mv = phase_undone(mv, self._fs, self._conditioning, plain_ends=True)
        beat = self._median(mv, beats)
        a, b = (self._before + round(s * self._fs) for s in _BASELINE_S)
        at = self._j(beat) + round(_ST_AFTER_J_S * self._fs)
        level = beat[at] - beat[a : b + 1].mean(axis=0)
        half = self._median(self._joined("sigma"), beats)[at]
        whole = self._rows(self._good(), beats).all(axis=(0, 1))
        chest = any(p is Provenance.MEASURED for p in self._provenance[6:])
        stated = whole & (half < ST_INTERVAL_MV)
        for lead in () if chest else ST_WEAK:
            stated[LEADS.index(lead)] &= self._provenance[LEADS.index(lead)] is not Provenance.RECONSTRUCTED
        return {x: round(float(v), 3) if ok else None for x, v, ok in zip(LEADS, level, stated, strict=True)}

    def arms_score(self) -> float | None:
        """Above `ARMS_AT` where lead I is upside down as with LA and RA exchanged; None where this is unknown."""
        beats = self._beats()
        if len(beats) < MIN_BEATS or not self._provenance or self._provenance[0] is Provenance.RECONSTRUCTED:
            return None
        if not self._rows(self._good()[:, :1], beats).all():
            return None
        mv = self._joined("mv")[:, :1]
        lead = self._median(mv, beats)[:, 0] - np.median(mv)
        size = float(np.abs(lead).max()) + 0.02
        p, qrs, t = (lead[self._at(a) : self._at(b)] for a, b in ((-0.20, -0.06), (-0.06, 0.07), (0.13, 0.45)))
        parts = (5 * p.mean() / size, (qrs.max() + qrs.min()) / size, 3 * t.mean() / size)
        return -float(sum(w * x for w, x in zip(_ARMS, parts, strict=True)))

    def _at(self, seconds: float) -> int:
        return self._before + round(seconds * self._fs)

    def _beats(self) -> list[int]:
        """Rows of the R peaks whose whole beat is there."""
        n = min(self._n, self._kept)
        rows = [k - (self._next - n) for k in self._peaks]
        return [k for k in rows if k >= self._before and k + self._after <= n]

    def _joined(self, name: str) -> npt.NDArray[np.floating]:
        """The rows kept: joined when they are asked for, once a second, not with every block."""
        return np.concatenate([getattr(b, name) for b in self._blocks])[-self._n :]

    def _good(self) -> npt.NDArray[np.bool_]:
        """Where a row can be trusted."""
        valid, warmup = (np.concatenate([getattr(b, name) for b in self._blocks]) for name in ("valid", "warmup"))
        kinds = {b.provenance for b in self._blocks}
        if len(kinds) == 1:
            guesses = self._guesses(kinds.pop())
        else:
            guesses = np.repeat([self._guesses(b.provenance) for b in self._blocks], [len(b) for b in self._blocks], 0)
        return np.asarray((valid & ~(warmup[:, None] & guesses))[-self._n :], np.bool_)

    def _guesses(self, provenance: tuple[Provenance, ...]) -> npt.NDArray[np.bool_]:
        if provenance not in self._guess:
            self._guess[provenance] = np.array([p is Provenance.RECONSTRUCTED for p in provenance])
        return self._guess[provenance]

    def _rows(self, x: npt.NDArray[np.generic], beats: list[int]) -> npt.NDArray[np.generic]:
        window = np.arange(-self._before, self._after)
        return x[np.array(beats)[:, None] + window]

    def _median(self, x: npt.NDArray[np.floating], beats: list[int]) -> Array:
        return np.asarray(np.median(self._rows(x, beats).astype(np.float64), axis=0))

    def _j(self, beat: Array) -> int:
        """Row of the J point: from where on the measured leads' slope stays small."""
        measured = [k for k, p in enumerate(self._provenance) if p is Provenance.MEASURED] or list(range(len(LEADS)))
        slope = np.sqrt((np.diff(beat[:, measured], axis=0) ** 2).sum(axis=1))
        first, last = (self._before + round(s * self._fs) for s in _J_S)
        high = _SETTLED * slope[self._before - round(0.06 * self._fs) : last].max()
        above = np.flatnonzero(slope[first:last] > high)
        return first + (int(above[-1]) + 1 if len(above) else 0)
