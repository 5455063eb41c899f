"""Everything `ecg-edge evaluate` states about a model, as one document."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ecg_edge.firmware_bridge.array_types import FloatArray
from ecg_edge.firmware_bridge.errors import MissingExtraError
from ecg_edge.train.data.datasets import Dataset
from ecg_edge.train.data.prepare import SCORED_FROM_S, Prepared, prepare
from ecg_edge.train.data.ptbxl import TEST_FOLD, TRAIN_FOLDS, read_database
from ecg_edge.train.evaluation import beat_metrics as beats
from ecg_edge.train.evaluation import scoring
from ecg_edge.train.evaluation.bootstrap import RESAMPLES, Bootstrap
from ecg_edge.train.evaluation.delineation import ST_AFTER_J_S, Delineator
from ecg_edge.train.evaluation.estimators import Subject
from ecg_edge.train.evaluation.landmark_cache import RememberingDelineator
from ecg_edge.train.evaluation.measure import LITERATURE_BAND_HZ, Beats, Measurements, Measurer
from ecg_edge.train.evaluation.metrics_table import diagnostic_groups, full_table, rows_of

DIAGNOSTIC_HIGHPASS_HZ = 0.05


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation yields.

    Attributes
    ----------
    doc : dict
        Every figure, fit for JSON; `report_tables` turns it into tables. Figures left out are named, with
        the reason, in ``left_out``.
    r_amplitudes_mv : dict of str to ndarray of shape (n_records, 2)
        True and estimated R amplitude of each record per lead, for a plot; empty without delineation.
    """

    doc: dict[str, Any]
    r_amplitudes_mv: dict[str, FloatArray]


