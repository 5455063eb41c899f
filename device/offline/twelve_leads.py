"""A stored recording to twelve leads, with all that its file said of time and person."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np

from ecg_edge.device.analysis.implausible import Implausible, without_implausible
from ecg_edge.device.inference.load import Model
from ecg_edge.device.lead_algebra import Provenance
from ecg_edge.device.lead_block import LeadBlock
from ecg_edge.device.personal_calibration.same_person import refuse_another
from ecg_edge.device.reconstruction.array_input import Personal, check_unit, model_for, swing_mv
from ecg_edge.device.reconstruction.offline import at_rate, offline_blocks
from ecg_edge.device.reconstruction.zero_phase import without_phase
from ecg_edge.device.recording.stored_recording import Signal, Stored
from ecg_edge.device.sources.replay_source import about, patient_of
from ecg_edge.firmware_bridge.array_types import BoolArray, FloatArray
from ecg_edge.firmware_bridge.errors import LeadMismatchError, RecordingError
from ecg_edge.firmware_bridge.lead_names import LEADS
from ecg_edge.firmware_bridge.recordings.open_recording import open_recording
from ecg_edge.firmware_bridge.recordings.recording import DELAY, MIN_ECG_FS, Recording
from ecg_edge.firmware_bridge.recordings.resample import resampled_length, values_at

GAIN = 1000
"""Counts per mV: 1 µV, up to 32.767 mV."""
_TOP = 32767
_MOSTLY = 0.5
_MOST_GAPS = 200
_NO_ECG = "check the columns, the unit and the gain, or name the leads to use with --leads"
_ESTIMATES = ("derived", "reconstructed")


@dataclass(frozen=True)
class Wanted:
    """What to make of recordings.

    Attributes
    ----------
    leads : tuple of str
        Leads of the file to read; empty for all that were measured.
    model : Model, Path, str or None
        As `reconstruct`.
    calibration : Personal or None
        Fits the model to a person.
    mains_hz : float or None
        50, 60, or None for no notch.
    fs : Fraction or None
        Rate of a file that states none, in Hz.
    out_fs : Fraction, str or None
        Rate of the result; ``input`` for the leads' own, None for the model's.
    unit : str
        Unit of signals that state none, or what a count of theirs is: ``0.38uV``.
    """

    leads: tuple[str, ...] = ()
    model: Model | Path | str | None = None
    calibration: Personal | None = None
    mains_hz: float | None = 50.0
    fs: Fraction | None = None
    out_fs: Fraction | str | None = None
    unit: str = ""


@dataclass(frozen=True)
class Twelve:
    """The result.

    Attributes
    ----------
    block : LeadBlock
        As `reconstruct` returns it.
    stored : Stored
        The same with time, person, notes and comments; the intervals are signals beside the leads.
    model : Model
        What was used.
    remarks : tuple of str
        What had to be assumed or left out.
    """

    block: LeadBlock
    stored: Stored
    model: Model
    remarks: tuple[str, ...]


def reconstruct_recording(path: str, wanted: Wanted, progress: Callable[[float], None] = lambda share: None) -> Twelve:
    """Reconstruct twelve leads of a stored recording: row 0 is its first sample.

    Nothing becomes late. The result states the delay that the recording itself states.

    Parameters
    ----------
    path : str
        Of any format that `open_recording` reads.
    wanted : Wanted
    progress : callable
        Takes the share that is done.

    Raises
    ------
    RecordingError
        The recording cannot be read, or holds no lead that was measured.
    LeadMismatchError
        A lead that was asked for is not there, or the model reads another.
    UnitsError
        These cannot be millivolts.
    CalibrationError
        The recording names another patient than the calibration.
    """
    recording = open_recording(path, wanted.fs)
    if wanted.unit:
        recording = recording.with_unit(wanted.unit)
    refuse_another(wanted.calibration, patient_of(recording.person))
    columns = _columns(recording, wanted.leads)
    model = model_for(wanted.model, tuple(columns), wanted.calibration)
    names = tuple(columns)
    rate = max(recording.signals[k].fs for k in columns.values())
    if rate < MIN_ECG_FS:
        raise RecordingError(f"{recording.name} has {float(rate):g} Hz, too few", f"give {MIN_ECG_FS} Hz or more")
    mv = np.stack([_lead(recording, columns[lead], rate) for lead in names], axis=1)
    check_unit(swing_mv(mv, rate), len(mv) / float(rate))
    gaps = _gaps(mv, names, rate)
    mv, doubts = without_implausible(mv, rate)
    said = _said(mv, names, rate, doubts)
    if not np.isfinite(mv).any():
        raise RecordingError(f"{recording.name} holds no ECG: {'; '.join(said)}", _NO_ECG)
    blocks, n_rows = [], -(-len(mv) * model.spec.fs // rate)
    for block in offline_blocks(model, mv, rate, wanted.mains_hz, names):
        blocks.append(block)
        progress((block.index + len(block)) / max(1, n_rows))
    block = without_phase(LeadBlock.join(blocks), model.spec.conditioning)
    _check_estimates(recording.name, block, mv, names, said)
    out_fs = rate if wanted.out_fs == "input" else wanted.out_fs
    if isinstance(out_fs, Fraction):
        block = at_rate(block, out_fs, int(-(-len(mv) * out_fs // rate)))
    remarks = (*recording.assumed, *_left_out(recording), *said)
    notes = [(Fraction(d.start) / rate, f"lead {names[d.column]} {d.doubt.text}") for d in doubts]
    recording = replace(recording, notes=tuple(sorted([*recording.notes, *notes, *gaps])))
    return Twelve(block, _stored(recording, block, model, wanted, remarks), model, remarks)


def _gaps(mv: FloatArray, names: tuple[str, ...], fs: Fraction) -> list[tuple[Fraction, str]]:
    """When samples of leads are missing: the first instant, and how long in words. A lead without any is left out."""
    lost = ~np.isfinite(mv)
    lost &= ~lost.all(axis=0)
    edges = np.flatnonzero((lost[1:] != lost[:-1]).any(axis=1)) + 1
    found = []
    for start, stop in pairwise([0, *edges.tolist(), len(mv)]):
        if start < stop and lost[start].any():
            which = "all leads" if lost[start].all() else f"lead {', '.join(np.array(names)[lost[start]])}"
            found.append((Fraction(start) / fs, f"{which}: {(stop - start) / float(fs):.2f} s of samples are missing"))
    if (more := len(found) - _MOST_GAPS) > 0:
        found[_MOST_GAPS:] = [(found[_MOST_GAPS][0], f"{more} further gaps have no note of their own")]
    return found


def _left_out(recording: Recording) -> list[str]:
    """The signals that are no voltage, and so are not in the result."""
    names = [f"{s.label} in {s.unit or 'no unit'}" for s in recording.signals if s.mv_per_unit is None]
    return [f"left out, for they are no voltages: {', '.join(names)}"] if names else []


def _said(mv: FloatArray, names: tuple[str, ...], fs: Fraction, doubts: Sequence[Implausible]) -> list[str]:
    """What is wrong with leads: of which there is no sample, and which cannot be an ECG."""
    told: dict[tuple[int, str], str] = {}
    for d in doubts:
        at = f" from {float(d.start / fs):.1f} to {float(d.stop / fs):.1f} s" if d.stop - d.start < len(mv) else ""
        told.setdefault((d.column, d.doubt.word), f"lead {names[d.column]} {d.doubt.text}{at}")
    doubted = {d.column for d in doubts}
    none = [k for k in range(len(names)) if k not in doubted and not np.isfinite(mv[:, k]).any()]
    return [*told.values(), *(f"lead {names[k]} has no sample" for k in none)]


def _check_estimates(name: str, block: LeadBlock, mv: FloatArray, names: tuple[str, ...], said: Sequence[str]) -> None:
    """Refuse to call leads reconstructed of which not one sample was."""
    guessed = [k for k, p in enumerate(block.provenance) if p is Provenance.RECONSTRUCTED]
    if not guessed or not said or block.valid[:, guessed].any():
        return
    good = [lead for lead, known in zip(names, np.isfinite(mv).mean(axis=0), strict=True) if known > _MOSTLY]
    fix = f"leave them out: --leads {','.join(good)}" if good else _NO_ECG
    raise RecordingError(f"nothing of {name} can be reconstructed: {'; '.join(said)}", fix)


def _columns(recording: Recording, leads: Sequence[str]) -> dict[str, int]:
    """Column of each lead to read: those asked for, else those that are no estimates."""
    there = recording.leads()
    if missing := [lead for lead in leads if lead not in there]:
        raise LeadMismatchError(
            f"{recording.name} lacks lead {', '.join(missing)}; it holds {', '.join(there) or 'no lead'}",
            "name leads it holds with --leads",
        )
    found = {lead: k for lead, k in sorted(there.items(), key=lambda item: item[1]) if not leads or lead in leads}
    measured = {lead: k for lead, k in found.items() if recording.signals[k].provenance not in _ESTIMATES}
    if not measured:
        said = f"only estimates of {', '.join(found)}" if found else "no signal named as a lead"
        raise RecordingError(f"{recording.name} holds {said}", "give the record of what was measured")
    return measured


def _lead(recording: Recording, column: int, rate: Fraction) -> FloatArray:
    """One lead in mV at a rate."""
    s = recording.signals[column]
    if s.fs == rate:
        return np.asarray(recording.mv([column])[:, 0])
    x = values_at(recording, column, rate, 0, resampled_length(s.length, s.fs, rate))
    return np.asarray(x * recording.scale(column))


def _stored(recording: Recording, block: LeadBlock, model: Model, wanted: Wanted, remarks: Sequence[str]) -> Stored:
    guessed = [k for k, p in enumerate(block.provenance) if p is Provenance.RECONSTRUCTED]
    settled = ~block.warmup[:, None] | ~np.isin(np.arange(len(LEADS)), guessed)
    counts = np.rint(np.concatenate([block.mv, block.sigma[:, guessed]], axis=1).astype(np.float64) * GAIN)
    valid = np.concatenate([block.valid & settled, (block.valid & settled)[:, guessed]], axis=1)
    valid &= np.abs(counts) <= _TOP
    signals = [Signal(lead, p.value, GAIN, 0) for lead, p in zip(LEADS, block.provenance, strict=True)]
    signals += [Signal(f"interval {LEADS[k]}", "", GAIN, 0) for k in guessed]
    fs = Fraction(block.fs)
    notes = [(round(at * fs), text) for at, text in recording.notes]
    notes = sorted([*notes, *_unsettled(block.warmup, fs)])
    return Stored(
        recording.name, fs, recording.started_utc or recording.started, 0, tuple(signals),
        np.where(valid, counts, 0).astype(np.int32), valid, tuple(notes),
        (*_comments(recording, block, model, wanted), *remarks), recording.person,
    )  # fmt: skip


def _unsettled(warmup: BoolArray, fs: Fraction) -> list[tuple[int, str]]:
    """Where estimates are left out for the network settles, and for how long."""
    if warmup.all():
        return [(0, "too short to settle: estimates are left out")] if len(warmup) else []
    edges = np.flatnonzero(np.diff(np.concatenate([[False], warmup, [False]]).astype(np.int8)))
    return [
        (start, f"settling: {(stop - start) / float(fs):.2f} s of estimates are left out")
        for start, stop in edges.reshape(-1, 2)[:_MOST_GAPS].tolist()
    ]


def _comments(recording: Recording, block: LeadBlock, model: Model, wanted: Wanted) -> list[str]:
    spec, patient = model.spec, patient_of(recording.person)
    by = {kind: [x for x, p in zip(LEADS, block.provenance, strict=True) if p is kind] for kind in Provenance}
    label = getattr(wanted.calibration, "label", "")
    late = recording.delay_s or 0.0  # of a record of a run: its rows are late, and so are ours
    return [
        *([f"patient: {patient}"] if patient else []),
        *about(_without_own(recording)),
        "reconstructed leads are estimates, not for diagnosis",
        *(f"{kind.value}: {' '.join(leads) or 'none'}" for kind, leads in by.items()),
        f"model: {model.path.name} sha256 {model.file_sha256} model_id {spec.model_id} {spec.precision}",
        *([label] if label else []),
        f"source: {recording.source} {recording.name}",
        f"conditioning: high-pass {spec.conditioning.highpass_hz:g} Hz (monitor band), rate {spec.fs} Hz, "
        + (f"notch {wanted.mains_hz:g} Hz" if wanted.mains_hz else "no notch"),
        f"alignment: sample m shows the instant m / rate of the source, {_delay(late)}",
        f"{DELAY}{late:g}",
        f"interval: the truth lies within lead ± interval with {100 * spec.head.interval_level:g} % probability",
    ]


def _delay(late: float) -> str:
    return f"which is itself {late:.4f} s late" if late else "no delay"


_OWN = ("reconstructed leads are", "measured:", "derived:", "reconstructed:", "model:", "source:", "conditioning:",
        "alignment:", DELAY, "interval:", "invalid samples", "clock:", "started:", "patient:", "Startdate")  # fmt: skip


def _without_own(recording: Recording) -> Recording:
    """The recording without comments of ours, which are not true of another file."""
    return replace(recording, comments=tuple(c for c in recording.comments if not c.startswith(_OWN)))
