"""Whether a measured lead carries an ECG: flat and clipped stretches, and an index from its spectrum.

Flat and clipped samples are invalid, sample by sample, so that nothing is reconstructed from them. The index is of
the signal as it came and informs; `noise_gate` decides on what the filters leave of it. The shares of baseline,
mains and muscle in the power are in the manner of Li, Mark and Clifford (Physiol. Meas. 29:15, 2008: basSQI, pSQI).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from ecg_edge.device.analysis.recent_rows import Tail
from ecg_edge.firmware_bridge.events import NO_VALUE, Channel

FLAT_S = 2.0
"""So long the same count: no amplifier is so quiet between two beats."""
CLIPPED = 3
"""Samples in a row at a rail of the converter."""
WINDOW_S = 4.0
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Quality:
    """One lead over the last seconds.

    Attributes
    ----------
    index : float
        0 (nothing is reconstructed from it) to 1.
    reason : str
        Empty where all is well. Where the index is below a half: ``flat``, ``clipped``, ``baseline``, ``mains``,
        ``noise`` or ``motion``. Where the lead cannot be millivolts of a heart (`plausibility`): ``large``, ``small``,
        ``counter``, ``tone``, ``smooth``, ``noise`` or ``pulses``.
    """

    index: float
    reason: str = ""


_NO_RAIL = 1 << 40
"""Every count is far from it."""


class FaultWatch:
    """Flags flat and clipped samples; the same however the stream is cut.

    A flat stretch is flagged from where it was seen for `FLAT_S`, a clipped one from its `CLIPPED`-th sample,
    to its end. A count at a rail is the last of the converter's range or one beyond. A count further out shows
    that the range is described wrongly, and is not clipped.

    Parameters
    ----------
    channels : sequence of Channel
        Of the watched columns.
    fs : Fraction
        Rate in Hz.
    """

    def __init__(self, channels: tuple[Channel, ...], fs: Fraction) -> None:
        n = len(channels)
        self._flat_after = max(2, round(FLAT_S * fs))
        bits = np.array([min(31, max(2, c.bits)) for c in channels])
        # A converter without a sign has its zero inside its range; a record may have one there as well.
        self._signed = np.array([not 0 < c.offset < 2.0**b for c, b in zip(channels, bits, strict=True)])
        self._half = np.where([c.bits == 0 for c in channels], _NO_RAIL, 2 ** (bits - 1))
        self._last = np.zeros(n, np.int64)
        self._same = np.zeros(n, np.int64)
        self._none = self._rail = np.zeros(n, np.int64)
        self._low, self._high = self._rails
        self.flat: BoolArray = np.zeros(n, np.bool_)
        self.clipped: BoolArray = np.zeros(n, np.bool_)

    def feed(self, counts: npt.NDArray[np.int32], valid: BoolArray | None = None) -> tuple[BoolArray, BoolArray]:
        """Take counts of shape (n_samples, n_channels); where they are flat, and where they are clipped.

        Parameters
        ----------
        counts : ndarray of int32, shape (n_samples, n_channels)
        valid : ndarray of bool, same shape, optional
            Counts that are not valid say nothing, and are neither flat nor clipped; by default all are.
        """
        x = counts.astype(np.int64)
        valid = None if valid is None or valid.all() else valid
        if valid is None and self._harmless(x):
            none = np.zeros(x.shape, np.bool_)
            return none, none
        if valid is not None:
            x = _held(x, valid, self._last)
        # Devices that mark a missing sample by a count use one of these two.
        negative = (x < 0) & (x != -1) & (x != NO_VALUE)
        signed = np.logical_or.accumulate(np.concatenate([self._signed[None], negative]))[1:]
        low, high = np.where(signed, -self._half, 0), np.where(signed, self._half, 2 * self._half) - 1
        changed = np.diff(x, axis=0, prepend=self._last[None]) != 0
        same = _run(~changed, self._same, valid)
        rail = _run((np.abs(x - low + 0.5) < 1) | (np.abs(x - high - 0.5) < 1), self._rail, valid)
        clipped = np.asarray(rail >= CLIPPED, np.bool_)
        flat = np.asarray((same >= self._flat_after) & ~clipped, np.bool_)
        if valid is not None:
            clipped, flat = clipped & valid, flat & valid
        if len(x):
            self._last, self._same, self._rail, self._signed = x[-1], same[-1], rail[-1], signed[-1]
            self.flat, self.clipped = flat[-1], clipped[-1]
            self._low, self._high = self._rails
        return flat, clipped

    @property
    def _rails(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        signed = self._signed
        return np.where(signed, -self._half, 0), np.where(signed, self._half, 2 * self._half) - 1

    def _harmless(self, x: npt.NDArray[np.int64]) -> bool:
        """Fast path: return True and count the samples if none can be flat or clipped."""
        n = len(x)
        if not n or self._same.max() + n >= self._flat_after or (x <= self._low).any() or (x >= self._high).any():
            return False
        before = np.concatenate([self._last[None], x[:-1]])
        changed = (x != before)[::-1]
        self._same = np.where(changed.any(axis=0), changed.argmax(axis=0), self._same + n)
        self._rail = self._none
        self._last = x[-1]
        self.flat = self.clipped = self._none.astype(np.bool_)
        return True


def _held(x: npt.NDArray[np.int64], valid: BoolArray, before: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Each column with the last valid value in place of what is not valid; `before` is that before the first row."""
    rows = np.where(valid, np.arange(1, len(x) + 1)[:, None], 0)
    return np.take_along_axis(np.concatenate([before[None], x]), np.maximum.accumulate(rows, axis=0), axis=0)


