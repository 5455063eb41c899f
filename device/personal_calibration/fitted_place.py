"""Where channels of unknown place sit: each as a combination of the nine electrodes, from a twelve-lead reference.

Least squares over the reference, in the band of the device. A reference of twelve leads sees a channel as a combination
of the eight basis leads. That is one vector of nine weights that sum to zero.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np

from ecg_edge.device.conditioning.conditioner import Conditioner
from ecg_edge.device.conditioning.spec import ConditioningSpec
from ecg_edge.device.lead_algebra import BASIS, channel_vector, of_basis
from ecg_edge.device.personal_calibration.reference import Reference
from ecg_edge.firmware_bridge.array_types import FloatArray
from ecg_edge.firmware_bridge.errors import CalibrationError
from ecg_edge.firmware_bridge.lead_names import LEADS, SKIN, fitted_name, fitted_weights
from ecg_edge.firmware_bridge.private_files import private_open
from ecg_edge.firmware_bridge.recordings.open_recording import open_recording
from ecg_edge.firmware_bridge.recordings.resample import resampled_length, values_at

FS = 100
"""Rate in Hz at which places are fitted, behind the device's own filters."""
LEAST_R = 0.9
"""Correlation, on parts left out of the fit, below which no place explains a channel."""
LEAST_S = 8.0
_SKIP_S, _MOST_SHIFT_S, _SEARCHED_S, _PARTS = 1.0, 2.0, 30.0, 8
_KEY, _FORMAT = "ecg_edge_places", 1
_PAIRS = tuple(f"{a}-{b}" for a, b in permutations(SKIN, 2))


@dataclass(frozen=True)
class FittedPlace:
    """Where one channel sits.

    Attributes
    ----------
    label : str
        As the device or the record names it.
    weights : tuple of float
        Over the electrodes of `SKIN`; their sum is zero.
    deviations : tuple of float
        Their standard deviations, by leaving out parts of the reference.
    r : float
        Pearson's r of the channel and what the weights make of the reference, on parts left out.
    nearest : str
        The pair of electrodes that is most like it.
    shift_s : float
        How much later the channel's record is than the reference, in seconds.
    """

    label: str
    weights: tuple[float, ...]
    deviations: tuple[float, ...]
    r: float
    nearest: str
    shift_s: float

    @property
    def name(self) -> str:
        """The channel's name, which carries its weights."""
        return fitted_name(self.label, self.weights)


def fit_places(reference: Reference, channels: dict[str, FloatArray], fs: Fraction) -> list[FittedPlace]:
    """Fit each channel.

    Parameters
    ----------
    reference : Reference
        Twelve leads, taken together with the channels.
    channels : dict of str to ndarray of shape (n_samples,)
        In mV at `fs`.
    fs : Fraction
        Rate of the channels in Hz.

    Raises
    ------
    CalibrationError
        Too short, or a channel that no place explains.
    """
    spec = ConditioningSpec()
    twelve = Conditioner(reference.fs, FS, len(LEADS), spec, None).feed(reference.mv)
    basis = np.asarray(twelve[:, [LEADS.index(lead) for lead in BASIS]], np.float64)
    seen = Conditioner(fs, FS, len(channels), spec, None).feed(np.stack(list(channels.values()), axis=1))
    x, y = basis[round(_SKIP_S * FS) :], np.asarray(seen[round(_SKIP_S * FS) :], np.float64)
    shift = _shift(x, y)
    x, y = _aligned(x, y, shift)
    if len(x) < LEAST_S * FS:
        raise CalibrationError(f"only {len(x) / FS:.1f} s in common", f"give {LEAST_S:g} s or more of both")
    return [_fit(label, x, column, shift / FS) for label, column in zip(channels, y.T, strict=True)]


def _shift(x: FloatArray, y: FloatArray) -> int:
    """Samples by which the channels lag behind the reference: where it explains most of them."""
    most, searched = round(_MOST_SHIFT_S * FS), round(_SEARCHED_S * FS)
    x, y = x[:searched], y[:searched]
    shifts = sorted(range(-most, most + 1), key=abs)
    return min(shifts, key=lambda k: _left(*_aligned(x, y, k)))


def _left(x: FloatArray, y: FloatArray) -> float:
    """Share of the channels that a combination of the reference leaves."""
    rest = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
    return round(float((rest**2).sum() / max(1e-12, (y**2).sum())), 9)


def _aligned(x: FloatArray, y: FloatArray, shift: int) -> tuple[FloatArray, FloatArray]:
    x, y = x[max(0, -shift) :], y[max(0, shift) :]
    n = min(len(x), len(y))
    return x[:n], y[:n]


