"""Whether a calibration, a recording and what the user says name the same person."""

from __future__ import annotations

from collections.abc import Iterable

from ecg_edge.firmware_bridge.errors import CalibrationError, UsageError
from ecg_edge.firmware_bridge.events import StreamInfo


def refuse_another(calibration: object, recorded: str) -> None:
    """Refuse a calibration for a recording that names somebody else.

    Parameters
    ----------
    calibration : object
        Its `patient` is whose it is; None, and one that has no patient at all, is never refused.
    recorded : str
        Patient that the recording names; empty where it names nobody.

    Raises
    ------
    CalibrationError
        They differ.
    """
    whose = getattr(calibration, "patient", None)
    if whose is None or not recorded or whose == recorded:
        return
    raise CalibrationError(
        f"the recording is of patient {recorded}, the calibration of {whose.strip() or 'nobody by name'}",
        f"leave the calibration out, or make one of {recorded}: ecg-edge calibrate --patient {recorded!r}",
    )


def refuse_rewriting(given: str, recorded: str) -> None:
    """Refuse to call a recording's patient by another name.

    Raises
    ------
    UsageError
        `given` is not who the recording names.
    """
    if given and recorded and given != recorded:
        raise UsageError(f"the recording is of patient {recorded}, not {given}", "leave --patient out")


def recorded_patient(info: StreamInfo) -> str:
    """Patient that a stored source names; empty for a live one."""
    return info.origin.patient if info.origin else ""


def refuse_others(info: StreamInfo, given: str, calibration: object) -> None:
    """Do both for a source, whoever the user says it is."""
    refuse_rewriting(given, recorded_patient(info))
    refuse_another(calibration, recorded_patient(info))


def refuse_blank(patient: str) -> None:
    """Refuse an identifier of blanks.

    Raises
    ------
    UsageError
        It is empty.
    """
    if not patient.strip():
        raise UsageError(f"--patient {patient!r} names nobody", "give the person's identifier: --patient P7")


def contradicting(patient: str, references: Iterable[tuple[str, str]]) -> list[str]:
    """Return what references say against `patient`; each is a name and the patient it states, or an empty text."""
    return [
        f"{name} is of patient {stated}, not {patient}" for name, stated in references if stated not in ("", patient)
    ]
