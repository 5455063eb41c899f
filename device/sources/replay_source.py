"""A stored recording as a source: blocks of samples, one axis, one rate."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from ecg_edge.device.conditioning.lead_in import lead_in
from ecg_edge.device.sources.paced_source import FRAME_S
from ecg_edge.firmware_bridge.array_types import FloatArray
from ecg_edge.firmware_bridge.errors import EcgEdgeError, RecordingError, UsageError
from ecg_edge.firmware_bridge.events import Channel, Origin, SampleBlock, StreamInfo
from ecg_edge.firmware_bridge.lead_names import PROVENANCE
from ecg_edge.firmware_bridge.recordings.open_recording import open_recording
from ecg_edge.firmware_bridge.recordings.recording import DELAY, MAX_FS, MIN_ECG_FS, Person, Recording, Signal
from ecg_edge.firmware_bridge.recordings.resample import resampled_length, values_at
from ecg_edge.firmware_bridge.recordings.text import rate as parse_rate

_READ_S = 60
_PAST_S = 10
_PAST_FROM_S = (60, 12, 3)
"""Lengths of the beginning from which a past is made; a cut file gives the shorter ones."""
_PAST_FROM = 2_000_000
"""Samples of it at most."""
_VALUE_LSB_MV = 1e-4
"""Counts of files that hold values: 0.1 µV."""
_WIDE = 32
_LIMIT = 2**31 - 1


def read_recording(
    path: str, fs: Fraction | None = None, named: bool = False, unit: str = ""
) -> tuple[StreamInfo, Iterator[SampleBlock]]:
    """Describe a recording and read it piece by piece, so that a day of signal need not fit into memory.

    Parameters
    ----------
    path : str
        Of any recording; see `open_recording`.
    fs : Fraction, optional
        Rate in Hz of a file that states none.
    named : bool
        The channels are to be renamed: their labels need not be unique, and none need be a lead.
    unit : str
        Of a file that states none.

    Returns
    -------
    info : StreamInfo
        Channels named by lead where the file names leads, all at the leads' rate; `info.origin` says when and of
        whom. What the file calls an estimate or algebra is left out, with a remark.
    blocks : iterator of SampleBlock
        Where the file holds no sample they are invalid. Errors while reading are raised here too.

    Raises
    ------
    RecordingError
        The recording is missing, unreadable, too slow, has a lead twice, or a lead in an unknown unit.
    MissingExtraError
        Its format needs a package that is not installed.
    """
    recording = open_recording(path, fs, unit).measured()
    if not named:
        recording.leads()
    native = _rate(recording)
    channels = tuple(_channel(recording, k, s, named) for k, s in enumerate(recording.signals))
    frame = max(1, round(FRAME_S * native))
    remarks = [*recording.assumed]
    remarks += [
        f"{s.name} at {float(s.fs):g} Hz is played at {float(native):g} Hz" for s in recording.signals if s.fs != native
    ]
    origin = Origin(
        recording.started_utc or recording.started,
        patient_of(recording.person),
        about(recording),
        tuple(dict.fromkeys(remarks)),
        _past(recording, native, channels),
    )
    info = StreamInfo(f"record {recording.name}", native, channels, samples_per_frame=frame, origin=origin)
    return info, _blocks(recording, info, frame)


def _past(recording: Recording, rate: Fraction, channels: Sequence[Channel]) -> SampleBlock | None:
    """What may stand for the time before the recording, so that its first seconds are no cold start.

    None where even the beginning cannot be read: that is reported when it is its turn.
    """
    most = min(_length(recording, rate), _PAST_FROM // len(channels))
    for seconds in _PAST_FROM_S:
        with contextlib.suppress(EcgEdgeError):
            rows = _rows(recording, rate, 0, min(round(seconds * rate), most))
            block = _block(lead_in(rows, rate, round(_PAST_S * rate)), recording, channels)
            return replace(block, index=-len(block))
    return None


def split_rate(text: str) -> tuple[str, Fraction | None]:
    """Split ``FILE?fs=HZ`` into the path and the rate.

    Raises
    ------
    UsageError
        The rate is none.
    """
    path, mark, rest = text.rpartition("?fs=")
    if not mark:
        return text, None
    if (fs := parse_rate(rest)) is None or fs > MAX_FS:
        raise UsageError(f"{rest!r} is no rate", "write replay:FILE?fs=500")
    return path, fs


def _rate(recording: Recording) -> Fraction:
    """The highest rate of the leads; of the voltages where none is named."""
    leads = [s.fs for s in recording.signals if s.lead.lead]
    rates = leads or [s.fs for s in recording.signals if s.mv_per_unit is not None]
    if not rates:
        units = ", ".join(f"{s.label} in {s.unit!r}" for s in recording.signals[:12])
        raise RecordingError(f"{recording.name} holds no voltage: {units}", "choose a recording with ECG leads")
    if max(rates) < MIN_ECG_FS:
        raise RecordingError(
            f"{recording.name} has {float(max(rates)):g} Hz, too few for an ECG", f"choose {MIN_ECG_FS} Hz or more"
        )
    return max(rates)


def _channel(recording: Recording, k: int, s: Signal, named: bool) -> Channel:
    if s.mv_per_unit is None:
        if s.lead.lead and not named:
            recording.scale(k)  # refuses, by name
        lsb = s.lsb or 1e-3
        return Channel(s.name, np.nan, s.zero, _rails(s), unit=s.unit, lsb=lsb)
    scale = recording.scale(k)
    late = recording.delay_s or 0.0
    return Channel(
        s.name,
        s.lsb * scale or _VALUE_LSB_MV,
        s.zero,
        _rails(s),
        group_delay_s=late if 0 < late < _MOST_LATE_S else 0.0,
    )


def _rails(s: Signal) -> int:
    """Width of the converter, as far as the storage tells: no converter of 32 bits has rails in sight."""
    return s.bits if 0 < s.bits < _WIDE else 0


def _blocks(recording: Recording, info: StreamInfo, frame: int) -> Iterator[SampleBlock]:
    length = _length(recording, info.fs)
    step = frame * max(1, round(_READ_S * info.fs / frame))
    for start in range(0, length, step):
        piece = _block(_rows(recording, info.fs, start, min(start + step, length)), recording, info.channels)
        for a in range(0, len(piece), frame):
            b = a + frame
            yield SampleBlock(start + a, piece.counts[a:b], piece.mv[a:b], piece.valid[a:b])


def _length(recording: Recording, rate: Fraction) -> int:
    return max(resampled_length(s.length, s.fs, rate) for s in recording.signals)


def _block(values: FloatArray, recording: Recording, channels: Sequence[Channel]) -> SampleBlock:
    """Values in their units as counts and mV, NaN where there is none."""
    signals = recording.signals
    scale = np.array([recording.scale(k) if s.mv_per_unit is not None else np.nan for k, s in enumerate(signals)])
    to_counts = np.array([1 / s.lsb if s.lsb else v / c.lsb_mv if np.isfinite(v) else 1 / c.lsb
                          for s, v, c in zip(signals, scale, channels, strict=True)])  # fmt: skip
    valid = np.isfinite(values)
    plain = np.where(valid, values, 0.0)
    counts = np.rint(plain * to_counts + np.array([c.offset for c in channels]))
    valid &= np.abs(counts) <= _LIMIT
    counts = np.where(valid, counts, 0).astype(np.int32)
    return SampleBlock(0, counts, (np.where(valid, plain, 0) * scale).astype(np.float32), valid)


def _rows(recording: Recording, rate: Fraction, start: int, stop: int) -> FloatArray:
    """All signals at one rate, in their units."""
    out = np.full((stop - start, len(recording.signals)), np.nan)
    own = [k for k, s in enumerate(recording.signals) if s.fs == rate and s.length > start]
    if own:
        rows = recording.values(own, start, stop)
        out[: len(rows), own] = rows
    for k, s in enumerate(recording.signals):
        if s.fs != rate:
            out[:, k] = values_at(recording, k, rate, start, stop)
    return out


def patient_of(person: Person) -> str:
    """Identifier of a person, or the name where the file states none."""
    return person.identifier or person.name


def about(recording: Recording) -> tuple[str, ...]:
    """Comments of a record of this recording: its own, and age and sex where they lie elsewhere in the file."""
    person = recording.person
    said = [c for c in recording.comments if not c.startswith(_NOT_KEPT)]
    plain = " ".join(said).lower()
    facts = {"age": person.age, "sex": person.sex, "born": person.birth.isoformat() if person.birth else ""}
    facts["name"] = person.name if person.identifier else ""
    return (*said, *(f"{key}: {text}" for key, text in facts.items() if text and f"{key}:" not in plain))


_MOST_LATE_S = 10.0
_NOT_KEPT = ("patient:", "alignment:", DELAY, *(f"{claim}:" for claim in PROVENANCE))
"""What is stated anew, or is true of that file alone."""
