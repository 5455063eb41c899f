"""Numbers that stand for a missing sample, -9999 or 32767: far outside the signal, and repeated to the last digit."""

from __future__ import annotations

import numpy as np

from ecg_edge.firmware_bridge.array_types import BoolArray, FloatArray
from ecg_edge.firmware_bridge.units import PLAUSIBLE_MV

USUAL = frozenset(
    sign * value
    for sign in (1.0, -1.0)
    for value in (99.0, 99.9, 99.99, 999.0, 999.9, 999.99, 9999.0, 9999.9, 9999.99, 99999.0, 999999.0, 9999999.0,
                  32767.0, 32768.0, 65535.0, 8388607.0, 8388608.0, 2147483647.0, 2147483648.0, 9.96921e36)
)  # fmt: skip
"""What programs write in place of a sample."""
_MOST = 4
_REPEATED = 3
_DISTINCT = 8
_USUAL_RANGES, _OTHER_RANGES = 1.0, 2.0
_ALONE_RANGES = 10.0


def sentinels(x: FloatArray) -> list[float]:
    """Values of a signal that stand for missing samples.

    Such a value is the highest or the lowest, repeated exactly, and farther from all others than they are apart.
    A usual one (see `USUAL`) counts alone as well, where it is ten times as far.

    Parameters
    ----------
    x : ndarray of shape (n_samples,)
        In any unit; NaN where missing.
    """
    found: list[float] = []
    good = np.sort(x[np.isfinite(x)])
    while len(found) < _MOST and len(good) > _DISTINCT:
        value = next((v for v in (float(good[0]), float(good[-1])) if _is_sentinel(v, good, found)), None)
        if value is None:
            break
        found.append(value)
        good = good[good != value]
    return found


def _is_sentinel(value: float, good: FloatArray, found: list[float]) -> bool:
    """Whether the first or last of sorted values is one; another sentinel may still be at the other end."""
    rest = good[good != value]
    if len(rest) <= _DISTINCT or len(rest) == len(good):
        return False
    body = rest[(rest != rest[0]) & (rest != rest[-1])] if {float(rest[0]), float(rest[-1])} & USUAL else rest
    if len(body) <= _DISTINCT or (np.diff(body) > 0).sum() < _DISTINCT:
        return False
    span = float(body[-1] - body[0])
    away = min(abs(value - float(body[0])), abs(value - float(body[-1])))
    count = len(good) - len(rest)
    if value in USUAL:
        return away > (_USUAL_RANGES if count >= _REPEATED else _ALONE_RANGES) * span
    return count >= _REPEATED and away > max(_OTHER_RANGES * span, PLAUSIBLE_MV)


def mark_missing(x: FloatArray, labels: list[str]) -> tuple[FloatArray, list[str]]:
    """Return samples of shape (n_samples, n_signals) with NaN for sentinels, and a remark for each such signal."""
    remarks, out = [], x
    for k, label in enumerate(labels):
        if not (values := sentinels(x[:, k])):
            continue
        bad: BoolArray = np.isin(x[:, k], values)
        out = x.copy() if out is x else out
        out[bad, k] = np.nan
        said = " and ".join(f"{v:.10g}" for v in values)
        remarks.append(f"{label}: {int(bad.sum())} {'values' if bad.sum() > 1 else 'value'} of {said} taken as missing")
    return out, remarks
