"""A recording as EDF+: leads, provenance, notes, start, person."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ecg_edge.device.recording.safe_files import disk_errors
from ecg_edge.device.recording.stored_recording import Signal, Stored
from ecg_edge.firmware_bridge.console import one_line
from ecg_edge.firmware_bridge.errors import NOT_LOADABLE, MissingExtraError, RecordingError
from ecg_edge.firmware_bridge.lead_names import known_channels
from ecg_edge.firmware_bridge.private_files import private_open
from ecg_edge.firmware_bridge.recordings.edf_file import END, OWN, OWN_INVALID, UTC
from ecg_edge.firmware_bridge.recordings.values.plain_facts import STARTED, person_lines

_MIN_RECORD_S, _MAX_RECORD_S = Fraction(1, 2), 60
_SEXES = {"male": "M", "female": "F"}
_COARSER = 50.0
"""Times the recording's own step from which a coarser one is reported: 5 µV for files of values."""
_YEARS = range(1985, 2085)
"""Two digits for the year, and 1985 the first."""
_RATE_TOLERANCE = Fraction(1, 100_000_000)
"""Largest relative error of a rate that no data record can hold exactly: 1 ms in a day."""
_LETTERS = str.maketrans({"ß": "ss", "ł": "l", "Ł": "L", "ø": "o", "Ø": "O", "đ": "d", "Đ": "D", "æ": "ae", "Æ": "AE",
                          "œ": "oe", "Œ": "OE", "ð": "d", "þ": "th", "ı": "i", "µ": "u", "μ": "u"})  # fmt: skip


