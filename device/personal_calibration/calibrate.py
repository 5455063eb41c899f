"""From a person's twelve-lead references to a calibration, in one call."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from datetime import datetime, timezone
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ecg_edge.device.conditioning.mains import exact_mains
from ecg_edge.device.inference.any_lead import for_leads
from ecg_edge.device.inference.load import Model, loaded
from ecg_edge.device.personal_calibration.file import Calibration
from ecg_edge.device.personal_calibration.fit import fit
from ecg_edge.device.personal_calibration.make import make, make_design, refuse_harm
from ecg_edge.device.personal_calibration.reference import Reference, read_reference
from ecg_edge.device.personal_calibration.same_person import contradicting
from ecg_edge.device.reconstruction.array_input import (
    check_columns,
    check_unit,
    exact_leads,
    exact_rate,
    exact_rows,
    swing_mv,
)
from ecg_edge.firmware_bridge.errors import CalibrationError, UsageError
from ecg_edge.firmware_bridge.lead_names import LEADS


def calibrate(
    model: Model | Path | str,
    references: Sequence[str | Path | npt.NDArray[np.floating]],
    *,
    fs: float | Fraction | None = None,
    leads: Sequence[str] | str | None = None,
    patient: str = "",
    mains_hz: float | None = 50.0,
    made: datetime | None = None,
) -> Calibration:
    """Fit a model's head to a person.

    Parameters
    ----------
    model : Model, Path or str
        A loaded model, a file, or the name of a shipped one.
    references : sequence of str, Path or ndarray of shape (n_samples, 12)
        Ten seconds to ten minutes of the person's twelve leads each: WFDB, CSV or EDF+ files, or arrays in mV
        with columns as ``LEADS``.
    fs : float or Fraction, optional
        Rate in Hz of arrays, and of CSV files without a column of times.
    leads : sequence of str, optional
        For an any-lead model: the leads the person will be measured with.
    patient : str
        Identifier; a run for another patient refuses the calibration. By default whom the references name.
    mains_hz : float or None
        50, 60, or None for no notch.
    made : datetime, optional
        Date of the fit; now by default.

    Returns
    -------
    Calibration
        To be passed as ``calibration=``, or written with `write_calibration`. What is doubtful about a
        reference is issued as a UserWarning.

    Raises
    ------
    CalibrationError
        A reference lacks a lead or is too short, names another patient, or the fit would make things worse.
    UsageError, UnitsError, RecordingError, MissingExtraError
        A reference cannot be read, or is not in mV.

    Examples
    --------
    >>> import warnings, ecg_edge as ee
    >>> from ecg_edge.firmware_bridge.synthetic_heart.heart import SyntheticHeart
    >>> twelve = SyntheticHeart(250).read(20 * 250)
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")  # a heart from a formula is doubtful
    ...     person = ee.calibrate("i-ii-int8", [twelve], fs=250, patient="p1")
    >>> person.patient, sorted(person.expected["V2"])
    ('p1', ['interval_factor', 'rmse_after_mv', 'rmse_before_mv'])
    >>> ee.reconstruct(twelve[:, :2], fs=250, leads=("I", "II"), calibration=person).mv.shape
    (2000, 12)
    """
    mains_hz = exact_mains(mains_hz)
    if isinstance(references, str | bytes | Path | np.ndarray) or not isinstance(references, Sequence):
        raise UsageError(f"references={type(references).__name__} is no list", "pass a list, also of one: [reference]")
    if not references:
        raise UsageError("no reference to calibrate with", "pass at least one twelve-lead recording of the person")
    if not isinstance(patient, str):
        raise UsageError(f"patient={patient!r} is no text", "pass the identifier in quotes, or leave it out")
    if not isinstance(made, datetime | None):
        raise UsageError(f"made={made!r} is no date", "pass a datetime, or leave it out for now")
    rate = None if fs is None else exact_rate(fs)
    chosen = _model(model, leads)
    read = [_reference(given, rate, f"array {k + 1}") for k, given in enumerate(references)]
    patient = patient or next((r.patient for r in read if r.patient), "")
    if others := contradicting(patient, [(r.name, r.patient) for r in read]):
        raise CalibrationError(others[0], "pass the patient that the references name, or references of one person")
    designs = []
    for reference in read:
        design, doubts = make_design(chosen, reference, mains_hz)
        designs.append(design)
        for doubt in [*doubts, *[reference.remark] * bool(reference.remark)]:
            warnings.warn(f"{reference.name}: {doubt}", UserWarning, stacklevel=2)
    found = fit(chosen.spec, designs)
    refuse_harm(chosen, found)
    return make(chosen, found, patient, read, made or datetime.now(timezone.utc))


def _model(model: Model | Path | str, leads: Sequence[str] | str | None) -> Model:
    whole, names = loaded(model), None if leads is None else exact_leads(leads)
    reads = whole.spec.input_leads
    if not whole.spec.any_lead and names is not None and set(names) != set(reads):
        raise UsageError(f"leads={names!r}, but {whole.path.name} reads {', '.join(reads)}", "leave leads out")
    if not whole.spec.any_lead:
        return whole
    if names is None:
        raise UsageError(f"{whole.path.name} reads many lead sets", "name the one that is measured: leads=('I', 'II')")
    chosen = for_leads(whole, names)
    if not chosen.spec.head.moments.size:
        raise CalibrationError(
            f"{whole.path.name} knows no moments for {', '.join(chosen.spec.input_leads)}",
            "choose one of " + "; ".join(" ".join(s.leads) for s in whole.spec.subsets if s.moments.size),
        )
    return chosen


def _reference(given: str | Path | npt.NDArray[np.floating], fs: Fraction | None, name: str) -> Reference:
    if isinstance(given, str | Path):
        return read_reference(str(given), fs)
    check_columns(given, LEADS)
    rows = exact_rows(given, len(LEADS), "references")
    if fs is None:
        raise UsageError("an array does not know its rate", "pass fs=, the samples per second of one lead")
    if not np.isfinite(rows).all():
        raise CalibrationError(f"{name} has samples missing", "give a reference without gaps")
    check_unit(swing_mv(rows, fs), len(rows) / float(fs))
    return Reference(name, fs, rows)
