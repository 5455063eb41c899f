"""A recording as a DICOM ECG object (PS3.3 A.34.3 to A.34.5; extra `dicom`).

Up to 16384 samples at 200 to 1000 Hz are a 12-lead ECG; longer or slower ones are an ambulatory ECG. Every channel
says in its label and its derivation whether it was measured, derived or reconstructed.

A 12-lead ECG has a second multiplex group, the median beat of its last ten seconds. Carts write it so, and readers
know two groups of twelve. PS3.3 A.34.3 by its words allows 13 channels in all groups together. An ambulatory ECG has
one group.
"""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ecg_edge.device.measurements.measure import median_beat
from ecg_edge.device.measurements.typical_beat import FS as BEAT_FS
from ecg_edge.device.recording.implausible_leads import plausible
from ecg_edge.device.recording.live_phase import upright_mv
from ecg_edge.device.recording.measure_stored import measure_stored
from ecg_edge.device.recording.safe_files import disk_errors
from ecg_edge.device.recording.stored_recording import Stored, no_lead, voltages
from ecg_edge.firmware_bridge.array_types import FloatArray
from ecg_edge.firmware_bridge.errors import NOT_LOADABLE, MissingExtraError, RecordingError
from ecg_edge.firmware_bridge.lead_names import LEADS
from ecg_edge.firmware_bridge.private_files import private_open
from ecg_edge.firmware_bridge.recordings.values.ages import age_of, written_age

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

TWELVE_LEAD, AMBULATORY = "1.2.840.10008.5.1.4.1.1.9.1.1", "1.2.840.10008.5.1.4.1.1.9.1.3"
"""SOP classes."""
_CODES = dict(zip(("I", "II", "V1", "V2", "V3", "V4", "V5", "V6", "III", "aVR", "aVL", "aVF"),
                  (*range(1, 9), *range(61, 65)), strict=True))  # fmt: skip
"""Second half of the MDC codes of CID 3001."""
_MOST_SAMPLES, _TWELVE_LEAD_HZ, _AMBULATORY_HZ = 16384, (200, 1000), (50, 1000)
_INVALID, _TOP = -32768, 32767
_UV_PER_COUNT = 1.0
_MEASURE_S = 10
_LONGEST = 64
_BEAT_WORDS = {"measured": ", measured", "derived": ", derived", "reconstructed": ", estimate: not for diagnosis"}
_MOST_TEXT = 10240
_MAKER = "ecg-edge"


def write_dicom(stored: Stored, path: Path) -> None:
    """Write a recording; the file is there when it is complete.

    Parameters
    ----------
    stored : Stored
        Its twelve leads are written; other signals are left out.
    path : Path

    Raises
    ------
    MissingExtraError
        The package pydicom is not installed.
    RecordingError, DiskFullError
        DICOM cannot hold this rate, no lead is in mV, or the file cannot be written.
    LeadMismatchError
        There is none of the twelve leads.
    """
    data = dicom_bytes(stored)
    part = path.with_name(f".{path.name}.part")
    with disk_errors(path):
        with private_open(part, "wb") as f:
            f.write(data)
        part.replace(path)


def dicom_bytes(stored: Stored) -> bytes:
    """Return the object as the bytes of a DICOM file; see `write_dicom`."""
    try:
        import pydicom
        from pydicom.dataset import Dataset, FileMetaDataset
    except NOT_LOADABLE as e:
        raise MissingExtraError("pydicom", "dicom") from e
    stored = voltages(stored)
    fs = float(stored.fs)
    if not _AMBULATORY_HZ[0] <= fs <= _AMBULATORY_HZ[1]:
        raise RecordingError(f"DICOM holds ECGs of 50 to 1000 Hz, not {fs:g} Hz", "choose another rate: --fs 500")
    short = len(stored.counts) <= _MOST_SAMPLES and _TWELVE_LEAD_HZ[0] <= fs <= _TWELVE_LEAD_HZ[1]
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = TWELVE_LEAD if short else AMBULATORY
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = pydicom.uid.generate_uid()
    _general(data, stored, pydicom.uid.generate_uid)
    data.WaveformSequence = [_rhythm(stored), *(_median_beat(stored) if short else [])]
    _annotations(data, stored)
    out = io.BytesIO()
    pydicom.dcmwrite(out, data, enforce_file_format=True)
    return out.getvalue()


