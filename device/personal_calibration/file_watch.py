"""A person's calibration as a run uses it: the file may come, or be renewed, while the run goes on."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from ecg_edge.device.inference.load import Model
from ecg_edge.device.personal_calibration.file import Calibration, read_calibration


class CalibrationWatch:
    """Looks at a calibration file again and again.

    Parameters
    ----------
    path : Path
        It need not be there yet.
    patient : str, optional
        Who wears the device; another's calibration is refused.
    placement : str
        ``same`` or ``again``: see `Calibration.apply`.

    Raises
    ------
    CalibrationError
        The file is there and damaged.
    """

    def __init__(self, path: Path, patient: str | None = None, placement: str = "again") -> None:
        self._path, self._patient, self._placement = path, patient, placement
        self._stamp: tuple[int, int, int] | None = None
        self._calibration: Calibration | None = None
        self.renewed()

    @property
    def label(self) -> str:
        """What is said of every reconstructed lead; empty while there is no file."""
        return self._calibration.label if self._calibration else ""

    @property
    def patient(self) -> str | None:
        """Whose it is; None while there is no file."""
        return self._calibration.patient if self._calibration else None

    def age_days(self, now: datetime) -> int | None:
        """Days since the calibration was made; None while there is no file, or its date cannot be read."""
        if self._calibration is None:
            return None
        try:
            return max(0, (now - datetime.fromisoformat(self._calibration.made)).days)
        except (ValueError, TypeError):
            return None

    def apply(self, model: Model) -> Model:
        """Return the model with the person's head, or as it is while there is no file.

        Raises
        ------
        CalibrationError
            The calibration is of another model, lead set or patient.
        """
        return self._calibration.apply(model, self._patient, self._placement) if self._calibration else model

    def renewed(self) -> bool:
        """Whether there is a file that was not there when last asked; it is read then.

        Raises
        ------
        CalibrationError
            It is damaged; what was read before remains.
        """
        try:
            now = self._path.stat()
        except OSError:
            return False
        stamp = (now.st_ino, now.st_mtime_ns, now.st_size)
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        self._calibration = read_calibration(self._path)
        return True