def _run(flag: BoolArray, before: npt.NDArray[np.int64], valid: BoolArray | None) -> npt.NDArray[np.int64]:
    """For how many valid samples each column has been true, up to each row.

    `before` is that count at the row before the first. What was not seen lengthens no run: a lead that was off for
    seconds is not flat when it returns.
    """
    seen = np.cumsum(np.ones(flag.shape, np.bool_) if valid is None else valid, axis=0)
    broken = np.maximum.accumulate(np.where(flag, 0, seen), axis=0)
    return np.where(np.logical_or.accumulate(~flag, axis=0), seen - broken, seen + before)


class QualityIndex:
    """Index of each lead from its last seconds.

    Parameters
    ----------
    fs : Fraction
        Rate in Hz.
    n_leads : int
        Number of columns.
    """

    def __init__(self, fs: Fraction, n_leads: int) -> None:
        self._fs = float(fs)
        self._n = max(8, round(WINDOW_S * fs))
        self._recent = Tail(self._n, np.zeros((self._n, n_leads)))
        self._recent_ok = Tail(self._n, np.zeros((self._n, n_leads), np.bool_))
        self._seen = 0
        self._taper = np.hanning(self._n)[:, None]
        self._hz = np.asarray(np.fft.rfftfreq(self._n, 1 / self._fs), np.float64)

    def feed(self, mv: npt.NDArray[np.float64], valid: BoolArray) -> None:
        """Take native samples of shape (n_samples, n_leads) in mV; invalid ones may hold anything."""
        self._recent.add(np.where(valid, mv, 0.0))
        self._recent_ok.add(valid)
        self._seen = min(self._n, self._seen + len(mv))

    def now(self, faults: FaultWatch) -> tuple[Quality, ...]:
        """Index of each lead."""
        mv, ok = self._recent.rows(), self._recent_ok.rows()
        level = mv.sum(axis=0) / np.maximum(1, ok.sum(axis=0))
        x = np.where(ok, mv - level, 0.0)
        power = np.abs(np.fft.rfft(x * self._taper, axis=0)) ** 2
        share = {
            "baseline": _share(power, self._hz, (0.0, 0.7), (0.0, 40.0)),
            "mains": np.maximum(*(_share(power, self._hz, (f - 1, f + 1), (1.0, 70.0)) for f in (50.0, 60.0))),
            "noise": _share(power, self._hz, (22.0, 45.0), (1.0, 45.0)),
        }
        worst = {"baseline": 0.9, "mains": 0.6, "noise": 0.5}
        out = []
        for k in range(x.shape[1]):
            if faults.flat[k] or faults.clipped[k]:
                out.append(Quality(0.0, "flat" if faults.flat[k] else "clipped"))
                continue
            if self._seen < self._n:  # a spectrum of half a window tells of its edges
                out.append(Quality(round(float(ok[-self._seen :, k].mean()) if self._seen else 0.0, 2)))
                continue
            scores = {name: 1 - min(1.0, float(v[k]) / worst[name] / 2) for name, v in share.items()}
            reason, least = min(scores.items(), key=lambda kv: kv[1])
            index = least * float(ok[:, k].mean())
            out.append(Quality(round(index, 2), reason if least < 0.5 else ""))
        return tuple(out)


def _share(
    power: npt.NDArray[np.float64], hz: npt.NDArray[np.float64], band: tuple[float, float], of: tuple[float, float]
) -> npt.NDArray[np.float64]:
    """Share of the power of `of` that lies in `band`, per column."""
    part, whole = (power[(hz >= a) & (hz <= b)].sum(axis=0) for a, b in (band, of))
    return np.asarray(part / (whole + 1e-9), np.float64)