def _general(data: Dataset, stored: Stored, uid: Any) -> None:
    """Patient, study, series, equipment."""
    person, started = stored.person, stored.started
    data.SpecificCharacterSet = "ISO_IR 192"
    data.PatientName = _plain(person.name.replace("^", " "))
    data.PatientID = _plain(_identifier(stored))
    data.PatientBirthDate = f"{person.birth:%Y%m%d}" if person.birth else ""
    data.PatientAge = _age(stored)
    data.PatientComments = "\r\n".join([*stored.comments, *unheld(stored)])[:_MOST_TEXT]
    data.PatientSex = {"male": "M", "female": "F"}.get(person.sex, "")
    data.StudyInstanceUID, data.SeriesInstanceUID = uid(), uid()
    data.StudyID, data.AccessionNumber, data.ReferringPhysicianName = "", "", ""
    data.SeriesNumber, data.InstanceNumber, data.Modality = 1, 1, "ECG"
    data.Laterality = ""
    data.StudyDate = data.ContentDate = f"{started:%Y%m%d}" if started else ""
    data.StudyTime = data.ContentTime = f"{started:%H%M%S}" if started else ""
    data.AcquisitionDateTime = f"{started:%Y%m%d%H%M%S.%f}{started:%z}" if started else ""
    data.Manufacturer, data.ManufacturerModelName = _MAKER, _said(stored, "model: ").split(" ")[0][:64] or _MAKER
    data.DeviceSerialNumber, data.SoftwareVersions = _said(stored, "device: ")[:64] or "not stated", _MAKER
    data.InstitutionName = ""
    data.AcquisitionContextSequence = []
    data.SeriesDescription = "Twelve leads, reconstructed ones are estimates: not for diagnosis"[:64]


def _identifier(stored: Stored) -> str:
    return stored.person.identifier or (stored.patient if stored.patient != stored.person.name else "")


def _plain(text: str) -> str:
    """A text as DICOM holds it: 64 letters, and no backslash, which would part it in two."""
    return text.replace("\\", "/")[:_LONGEST]


def unheld(stored: Stored) -> list[str]:
    """Say what of the person DICOM cannot hold as the recording states it."""
    said = []
    for what, text in (("patient", _identifier(stored)), ("name", stored.person.name)):
        if "\\" in text:
            said.append(f"{what} {text[:_LONGEST]}: DICOM holds no backslash, / is written")
        if len(text) > _LONGEST:
            said.append(f"{what} {text[:_LONGEST]}…: DICOM holds {_LONGEST} of its {len(text)} letters")
    if stored.person.age and not _age(stored):
        said.append(f"age {written_age(stored.person.age)}: DICOM has no number for it, it is left out")
    return said


def _age(stored: Stored) -> str:
    """Age as DICOM writes it, as the record states it or from the birth; empty where neither is known."""
    person, started = stored.person, stored.started
    if person.age and (found := age_of(person.age)):
        return found.dicom
    if person.birth and started:
        before = (started.month, started.day) < (person.birth.month, person.birth.day)
        return f"{max(0, started.year - person.birth.year - before):03d}Y"
    return ""


def _rhythm(stored: Stored) -> Dataset:
    columns = [stored.columns(lead)[0] for lead in LEADS if stored.columns(lead)]
    if not columns:
        raise no_lead(stored)
    group = _group("RHYTHM", stored.mv[:, columns], float(stored.fs), [_channel(stored, k) for k in columns])
    group.WaveformOriginality = "DERIVED" if any(s.provenance != "measured" for s in stored.signals) else "ORIGINAL"
    return group


