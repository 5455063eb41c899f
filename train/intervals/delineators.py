"""Delineators side by side on beats with known intervals: the device's own rule, and NeuroKit2's (extra `evaluate`).

NeuroKit2 (Makowski et al., Behavior Research Methods 53:1689, 2021) delineates one lead. Its instant is the
median over beats and then over leads: robust, and no disadvantage where the waves of all leads begin together.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ecg_edge.device.lead_algebra import twelve_from_basis
from ecg_edge.device.measurements.fiducials import fiducials
from ecg_edge.device.measurements.typical_beat import typical_beat
from ecg_edge.firmware_bridge.array_types import FloatArray
from ecg_edge.firmware_bridge.errors import MissingExtraError
from ecg_edge.train.intervals.known_beats import CASES, KnownBeats, make

NAMES = ("p", "pr", "qrs", "qt")
_FINE, _RATES = 1000, (500, 100)
_NEAR_S = 0.7
_MARKS = {"p_on": "ECG_P_Onsets", "p_off": "ECG_P_Offsets", "qrs_on": "ECG_R_Onsets", "qrs_off": "ECG_R_Offsets",
          "t_off": "ECG_T_Offsets"}  # fmt: skip
_NOTHING_FOUND = (ValueError, LookupError, ZeroDivisionError, TypeError)
Instants = dict[str, float]
Delineate = Callable[[FloatArray, int, list[float]], Instants]


def compare() -> list[dict[str, Any]]:
    """Errors of every delineator at every rate: mean, and the largest, in ms; and how often nothing was found."""
    ways: dict[str, Delineate] = {"ecg-edge": own}
    ways |= {f"NeuroKit2 {m}": partial(neurokit, method=m) for m in ("dwt", "cwt", "prominence")}
    return [
        {"delineator": name, "fs": fs, "errors_ms": _figures([_errors(way, case, fs) for case in CASES])}
        for name, way in ways.items()
        for fs in _RATES
    ]


def own(mv: FloatArray, fs: int, r_s: list[float]) -> Instants:
    """The device's rule on all leads, shape (n_samples, 12) in mV; seconds from the R peak."""
    beat = typical_beat(mv, fs, [round(s * fs) for s in r_s])
    found = fiducials(beat, list(range(mv.shape[1]))) if beat else None
    return {name: getattr(found, name, float("nan")) for name in _MARKS}


def neurokit(mv: FloatArray, fs: int, r_s: list[float], method: str) -> Instants:
    """NeuroKit2 on each lead, joined.

    Raises
    ------
    MissingExtraError
        NeuroKit2 is not installed.
    """
    marks: dict[str, list[float]] = {name: [] for name in _MARKS}
    for lead in mv.T:
        for name, value in _one_lead(lead, fs, r_s, method).items():
            if np.isfinite(value):
                marks[name].append(value)
    return {name: float(np.median(values)) if values else float("nan") for name, values in marks.items()}


def _one_lead(lead: FloatArray, fs: int, r_s: list[float], method: str) -> Instants:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import neurokit2
    except ImportError:
        raise MissingExtraError("neurokit2", "evaluate") from None
    peaks = np.array([round(s * fs) for s in r_s])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _, waves = neurokit2.ecg_delineate(lead, peaks, sampling_rate=fs, method=method)
    except _NOTHING_FOUND:
        return {}
    out = {}
    for name, key in _MARKS.items():
        at = np.asarray(waves.get(key, []), np.float64)
        late = [_from_own_peak(k, peaks, name != "qrs_off" and name != "t_off") / fs for k in at[np.isfinite(at)]]
        near = [s for s in late if abs(s) < _NEAR_S]
        out[name] = float(np.median(near)) if near else float("nan")
    return out


def _from_own_peak(mark: float, peaks: FloatArray, before: bool) -> float:
    """Samples from the R peak a mark belongs to: the next one of a mark before it, else the last."""
    late = mark - peaks
    of_it = late[late <= 0] if before else late[late >= 0]
    return float(of_it[np.abs(of_it).argmin()]) if len(of_it) else float("inf")


def _errors(way: Delineate, case: KnownBeats, fs: int) -> list[float]:
    """Found minus true, in ms, in the order of `NAMES`."""
    from scipy.signal import resample_poly

    basis, r_s = make(case, _FINE)
    mv = resample_poly(basis @ twelve_from_basis().T, 1, _FINE // fs, axis=0)
    length = len(mv) / fs
    at = way(mv, fs, [s for s in r_s if 0.5 < s < length - 0.8])
    found = (
        at["p_off"] - at["p_on"],
        at["qrs_on"] - at["p_on"],
        at["qrs_off"] - at["qrs_on"],
        at["t_off"] - at["qrs_on"],
    )
    return [1000 * (a - b) for a, b in zip(found, (case.p_s, case.pr_s, case.qrs_s, case.qt_s), strict=True)]


def _figures(errors: list[list[float]]) -> dict[str, Any]:
    out = {}
    for name, column in zip(NAMES, np.array(errors).T, strict=True):
        there = column[np.isfinite(column)]
        mean, worst = (float(f(there)) if len(there) else None for f in (np.mean, lambda x: np.abs(x).max()))
        out[name] = {"found": len(there), "cases": len(column), "mean": mean, "worst": worst}
    return out
