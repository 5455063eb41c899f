"""The calibration file: small JSON that a person can read, bound to patient, model and leads."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ecg_edge.device.inference.load import Model
from ecg_edge.device.inference.packed_arrays import pack_array, unpack_array
from ecg_edge.device.inference.spec import ModelSpec
from ecg_edge.device.personal_calibration.fit import DRIFT, calibrated
from ecg_edge.firmware_bridge.array_types import same_contents
from ecg_edge.firmware_bridge.errors import CalibrationError, ModelFileError, UsageError
from ecg_edge.firmware_bridge.private_files import exact_path

FORMAT = 2
_MAX_BYTES = 4_000_000
_MOST = 1000.0
"""No weight, factor or second moment in mV² that was ever fitted is a hundredth of it."""
_DIGEST = "sha256"
_AGAIN = "fit it again: ecg-edge calibrate"


@dataclass(frozen=True, eq=False)
class Calibration:
    """What `ecg-edge calibrate` found.

    Two are equal where every attribute is, arrays element by element.

    Attributes
    ----------
    patient, made : str
        Identifier as the user gave it; date of the fit (ISO 8601).
    references : tuple of str
        Names of the records fitted to.
    model_id : str
        Of the model the head belongs to.
    mean : ndarray of float32, shape (n_regressors, n_targets)
        The head for electrodes where they were in the reference.
    interval_factors : ndarray of float32, shape (n_targets,)
        For that head; another day's keeps the model's own.
    again : ndarray of float32, shape (n_regressors, n_targets)
        The head for electrodes put on again.
    covariance : ndarray of float32, shape (n_inputs, n_inputs)
        Second moments of the measured leads in the references, mV²: what drift is told by.
    expected : dict of str to dict
        Per lead the error before and after in mV, by cross-validation inside the references.
    notes : tuple of str
        What of the references was not used.

    Examples
    --------
    >>> import ecg_edge as ee
    >>> try:
    ...     ee.read_calibration("p1.json").apply(ee.load_model("i-ii-int8"), placement="same")
    ... except ee.CalibrationError as e:
    ...     print(e.message)
    cannot read p1.json: No such file or directory
    """

    patient: str
    made: str
    references: tuple[str, ...]
    model_id: str
    input_leads: tuple[str, ...]
    target_leads: tuple[str, ...]
    strength: float
    mean: npt.NDArray[np.float32]
    interval_factors: npt.NDArray[np.float32]
    again: npt.NDArray[np.float32]
    covariance: npt.NDArray[np.float32]
    expected: Mapping[str, Mapping[str, float]]
    notes: tuple[str, ...] = ()

    def __eq__(self, other: object) -> bool:
        return same_contents(self, other)

    __hash__ = None  # type: ignore[assignment]  # arrays have none

    @property
    def label(self) -> str:
        """What is said of every reconstructed lead."""
        return f"reconstructed, calibrated {self.made[:10]} from {', '.join(self.references)}"

    def apply(self, model: Model, patient: str | None = None, placement: str = "again") -> Model:
        """Return the model with the person's head.

        Parameters
        ----------
        placement : str
            ``same``: the electrodes are where they were in the reference; ``again``: put on again.

        Raises
        ------
        CalibrationError
            It was made for another model, lead set or patient.
        UsageError
            `placement` is neither.
        """
        placement, spec = exact_placement(placement), _spec(model)
        for what, mine, theirs in (
            ("model", self.model_id, spec.model_id),
            ("lead set", (self.input_leads, self.target_leads), (spec.input_leads, spec.target_leads)),
            ("patient", self.patient, self.patient if patient is None else patient),
        ):
            if mine != theirs:
                raise CalibrationError(f"the calibration is of another {what}: {mine}, not {theirs}", _AGAIN)
        self._check_shape(spec)
        same = placement == "same"
        mean = self.mean if same else self.again
        factors = self.interval_factors if same else spec.head.interval_factors
        return calibrated(model, mean, factors, self.covariance, DRIFT[placement])

    def fits(self, model: Model) -> bool:
        """Whether it is of this model and lead set."""
        spec = _spec(model)
        return (self.model_id, self.input_leads, self.target_leads) == (
            spec.model_id, spec.input_leads, spec.target_leads,
        )  # fmt: skip

    def _check_shape(self, spec: ModelSpec) -> None:
        n = len(spec.input_leads)
        fits = self.mean.shape == self.again.shape == spec.head.mean.shape and self.covariance.shape == (n, n)
        if not fits or self.interval_factors.shape != spec.head.interval_factors.shape:
            raise CalibrationError("the calibration's weights do not fit the model", _AGAIN)
        if not (self.interval_factors > 0).all():
            raise CalibrationError("the calibration states an interval of no width", _AGAIN)
        for x in (self.mean, self.again, self.interval_factors, self.covariance):
            if not np.abs(x).max(initial=0) <= _MOST:
                raise CalibrationError("the calibration's weights are no heart's", _AGAIN)


def exact_placement(placement: str) -> str:
    """Return how electrodes sit against the reference: ``same`` or ``again``.

    Raises
    ------
    UsageError
        It is neither.
    """
    if not isinstance(placement, str) or placement not in DRIFT:
        raise UsageError(f"placement={placement!r} is none", "pass 'same', or 'again' after new electrodes")
    return placement


def _spec(model: Model) -> ModelSpec:
    if not isinstance(model, Model):
        raise UsageError(f"model={model!r} is not loaded", "load it first: ee.load_model('i-ii-int8')")
    return model.spec


def write_calibration(path: Path | str, c: Calibration) -> None:
    """Write the file at once or not at all, readable by its owner alone.

    Parameters
    ----------
    path : Path or str
        Is replaced if it is there.
    c : Calibration
        From `calibrate`.

    Raises
    ------
    CalibrationError
        The folder cannot be written.
    UsageError
        These are no path and no calibration.

    Examples
    --------
    >>> import warnings, pathlib, tempfile, ecg_edge as ee
    >>> from ecg_edge.firmware_bridge.synthetic_heart.heart import SyntheticHeart
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")  # a heart from a formula is doubtful
    ...     person = ee.calibrate("i-ii-int8", [SyntheticHeart(100).read(1500)], fs=100, patient="p1")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ee.write_calibration(folder + "/p1.json", person)
    ...     ee.read_calibration(folder + "/p1.json").patient
    'p1'
    """
    path = exact_path(path, "path")
    if not isinstance(c, Calibration):
        raise UsageError(f"c={type(c).__name__} is no Calibration", "pass what ee.calibrate returned")
    doc = {"ecg_edge_calibration": FORMAT} | vars(c)
    doc |= {"mean": pack_array(c.mean), "interval_factors": pack_array(c.interval_factors)}
    doc |= {"again": pack_array(c.again), "covariance": pack_array(c.covariance)}
    doc = json.loads(json.dumps(doc, allow_nan=False))  # as it is read: the digest is of values, not of spaces
    doc[_DIGEST] = _digest(doc)
    part = ""
    try:
        handle, part = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")  # mode 0600
        with os.fdopen(handle, "w", encoding="utf-8") as f:
            f.write(json.dumps(doc, indent=1, allow_nan=False) + "\n")
            f.flush()
            os.fsync(f.fileno())
        Path(part).replace(path)
    except OSError as e:
        with contextlib.suppress(OSError):
            Path(part).unlink()
        raise CalibrationError(f"cannot write {path}: {e.strerror or e}", "choose another --out") from e


def read_calibration(path: Path | str) -> Calibration:
    """Read and check a calibration file.

    Parameters
    ----------
    path : Path or str
        As `write_calibration` or ``ecg-edge calibrate`` wrote it.

    Raises
    ------
    CalibrationError
        Missing, damaged, or of another version.

    Examples
    --------
    >>> import ecg_edge as ee
    >>> try:
    ...     ee.read_calibration("nobody.json")
    ... except ee.CalibrationError as e:
    ...     print(e.fix)
    fit it again: ecg-edge calibrate
    """
    path = exact_path(path, "path")
    try:
        return _parse(json.loads(_text(path)))
    except OSError as e:
        raise CalibrationError(f"cannot read {path}: {e.strerror or e}", _AGAIN) from e
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError, ModelFileError) as e:
        raise CalibrationError(f"{path} is damaged or no calibration: {e!r}", _AGAIN) from e


def _text(path: Path) -> str:
    """The file's text. A pipe or a device would never end, or not before memory does."""
    found = path.stat()
    if not stat.S_ISREG(found.st_mode) or found.st_size > _MAX_BYTES:
        raise CalibrationError(f"{path} is no file, or too large, for a calibration", _AGAIN)
    with path.open("rb") as f:
        return f.read(_MAX_BYTES + 1).decode("utf-8")


def _digest(doc: dict[str, Any]) -> str:
    rest = {k: v for k, v in doc.items() if k != _DIGEST}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def _parse(doc: dict[str, Any]) -> Calibration:
    if _DIGEST in doc and doc[_DIGEST] != _digest(doc):  # files of before have none
        raise CalibrationError("the calibration is not as it was written: its digest differs", _AGAIN)
    if doc["ecg_edge_calibration"] != FORMAT:
        raise CalibrationError(f"calibration format {doc['ecg_edge_calibration']}, this build reads {FORMAT}", _AGAIN)
    return Calibration(
        str(doc["patient"]),
        str(doc["made"]),
        tuple(str(r) for r in doc["references"]),
        str(doc["model_id"]),
        tuple(str(x) for x in doc["input_leads"]),
        tuple(str(x) for x in doc["target_leads"]),
        float(doc["strength"]),
        unpack_array(doc["mean"]),
        unpack_array(doc["interval_factors"]),
        unpack_array(doc["again"]),
        unpack_array(doc["covariance"]),
        {str(k): {str(n): float(x) for n, x in v.items()} for k, v in doc["expected"].items()},
        tuple(str(x) for x in doc.get("notes", ())),  # files of before have none
    )
