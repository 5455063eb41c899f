"""Write, prove, name: the order in which model files are made."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ecg_edge.device.inference.load import load_model
from ecg_edge.device.verification import fiducials
from ecg_edge.device.verification import model_checks as verify
from ecg_edge.device.verification.budget import Budget
from ecg_edge.export import proof_checks as checks
from ecg_edge.export import run_file as estimates
from ecg_edge.export.eight_bits.quantise import Quantisation
from ecg_edge.export.eight_bits.sensitivity import MOST_IN_FLOAT, EightBitCost, costs
from ecg_edge.export.exporter import Exporter
from ecg_edge.export.model_card import model_card
from ecg_edge.export.proof_cases import Case, calibration_inputs, cases
from ecg_edge.export.targets import Target
from ecg_edge.firmware_bridge.array_types import Float32Array
from ecg_edge.train.data.prepare import Prepared
from ecg_edge.train.evaluation.verdict import verdict
from ecg_edge.train.runs import checkpoints

_FEW = 24
_BATCH = 128


@dataclass
class _Proof:
    """What the files of one run are held against, and what came of it."""

    exporter: Exporter
    cases: list[Case]
    budget: Budget
    quant: Quantisation | None
    made: dict[str, Any]
    say: Callable[[checks.Check], None]
    done: list[checks.Check] = field(default_factory=list)
    accuracy: dict[str, Any] = field(default_factory=dict)
    reference: dict[str, Float32Array] = field(default_factory=dict)
    streamed: dict[tuple[str, str], Float32Array] = field(default_factory=dict)
    features: dict[tuple[str, str], Float32Array] = field(default_factory=dict)
    sensitivity: list[EightBitCost] = field(default_factory=list)
    baselines: dict[str, dict[str, float]] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return all(c.ok for c in self.done)

    def __post_init__(self) -> None:
        network = self.exporter.network
        for c in self.cases:
            batches = [c.x[k : k + _BATCH] for k in range(0, len(c.x), _BATCH)]
            whole = np.concatenate([checkpoints.reconstruct(network, x) for x in batches])
            self.reference[c.name] = whole[:, :, c.outputs]
            self.accuracy[_table("fp32", c)] = c.score(self.reference[c.name])
            self.baselines[c.name] = c.baselines(self.exporter.spec.ridge, self.reference[c.name].shape[1])

    def remark(self) -> None:
        """State in the figures which tables are no better than a baseline."""
        worse = [
            f"{verdict(figures['mean']['rmse_mv'], self.baselines[c.name], f'{name} on these records')}"
            for c in self.cases
            for name, figures in self.accuracy.items()
            if isinstance(figures, dict) and name.partition(" ")[2].removeprefix("tflite").strip() == c.name
        ]
        self.accuracy["remarks"] = [text for text in worse if text]

    def add(self, *made: checks.Check) -> None:
        for check in made:
            self.say(check)
            self.done.append(check)

    def prove(self, target: Target, path: Path) -> None:
        """Check one file; its figures are added to `accuracy`."""
        if not target.offline:
            self.add(*checks.structure(load_model(path), target.label))
        spec, body, _ = estimates.bodies(path)
        for case in self.cases:
            label = f"{target.label} {case.name}".rstrip()
            if target.precision == "fp32":
                _, few = estimates.means(spec, body, case.x[:_FEW], label)
                reference = self.reference[case.name][:_FEW]
                self.add(checks.equal(f"{label} against torch", few[:, :, case.outputs], reference))
            else:
                self._prove_smaller(target, case, label, *estimates.means(spec, body, case.x, label))

    def _prove_smaller(
        self, target: Target, case: Case, label: str, features: Float32Array, whole: Float32Array
    ) -> None:
        mean = whole[:, :, case.outputs]
        key = (target.label.removesuffix(" offline"), case.name)
        if target.offline and key in self.streamed and target.precision != "dynamic":
            alike = checks.as_good_as_equal if target.precision == "int8" else checks.equal
            self.add(alike(f"{label} against streaming", mean, self.streamed[key]))
        figures, fp32 = case.score(mean), self.accuracy[_table("fp32", case)]
        shift = fiducials.compare(self.reference[case.name], mean, case.measured, case.fs, case.first)
        self.add(*checks.against_fp32(label, figures, fp32, shift, self.budget.limits()))
        if target.offline:
            return
        self.streamed[key] = mean
        self.accuracy[_table(target.precision + ("" if target.format == "onnx" else " tflite"), case)] = figures
        if target.precision == "int8":
            self.features[target.format, case.name] = features
            twin = self.features.get(("onnx", case.name))
            if target.format == "tflite" and twin is not None:
                assert self.quant is not None
                self.add(checks.twins(case.name, twin, features, self.quant.feature_step))


def _table(precision: str, case: Case) -> str:
    """Name of a table of figures: ``int8``, or ``int8 I+II``."""
    return f"{precision} {case.name}".rstrip()


def make(
    exporter: Exporter,
    validation: Prepared,
    calibration: Prepared,
    out: Path,
    targets: list[Target],
    budget: Budget,
    say: Callable[[checks.Check], None],
    qat: bool = False,
) -> dict[str, Any]:
    """Export one run.

    Files are written under temporary names; only if every check holds do they get their final ones.
    Otherwise they are kept with the suffix ``.rejected``, and what an earlier export left is not touched. Where an
    8-bit file breaks its budget, the body is fine-tuned for 8 bits if that is allowed. Where that is not enough, the
    convolutions whose 8 bits cost most stay in float, one more at a time.

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
    qat : bool
        Allow fine-tuning.

    Returns
    -------
    dict
        The report, also written to ``<stem>.report.json``, or ``<stem>.rejected.json`` where a check fails.
    """
    needed = any(t.precision == "int8" for t in targets)
    made = {"set": "PTB-XL, training folds", "records": len(calibration), "ecg_id": calibration.ids}
    parts = {t: out / f"{t.file_name(exporter.stem)}.part" for t in targets}
    examined = cases(exporter.spec, validation)
    quant, found = None, list[EightBitCost]()
    x = calibration_inputs(exporter.spec, calibration)
    if needed:
        exporter = exporter.for_eight_bits(x)
        assert exporter.eight is not None
        quant, ready = exporter.eight.quantisation, exporter.eight
        say(
            checks.Check(
                "channels of one range",
                True,
                f"8 bits {ready.after_uv:.1f} µV from float, {ready.before_uv:.1f} before",
            )
        )
        found = costs(ready.graph, quant, x[:_FEW], exporter.spec.head.mean[: exporter.spec.n_features])
    proof = _attempt(exporter, examined, budget, quant, made, say, parts)
    if qat and quant is not None and not proof.ok:
        exporter = exporter.fine_tuned(quant, x)
        assert exporter.tuned is not None
        quant = exporter.tuned.quantisation
        cost = f"{exporter.tuned.before_uv:.1f} µV from float before, {exporter.tuned.after_uv:.1f} after; once more"
        say(checks.Check("fine-tuned for 8 bits", True, cost))
        proof = _attempt(exporter, examined, budget, quant, made, say, parts)
    for dearest in found[:MOST_IN_FLOAT]:
        if proof.ok or quant is None:
            break
        say(checks.Check(f"{dearest.name} in float", True, f"its 8 bits cost {dearest.rms_uv:.1f} µV; once more"))
        quant = replace(quant, float_convs=quant.float_convs | {dearest.name})
        proof = _attempt(exporter, examined, budget, quant, made, say, parts)
    proof.sensitivity = found
    ok = proof.ok
    files = [_name(proof, target, part, ok) for target, part in parts.items()]
    if ok:
        spec = exporter.describe(targets[-1], quant, made, proof.accuracy)
        card = model_card(spec, [(p.name, size, digest) for p, size, digest in files])
        (out / f"{exporter.stem}.md").write_text(card)
    return _report(proof, out, ok, files)


def _attempt(
    exporter: Exporter,
    examined: list[Case],
    budget: Budget,
    quant: Quantisation | None,
    made: dict[str, Any],
    say: Callable[[checks.Check], None],
    parts: dict[Target, Path],
) -> _Proof:
    """Write every file under its temporary name and prove it."""
    proof = _Proof(exporter, examined, budget, quant, made, say)
    for target, part in parts.items():
        _write(proof, target, part, {})
        proof.prove(target, part)
    proof.remark()
    return proof


def _write(
    proof: _Proof, target: Target, path: Path, accuracy: dict[str, Any], self_test: dict[str, Any] | None = None
) -> None:
    spec = proof.exporter.describe(target, proof.quant, proof.made, accuracy, self_test)
    proof.exporter.write(path, target, spec, proof.quant, proof.cases[0].x.shape[1])


def _name(proof: _Proof, target: Target, part: Path, ok: bool) -> tuple[Path, int, str]:
    """Write the file once more, now with its figures and its own checks inside, and give it its name."""
    own = [c.line() for c in proof.done if c.name.startswith(f"{target.label} ")]
    answer = None if target.offline else verify.self_test(load_model(part))
    _write(proof, target, part, {**proof.accuracy, "checks": own}, answer)
    _, _, digest = estimates.bodies(part)
    path = part.with_suffix("" if ok else ".rejected")
    part.replace(path)
    return path, path.stat().st_size, digest


def _ranges(exporter: Exporter) -> dict[str, float] | None:
    """What channels of one range save, for the report."""
    ready = exporter.eight
    return None if ready is None else {"before_uv": ready.before_uv, "after_uv": ready.after_uv}


def _tuning(exporter: Exporter) -> dict[str, Any] | None:
    """What fine-tuning did, for the report."""
    tuned = exporter.tuned
    if tuned is None:
        return None
    return {"steps": tuned.steps, "before_uv": tuned.before_uv, "after_uv": tuned.after_uv}


def _report(proof: _Proof, out: Path, ok: bool, files: list[tuple[Path, int, str]]) -> dict[str, Any]:
    """Write and return the report."""
    report = {
        "ok": ok,
        "model_id": proof.exporter.spec.model_id,
        "files": [{"path": str(path), "bytes": size, "sha256": digest} for path, size, digest in files],
        "checks": [{"name": c.name, "ok": c.ok, "detail": c.detail} for c in proof.done],
        "accuracy": proof.accuracy,
        "budget": proof.budget.limits(),
        "sensitivity": [vars(c) for c in proof.sensitivity],
        "float_convolutions": sorted(proof.quant.float_convs) if proof.quant else [],
        "channels_of_one_range": _ranges(proof.exporter),
        "fine_tuning": _tuning(proof.exporter),
    }
    (out / f"{proof.exporter.stem}.{'report' if ok else 'rejected'}.json").write_text(
        json.dumps(report, indent=2) + "\n"
    )
    return report
