"""EDF+ files from stored recordings."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ecg_edge.device.recording.safe_files import disk_errors
from ecg_edge.device.recording.stored_recording import Signal, Stored
from ecg_edge.firmware_bridge.console import one_line
from ecg_edge.firmware_bridge.errors import MissingExtraError, RecordingError

_INVALID = -32768


_MIN_RECORD_S, _MAX_RECORD_S = Fraction(1, 2), 60


def write_edf(stored: Stored, path: Path, patient: str = "") -> None:
    """Write a recording as EDF+C: leads, provenance, notes, start time.

    Invalid stretches hold the lowest digital value and are annotated; the last data record is filled up so.

    Parameters
    ----------
    stored : Stored
        The whole recording.
    path : Path
        Replaced at once, when the file is complete.
    patient : str
        Identifier for the header; ``X`` (not known) where empty.

    Raises
    ------
    MissingExtraError
        The package edfio is not installed.
    RecordingError
        EDF cannot hold such a rate or start, or the file cannot be written.
    """
    try:
        import edfio
    except ImportError as e:
        raise MissingExtraError("edfio", "edf") from e
    duration, per_record = data_record(stored.fs)
    missing = -len(stored.counts) % per_record
    notes = [*_blank_notes(stored), *((s, 0, text) for s, text in stored.notes)]
    notes += [(len(stored.counts), 0, "end of recording")] if missing else []
    started = stored.started
    try:
        signals = [_signal(edfio, stored, k, s, missing) for k, s in enumerate(stored.signals)]
        edf = edfio.Edf(
            signals,
            patient=edfio.Patient(code=_subfield(patient)),
            recording=edfio.Recording(
                startdate=started.date() if started else None,
                equipment_code="ecg-edge",
                additional=[_subfield("reconstructed leads are not for diagnosis")],
            ),
            starttime=started.time().replace(microsecond=0) if started else None,
            data_record_duration=float(duration),
            annotations=[
                edfio.EdfAnnotation(float(s / stored.fs), float(n / stored.fs) if n else None, one_line(text))
                for s, n, text in sorted(notes)
            ],
        )
        part = path.with_name(f".{path.name}.part")
        with disk_errors(path):
            edf.write(part)
            part.replace(path)
    except ValueError as e:
        raise RecordingError(f"EDF+ cannot hold {stored.name}: {e}", "use the WFDB record as it is") from e


def data_record(fs: Fraction) -> tuple[Fraction, int]:
    """Length in seconds and samples of a data record: whole samples, and a length of eight characters.

    Raises
    ------
    RecordingError
        No such length up to a minute.
    """
    for n in range(max(1, int(fs * _MIN_RECORD_S)), int(fs * _MAX_RECORD_S) + 1):
        length = n / fs
        if length >= _MIN_RECORD_S and Fraction(f"{float(length):.6f}") == length and len(f"{float(length):g}") <= 8:
            return length, n
    raise RecordingError(f"EDF+ cannot hold a rate of {float(fs):g} Hz exactly", "use the WFDB record as it is")


def _signal(edfio: Any, stored: Stored, k: int, signal: Signal, missing: int) -> Any:
    counts, valid = stored.counts[:, k], stored.valid[:, k]
    low, high, digital = _digital(signal, counts, valid)
    text = {"reconstructed": "reconstructed: an estimate, not for diagnosis"}.get(signal.provenance, signal.provenance)
    return edfio.EdfSignal.from_digital(
        np.concatenate([digital, np.full(missing, _INVALID, np.int16)]),
        float(stored.fs),
        label=f"ECG {signal.lead}"[:16],
        transducer_type=text[:80],
        physical_dimension="mV",
        physical_range=(low, high),
        digital_range=(_INVALID, 32767),
        prefiltering=next((c for c in stored.comments if c.startswith("conditioning")), "")[:80],
    )


def _digital(
    signal: Signal, counts: npt.NDArray[np.int32], valid: npt.NDArray[np.bool_]
) -> tuple[float, float, npt.NDArray[np.int16]]:
    """Physical range and 16-bit values: the record's own counts where they fit, scaled into 16 bits where not."""
    centred = counts.astype(np.int64) - signal.baseline
    good = centred[valid]
    step = 1.0
    if len(good) and max(abs(int(good.min())), abs(int(good.max()))) > 32767:
        step = max(abs(int(good.min())), abs(int(good.max()))) / 32767
    digital = np.where(valid, np.rint(centred / step), _INVALID).astype(np.int16)
    scale = step / signal.gain
    return _INVALID * scale, 32767 * scale, digital


def _blank_notes(stored: Stored) -> list[tuple[int, int, str]]:
    """Stretches without a sample, per set of signals that lack it: start, length, text."""
    out = []
    bad = ~stored.valid
    changes = np.flatnonzero((bad[1:] != bad[:-1]).any(axis=1)) + 1
    edges = [0, *changes.tolist(), len(bad)]
    for a, b in pairwise(edges):
        if bad[a].any():
            names = " ".join(s.lead for s, x in zip(stored.signals, bad[a], strict=True) if x)
            out.append((a, b - a, f"no valid signal: {names}"))
    return out


def _subfield(text: str) -> str:
    """EDF+ subfields hold no spaces."""
    return one_line(text).strip().replace(" ", "_") or "X"
