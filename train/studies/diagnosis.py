"""What a diagnosis keeps of reconstructed leads: `ecg-edge reproduce diagnosis`.

A classifier of the five superclasses, trained on real twelve leads, reads the test records as each model shows them.
Beside it: the real leads, linear estimates, no estimate, and a classifier trained on the measured leads alone.
What is done lies in the folder and is not done again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ecg_edge.device.conditioning.spec import ConditioningSpec
from ecg_edge.device.inference.load import load_model
from ecg_edge.device.inference.shipped import shipped_models
from ecg_edge.device.lead_algebra import BASIS
from ecg_edge.device.personal_calibration.fit import fit
from ecg_edge.device.reconstruction.stream_reconstructor import StreamReconstructor
from ecg_edge.firmware_bridge.array_types import Float32Array, FloatArray
from ecg_edge.firmware_bridge.console import hint
from ecg_edge.firmware_bridge.lead_names import LEADS
from ecg_edge.firmware_bridge.progress import Progress
from ecg_edge.train.data import ptbxl
from ecg_edge.train.data.datasets import Dataset
from ecg_edge.train.data.prepare import SCORED_FROM_S, Prepared, prepare
from ecg_edge.train.diagnosis import figures, labels, learn
from ecg_edge.train.diagnosis.judge import Judge, JudgeSpec
from ecg_edge.train.diagnosis.kept import shown
from ecg_edge.train.evaluation.bootstrap import Bootstrap
from ecg_edge.train.evaluation.estimators import Subject, from_model
from ecg_edge.train.evaluation.scoring import linear
from ecg_edge.train.network.lead_subsets import SPECIALISTS
from ecg_edge.train.runs.run_folder import environment
from ecg_edge.train.studies import calibration

JUDGE, TRAINING_JUDGE = "second", "judge"
"""The one that judges, and the one that a recipe's `diagnosis` weighs: another design, another seed."""
REAL, ZERO, RIDGE, RIVAL = "real leads", "zero", "ridge 31", "classifier of the measured leads alone"
BEFORE, AFTER = "not calibrated, seconds 5–10", "calibrated on seconds 1–5, seconds 5–10"
EPOCHS = 15


@dataclass(frozen=True)
class Bench:
    """What every row needs.

    Attributes
    ----------
    out : Path
        Folder of the study.
    judge : Judge
        The one that judges.
    limits : ndarray of shape (5,)
        Of its probabilities, found on validation records.
    test : Prepared
        Test records that have a superclass.
    true : ndarray of shape (n_records, 5)
        Their superclasses.
    boot : Bootstrap
        Over their patients.
    key : str
        Digest of judge and records.
    """

    out: Path
    judge: Judge
    limits: FloatArray
    test: Prepared
    true: Float32Array
    boot: Bootstrap
    key: str

    def said(self, name: str, of: str, ask: Callable[[], Float32Array]) -> Float32Array:
        """Probabilities of a row, asked once; `of` is the digest of what is asked."""
        digest = hashlib.sha256(f"{self.key} {name} {of}".encode()).hexdigest()[:12]
        file = self.out / "said" / f"{name.replace(' ', '-').replace(',', '')}-{digest}.npy"
        if not file.is_file():
            file.parent.mkdir(parents=True, exist_ok=True)
            part = file.with_suffix(".part.npy")
            np.save(part, ask())
            part.replace(file)
        return np.asarray(np.load(file), np.float32)

    def judged(self, x: Float32Array, from_s: float = SCORED_FROM_S) -> Float32Array:
        """What the judge says of records, from a second on."""
        return learn.probabilities(self.judge, x, round(from_s * self.judge.spec.fs))

    def row(
        self,
        leads: tuple[str, ...],
        estimate: str,
        said: Float32Array,
        real: Float32Array,
        limits: FloatArray | None = None,
    ) -> dict[str, Any]:
        """One row of the document; the judge's limits unless others are given."""
        limits = self.limits if limits is None else limits
        doc = {"configuration": "+".join(leads), "inputs": list(leads), "estimate": estimate}
        doc |= figures.table(self.true, said, limits, self.boot)
        return doc | {"lost": figures.lost(self.true, said, real, self.boot)}


