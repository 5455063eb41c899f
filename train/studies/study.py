"""Train and score the rows of a study one after the other; a finished row is one JSON file and is not done again."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ecg_edge.device.lead_algebra import BASIS
from ecg_edge.firmware_bridge.console import hint
from ecg_edge.train.data.prepare import SCORED_FROM_S, Prepared
from ecg_edge.train.evaluation import metrics
from ecg_edge.train.learning.trainer import Trainer
from ecg_edge.train.network.offline_unet import OfflineUNet, centred
from ecg_edge.train.network.unet import UNet
from ecg_edge.train.runs.checkpoints import reconstruct
from ecg_edge.train.runs.run_folder import environment
from ecg_edge.train.studies import noise_test as disturbed
from ecg_edge.train.studies.grid import StudyRow

_BATCH = 128


class StudyTrainer(Trainer):
    """The training loop of the shipped models, around any design of a study."""

    def __init__(self, row: StudyRow, train: Prepared, validation: Prepared, out: Path) -> None:
        self._row = row
        super().__init__(row.net, row.train, train, validation, out)

    def build(self) -> torch.nn.Module:
        """The row's design, fresh."""
        return super().build() if self._row.design == "ours" else _offline(self._row)


def _offline(row: StudyRow) -> torch.nn.Module:
    return OfflineUNet(row.net) if row.design == "offline U-Net" else centred(UNet(row.net))


def with_leads(data: Prepared, leads: tuple[str, ...]) -> Prepared:
    """Put III, where a row measures it, into the column of II: the basis has no column for it.

    I and III give II exactly; III alone leaves I (and with it II) to be estimated.
    """
    if "III" not in leads:
        return data
    x = np.array(data.x)
    column = BASIS.index("II")
    x[..., column] = x[..., BASIS.index("II")] - x[..., BASIS.index("I")]
    return replace(data, x=x)


def quarter(data: Prepared, every: int = 4) -> Prepared:
    """Every fourth record, in the order of the table."""
    keep = range(0, len(data), every)
    return Prepared(
        np.ascontiguousarray(data.x[::every]),
        [data.ids[k] for k in keep],
        [data.patients[k] for k in keep],
        [data.superclasses[k] for k in keep],
        data.excluded,
    )


def run_row(
    row: StudyRow, parts: tuple[Prepared, Prepared, Prepared], out: Path, disturb: bool = False
) -> dict[str, Any]:
    """Train one row (or continue it), score it on the test records, write ``<name>.json``.

    Parameters
    ----------
    row : StudyRow
        What to train.
    parts : tuple of Prepared
        Training, validation and test records.
    out : Path
        Folder of the results; the checkpoint lies in ``<name>/`` below it.
    disturb : bool
        Also score on test records disturbed in each way of `disturbed.CONDITIONS`.

    Returns
    -------
    dict
        The document written.
    """
    done = out / f"{row.name}.json"
    if done.is_file():
        return dict(json.loads(done.read_text()))
    folder = out / row.name
    folder.mkdir(parents=True, exist_ok=True)
    measured = row.net.input_leads
    row = replace(row, net=replace(row.net, input_leads=_columns(measured)))
    train, validation, test = (with_leads(p, measured) for p in parts)
    start = time.monotonic()
    trainer = StudyTrainer(row, train, validation, folder)
    if (folder / "last.pt").is_file():
        trainer.load(folder / "last.pt")
    trainer.fit(lambda r: hint(f"{row.name} epoch {r['epoch']}: validation r {r['mean']['r']:.4f}"))
    doc = {
        "configuration": row.configuration,
        "design": row.design,
        "inputs": list(measured),
        "figures": score(trainer.average, test, measured),
        "parameters": sum(p.numel() for p in trainer.model.parameters()),
        "epochs": row.train.epochs,
        "records": {"train": len(train), "validation": len(validation), "test": len(test)},
        "settings": {"net": row.net.to_dict(), "train": row.train.to_dict()},
        "seconds": round(time.monotonic() - start, 1),
        **environment(),
    }
    if disturb:
        doc["disturbed"] = disturbed.score(trainer.average, test)
    part = done.with_suffix(".part")
    part.write_text(json.dumps(doc, indent=1) + "\n")
    part.replace(done)
    return doc


def _columns(measured: tuple[str, ...]) -> tuple[str, ...]:
    """The basis columns that hold the measured leads: III lies in the column of II."""
    return tuple("II" if lead == "III" else lead for lead in measured)


def score(model: Any, data: Prepared, measured: tuple[str, ...]) -> dict[str, Any]:
    """Figures of the hidden leads on whole records, from 2.0 s on, in float32 (equal to streamed for ours)."""
    inputs = _columns(measured)
    targets = tuple(model.spec.target_leads)
    cols_in, cols_out = [BASIS.index(n) for n in inputs], [BASIS.index(n) for n in targets]
    parts = []
    for k in range(0, len(data), _BATCH):
        x = np.asarray(data.x[k : k + _BATCH])
        guess = reconstruct(model, x[..., cols_in])
        scored = slice(round(SCORED_FROM_S * model.spec.fs), guess.shape[1])
        parts.append(metrics.figures(x[:, scored][..., cols_out], guess[:, scored], targets))
    return metrics.concatenate(parts).summary()
