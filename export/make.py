"""Write, prove, name: the order in which model files come to be."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ecg_edge.device import fiducials, verify
from ecg_edge.device.budget import Budget
from ecg_edge.device.leads import BASIS
from ecg_edge.device.model import load_model
from ecg_edge.export import checks, estimates
from ecg_edge.export.build import Exporter
from ecg_edge.export.card import model_card
from ecg_edge.export.quantise import Quantisation
from ecg_edge.export.target import Target
from ecg_edge.train import metrics, training
from ecg_edge.train.prepare import Prepared
from ecg_edge.train.scoring import SCORED_FROM_S

_FEW = 24
_BATCH = 128
Floats = npt.NDArray[np.float32]


@dataclass
class _Proof:
    """What the files of one run are held against, and what came of it."""

    exporter: Exporter
    validation: Prepared
    budget: Budget
    quant: Quantisation | None
    made: dict[str, Any]
    say: Callable[[checks.Check], None]
    done: list[checks.Check] = field(default_factory=list)
    accuracy: dict[str, Any] = field(default_factory=dict)
    streamed: dict[str, Floats] = field(default_factory=dict)
    features: dict[str, Floats] = field(default_factory=dict)

    def __post_init__(self) -> None:
        spec = self.exporter.spec
        self.x = np.asarray(self.validation.x)[:, :, [BASIS.index(lead) for lead in spec.input_leads]]
        self.truth = np.asarray(self.validation.x)[:, :, [BASIS.index(lead) for lead in spec.target_leads]]
        parts = [
            training.reconstruct(self.exporter.network, self.x[k : k + _BATCH]) for k in range(0, len(self.x), _BATCH)
        ]
        self.reference = np.concatenate(parts)
        self.accuracy["fp32"] = self.score(self.reference)

    def score(self, estimate: Floats) -> dict[str, Any]:
        """Figures of an estimate of the validation records."""
        spec = self.exporter.spec
        scored = slice(round(SCORED_FROM_S * spec.fs), estimate.shape[1])
        parts = [
            metrics.figures(self.truth[k : k + _BATCH, scored], estimate[k : k + _BATCH, scored], spec.target_leads)
            for k in range(0, len(estimate), _BATCH)
        ]
        return {"set": "PTB-XL fold 9 (validation)", **metrics.concatenate(parts).summary()}

    def add(self, *made: checks.Check) -> None:
        for check in made:
            self.say(check)
            self.done.append(check)

    def prove(self, target: Target, path: Path) -> None:
        """Check one file; its figures are added to `accuracy`."""
        if not target.offline:
            self.add(*checks.structure(load_model(path), target.label))
        spec, body, _ = estimates.bodies(path)
        if target.precision == "fp32":
            _, few = estimates.means(spec, body, self.x[:_FEW], target.label)
            self.add(checks.equal(f"{target.label} against torch", few, self.reference[:_FEW]))
            return
        features, mean = estimates.means(spec, body, self.x, target.label)
        twin = self.streamed.get(target.label.removesuffix(" offline"))
        if target.offline and twin is not None and target.precision != "dynamic":
            self.add(checks.equal(f"{target.label} against streaming", mean, twin))
        figures = self.score(mean)
        first = round(SCORED_FROM_S * spec.fs)
        shift = fiducials.compare(self.reference, mean, self.x[:, :, 0], spec.fs, first)
        self.add(*checks.against_fp32(target.label, figures, self.accuracy["fp32"], shift, self.budget.limits()))
        if not target.offline:
            self.streamed[target.label] = mean
            self.accuracy[target.precision + ("" if target.format == "onnx" else " tflite")] = figures
        if target.precision == "int8" and not target.offline:
            self.features[target.format] = features
            if len(self.features) == 2:
                assert self.quant is not None
                self.add(checks.twins(self.features["onnx"], self.features["tflite"], self.quant.feature_step))


def make(
    exporter: Exporter,
    validation: Prepared,
    calibration: Prepared,
    out: Path,
    targets: list[Target],
    budget: Budget,
    say: Callable[[checks.Check], None],
) -> dict[str, Any]:
    """Export one run.

    Files are written under temporary names; only if every check holds do they get their final ones.
    Otherwise they are kept with the suffix ``.rejected``, and no file has the final name.

    Parameters
    ----------
    exporter : Exporter
        The run.
    validation, calibration : Prepared
        Records to verify on, and (training folds) to choose the 8-bit parameters from.
    out : Path
        Folder for the files, their report and the model card.
    targets : list of Target
        Files to make.
    budget : Budget
        What files smaller than fp32 may cost.
    say : callable
        Called with every check as it is made.

    Returns
    -------
    dict
        The report, also written to ``<stem>.report.json``.
    """
    columns = [BASIS.index(lead) for lead in exporter.spec.input_leads]
    needed = any(t.precision == "int8" for t in targets)
    quant = exporter.quantise(calibration.x[:, :, columns]) if needed else None
    made = {"set": "PTB-XL, training folds", "records": len(calibration), "ecg_id": calibration.ids}
    parts = {t: out / f"{t.file_name(exporter.stem)}.part" for t in targets}
    for t in targets:
        (out / t.file_name(exporter.stem)).unlink(missing_ok=True)
    proof = _Proof(exporter, validation, budget, quant, made, say)
    for target, part in parts.items():
        _write(proof, target, part, {})
        proof.prove(target, part)
    ok = all(c.ok for c in proof.done)
    files = [_name(proof, target, part, ok) for target, part in parts.items()]
    if ok:
        spec = exporter.describe(targets[-1], quant, made, proof.accuracy)
        card = model_card(spec, [(p.name, size, digest) for p, size, digest in files])
        (out / f"{exporter.stem}.md").write_text(card)
    return _report(proof, out, ok, files)


def _write(
    proof: _Proof, target: Target, path: Path, accuracy: dict[str, Any], self_test: dict[str, Any] | None = None
) -> None:
    spec = proof.exporter.describe(target, proof.quant, proof.made, accuracy, self_test)
    proof.exporter.write(path, target, spec, proof.quant, proof.validation.x.shape[1])


def _name(proof: _Proof, target: Target, part: Path, ok: bool) -> tuple[Path, int, str]:
    """Write the file once more, now with its figures and its own checks inside, and give it its name."""
    own = [c.line() for c in proof.done if c.name.startswith(f"{target.label} ")]
    answer = None if target.offline else verify.self_test(load_model(part).backend)
    _write(proof, target, part, {**proof.accuracy, "checks": own}, answer)
    _, _, digest = estimates.bodies(part)
    path = part.with_suffix("" if ok else ".rejected")
    part.replace(path)
    return path, path.stat().st_size, digest


def _report(proof: _Proof, out: Path, ok: bool, files: list[tuple[Path, int, str]]) -> dict[str, Any]:
    """Write and return the report."""
    report = {
        "ok": ok,
        "model_id": proof.exporter.spec.model_id,
        "files": [{"path": str(path), "bytes": size, "sha256": digest} for path, size, digest in files],
        "checks": [{"name": c.name, "ok": c.ok, "detail": c.detail} for c in proof.done],
        "accuracy": proof.accuracy,
        "budget": proof.budget.limits(),
    }
    (out / f"{proof.exporter.stem}.report.json").write_text(json.dumps(report, indent=2) + "\n")
    return report
