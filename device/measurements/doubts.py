"""What may be false is dropped, or is at most "fair": limits of a heart's intervals, and figures that do not hold.

A figure is kept where a heart can have it and both halves of the beats give it; see `agreement`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ecg_edge.device.measurements.figures import Figure, Measurements
from ecg_edge.device.measurements.rhythm import Rhythm
from ecg_edge.device.measurements.typical_beat import TypicalBeat
from ecg_edge.firmware_bridge.array_types import AnyFloatArray

PACED = "pulses of a pacemaker were cut out before measuring"
FEW_ALIKE = "too few of the waves found are alike, so they may be no beats: no rate is stated"
LARGE_BETWEEN = "waves as steep as the beats lie between them: no rate is stated"
_PULSES = 3
_P = ("p", "pr", "p_axis")
_T = ("qt", "qtc_bazett", "qtc_fridericia", "t_axis")
_QRS = ("qrs", "qrs_axis")
_RATE = ("heart_rate", "longest_rr")
_QRS_MS, _QRS_USUAL_MS = (50, 300), (60, 160)
_P_LEAST_MS, _PR_MS, _PR_USUAL_MS = 60, (90, 320), (100, 280)
_QTC_MS = (300, 550)
_FAST_S = 0.45
"""In shorter intervals T and P run into each other, and flutter conducted 2:1 looks like them."""
_LOCKED = 0.4
_HOLDS_S = {"qrs_on": 0.02, "qrs_off": 0.024, "p_on": 0.024, "t_off": 0.05}
_FAILS_S = {"qrs_on": 0.05, "qrs_off": 0.07, "p_on": 0.06, "t_off": 0.12}
_QRS_NOISE = 0.03
_ALIKE, _T_MAY_FOLLOW_S = 0.6, 0.4
_BEFORE_S, _AFTER_S, _SPAN_S, _LARGE, _LEAST_S = 0.15, 0.45, 0.04, 0.7, 0.5
_CUT_S = 0.7
"""A beat that is cut so near an end of the stretch is not found."""


@dataclass(frozen=True)
class Evidence:
    """What figures are judged by.

    Attributes
    ----------
    spread : dict of str to float
        See `spreads`.
    beat : TypicalBeat
    rhythm : Rhythm
    lead : ndarray of shape (n_samples,)
        The lead the beats were found in, in mV.
    fs : float
        In Hz.
    pulses : int
        Pulses of a pacemaker that were cut out.
    """

    spread: dict[str, float]
    beat: TypicalBeat
    rhythm: Rhythm
    lead: AnyFloatArray
    fs: float
    pulses: int


def judged(m: Measurements, e: Evidence) -> Measurements:
    """Return figures without those that are false, the doubtful ones "fair"."""
    notes: tuple[str, ...] = (PACED,) if e.pulses >= _PULSES else ()
    drop: set[str] = set()
    fair: set[str] = set(_P + _T + _QRS) if notes else set()
    for found in (_of_qrs(m, e), _of_p(m, e), _of_t(m, e)):
        drop |= found[0]
        fair |= found[1]
    if not np.isfinite(e.rhythm.rr_s):  # there may be beats between
        drop |= {*_P, "longest_rr"}
        fair |= {*_QRS, *_T}
    if np.isnan(e.rhythm.mean_s) or m.heart_rate is None:  # what was found may be something else
        fair |= {*_QRS, *_P, "longest_rr"} if not np.isfinite(e.rhythm.rr_s) or m.qt is None else set()
    reason = FEW_ALIKE if _few_alike(m, e) else LARGE_BETWEEN if _large_between(e) else ""
    if reason:
        notes += (reason,)
        drop |= {*_RATE, *_P, *_T}
        fair |= set(_QRS)
    changed = {name: None if name in drop else _fair(getattr(m, name)) for name in drop | fair}
    return replace(m, **changed, notes=(*m.notes, *notes))  # type: ignore[arg-type]


def _fair(figure: Figure | None) -> Figure | None:
    return replace(figure, quality="fair") if figure else None


def _beyond(value: float, limits: tuple[float, float]) -> bool:
    return not limits[0] <= value <= limits[1]


def _holds(e: Evidence, limits: dict[str, float], *names: str) -> bool:
    return all(e.spread[name] <= limits[name] for name in names)


def _differs(e: Evidence, name: str) -> bool:
    """Whether both halves give an instant, and not the same."""
    return _FAILS_S[name] < e.spread[name] < np.inf


def _of_qrs(m: Measurements, e: Evidence) -> tuple[set[str], set[str]]:
    """What is dropped, and what is fair, because of the QRS complex."""
    every = {*_QRS, *_P, *_T}
    ms = m.qrs.value if m.qrs else 0.0
    noisy = float(np.max(e.beat.noise_mv)) > _QRS_NOISE * float(np.ptp(e.beat.mv, axis=0).max())
    if _beyond(ms, _QRS_MS) or not _holds(e, _FAILS_S, "qrs_on", "qrs_off") or (noisy and ms > _QRS_USUAL_MS[1]):
        return every, {*_RATE}
    if _beyond(ms, _QRS_USUAL_MS):
        return set(), {*every, *_RATE}
    return set(), every if noisy or not _holds(e, _HOLDS_S, "qrs_on", "qrs_off") else set()


def _of_p(m: Measurements, e: Evidence) -> tuple[set[str], set[str]]:
    """The same because of the P wave."""
    if m.pr is None:
        return set(), set()
    short = m.p is not None and m.p.value < _P_LEAST_MS
    if short or _beyond(m.pr.value, _PR_MS) or _differs(e, "p_on"):
        return set(_P), set()
    sure = m.p is not None and e.beat.p_locked >= _LOCKED and not _beyond(m.pr.value, _PR_USUAL_MS)
    return set(), set() if sure and e.beat.rr_s >= _FAST_S and _holds(e, _HOLDS_S, "p_on") else set(_P)


def _of_t(m: Measurements, e: Evidence) -> tuple[set[str], set[str]]:
    """The same because of the T wave."""
    if m.qt is None:
        return set(), set()
    if _differs(e, "t_off"):
        return set(_T), set()
    usual = m.qtc_bazett is not None and not _beyond(m.qtc_bazett.value, _QTC_MS)
    return set(), set() if usual and e.beat.rr_s >= _FAST_S and _holds(e, _HOLDS_S, "t_off") else set(_T)


def _few_alike(m: Measurements, e: Evidence) -> bool:
    """Whether so many of the waves found are unlike the median beat that they may be T waves, artefacts or noise."""
    if m.beats >= _ALIKE * m.found:
        return False
    steps = np.diff(e.rhythm.peaks) / e.fs
    coupled = [float(steps[k]) for k in e.beat.kept if k < len(steps)]
    every_other = bool((np.diff(e.beat.kept) == 2).mean() > 0.8) if len(e.beat.kept) > 1 else False
    return not (every_other and m.beats >= 0.45 * m.found and min(coupled, default=0.0) >= _T_MAY_FOLLOW_S)


def _large_between(e: Evidence) -> bool:
    """Whether the lead moves as fast where no beat was found, half a second or longer, as in a beat."""
    span = max(1, round(_SPAN_S * e.fs))
    move = np.abs(e.lead[span:] - e.lead[:-span])
    peaks = [k for k in e.rhythm.peaks if k < len(move)]
    outside = np.zeros(len(move), np.bool_)
    outside[round(_CUT_S * e.fs) : len(move) - round(_CUT_S * e.fs)] = True
    for k in peaks:
        outside[max(0, k - round(_BEFORE_S * e.fs)) : k + round(_AFTER_S * e.fs)] = False
    there = move[outside & np.isfinite(move)]
    if len(there) < _LEAST_S * e.fs or not peaks:
        return False
    reach = round(0.08 * e.fs)
    beats = [float(np.nanmax(move[max(0, k - reach) : k + reach + 1], initial=0.0)) for k in peaks]
    return float(np.percentile(there, 95)) > _LARGE * float(np.median(beats))
