"""The study of personal calibration as one document."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ecg_edge.device.inference.any_lead import for_leads
from ecg_edge.device.inference.load import load_model
from ecg_edge.train.data.datasets import Dataset
from ecg_edge.train.data.prepare import Prepared, prepare
from ecg_edge.train.data.ptbxl import TEST_FOLD, VALIDATION_FOLD
from ecg_edge.train.evaluation.landmark_cache import RememberingDelineator
from ecg_edge.train.studies import calibration as study
from ecg_edge.train.studies.calibration_checks import rates
from ecg_edge.train.studies.calibration_variants import compare

_EVERY = 8
"""Of the variants' same-record protocol: every eighth record is some 270."""


def report(
    name: str, root: Path | Dataset, limit: int | None = None, leads: tuple[str, ...] = ("I", "II")
) -> dict[str, Any]:
    """Both protocols, the variants, and what the checks of a reference see.

    Parameters
    ----------
    name : str
        Model file or name.
    root : Path or Dataset
        PTB-XL.
    limit : int, optional
        Only so many records of each fold.
    leads : tuple of str
        The set an any-lead model is taken on.
    """
    model = for_leads(load_model(name), leads)
    spec = model.spec

    def folds(*which: int) -> Prepared:
        return prepare(root, which, spec.conditioning, limit, f"fold {', '.join(map(str, which))}", spec.fs)

    test, both, validation = folds(TEST_FOLD), folds(VALIDATION_FOLD, TEST_FOLD), folds(VALIDATION_FOLD)
    by = RememberingDelineator(spec.fs)
    same, following = study.same_record(test, spec.fs), study.next_recording(both, spec.fs)
    rows = [
        study.score(model, trials, placement, label, by)
        for trials, placement, label in (
            (same, "same", "same record, fold 10"),
            (study.next_recording(test, spec.fs), "again", "next recording, fold 10"),
            (following, "again", "next recording, folds 9–10"),
        )
        if trials
    ]
    return {
        "study": "calibration",
        "model": name,
        "model_id": spec.model_id,
        "file_sha256": model.file_sha256,
        "inputs": list(spec.input_leads),
        "targets": list(spec.target_leads),
        "rows": rows,
        "variants": compare(model, same[::_EVERY], following, both),
        "checks": rates(model, validation, study.next_recording(validation, spec.fs)),
    }
