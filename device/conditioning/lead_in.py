"""What is put before and behind a stored recording, so that neither end is a cold one."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt

from ecg_edge.firmware_bridge.array_types import FloatArray

_LIKE_S = 1.0
"""Length of the beginning that is looked for elsewhere in the recording."""
_SEARCHED_S = 60.0
_ENOUGH_S = 3.0
"""Of a past without a loss; what is before is mirrored."""


def lead_in(mv: FloatArray, fs: Fraction, n: int) -> FloatArray:
    """Return a past for a recording, shape (n, n_leads); no rows for a recording without any.

    The recording itself is the past. The stretch that ends where it is most like its own beginning is moved so that it
    meets the first sample. The rhythm goes on over the join. A recording too short to be searched is mirrored, and so
    is a past that is too short. Losses of the recording are not repeated in its past.

    Parameters
    ----------
    mv : ndarray of float64, shape (n_samples, n_leads)
        In mV; NaN where there is no sample.
    fs : Fraction
        Rate in Hz.
    n : int
        Rows wanted.
    """
    like = max(2, round(_LIKE_S * fs))
    searched = mv[: round(_SEARCHED_S * fs)]
    earliest = min(n, len(searched) // 2)
    whole = _whole_before(searched)
    if earliest < like or len(searched) - like <= earliest or whole[earliest:-like].max() < like:
        sound = int((whole == np.arange(len(whole))).sum()) - 1
        return mirrored((mv[:sound] if sound > 1 and sound < len(searched) else mv)[::-1], n)[::-1]
    filled = _filled(searched)
    at = _most_alike(filled, filled[:like], earliest, whole[: len(filled) - like + 1], min(n, round(_ENOUGH_S * fs)))
    past = mv[at - min(n, int(whole[at])) : at] - (filled[at] - filled[0])
    return np.concatenate([mirrored(past[::-1], n - len(past))[::-1], past]).astype(np.float64)


def mirrored(mv: FloatArray, n: int) -> FloatArray:
    """Return `n` rows to go behind a recording: the recording backwards from its last sample."""
    kept = mv[-(n + 1) :]
    return np.asarray(np.pad(kept, ((0, n), (0, 0)), mode="reflect")[len(kept) :], np.float64)


def _whole_before(mv: FloatArray) -> npt.NDArray[np.int64]:
    """Rows directly before each row, and before the end, in which no sample is missing of a lead that has any."""
    known = np.isfinite(mv)
    lost = (~known[:, known.any(axis=0)]).any(axis=1)
    rows = np.arange(1, len(mv) + 1)
    return np.concatenate([[0], rows - np.maximum.accumulate(np.where(lost, rows, 0))])


def _most_alike(x: FloatArray, beginning: FloatArray, earliest: int, whole: npt.NDArray[np.int64], enough: int) -> int:
    """Row from which `x` differs least from `beginning` when both are centred, of those with enough of a past."""
    from scipy import signal  # no live run needs it

    n, centred = len(beginning), beginning - beginning.mean(axis=0)
    level = x - np.mean(x, axis=0)
    sums, squares = (_moving_sum(v, n) for v in (level, level**2))
    cross = [signal.correlate(c, b, "valid", "fft") for c, b in zip(level.T, centred.T, strict=True)]
    difference = (squares - sums**2 / n - 2 * np.stack(cross, axis=1)).sum(axis=1)
    late = np.minimum(whole[earliest:], enough)
    return earliest + int(np.argmin(np.where(late == late.max(), difference[earliest:], np.inf)))


def _moving_sum(x: FloatArray, n: int) -> FloatArray:
    """Sums of `n` rows in a row, shape (n_samples - n + 1, n_leads)."""
    sums = np.concatenate([np.zeros((1, x.shape[1])), np.cumsum(x, axis=0)])
    return np.asarray(sums[n:] - sums[:-n], np.float64)


def _filled(mv: FloatArray) -> FloatArray:
    """Missing samples replaced by their lead's median."""
    known = np.isfinite(mv)
    level = [float(np.median(c[k])) if k.any() else 0.0 for c, k in zip(mv.T, known.T, strict=True)]
    return np.where(known, mv, np.array(level))