def evaluate(
    subject: Subject,
    root: Path | Dataset,
    *,
    fold: int = TEST_FOLD,
    limit: int | None = None,
    twin: Subject | None = None,
    baselines: dict[str, scoring.Estimator] | None = None,
    delineate: bool = True,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Evaluation:
    """Score a subject on a data set.

    Parameters
    ----------
    subject : Subject
        Model file or run.
    root : Path or Dataset
        PTB-XL folder or another data set.
    fold : int
        Official fold.
    limit : int, optional
        Only the first so many records.
    twin : Subject, optional
        The same network in fp32: the difference to it is stated.
    baselines : dict of str to callable, optional
        Beside zero and the ridge regressions the subject brings.
    delineate : bool
        Also amplitudes, ST and R peaks (needs NeuroKit2).
    resamples, seed : int
        Of the bootstrap.

    Raises
    ------
    DataFolderError
        The folder is not what it should be, or no usable record is in it.
    """
    start = time.monotonic()
    data = prepare(root, (fold,), subject.conditioning, limit, "records", subject.fs)
    left_out: dict[str, str] = {}
    delineator = _delineator(subject.fs, delineate, left_out)
    diagnostic = None
    if delineator is not None:
        wide = replace(subject.conditioning, highpass_hz=DIAGNOSTIC_HIGHPASS_HZ)
        diagnostic = prepare(root, (fold,), wide, limit, "records, 0.05 Hz", subject.fs)
    rivals = _baselines(subject) | (baselines or {})
    got = Measurer(subject, rivals, delineator, twin).run(data, diagnostic)
    boot = Bootstrap.of(data.patients, data.ids, resamples, seed)
    doc = full_table(got.of("model"), boot)
    doc |= {"baselines": {name: full_table(got.of(name)) for name in rivals}, **_what(subject, data, root, fold)}
    doc |= {"bootstrap": boot.describe(), "superclasses": _groups(got, data, resamples, seed)}
    doc |= _band(got, left_out) | _interval(subject, got, boot, left_out) | _twin(subject, twin, got, left_out)
    if delineator is not None:
        doc |= _beats(subject, got, boot, delineator.name)
    doc |= {"limit": limit, "left_out": left_out, "seconds": round(time.monotonic() - start, 1)}
    doc = _in_windows(doc) | {"records": len(set(data.ids)), "windows": len(data)}
    return Evaluation(doc, _r_amplitudes(subject, got.beats) if delineator else {})


def _in_windows(doc: dict[str, Any]) -> dict[str, Any]:
    """The document with every count of pieces called one: a long record has many windows of 10 s."""
    inner = {key: _in_windows(value) if isinstance(value, dict) else value for key, value in doc.items()}
    return {"windows" if key == "records" else key: value for key, value in inner.items()}


def _delineator(fs: int, wanted: bool, left_out: dict[str, str]) -> Delineator | None:
    figures = "amplitudes, ST levels, R-peak times"
    if not wanted:
        left_out[figures] = "--no-delineation"
        return None
    try:
        return RememberingDelineator(fs)
    except MissingExtraError as e:
        left_out[figures] = f"{e.message}: {e.fix}"
        return None


def _baselines(subject: Subject) -> dict[str, scoring.Estimator]:
    found = {"zero": scoring.zero(len(subject.targets))}
    return found | {
        f"ridge {n}": scoring.linear(w) for n, w in sorted(subject.ridge.items(), key=lambda kv: int(kv[0]))
    }


def _what(subject: Subject, data: Prepared, root: Path | Dataset, fold: int) -> dict[str, Any]:
    """What was scored on what."""
    folds = not isinstance(root, Dataset) or root.has_folds
    return {
        "model": subject.name,
        **subject.identity,
        "how": subject.how,
        "inputs": list(subject.inputs),
        "fs": subject.fs,
        "data": root.kind if isinstance(root, Dataset) else "ptb-xl",
        "fold": fold if folds else None,
        "patients": len({p for p in data.patients if p}),
        "patients_in_training": _seen_before(data, root, fold),
        "scored_from_s": SCORED_FROM_S,
        "excluded": {str(k): v for k, v in data.excluded.items()},
    }


def _seen_before(data: Prepared, root: Path | Dataset, fold: int) -> int:
    """Patients of the fold that the training folds hold too."""
    if fold in TRAIN_FOLDS:
        return 0
    entries = root.records if isinstance(root, Dataset) else read_database(root)
    trained = {e.patient for e in entries if e.fold in TRAIN_FOLDS and e.patient}
    return len(trained & set(data.patients))


def _groups(got: Measurements, data: Prepared, resamples: int, seed: int) -> dict[str, Any]:
    """Tables of the diagnostic groups, each with intervals over its own patients."""
    figures, found = got.of("model"), {}
    for name, keep in diagnostic_groups(data).items():
        rows = np.flatnonzero(keep)
        boot = Bootstrap.of([data.patients[k] for k in rows], [data.ids[k] for k in rows], resamples, seed)
        found[name] = full_table(rows_of(figures, keep), boot)
    return found


def _band(got: Measurements, left_out: dict[str, str]) -> dict[str, Any]:
    if "literature band" not in got.figures:
        left_out["the literature's band"] = "the model's rate does not reach 40 Hz"
        return {}
    return {"literature_band": {"band_hz": list(LITERATURE_BAND_HZ), **full_table(got.of("literature band"))}}


def _interval(subject: Subject, got: Measurements, boot: Bootstrap, left_out: dict[str, str]) -> dict[str, Any]:
    if not got.hits:
        left_out["interval coverage"] = "nothing states an interval: let training finish"
        return {}
    rows = beats.coverage(np.stack(got.hits), np.stack(got.widths_mv), subject.targets, boot)
    return {"interval": {"level": subject.level, "leads": rows}}


def _twin(subject: Subject, twin: Subject | None, got: Measurements, left_out: dict[str, str]) -> dict[str, Any]:
    if twin is None:
        if subject.identity.get("precision", "fp32") != "fp32":
            left_out["difference to fp32"] = "no fp32 file of the same run beside it: --against FILE"
        return {}
    rms = 1000 * np.sqrt(np.mean(got.twin_ms, axis=0))
    most = 1000 * np.max(got.twin_max, axis=0)
    rows = {lead: {"rms_uv": float(rms[k]), "max_uv": float(most[k])} for k, lead in enumerate(subject.targets)}
    return {"against": {"model": Path(twin.name).name, "how": twin.how, "leads": rows}}


def _beats(subject: Subject, got: Measurements, boot: Bootstrap, by: str) -> dict[str, Any]:
    """Amplitudes, ST and R peaks per lead."""
    found, leads = got.beats, subject.targets
    doc: dict[str, Any] = {"delineation": {"by": by, "records": sum(b is not None for b in found)}}
    doc["amplitude"] = {
        wave: {
            lead: beats.amplitude_regression(
                _column(found, "truth", wave, k), _column(found, "estimate", wave, k), boot
            )
            for k, lead in enumerate(leads)
        }
        for wave in ("r", "t")
    }
    truths = {subject.conditioning.highpass_hz: "truth", DIAGNOSTIC_HIGHPASS_HZ: "diagnostic"}
    doc["st"] = {
        "after_j_ms": round(1000 * ST_AFTER_J_S),
        "threshold_mv": beats.ST_THRESHOLD_MV,
        "truth": {
            f"{hz:g} Hz": {
                lead: beats.st_levels(_column(found, of, "st", k), _column(found, "estimate", "st", k), boot)
                for k, lead in enumerate(leads)
            }
            for hz, of in truths.items()
        },
    }
    doc["r_peaks"] = {lead: beats.r_peak_timing([row[k] for row in got.timing], boot) for k, lead in enumerate(leads)}
    return doc


def _r_amplitudes(subject: Subject, found: list[Beats | None]) -> dict[str, FloatArray]:
    pairs = {
        lead: np.stack([_column(found, of, "r", k) for of in ("truth", "estimate")], axis=1)
        for k, lead in enumerate(subject.targets)
    }
    return {lead: p[np.isfinite(p).all(axis=1)] for lead, p in pairs.items()}


def _column(found: list[Beats | None], which: str, wave: str, k: int) -> FloatArray:
    """One amplitude of one lead over records, NaN where not measured."""
    return np.array([np.nan if b is None else getattr(getattr(b, which), wave)[k] for b in found], np.float64)