def run(
    root: Path | Dataset, out: Path, limit: int | None = None, epochs: int = EPOCHS, models: list[str] | None = None
) -> dict[str, Any]:
    """Train what judges, where it is not there, and judge every shipped model.

    Parameters
    ----------
    root : Path or Dataset
        PTB-XL.
    out : Path
        Judges (``judge.pt``, ``second.pt``, ``rival-….pt``) and what they said.
    limit : int, optional
        Only the first so many records of each part.
    epochs : int
        Of each judge.
    models : list of str, optional
        Files or names; all shipped 8-bit ones unless told.

    Raises
    ------
    DataFolderError
        The folder is not what it should be.
    """
    out.mkdir(parents=True, exist_ok=True)
    school = School(root, out, limit, epochs)
    school.judge(TRAINING_JUDGE, JudgeSpec("residual"), 0)
    bench = open_bench(school)
    names = models or [n for n in shipped_models() if n.endswith("-int8")]
    subjects = [s for name in names for s in _subjects(name)]
    real = bench.said(REAL, "", lambda: bench.judged(np.asarray(bench.test.x)))
    rows = [bench.row(BASIS, REAL, real, real)]
    for subject in subjects:
        rows += list(_of_subject(bench, subject, real))
    for leads in dict.fromkeys(s.inputs for s in subjects if set(s.inputs) <= set(BASIS)):
        rows += _of_leads(bench, school, leads, next(s for s in subjects if s.inputs == leads), real)
    doc = {"study": "diagnosis", "rows": rows, "judge": _described(bench), "bootstrap": bench.boot.describe()}
    return doc | {"limit": limit, "sentence": sentence(rows), **environment()}