def _median_beat(stored: Stored) -> list[Dataset]:
    """The beat that intervals are read from, as a group of its own; none where no three beats are alike."""
    last = plausible(_last_seconds(stored))
    columns = [last.columns(lead)[0] for lead in LEADS if last.columns(lead)]
    kinds = [last.signals[k].provenance for k in columns]
    found = median_beat(upright_mv(last)[:, columns], last.fs, kinds)
    if found is None:
        return []
    beat, there = found
    channels = [_channel(last, columns[k]) for k in there]
    for channel, k in zip(channels, there, strict=True):
        channel.ChannelDerivationDescription = (
            f"median of {beat.used} of {beat.found} beats{_BEAT_WORDS.get(kinds[k], '')}"
        )
    group = _group("MEDIAN BEAT", beat.mv, float(BEAT_FS), channels)
    group.WaveformOriginality = "DERIVED"
    return [group]


def _last_seconds(stored: Stored) -> Stored:
    rows = round(_MEASURE_S * stored.fs)
    return stored.rows(max(0, len(stored.counts) - rows), len(stored.counts))


def _group(label: str, mv: FloatArray, fs: float, channels: list[Dataset]) -> Dataset:
    """A multiplex group of 16 bits."""
    from pydicom.dataset import Dataset

    uv = mv * 1000 / _UV_PER_COUNT
    there = np.isfinite(uv) & (np.abs(uv) <= _TOP)
    group = Dataset()
    group.NumberOfWaveformChannels, group.NumberOfWaveformSamples = len(channels), len(uv)
    group.SamplingFrequency = f"{fs:.10g}"
    group.MultiplexGroupLabel = label
    group.ChannelDefinitionSequence = channels
    group.WaveformBitsAllocated, group.WaveformSampleInterpretation = 16, "SS"
    group.add_new("WaveformPaddingValue", "OW", np.array(_INVALID, "<i2").tobytes())
    group.add_new("WaveformData", "OW", np.where(there, np.rint(uv), _INVALID).astype("<i2").tobytes())
    return group


def _channel(stored: Stored, k: int) -> Dataset:
    from pydicom.dataset import Dataset

    signal = stored.signals[k]
    channel = Dataset()
    channel.ChannelLabel = f"{signal.lead} {signal.provenance}".strip()[:16]
    channel.ChannelSourceSequence = [_code(f"2:{_CODES[signal.lead]}", "MDC", f"Lead {signal.lead}")]
    if signal.provenance:
        why = {
            "reconstructed": "reconstructed: an estimate, not for diagnosis",
            "derived": "derived: exact algebra of measured leads",
        }.get(signal.provenance, signal.provenance)
        channel.ChannelDerivationDescription = why
    channel.ChannelSensitivity, channel.ChannelSensitivityCorrectionFactor = f"{_UV_PER_COUNT:g}", "1"
    channel.ChannelSensitivityUnitsSequence = [_code("uV", "UCUM", "microvolt")]
    channel.ChannelBaseline, channel.ChannelSampleSkew = "0", "0"
    channel.WaveformBitsStored = 16
    said = _said(stored, "conditioning: ")
    low, notch = re.search(r"high-pass ([\d.]+)", said), re.search(r"notch ([\d.]+)", said)
    if low:
        channel.FilterLowFrequency = low[1]
    if notch:
        channel.NotchFilterFrequency = notch[1]
    return channel


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    from pydicom.dataset import Dataset

    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return code


def _annotations(data: Dataset, stored: Stored) -> None:
    """Intervals of the last ten seconds, and where the samples come from, in words."""
    from pydicom.dataset import Dataset

    found = measure_stored(_last_seconds(stored))
    words = [found.line()] if found else []
    words += [c for c in stored.comments if c.startswith(("model:", "source:", "interval:", "reconstructed"))]
    items = []
    for text in words:
        item = Dataset()
        item.UnformattedTextValue = text[:1024]
        item.ReferencedWaveformChannels = [1, 0]
        items.append(item)
    if items:
        data.WaveformAnnotationSequence = items


def _said(stored: Stored, key: str) -> str:
    return next((c.removeprefix(key).strip() for c in stored.comments if c.startswith(key)), "")
