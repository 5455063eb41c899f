"""A stored twelve-lead reference: WFDB and CinC records, CSV, EDF+; any rate, any order of leads."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ecg_edge.device.conditioning.conditioner import Conditioner
from ecg_edge.device.inference.spec import ModelSpec
from ecg_edge.firmware_bridge.errors import CalibrationError, MissingExtraError, RecordingError, UsageError
from ecg_edge.firmware_bridge.lead_names import LEADS, lead_name

_MAX_S = 600
_MAX_BYTES = 200_000_000
_MV_PER = {"mv": 1.0, "uv": 1e-3, "µv": 1e-3, "μv": 1e-3, "v": 1e3}
_FIX = "give a twelve-lead record: WFDB, CSV (time in s, or --fs; a column per lead) or EDF+"


@dataclass(frozen=True)
class Reference:
    """Twelve leads as recorded.

    Attributes
    ----------
    name : str
        File name without folder and suffix.
    fs : Fraction
        Rate in Hz.
    mv : ndarray of float64, shape (n_samples, 12)
        In mV, columns as ``samples.LEADS``; finite.
    """

    name: str
    fs: Fraction
    mv: npt.NDArray[np.float64]


def read_reference(path: str, fs: Fraction | None = None) -> Reference:
    """Read a reference; the suffix says what it is, WFDB where there is none.

    Parameters
    ----------
    path : str
        ``rec``, ``rec.hea``, ``rec.mat`` (CinC), ``rec.csv`` or ``rec.edf``.
    fs : Fraction, optional
        Rate of a CSV file without a column ``time``.

    Raises
    ------
    CalibrationError
        A lead is missing, or samples are.
    RecordingError, MissingExtraError
        The file cannot be read.
    """
    file = Path(path)
    suffix = file.suffix.lower()
    if suffix == ".csv":
        names, units, rate, x = _csv(file, fs)
    elif suffix == ".edf":
        names, units, rate, x = _edf(file)
    else:
        names, units, rate, x = _wfdb(path.removesuffix(".mat").removesuffix(".hea").removesuffix(".dat"))
    return _twelve(file.stem, names, units, rate, x)


def condition_reference(reference: Reference, spec: ModelSpec, mains_hz: float | None) -> npt.NDArray[np.float32]:
    """Pass a reference through the device's own chain; shape (n_samples, 12) at the model rate."""
    return Conditioner(reference.fs, spec.fs, len(LEADS), spec.conditioning, mains_hz).feed(reference.mv)


def _twelve(
    name: str, names: Sequence[str], units: Sequence[str], fs: Fraction, x: npt.NDArray[np.float64]
) -> Reference:
    known: dict[str, int] = {}
    for k, label in enumerate(names):
        try:
            known.setdefault(lead_name(label.split(" (")[0].strip().removeprefix("ECG ").strip()), k)
        except UsageError:
            continue
    if missing := [lead for lead in LEADS if lead not in known]:
        raise CalibrationError(f"{name} lacks lead {', '.join(missing)}", "a reference has all twelve leads")
    columns = [known[lead] for lead in LEADS]
    if unknown := {units[k] for k in columns} - {u for u in units if u.lower() in _MV_PER}:
        raise CalibrationError(f"{name} has leads in {', '.join(sorted(unknown))}", "give leads in mV or µV")
    mv = x[: int(_MAX_S * fs), columns] * np.array([_MV_PER[units[k].lower()] for k in columns])
    if not np.isfinite(mv).all():
        raise CalibrationError(f"{name} has samples missing", "give a reference without gaps")
    return Reference(name, fs, mv)


_Read = tuple[Sequence[str], Sequence[str], Fraction, npt.NDArray[np.float64]]


def _wfdb(name: str) -> _Read:
    from ecg_edge.device.recording.wfdb_reader import read_record

    info, blocks = read_record(name)
    x = np.full((0, len(info.channels)), np.nan)
    parts = [np.where(b.valid, b.mv, np.nan).astype(np.float64) for b in blocks]
    x = np.concatenate([x, *parts])
    return info.leads, ["mV"] * len(info.channels), info.fs, x


def _csv(file: Path, fs: Fraction | None) -> _Read:
    try:
        if file.stat().st_size > _MAX_BYTES:
            raise RecordingError(f"{file} is too large for a reference", "cut out ten seconds to ten minutes")
        with file.open(newline="", encoding="utf-8-sig") as f:
            head, *rows = [row for row in csv.reader(f) if row]
        x = np.array([[float(v) if v.strip() else np.nan for v in row] for row in rows])
    except (OSError, ValueError) as e:
        raise RecordingError(f"cannot read {file}: {e}", _FIX) from e
    if x.ndim != 2 or x.shape[1] != len(head):
        raise RecordingError(f"{file}: rows and header do not fit", _FIX)
    labels = [h.strip() for h in head]
    units = ["µV" if any(u in h.lower() for u in ("uv", "µv", "μv")) else "mV" for h in labels]
    return [h.split("(")[0].split("[")[0].strip() for h in labels], units, fs or _rate(file, labels, x), x


def _rate(file: Path, labels: list[str], x: npt.NDArray[np.float64]) -> Fraction:
    """Rate from the column of times in seconds."""
    column = next((k for k, h in enumerate(labels) if h.lower().split("(")[0].strip() in ("time", "t", "time_s")), None)
    steps = np.diff(x[:, column]) if column is not None and len(x) > 1 else np.zeros(1)
    step = float(np.mean(steps))
    if not step > 0 or np.abs(steps - step).max() > 0.5 * step:
        raise RecordingError(f"{file} does not say its rate", "give --fs, or a column of evenly spaced times in s")
    rate = 1 / step
    return Fraction(round(rate)) if abs(rate - round(rate)) < 0.02 else Fraction(rate).limit_denominator(100)


def _edf(file: Path) -> _Read:
    try:
        import edfio
    except ImportError as e:
        raise MissingExtraError("edfio", "edf") from e
    try:
        signals = edfio.read_edf(file).signals
        ours = [s for s in signals if s.physical_dimension.strip().lower() in _MV_PER]
        rates = {Fraction(s.sampling_frequency).limit_denominator(4096) for s in ours}
        if len(rates) != 1:
            raise RecordingError(f"{file} has leads at {len(rates)} rates", "the twelve leads need one rate")
        x = np.stack([np.asarray(s.data, np.float64) for s in ours], axis=1)
    except (OSError, ValueError, KeyError, IndexError, AttributeError) as e:
        raise RecordingError(f"cannot read {file}: {e}", _FIX) from e
    return [s.label for s in ours], [s.physical_dimension.strip() for s in ours], rates.pop(), x
