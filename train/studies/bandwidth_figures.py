"""What more samples a second could show: waveform, QRS amplitude, notches, and what lies above 40 Hz."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import signal

from ecg_edge.device.verification.fiducials import beats_of
from ecg_edge.firmware_bridge.array_types import AnyFloatArray, Float32Array
from ecg_edge.train.data.prepare import SCORED_FROM_S
from ecg_edge.train.evaluation import metrics

FS = 250
BAND_HZ = (40.0, 100.0)
NOTCH_MV = 0.05
_QRS_S = 0.06
_SEGMENT = 256


def of(truth: Float32Array, guess: Float32Array, lead: Float32Array, leads: tuple[str, ...]) -> dict[str, Any]:
    """All figures of an estimate, from 2.0 s on.

    Parameters
    ----------
    truth, guess : ndarray of shape (n_records, n_samples, n_leads)
        At 250 Hz, in mV.
    lead : ndarray of shape (n_records, n_samples)
        A measured lead, in which beats are found.
    leads : tuple of str
        Names of the columns.

    Returns
    -------
    dict
        ``leads`` and ``mean`` as `metrics` gives them; ``rmse_each_mv`` of each record; ``qrs`` and
        ``above_40_hz``.
    """
    first = round(SCORED_FROM_S * FS)
    scored = metrics.figures(truth[:, first:], guess[:, first:], leads).summary()
    each = np.sqrt(np.mean((truth[:, first:].astype(np.float64) - guess[:, first:]) ** 2, axis=1)).mean(axis=1)
    return {
        **scored,
        "rmse_each_mv": [round(float(v), 5) for v in each],
        "qrs": _qrs(truth, guess, lead, first),
        "above_40_hz": _spectrum(truth[:, first:], guess[:, first:]),
    }


def _qrs(truth: Float32Array, guess: Float32Array, lead: Float32Array, first: int) -> dict[str, float | int]:
    """Peak-to-peak amplitude of the QRS, and how many turns of `NOTCH_MV` or more it has."""
    reach = round(_QRS_S * FS)
    window = np.arange(-reach, reach + 1)
    sums, errors, same, notched, found, beats = np.zeros(2), [], 0, 0, 0, 0
    for t, g, measured in zip(truth, guess, lead, strict=True):
        at = beats_of(measured, FS)
        at = at[(at >= first + reach) & (at < len(t) - reach)]
        if not len(at):
            continue
        a, b = t[at[:, None] + window], g[at[:, None] + window]
        high, guessed = np.ptp(a, axis=1), np.ptp(b, axis=1)
        sums += high.sum(), guessed.sum()
        errors.append(np.abs(np.median(high, axis=0) - np.median(guessed, axis=0)))
        for beat, other in zip(a.transpose(0, 2, 1), b.transpose(0, 2, 1), strict=True):
            for x, y in zip(beat, other, strict=True):
                n, m = turns(x), turns(y)
                beats += 1
                same += n == m
                notched += n > 2
                found += n > 2 and m > 2
    return {
        "amplitude_ratio": float(sums[1] / sums[0]) if sums[0] else 0.0,
        "amplitude_error_uv": float(1000 * np.mean(errors)) if errors else 0.0,
        "same_turns": same / max(1, beats),
        "notches_found": found / max(1, notched),
        "beats": beats,
        "notched": notched,
    }


def turns(x: AnyFloatArray) -> int:
    """Peaks and troughs of at least `NOTCH_MV`: two or less in an R or an RS, more where the QRS is notched."""
    return sum(len(signal.find_peaks(s * x, prominence=NOTCH_MV)[0]) for s in (1, -1))


def _spectrum(truth: Float32Array, guess: Float32Array) -> dict[str, float]:
    """Power in `BAND_HZ` against the truth's, and how much of it is coherent with the truth.

    Coherence by Welch's method over the segments of all records together (Bendat & Piersol, section 5.2), weighted by
    the truth's power. Unrelated signals have about one over the number of segments.
    """
    f, pxx = signal.welch(truth, FS, nperseg=_SEGMENT, axis=1)
    _, pyy = signal.welch(guess, FS, nperseg=_SEGMENT, axis=1)
    _, pxy = signal.csd(truth, guess, FS, nperseg=_SEGMENT, axis=1)
    band = (f >= BAND_HZ[0]) & (f < BAND_HZ[1])
    px, py, cross = (p.mean(axis=0)[band] for p in (pxx, pyy, pxy))
    coherence = np.abs(cross) ** 2 / np.maximum(px * py, 1e-30)
    return {
        "power_ratio": float(py.sum() / max(float(px.sum()), 1e-30)),
        "coherence": float((coherence * px).sum() / max(float(px.sum()), 1e-30)),
    }
