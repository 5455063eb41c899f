"""What a twelve-lead reference of the wearer is worth: `ecg-edge reproduce calibration`.

Two protocols. *Same record*: fitted on seconds 1-5, scored on 5-10, the electrodes untouched. *Next
recording*: fitted on a patient's first record, scored on the next, another day and other electrodes. Both
run as the device does: the shipped file, streamed hop by hop from a cold start, with the drift watch on.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ecg_edge.device.inference.load import Model
from ecg_edge.device.lead_algebra import BASIS
from ecg_edge.device.personal_calibration.fit import DRIFT, Design, Fit, calibrated, design, fit
from ecg_edge.device.reconstruction.stream_reconstructor import StreamReconstructor
from ecg_edge.firmware_bridge.array_types import Float32Array, FloatArray
from ecg_edge.firmware_bridge.lead_names import LEADS
from ecg_edge.firmware_bridge.progress import Progress
from ecg_edge.train.data.prepare import SCORED_FROM_S, Prepared
from ecg_edge.train.evaluation import beat_metrics as beats
from ecg_edge.train.evaluation import metrics
from ecg_edge.train.evaluation.bootstrap import Bootstrap
from ecg_edge.train.evaluation.delineation import Amplitudes, Delineator, amplitudes
from ecg_edge.train.evaluation.metrics_table import full_table

SPLIT_S = 5.0
HARM = 1.05


@dataclass(frozen=True)
class Trial:
    """One wearer with a reference.

    Attributes
    ----------
    patient, ecg_id : str, int
        Of the record that is scored.
    reference, worn : ndarray of float32, shape (n_samples, 8)
        What is fitted to, and what is scored.
    first : int
        Row of `worn` from which it is scored.
    """

    patient: str
    ecg_id: int
    reference: Float32Array
    worn: Float32Array
    first: int


@dataclass
class Scores:
    """What the trials of one protocol yield, before and after calibration; one entry per trial."""

    figures: list[metrics.LeadFigures] = field(default_factory=list)
    hits: list[FloatArray] = field(default_factory=list)
    widths_mv: list[FloatArray] = field(default_factory=list)
    waves: list[Amplitudes | None] = field(default_factory=list)


def same_record(data: Prepared, fs: int) -> list[Trial]:
    """Every record: its first five seconds the reference, the rest scored."""
    split = round(SPLIT_S * fs)
    return [Trial(p, i, x[:split], x, split) for x, p, i in zip(data.x, data.patients, data.ids, strict=True)]


def next_recording(data: Prepared, fs: int) -> list[Trial]:
    """Every patient with two records: the first the reference, the second scored."""
    late = round(SCORED_FROM_S * fs)
    known = [(p, k) for p, k in recordings(data).items() if len(k) > 1]
    return [Trial(p, data.ids[k[1]], data.x[k[0]], data.x[k[1]], late) for p, k in known]


def recordings(data: Prepared) -> dict[str, list[int]]:
    """Rows of each known patient, in the order of the data set."""
    of: dict[str, list[int]] = defaultdict(list)
    for k, patient in enumerate(data.patients):
        if patient:
            of[patient].append(k)
    return of


def of_others(trials: list[Trial], shifts: tuple[int, ...] = (1, 7, 13)) -> list[Trial]:
    """The same wearers, each with the reference of somebody else."""
    n = len(trials)
    return [replace(t, reference=trials[(k + s) % n].reference) for s in shifts if s % n for k, t in enumerate(trials)]


def columns(model: Model) -> tuple[list[int], list[int]]:
    """Columns of the basis that the model reads, and that it reconstructs."""
    spec = model.spec
    return [BASIS.index(x) for x in spec.input_leads], [BASIS.index(x) for x in spec.target_leads]


def reference_design(model: Model, reference: Float32Array) -> Design:
    """Design of a conditioned reference of eight basis leads."""
    read, hidden = columns(model)
    return design(model, np.ascontiguousarray(reference[:, read]), reference[:, hidden].astype(np.float64))


def worn_as(model: Model, found: Fit, placement: str) -> Model:
    """The model as `run --placement` uses a fit."""
    same = placement == "same"
    factors = found.interval_factors if same else model.spec.head.interval_factors
    return calibrated(model, found.mean if same else found.again, factors, found.covariance, DRIFT[placement])


def score(model: Model, trials: list[Trial], placement: str, label: str, by: Delineator | None) -> dict[str, Any]:
    """Score trials with the model's own head and with the fitted one.

    Parameters
    ----------
    model : Model
        Of fixed leads.
    trials : list of Trial
        From `same_record` or `next_recording`.
    placement : str
        ``same`` or ``again``.
    label : str
        Name of the protocol.
    by : Delineator or None
        Without it no amplitudes and no ST.

    Returns
    -------
    dict
        ``before`` and ``after`` as `metrics_table.full_table`, with ``interval``, ``amplitude`` (R) and ``st``
        (J+60 ms). ``harmed`` is the share of trials whose RMSE rises by over 5 %. ``gave_way`` is the share of
        trials in which the drift watch removed more than half of the fitted head for a time.
    """
    own, fitted = Scores(), Scores()
    harmed, gave_way = 0, 0
    with Progress(label, len(trials)) as progress:
        for t in trials:
            marks = by.landmarks(t.worn, t.first) if by else None
            found = fit(model.spec, [reference_design(model, t.reference)])
            _judge(model, t, own, by, marks)
            share = _judge(worn_as(model, found, placement), t, fitted, by, marks)
            gave_way += bool(share.min() < 0.5)
            before, after = (float(np.sqrt(s.figures[-1].mse_mv2).mean()) for s in (own, fitted))
            harmed += after > HARM * before
            progress.step()
    boot = Bootstrap.of([t.patient for t in trials], [t.ecg_id for t in trials])
    return {
        "configuration": label,
        "placement": placement,
        "records": len(trials),
        "before": _summary(model, own, boot),
        "after": _summary(model, fitted, boot),
        "harmed": harmed / len(trials),
        "gave_way": gave_way / len(trials),
    }


def _judge(model: Model, t: Trial, into: Scores, by: Delineator | None, marks: Any) -> Float32Array:
    """Stream one record; returns how much of a fitted head was used, row by row."""
    read, hidden = columns(model)
    spec = model.spec
    out = StreamReconstructor(model).feed(np.ascontiguousarray(t.worn[:, read]))
    targets = [LEADS.index(x) for x in spec.target_leads]
    guess, half = out.mv[:, targets], out.sigma[:, targets]
    rows = slice(t.first, len(out))
    truth = t.worn[: len(out), hidden]
    into.figures.append(metrics.figures(truth[None, rows], guess[None, rows], spec.target_leads))
    into.hits.append((np.abs(guess - truth) <= half)[rows].mean(axis=0))
    into.widths_mv.append(2 * half[rows].mean(axis=0, dtype=np.float64))
    if by is not None:
        both = np.concatenate([truth, guess], axis=1)
        into.waves.append(amplitudes(both, marks, spec.fs) if marks is not None else None)
    return np.ones(1, np.float32) if out.share is None else out.share[rows]


def _summary(model: Model, s: Scores, boot: Bootstrap) -> dict[str, Any]:
    leads = model.spec.target_leads
    doc = full_table(metrics.concatenate(s.figures), boot)
    doc["interval"] = beats.coverage(np.stack(s.hits), np.stack(s.widths_mv), leads, boot)
    if any(w is not None for w in s.waves):
        doc["amplitude"] = {
            lead: beats.amplitude_regression(*_waves(s, "r", k, len(leads)), boot=boot) for k, lead in enumerate(leads)
        }
        doc["st"] = {lead: beats.st_levels(*_waves(s, "st", k, len(leads)), boot=boot) for k, lead in enumerate(leads)}
    return doc


def _waves(s: Scores, which: str, k: int, n: int) -> tuple[FloatArray, FloatArray]:
    """One amplitude of one lead in truth and estimate, NaN where not measured."""
    truth, estimate = (
        np.array([np.nan if w is None else getattr(w, which)[column] for w in s.waves], np.float64)
        for column in (k, n + k)
    )
    return truth, estimate