class School:
    """Where judges are trained.

    Parameters
    ----------
    root, out, limit, epochs
        As `run` takes them.
    """

    def __init__(self, root: Path | Dataset, out: Path, limit: int | None, epochs: int) -> None:
        self.root, self.out, self.limit, self.epochs = root, out, limit, epochs

    def records(self, *folds: int) -> Prepared:
        """Records of folds that have a superclass."""
        label = f"fold {', '.join(map(str, folds))}" if len(folds) == 1 else "training records"
        return with_superclass(prepare(self.root, folds, ConditioningSpec(), self.limit, label))

    def judge(self, name: str, spec: JudgeSpec, seed: int) -> Judge:
        """Read a judge, or train it (or go on with it)."""
        file = self.out / f"{name}.pt"
        if not file.is_file():
            data = self.records(*ptbxl.TRAIN_FOLDS)
            x = torch.from_numpy(np.ascontiguousarray(np.asarray(data.x).transpose(0, 2, 1)))
            lessons = learn.Lessons(x, torch.from_numpy(labels.labels(data.superclasses)))
            how = learn.LearnSpec(epochs=self.epochs, seed=seed, batch=min(128, max(2, len(data) // 2)))
            hint(f"training {name}: {spec.design}, {len(data)} records, {self.epochs} epochs")
            trainer = learn.JudgeTrainer(spec, how, lessons, file)
            trainer.fit(lambda epoch, loss: hint(f"{name}, epoch {epoch} of {self.epochs}: loss {loss:.4f}"))
        return learn.load_judge(file)

    def limits(self, judge: Judge) -> FloatArray:
        """Limits of a judge's probabilities with the highest F1 on validation records."""
        data = self.records(ptbxl.VALIDATION_FOLD)
        said = learn.probabilities(judge, np.asarray(data.x), round(SCORED_FROM_S * judge.spec.fs))
        return figures.best_limits(labels.labels(data.superclasses), said)


def with_superclass(data: Prepared) -> Prepared:
    """The records that have one."""
    rows = labels.diagnosed(data.superclasses)
    kept = ([v[k] for k in rows] for v in (data.ids, data.patients, data.superclasses))
    ids, patients, superclasses = kept
    return Prepared(data.x[rows], ids, patients, superclasses, data.excluded, [data.names[k] for k in rows])


def open_bench(school: School) -> Bench:
    """The judge that only judges, and the test records."""
    judge = school.judge(JUDGE, JudgeSpec("inception"), 1)
    test, limits = school.records(ptbxl.TEST_FOLD), school.limits(judge)
    key = hashlib.sha256((school.out / f"{JUDGE}.pt").read_bytes() + repr(test.ids).encode()).hexdigest()
    true, boot = labels.labels(test.superclasses), Bootstrap.of(test.patients, test.ids)
    return Bench(school.out, judge, limits, test, true, boot, key)


def _subjects(name: str) -> list[Subject]:
    """A model, or an any-lead one on each set that has a network of its own."""
    if not load_model(name).spec.any_lead:
        return [from_model(name)]
    return [from_model(name, leads) for leads in SPECIALISTS]


def _of_subject(bench: Bench, subject: Subject, real: Float32Array) -> Iterator[dict[str, Any]]:
    """A model as streamed; one of fixed leads calibrated as well."""
    name = f"{Path(subject.name).stem} {'-'.join(subject.inputs)}"
    of, x = subject.identity["file_sha256"], np.asarray(bench.test.x)

    def ask() -> Float32Array:
        return bench.judged(shown(x, subject.inputs, subject.targets, lambda r: subject.estimate(r)[0], name))

    yield bench.row(subject.inputs, Path(subject.name).stem, bench.said(name, of, ask), real)
    if load_model(subject.name).spec.any_lead:
        return
    split, end = calibration.SPLIT_S, round(10 * subject.fs) - 12
    late = bench.said(f"{REAL} from 5 s", "", lambda: bench.judged(x[:, :end], split))
    for what, calibrated in ((BEFORE, False), (AFTER, True)):
        label = f"{name} {'after' if calibrated else 'before'}"
        said = bench.said(label, of, lambda c=calibrated, n=label: bench.judged(_worn(bench, subject, c, n), split))  # type: ignore[misc]
        yield bench.row(subject.inputs, f"{Path(subject.name).stem}, {what}", said, late)


def _worn(bench: Bench, subject: Subject, calibrated: bool, label: str) -> Float32Array:
    """The test records as the model shows them, its head fitted to the first five seconds of each."""
    model = load_model(subject.name)
    read, hidden = calibration.columns(model)
    columns = [LEADS.index(lead) for lead in subject.targets]
    trials, found = calibration.same_record(bench.test, subject.fs), []
    with Progress(label, len(trials)) as progress:
        for t in trials:
            worn = model
            if calibrated:
                fitted = fit(model.spec, [calibration.reference_design(model, t.reference)])
                worn = calibration.worn_as(model, fitted, "same")
            out = StreamReconstructor(worn).feed(np.ascontiguousarray(t.worn[:, read]))
            record = np.array(t.worn[: len(out)])
            record[:, hidden] = out.mv[:, columns]
            found.append(record)
            progress.step()
    return np.stack(found)


def _of_leads(
    bench: Bench, school: School, leads: tuple[str, ...], subject: Subject, real: Float32Array
) -> list[dict[str, Any]]:
    """What needs no network: a linear estimate, none, and a classifier of the measured leads."""
    x, name, of = np.asarray(bench.test.x), "-".join(leads), subject.identity["file_sha256"]
    rows = []
    if (weights := subject.ridge.get("31")) is not None:
        ask = lambda: bench.judged(shown(x, leads, subject.targets, linear(weights), f"{name}, ridge"))  # noqa: E731
        rows.append(bench.row(leads, RIDGE, bench.said(f"{name} ridge", of, ask), real))

    def nothing() -> Float32Array:
        hidden = [BASIS.index(lead) for lead in subject.targets]
        empty = np.array(x)
        empty[:, :, hidden] = 0
        return bench.judged(empty)

    rows.append(bench.row(leads, ZERO, bench.said(f"{name} zero", "", nothing), real))
    rival = school.judge(f"rival-{name.lower()}", JudgeSpec("inception", leads), 2)
    own = learn.probabilities(rival, x, round(SCORED_FROM_S * rival.spec.fs))
    return [*rows, bench.row(leads, RIVAL, own, real, school.limits(rival))]


def _described(bench: Bench) -> dict[str, Any]:
    spec = bench.judge.spec
    return {
        "design": spec.design,
        "parameters": sum(p.numel() for p in bench.judge.parameters()),
        "limits": [float(v) for v in bench.limits],
        "seconds": [SCORED_FROM_S, 10.0],
        "records": len(bench.test),
    }


def sentence(rows: list[dict[str, Any]]) -> str:
    """The study in one sentence for a cardiologist."""
    real = rows[0]["auc"]["macro"]
    said = []
    for leads in (("I", "II"), ("I", "II", "V2")):
        own = [r for r in rows if r["inputs"] == list(leads)]
        name = f"{'-'.join(leads).lower()}-int8"
        model = next((r for r in own if r["estimate"] == name), None)
        rival = next((r for r in own if r["estimate"] == RIVAL), None)
        if model is None:
            continue
        beside = f" (a classifier of the measured leads alone: {rival['auc']['macro']:.3f})" if rival else ""
        said.append(f"{model['auc']['macro']:.3f} on leads reconstructed from {' and '.join(leads)}{beside}")
    return (
        f"A classifier of five groups of diagnoses has a macro AUC of {real:.3f} on real twelve leads"
        + "".join(f", {s}" for s in said)
        + ": reconstructed leads show what the measured ones hold, and no diagnosis beyond it."
    )