def write_edf(stored: Stored, path: Path, patient: str = "", others: Sequence[Stored] = ()) -> None:
    """Write a recording as EDF+C.

    Invalid stretches hold the lowest digital value and are annotated; the last data record is filled up so. What EDF's
    header cannot hold is in notes at its start: letters outside ASCII, dates outside 1985 to 2084, comments.

    Parameters
    ----------
    stored : Stored
        The whole recording.
    path : Path
        Replaced at once, when the file is complete.
    patient : str
        Identifier for the header; ``X`` (not known) where empty.
    others : sequence of Stored
        Its signals at other rates.

    Raises
    ------
    MissingExtraError
        The package edfio is not installed.
    RecordingError
        EDF cannot hold such rates, or the file cannot be written.
    """
    try:
        import edfio
    except NOT_LOADABLE as e:
        raise MissingExtraError("edfio", "edf") from e
    parts = [stored, *others]
    duration, counts = data_records([part.fs for part in parts])
    n_records = max(-(-len(part.counts) // n) for part, n in zip(parts, counts, strict=True))
    started = stored.started
    in_range = started is not None and started.year in _YEARS
    notes = [note for part in parts for note in _notes(part)]
    notes += [(Fraction(0), Fraction(0), text) for text in _unsaid(stored, patient, in_range)]
    if any(len(part.counts) % n for part, n in zip(parts, counts, strict=True)):
        notes.append((max(len(part.counts) / part.fs for part in parts), Fraction(0), END))
    try:
        signals = [
            _signal(edfio, part, k, s, n_records * n - len(part.counts), n / duration)
            for part, n in zip(parts, counts, strict=True)
            for k, s in enumerate(part.signals)
        ]
        said = ["estimates_not_for_diagnosis"]
        edf = edfio.Edf(
            signals,
            patient=_patient(edfio, stored, patient),
            recording=edfio.Recording(
                startdate=started.date() if started and in_range else None,
                equipment_code=OWN,
                additional=[*said, UTC] if started and started.tzinfo else said,
            ),
            starttime=started.time().replace(microsecond=0) if started else None,
            data_record_duration=float(duration),
            annotations=[
                edfio.EdfAnnotation(float(at), float(n) if n else None, one_line(text)) for at, n, text in sorted(notes)
            ],
        )
        part = path.with_name(f".{path.name}.part")
        with disk_errors(path):
            with private_open(part, "wb") as f:
                edf.write(f)
            part.replace(path)
    except ValueError as e:
        raise RecordingError(f"EDF+ cannot hold {stored.name}: {e}", "use the WFDB record as it is") from e


def data_records(rates: Sequence[Fraction]) -> tuple[Fraction, list[int]]:
    """Length in seconds of a data record, and its samples at each rate: whole numbers, a length of eight characters.

    Where no length holds a rate exactly, one that holds all to within 1 in 100 million is taken.

    Raises
    ------
    RecordingError
        No such length up to a minute.
    """
    fs = max(rates)
    best: tuple[Fraction, Fraction] | None = None
    for n in range(max(1, int(fs * _MIN_RECORD_S)), int(fs * _MAX_RECORD_S) + 1):
        length = Fraction(f"{float(n / fs):.8g}"[:8])
        if not _MIN_RECORD_S <= length <= _MAX_RECORD_S or len(f"{float(length):g}") > 8:
            continue
        error = max(abs(max(1, round(length * r)) / length / r - 1) for r in rates)
        if best is None or error < best[0]:
            best = (error, length)
        if not error:
            break
    if best is None or best[0] > _RATE_TOLERANCE:
        said = ", ".join(f"{float(r):g}" for r in rates)
        raise RecordingError(f"EDF+ cannot hold {said} Hz exactly", "use the WFDB record as it is")
    return best[1], [max(1, round(best[1] * r)) for r in rates]


def _signal(edfio: Any, stored: Stored, k: int, signal: Signal, missing: int, fs: Fraction) -> Any:
    counts, valid = stored.counts[:, k], stored.valid[:, k]
    low, high, digital = _digital(signal, counts, valid)
    text = {"reconstructed": "reconstructed: an estimate, not for diagnosis"}.get(signal.provenance, signal.provenance)
    voltage = signal.unit == "mV"
    return edfio.EdfSignal.from_digital(
        np.concatenate([digital, np.full(missing, OWN_INVALID, np.int16)]),
        float(fs),
        label=ascii_text(_label(stored, k) if voltage else signal.lead)[:16],
        transducer_type=text[:80],
        physical_dimension=ascii_text(signal.unit)[:8],
        physical_range=(low, high),
        digital_range=(OWN_INVALID, 32767),
        prefiltering=next((c for c in stored.comments if c.startswith("conditioning")), "")[:80],
    )


def coarse_steps(stored: Stored) -> list[str]:
    """Say which signals EDF's 16 bits hold in coarser steps than the recording does, for a far value."""
    said = []
    for k, s in enumerate(stored.signals):
        low, high, _ = _digital(s, stored.counts[:, k], stored.valid[:, k])
        step = (high - low) / (32767 - OWN_INVALID)
        if step * s.gain > _COARSER:
            reach = float(np.abs(stored.counts[stored.valid[:, k], k] - s.baseline).max() / abs(s.gain))
            said.append(f"{s.lead}: written in steps of {step:.2g} {s.unit}, for it reaches {reach:.4g} {s.unit}")
    return said


def _label(stored: Stored, k: int) -> str:
    """``ECG aVR``; ``ECG V1 (recon)``, so that a viewer shows an estimate as one.

    What lies in a further column of a lead says its provenance too: labels are unique.
    """
    lead, kind = stored.signals[k].lead, stored.signals[k].provenance
    if not known_channels([lead]):
        return lead
    said = kind == "reconstructed" or (kind and stored.columns(lead)[0] != k)
    return f"ECG {lead} ({kind[:5]})" if said else f"ECG {lead}"


def _digital(
    signal: Signal, counts: npt.NDArray[np.int32], valid: npt.NDArray[np.bool_]
) -> tuple[float, float, npt.NDArray[np.int16]]:
    """Physical range and 16-bit values: the record's own counts where they fit, scaled into 16 bits where not."""
    centred = counts.astype(np.int64) - signal.baseline
    good = centred[valid]
    step = 1.0
    if len(good) and max(abs(int(good.min())), abs(int(good.max()))) > 32767:
        step = max(abs(int(good.min())), abs(int(good.max()))) / 32767
    digital = np.where(valid, np.rint(centred / step), OWN_INVALID).astype(np.int16)
    scale = step / signal.gain
    return OWN_INVALID * scale, 32767 * scale, digital


def _notes(stored: Stored) -> list[tuple[Fraction, Fraction, str]]:
    """Second, length in seconds and text of every note, and of every stretch without a sample."""
    blank = [(s / stored.fs, n / stored.fs, text) for s, n, text in _blank_notes(stored)]
    return blank + [(s / stored.fs, Fraction(0), text) for s, text in stored.notes]


def _unsaid(stored: Stored, patient: str, in_range: bool) -> list[str]:
    """What is true of the recording and does not fit into EDF's header."""
    said = [c for c in stored.comments if not c.startswith("patient: ")]
    if stored.started and not in_range:
        said.append(f"recorded {stored.started:%Y-%m-%d %H:%M:%S}; EDF holds no dates outside 1985 to 2084")
    elif stored.started and stored.started.microsecond:  # as fractions of onsets, readers refuse one file in five
        said.append(f"{STARTED}: {stored.started.isoformat()}")
    name = patient or stored.patient
    if name and ascii_text(name).replace(" ", "_") != name:
        said.append(f"patient: {name}")
    person = replace(stored.person, identifier="", sex="" if stored.person.sex in _SEXES else stored.person.sex)
    held_name = person.name == name or (ascii_text(person.name) == person.name and "_" not in person.name)
    person = replace(person, birth=None, name="" if held_name else person.name)  # the header holds a birth
    held = [text for _, text in stored.notes]
    return [text for text in dict.fromkeys([*said, *person_lines(person, said)]) if text not in held]


def _patient(edfio: Any, stored: Stored, patient: str) -> Any:
    person = stored.person
    sex = _SEXES.get(person.sex, "X")
    birth = person.birth if person.birth and person.birth.year > 1800 else None
    name = person.name if person.name != (patient or stored.patient) else ""
    return edfio.Patient(code=_subfield(patient), sex=sex, birthdate=birth, name=_subfield(name))


def _blank_notes(stored: Stored) -> list[tuple[int, int, str]]:
    """Stretches in which leads have no sample, or one of another column than usual: start, length, text."""
    out = []
    signals = stored.signals
    leads = tuple(dict.fromkeys(s.lead for s in signals))
    none = np.stack([~stored.valid[:, stored.columns(lead)].any(axis=1) for lead in leads], axis=1)
    further = [k for k, s in enumerate(signals) if stored.columns(s.lead)[0] != k]
    bad = np.concatenate([none, stored.valid[:, further]], axis=1)
    changes = np.flatnonzero((bad[1:] != bad[:-1]).any(axis=1)) + 1
    edges = [0, *changes.tolist(), len(bad)]
    for a, b in pairwise(edges):
        said: dict[str, list[str]] = {}
        for k in np.flatnonzero(bad[a]).tolist():
            signal = signals[further[k - len(leads)]] if k >= len(leads) else None
            what = f"{signal.provenance} meanwhile" if signal else "no valid signal"
            said.setdefault(what, []).append(signal.lead if signal else leads[k])
        out += [(a, b - a, f"{what}: {' '.join(names)}") for what, names in said.items()]
    return out


def ascii_text(text: str) -> str:
    """Text in ASCII: letters without their marks, ``?`` for those that have no such form."""
    plain = unicodedata.normalize("NFKD", one_line(text).translate(_LETTERS))
    return "".join(c for c in plain if not unicodedata.combining(c)).encode("ascii", "replace").decode()


def _subfield(text: str) -> str:
    """EDF+ subfields hold no spaces."""
    return ascii_text(text).strip().replace(" ", "_")[:60] or "X"
