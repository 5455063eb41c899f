"""Ways to fit a model to one person, side by side: what each is worth in both protocols."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ecg_edge.device.inference.load import Model
from ecg_edge.device.inference.spec import ModelSpec
from ecg_edge.device.personal_calibration.fit import AGAIN_SHARE, AGAIN_STRENGTH, Design, change, fit, prior
from ecg_edge.firmware_bridge.array_types import Float32Array, FloatArray
from ecg_edge.firmware_bridge.progress import Progress
from ecg_edge.train.data.prepare import SCORED_FROM_S, Prepared
from ecg_edge.train.evaluation import metrics
from ecg_edge.train.studies.calibration import HARM, Trial, columns, recordings, reference_design

Estimate = Callable[[ModelSpec, Sequence[Design], Design], FloatArray]
"""From references and what is worn to the estimated leads of the latter."""
RIDGE = 100.0


def _own(spec: ModelSpec, references: Sequence[Design], worn: Design) -> FloatArray:
    return np.asarray(worn.regressors @ spec.head.mean.astype(np.float64))


def _affine(with_gain: bool) -> Estimate:
    """An offset per lead, or a gain and an offset, by least squares."""

    def estimate(spec: ModelSpec, references: Sequence[Design], worn: Design) -> FloatArray:
        x = np.concatenate([d.regressors @ spec.head.mean.astype(np.float64) for d in references])
        t, now = np.concatenate([d.truth for d in references]), _own(spec, references, worn)
        gain = ((x - x.mean(0)) * (t - t.mean(0))).sum(0) / ((x - x.mean(0)) ** 2).sum(0) if with_gain else 1.0
        return np.asarray(gain * (now - x.mean(0)) + t.mean(0))

    return estimate


def _part(keep: Callable[[ModelSpec], slice], strength: float = RIDGE, share: float = 1.0) -> Estimate:
    """Ridge on some of the head's regressors, the rest as shipped."""

    def estimate(spec: ModelSpec, references: Sequence[Design], worn: Design) -> FloatArray:
        rows, head = keep(spec), spec.head.mean.astype(np.float64)
        x = np.concatenate([d.regressors for d in references])
        rest = np.concatenate([d.truth for d in references]) - x @ head
        delta = change(x[:, rows], rest, prior(spec.head.moments)[rows, rows], strength)
        return np.asarray(worn.regressors @ head + share * (worn.regressors[:, rows] @ delta))

    return estimate


def _fitted(again: bool) -> Estimate:
    def estimate(spec: ModelSpec, references: Sequence[Design], worn: Design) -> FloatArray:
        found = fit(spec, references)
        return np.asarray(worn.regressors @ (found.again if again else found.mean))

    return estimate


VARIANTS: dict[str, Estimate] = {
    "the model's own head": _own,
    "an offset per lead": _affine(False),
    "a gain and an offset per lead": _affine(True),
    "ridge on the network's features alone": _part(lambda s: slice(0, s.n_features)),
    "ridge on the input taps alone": _part(lambda s: slice(s.n_features, s.n_regressors)),
    "ridge on the whole head, strength by cross-validation (`--placement same`)": _fitted(False),
    "ridge of strength 2000, 0.8 of the step": _part(lambda s: slice(None), AGAIN_STRENGTH, AGAIN_SHARE),
    "ridge with learnt factors per direction (`--placement again`, without its drift watch)": _fitted(True),
}
ALIGNED = "the same, measured leads turned to the reference's covariance"
TWO = "the same from two references, pooled"
ONE = "the same patients from the newer of the two alone"


def compare(model: Model, same: list[Trial], following: list[Trial], data: Prepared) -> list[dict[str, Any]]:
    """Every variant in both protocols, and two references where `data` has patients with three records.

    Returns
    -------
    list of dict
        ``configuration``, and ``same`` and ``next`` with ``records``, ``r``, ``rmse_mv``, ``harmed``
        (None where a protocol does not apply).
    """
    rows = {name: {"same": _Tally(), "next": _Tally()} for name in (*VARIANTS, ALIGNED, TWO, ONE)}
    with Progress("variants", len(same) + len(following)) as progress:
        for protocol, trials in (("same", same), ("next", following)):
            for t in trials:
                references, worn = [reference_design(model, t.reference)], _worn(model, t)
                for name, estimate in VARIANTS.items():
                    rows[name][protocol].add(model.spec, worn, estimate(model.spec, references, worn))
                turned = _worn(model, replace(t, worn=_aligned(model, t)))
                turned = replace(turned, truth=worn.truth)
                rows[ALIGNED][protocol].add(model.spec, worn, _fitted(True)(model.spec, references, turned))
                progress.step()
    late = round(SCORED_FROM_S * model.spec.fs)
    for patient, k in recordings(data).items():
        if len(k) > 2:
            worn = _worn(model, Trial(patient, data.ids[k[2]], data.x[k[1]], data.x[k[2]], late))
            both = [reference_design(model, data.x[n]) for n in k[:2]]
            for name, references in ((TWO, both), (ONE, both[1:])):
                rows[name]["next"].add(model.spec, worn, _fitted(True)(model.spec, references, worn))
    return [{"configuration": name, **{p: t.summary() for p, t in row.items()}} for name, row in rows.items()]


class _Tally:
    """Figures of one variant in one protocol."""

    def __init__(self) -> None:
        self._figures: list[metrics.LeadFigures] = []
        self._harmed = 0

    def add(self, spec: ModelSpec, worn: Design, guess: FloatArray) -> None:
        """Take one wearer."""
        own = metrics.figures(worn.truth[None], _own(spec, (), worn)[None], spec.target_leads)
        mine = metrics.figures(worn.truth[None], guess[None], spec.target_leads)
        before, after = (float(np.sqrt(f.mse_mv2).mean()) for f in (own, mine))
        self._figures.append(mine)
        self._harmed += after > HARM * before

    def summary(self) -> dict[str, Any] | None:
        """Means over wearers and leads."""
        if not self._figures:
            return None
        doc = metrics.concatenate(self._figures).summary()
        return {"records": doc["records"], **doc["mean"], "harmed": self._harmed / doc["records"]}


def _worn(model: Model, t: Trial) -> Design:
    """Design of what is scored."""
    whole = reference_design(model, t.worn)
    n = t.first - (len(t.worn) - model.spec.lookahead - len(whole.truth))  # a design leaves its first second out
    return Design(whole.regressors[max(0, n) :], whole.truth[max(0, n) :])


def _aligned(model: Model, t: Trial) -> Float32Array:
    """What is worn with its measured leads mapped so that they vary together as in the reference."""
    read, _ = columns(model)
    first = model.spec.fs
    a, b = (_root(x[first:, read].astype(np.float64)) for x in (t.reference, t.worn))
    out: Float32Array = t.worn.copy()
    out[:, read] = (t.worn[:, read] @ np.linalg.solve(b, a)).astype(np.float32)
    return out


def _root(x: FloatArray) -> FloatArray:
    """Symmetric square root of the second moments."""
    values, vectors = np.linalg.eigh(x.T @ x / len(x) + 1e-6 * np.eye(x.shape[1]))
    return np.asarray((vectors * np.sqrt(values)) @ vectors.T)