def _fit(label: str, x: FloatArray, y: FloatArray, shift_s: float) -> FittedPlace:
    parts = np.array_split(np.arange(len(x)), _PARTS)
    whole = _solve(x, y)
    without, guess = [], np.empty(len(y))
    for part in parts:
        kept = np.setdiff1d(np.arange(len(x)), part)
        found = _solve(x[kept], y[kept])
        without.append(_over_electrodes(found))
        guess[part] = x[part] @ found
    r = float(np.corrcoef(guess, y)[0, 1]) if y.std() > 0 and guess.std() > 0 else 0.0
    if not r >= LEAST_R:
        raise CalibrationError(
            f"no place explains {label}: r {r:.3f} on parts left out, {LEAST_R} is wanted",
            "check that both were taken together from one person, with all electrodes on",
        )
    # Jackknife over parts (Efron and Stein 1981).
    spread = np.array(without) - np.mean(without, axis=0)
    deviations = np.sqrt((_PARTS - 1) / _PARTS * (spread**2).sum(axis=0))
    weights = _over_electrodes(whole)
    alike = [np.corrcoef(x @ row, y)[0, 1] for row in of_basis(_PAIRS)]
    nearest = _PAIRS[int(np.argmax(alike))]
    return FittedPlace(label, tuple(weights.tolist()), tuple(deviations.tolist()), r, nearest, shift_s)


def _solve(x: FloatArray, y: FloatArray) -> FloatArray:
    return np.asarray(np.linalg.lstsq(x, y, rcond=None)[0], np.float64)


def _over_electrodes(basis: FloatArray) -> FloatArray:
    """Weights over the electrodes that sum to zero, of a combination of the basis leads."""
    return np.asarray(basis @ _ELECTRODES_OF_BASIS, np.float64)


_ELECTRODES_OF_BASIS = np.array([channel_vector(lead) for lead in BASIS])


def read_channels(
    path: str, labels: Sequence[str] = (), fs: Fraction | None = None, unit: str = ""
) -> tuple[dict[str, FloatArray], Fraction]:
    """Read a patch's own channels from a record.

    Parameters
    ----------
    path : str
        Of any format.
    labels : sequence of str
        Signals to read; all voltages that name no lead if there are none.
    fs, unit : optional
        Rate in Hz and unit of a file that states none.

    Raises
    ------
    CalibrationError
        There is none, or samples are missing.
    """
    recording = open_recording(path, fs, unit)
    if labels:
        columns = {label: recording.column(label) for label in labels}
    else:
        columns = {s.label: k for k, s in enumerate(recording.signals) if not s.lead.lead and s.mv_per_unit is not None}
    if not columns or None in columns.values():
        gone = [label for label, k in columns.items() if k is None]
        there = ", ".join(s.label for s in recording.signals)
        said = f"has no signal {', '.join(gone)}" if gone else "has no voltage that is no lead"
        raise CalibrationError(f"{recording.name} {said}; it holds {there}", "name the signals: --patch-channels X,Y")
    found = {label: k for label, k in columns.items() if k is not None}
    rate = max(recording.signals[k].fs for k in found.values())
    n = max(resampled_length(recording.signals[k].length, recording.signals[k].fs, rate) for k in found.values())
    mv = {label: values_at(recording, k, rate, 0, n) * recording.scale(k) for label, k in found.items()}
    if not all(np.isfinite(x).all() for x in mv.values()):
        raise CalibrationError(f"{recording.name} has samples missing", "give a record without gaps")
    return mv, rate


def write_places(path: Path, places: Sequence[FittedPlace], patient: str, reference: str, made: str) -> None:
    """Write a file that ``run --calibration`` takes.

    Raises
    ------
    CalibrationError
        It cannot be written.
    """
    doc = {_KEY: _FORMAT, "patient": patient, "made": made, "reference": reference, "electrodes": list(SKIN)}
    doc |= {"channels": [vars(p) for p in places]}
    try:
        with private_open(path, "w", encoding="utf-8") as f:
            f.write(json.dumps(doc, indent=1) + "\n")
    except OSError as e:
        raise CalibrationError(f"cannot write {path}: {e.strerror or e}", "choose another --out") from e


def read_places(path: Path) -> dict[str, str]:
    """Read the names of a file's channels, by their labels; empty where it is a file of another kind.

    Raises
    ------
    CalibrationError
        It is a file of places, and damaged.
    """
    try:
        doc: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(doc, dict) or _KEY not in doc:
        return {}
    try:
        if doc[_KEY] != _FORMAT:
            raise ValueError(f"format {doc[_KEY]}")
        names = {
            str(c["label"]): fitted_name(str(c["label"]), [float(w) for w in c["weights"]]) for c in doc["channels"]
        }
        if not names or not all(map(fitted_weights, names.values())):
            raise ValueError("weights are no place")
    except (KeyError, TypeError, ValueError) as e:
        raise CalibrationError(f"{path} is damaged: {e!r}", "fit the place again: ecg-edge calibrate --patch") from e
    return names
