"""One record of many: from its file to the file of its twelve leads, in any process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

from ecg_edge.device.hand_on.dicom_writer import unheld
from ecg_edge.device.inference.load import Model
from ecg_edge.device.lead_algebra import Provenance
from ecg_edge.device.offline.twelve_leads import Wanted, reconstruct_recording
from ecg_edge.device.offline.write_recording import files_of, write_recording
from ecg_edge.device.personal_calibration.file import Calibration, read_calibration
from ecg_edge.device.recording.safe_files import refuse_replacing
from ecg_edge.firmware_bridge.errors import EcgEdgeError, as_error
from ecg_edge.firmware_bridge.lead_names import LEADS

Document = dict[str, Any]


@dataclass(frozen=True)
class RecordPlan:
    """What to make of all records; plain values, which travel to other processes and machines.

    Attributes
    ----------
    leads, model, mains_hz, out_fs
        As `Wanted`.
    in_fs : Fraction or None
        As ``Wanted.fs``.
    calibration : str or None
        File of a person's calibration.
    patient : str or None
        Whose it must be.
    placement : str
        ``same`` or ``again``.
    kind : str
        ``wfdb``, ``edf`` or ``csv``.
    force : bool
        Whether files that are there are replaced.
    unit : str
        As ``Wanted.unit``.
    """

    leads: tuple[str, ...] = ()
    model: str | None = None
    mains_hz: float | None = 50.0
    in_fs: Fraction | None = None
    out_fs: Fraction | str | None = None
    calibration: str | None = None
    patient: str | None = None
    placement: str = "again"
    kind: str = "wfdb"
    force: bool = False
    unit: str = ""


class _Personal:
    """A person's head, for electrodes that were left alone or put on again."""

    def __init__(self, calibration: Calibration, patient: str | None, placement: str) -> None:
        self._calibration, self._how, self.label = calibration, (patient, placement), calibration.label
        self.patient = calibration.patient

    def apply(self, model: Model) -> Model:
        return self._calibration.apply(model, *self._how)


@cache
def wanted(plan: RecordPlan) -> Wanted:
    """Read what the plan names, once in each process.

    Raises
    ------
    EcgEdgeError
        The calibration cannot be read.
    """
    person = _Personal(read_calibration(plan.calibration), plan.patient, plan.placement) if plan.calibration else None
    return Wanted(plan.leads, plan.model, person, plan.mains_hz, plan.in_fs, plan.out_fs, plan.unit)


def convert_record(plan: RecordPlan, source: str, out: str, progress: Callable[[float], None]) -> Document:
    """Reconstruct one record into a file and describe it.

    Raises
    ------
    EcgEdgeError
        The record cannot be read, or the file not be written.
    """
    result = reconstruct_recording(source, wanted(plan), progress)
    write_recording(result.stored, Path(out), plan.kind)
    block = result.block
    leads = {k.value: [x for x, p in zip(LEADS, block.provenance, strict=True) if p is k] for k in Provenance}
    return {
        "record": source,
        "out": out,
        "state": "done",
        "seconds": len(block) / float(block.fs),
        "fs": float(block.fs),
        "model": result.model.path.name,
        "leads": leads,
        "remarks": [*result.remarks, *(unheld(result.stored) if plan.kind == "dicom" else [])],
    }


def try_record(plan: RecordPlan, source: str, out: str) -> Document:
    """Do the same as `convert_record`; whatever is wrong with a record is in the document.

    A file that is there already is not made again: it was renamed to its place when it was complete.
    """
    try:
        if Path(out).exists() and not plan.force:
            return {"record": source, "out": out, "state": "there already"}
        refuse_replacing(files_of(Path(out), plan.kind), plan.force, source)
        return convert_record(plan, source, out, lambda share: None)
    except Exception as e:  # noqa: BLE001 -- one bad record never ends the others
        error = e if isinstance(e, EcgEdgeError) else as_error(e, source)
        return refused(source, error.message, error.fix)


def refused(source: str, error: str, fix: str) -> Document:
    """Describe a record that could not be reconstructed."""
    return {"record": source, "state": "refused", "error": error, "fix": fix}
