"""A stored twelve-lead reference: a recording of any format, any rate, any order of leads."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from ecg_edge.device.conditioning.conditioner import Conditioner
from ecg_edge.device.inference.spec import ModelSpec
from ecg_edge.device.lead_algebra import known_leads
from ecg_edge.firmware_bridge.errors import CalibrationError
from ecg_edge.firmware_bridge.lead_names import LEADS
from ecg_edge.firmware_bridge.recordings.open_recording import open_recording
from ecg_edge.firmware_bridge.recordings.recording import MIN_ECG_FS
from ecg_edge.firmware_bridge.recordings.resample import resampled_length, values_at

_MAX_S = 600


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
    remark : str
        What of the recording is not used; empty where all is.
    patient : str
        Whom the recording names; empty where it names nobody.
    """

    name: str
    fs: Fraction
    mv: npt.NDArray[np.float64]
    remark: str = ""
    patient: str = ""


def read_reference(path: str, fs: Fraction | None = None, unit: str = "") -> Reference:
    """Read a reference of any format.

    Parameters
    ----------
    path : str
        Of the recording; see `open_recording`.
    fs : Fraction, optional
        Rate in Hz of a file that states none.
    unit : str
        Of a file that states none.

    Raises
    ------
    CalibrationError
        A lead is missing and follows from no others, or samples are missing.
    RecordingError, MissingExtraError
        The file cannot be read, holds a lead twice or in an unknown unit.
    """
    recording = open_recording(path, fs, unit)
    columns = recording.leads()
    there = [lead for lead in LEADS if lead in columns]
    known, matrix = known_leads(there)
    if missing := [lead for lead in LEADS if lead not in known]:
        guessed = {s.lead.lead for s in recording.signals if s.provenance == "reconstructed"}
        said = [f"{lead} (only an estimate)" if lead in guessed else lead for lead in missing]
        raise CalibrationError(
            f"{recording.name} lacks lead {', '.join(said)}", "a reference has all twelve leads, or I, II and V1-V6"
        )
    signals = [recording.signals[columns[lead]] for lead in there]
    rate = max(s.fs for s in signals)
    if rate < MIN_ECG_FS:
        raise CalibrationError(f"{recording.name} has {float(rate):g} Hz", f"give {MIN_ECG_FS} Hz or more")
    whole = max(resampled_length(s.length, s.fs, rate) for s in signals)
    n = min(whole, int(_MAX_S * rate))
    remark = f"only the first {_MAX_S} s of {float(whole / rate):.0f} s are used" if n < whole else ""
    scale = [recording.scale(columns[lead]) for lead in there]
    parts = [values_at(recording, columns[lead], rate, 0, n) * s for lead, s in zip(there, scale, strict=True)]
    mv = np.stack(parts, axis=1) @ matrix.T
    if not np.isfinite(mv).all():
        raise CalibrationError(f"{recording.name} has samples missing", "give a reference without gaps")
    return Reference(recording.name, rate, mv, remark, recording.person.identifier or recording.person.name)


def condition_reference(reference: Reference, spec: ModelSpec, mains_hz: float | None) -> npt.NDArray[np.float32]:
    """Pass a reference through the device's own chain; shape (n_samples, 12) at the model rate."""
    return Conditioner(reference.fs, spec.fs, len(LEADS), spec.conditioning, mains_hz).feed(reference.mv)
