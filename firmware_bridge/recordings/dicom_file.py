"""DICOM ECG objects (PS3.3 A.34): the waveform sequence's first group, which is the rhythm (extra `dicom`)."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from ecg_edge.firmware_bridge.array_types import FloatArray
from ecg_edge.firmware_bridge.errors import NOT_LOADABLE, MissingExtraError, RecordingError
from ecg_edge.firmware_bridge.lead_names import PROVENANCE
from ecg_edge.firmware_bridge.recordings.recording import MAX_SIGNALS, Person, Recording, Signal
from ecg_edge.firmware_bridge.recordings.text import moment, rate, start

_MAX_BYTES = 500_000_000
_SEX = {"M": "male", "F": "female"}


def open_dicom(path: Path) -> Recording:
    """Open a DICOM file that holds a waveform.

    Raises
    ------
    RecordingError
        It holds none, or a field of it makes no sense.
    MissingExtraError
        The package pydicom is not installed.
    """
    try:
        import pydicom
    except NOT_LOADABLE as e:
        raise MissingExtraError("pydicom", "dicom") from e
    if path.stat().st_size > _MAX_BYTES:
        raise RecordingError(f"{path} is larger than {_MAX_BYTES // 10**6} MB", "choose an ECG")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _recording(path, pydicom.dcmread(path))
    except RecordingError:
        raise
    except Exception as e:  # a stranger's bytes make pydicom raise whatever they meet
        reason = str(e).split("\n")[0][:120] or type(e).__name__
        raise RecordingError(f"cannot read {path}: {reason}", "fetch the file again") from e


def _recording(path: Path, data: Any) -> Recording:
    groups = data.get("WaveformSequence") or []
    if not groups:
        raise RecordingError(f"{path} is DICOM without a waveform", "choose an ECG object")
    group = groups[0]
    channels = list(group.ChannelDefinitionSequence)
    n, bits = int(group.NumberOfWaveformSamples), int(group.WaveformBitsAllocated)
    fs = rate(str(group.SamplingFrequency))
    kind = {(8, "SB"): "<i1", (8, "UB"): "<u1", (16, "SS"): "<i2", (16, "US"): "<u2", (32, "SL"): "<i4"}.get(
        (bits, str(group.WaveformSampleInterpretation))
    )
    if not kind or not fs or not 0 < len(channels) <= MAX_SIGNALS or n <= 0:
        raise RecordingError(f"{path}: its waveform's rate, bits or channels make no sense", "fetch the file again")
    raw = np.frombuffer(bytes(group.WaveformData), kind)
    there = min(n, len(raw) // len(channels))
    if not there:
        raise RecordingError(f"{path} holds no sample", "fetch the file again")
    counts = raw[: there * len(channels)].reshape(there, len(channels))
    if not data.file_meta.TransferSyntaxUID.is_little_endian:
        counts = counts.byteswap()
    padding = group.get("WaveformPaddingValue")
    invalid = np.frombuffer(padding, kind)[0] if isinstance(padding, bytes) and padding else padding
    scales = [_scale(c) for c in channels]
    remarks = [f"cut short: {n} samples announced, {there} there"] if there < n else []
    others = [g for g in groups[1:] if "BEAT" not in str(g.get("MultiplexGroupLabel", "")).upper()]
    remarks += [f"{len(others) + 1} waveforms: the first is read"] if others else []

    def read(columns: Sequence[int], a: int, b: int) -> FloatArray:
        x = counts[a:b][:, list(columns)]
        values = np.stack([x[:, j] * scales[k][1] + scales[k][2] for j, k in enumerate(columns)], 1)
        return np.where(x == invalid, np.nan, values) if invalid is not None else values

    started, unsure = _started(data)
    signals = tuple(
        Signal(_label(c, k), unit, fs, there, lsb, -zero / lsb, bits, provenance=_origin(c))
        for k, (c, (unit, lsb, zero)) in enumerate(zip(channels, scales, strict=True))
    )
    return Recording(path.stem, "DICOM", signals, read, started, _person(data),
                     tuple(str(data.get("PatientComments", "")).splitlines()),
                     remarks=(*remarks, *([unsure] if unsure else [])))  # fmt: skip


def _scale(channel: Any) -> tuple[str, float, float]:
    """Unit, unit per count, and value at count 0."""
    sensitivity = channel.get("ChannelSensitivity")
    if sensitivity is None:
        return "", 1.0, 0.0
    lsb = float(sensitivity) * float(channel.get("ChannelSensitivityCorrectionFactor", 1) or 1)
    if not 1e-12 < abs(lsb) < 1e12:
        raise RecordingError("a channel's sensitivity makes no sense", "fetch the file again")
    units = channel.get("ChannelSensitivityUnitsSequence") or []
    unit = str(units[0].CodeValue) if units else ""
    return unit, lsb, float(channel.get("ChannelBaseline", 0) or 0)


def _label(channel: Any, k: int) -> str:
    sources = channel.get("ChannelSourceSequence") or []
    meaning = str(sources[0].get("CodeMeaning", "")) if sources else ""
    return meaning or str(channel.get("ChannelLabel", "")) or f"signal {k + 1}"


def _origin(channel: Any) -> str:
    """Provenance, as our own files state it in the channel's derivation: ``reconstructed: an estimate …``."""
    word = str(channel.get("ChannelDerivationDescription", "") or "").split(":")[0]
    return word if word in PROVENANCE else ""


def _started(data: Any) -> tuple[datetime | None, str]:
    both = str(data.get("AcquisitionDateTime", "") or "")
    day, at = str(data.get("StudyDate", "") or ""), str(data.get("StudyTime", "") or "")
    zone = str(data.get("TimezoneOffsetFromUTC", "") or "")
    text = both or (day + at if day else "")
    return start([text if not zone or "+" in text or "-" in text else text + zone])


def _person(data: Any) -> Person:
    birth = moment(str(data.get("PatientBirthDate", "") or ""))
    name = " ".join(str(data.get("PatientName", "") or "").replace("^", " ").split())
    return Person(
        str(data.get("PatientID", "") or ""),
        name,
        _SEX.get(str(data.get("PatientSex", "") or ""), ""),
        birth.date() if birth else None,
        str(data.get("PatientAge", "") or ""),
    )
