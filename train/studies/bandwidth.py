"""Whether a network at 250 Hz knows more than one at 100 Hz, interpolated: rows trained alike, read on real 500 Hz."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import signal

from ecg_edge.device.conditioning.conditioner import Conditioner
from ecg_edge.device.conditioning.spec import ConditioningSpec
from ecg_edge.device.lead_algebra import BASIS
from ecg_edge.firmware_bridge.array_types import Float32Array
from ecg_edge.firmware_bridge.console import hint
from ecg_edge.train.data import ptbxl
from ecg_edge.train.data.datasets import open_dataset
from ecg_edge.train.data.prepare import Prepared, prepare
from ecg_edge.train.jobs import recipe
from ecg_edge.train.learning.train_spec import TrainSpec
from ecg_edge.train.learning.trainer import Trainer
from ecg_edge.train.network.unet import NetSpec, UNet
from ecg_edge.train.runs.checkpoints import load_network, reconstruct
from ecg_edge.train.runs.run_folder import environment
from ecg_edge.train.studies import bandwidth_figures
from ecg_edge.train.studies.study import quarter

LOW, HIGH, NATIVE = 100, 250, 500
STUDY = "bandwidth"
_TUNED_RATE = 0.25
"""Fine-tuning's rate, as a share of the first training's."""


@dataclass(frozen=True)
class BandwidthRow:
    """One network of the study.

    Attributes
    ----------
    name : str
        As the table calls it, and its folder.
    net, train : NetSpec, TrainSpec
        Shape and training.
    real : bool
        Trained on the real 500 Hz records, from the weights of `after`.
    after : str
        Name of the row it starts from.
    """

    name: str
    net: NetSpec
    train: TrainSpec
    real: bool = False
    after: str = ""


def rows(epochs: int, thin: bool = False) -> list[BandwidthRow]:
    """The networks, those others start from first; `thin` ones try the machinery."""
    low, high = (recipe.read(recipe.find(name)) for name in ("i-ii", "i-ii-250hz-first"))
    nets = {LOW: low.net, HIGH: high.net}
    if thin:
        nets = {fs: replace(n, channels=(6, 8, 8, 10, 12)[-len(n.channels) :], n_features=6) for fs, n in nets.items()}
    found = []
    for fs, how in ((LOW, low.train), (HIGH, high.train)):
        first = BandwidthRow(f"{fs} Hz", nets[fs], replace(how, epochs=epochs))
        tuned = replace(how, epochs=epochs, lr=how.lr * _TUNED_RATE, batch=min(how.batch, 32))
        found += [first, BandwidthRow(f"{fs} Hz, fine-tuned", nets[fs], tuned, True, first.name)]
    return found


def run(root: Path, out: Path, epochs: int, limit: int | None = None, thin: bool = False) -> dict[str, Any]:
    """Train every row (or continue), read all of them on fold 10's 500 Hz records, write ``bandwidth.json``.

    Parameters
    ----------
    root : Path
        PTB-XL with ``records100`` and ``records500``.
    out : Path
        Folder of checkpoints and result.
    epochs : int
        Of every row.
    limit : int, optional
        Only the first so many records of each part.
    thin : bool
        Small networks, to try the machinery.
    """
    parts = _Parts(root, limit)
    found = []
    for row in rows(epochs, thin):
        hint(f"row {row.name}")
        model = _trained(row, parts, out)
        found.append(
            {"configuration": row.name, "fs": row.net.fs, "records": len(parts.training(row.net.fs, row.real))}
            | {"macs_per_s": macs_per_second(model), "epochs": row.train.epochs}
            | {"figures": bandwidth_figures.of(*parts.held_against(partial(reconstruct, model), row.net))}
        )
    through = {"configuration": "truth at 100 Hz, interpolated", "fs": LOW, "records": 0, "macs_per_s": 0, "epochs": 0}
    ceiling = bandwidth_figures.of(*parts.held_against(None, rows(epochs, thin)[0].net))
    doc = {
        "study": STUDY,
        "rows": [*found, {**through, "figures": ceiling}],
        "test_records": len(parts.test(HIGH)),
        **environment(),
    }
    (out / f"{STUDY}.json").write_text(json.dumps(doc, indent=1) + "\n")
    return doc


class _Parts:
    """Records of every kind the study needs, prepared when asked for."""

    def __init__(self, root: Path, limit: int | None) -> None:
        self._real, self._root, self._limit = open_dataset(f"ptb-xl-500:{root}"), root, limit
        self._spec = ConditioningSpec()

    def _prepare(self, source: Any, folds: tuple[int, ...], fs: int) -> Prepared:
        return prepare(source, folds, self._spec, self._limit, f"fold {folds[0]} at {fs} Hz", fs)

    def training(self, fs: int, real: bool) -> Prepared:
        """A quarter of the archive, or the real 500 Hz records of the training folds."""
        if real:
            return self._prepare(self._real, ptbxl.TRAIN_FOLDS, fs)
        return quarter(self._prepare(self._root, ptbxl.TRAIN_FOLDS, fs))

    def validation(self, fs: int) -> Prepared:
        """Real 500 Hz records of fold 9."""
        return self._prepare(self._real, (ptbxl.VALIDATION_FOLD,), fs)

    def test(self, fs: int) -> Prepared:
        """Real 500 Hz records of fold 10."""
        return self._prepare(self._real, (ptbxl.TEST_FOLD,), fs)

    def held_against(
        self, estimate: Callable[[Float32Array], Float32Array] | None, net: NetSpec
    ) -> tuple[Float32Array, Float32Array, Float32Array, tuple[str, ...]]:
        """Truth, estimate (the truth itself at the network's rate where None), lead I, all at 250 Hz, and the leads."""
        columns = [BASIS.index(lead) for lead in net.target_leads]
        truth, seen = np.asarray(self.test(HIGH).x), np.asarray(self.test(net.fs).x)
        inputs = seen[:, :, [BASIS.index(lead) for lead in net.input_leads]]
        guess = seen[:, :, columns] if estimate is None else estimate(inputs)
        if net.fs != HIGH:
            guess = interpolated(guess, net.fs)
        n = min(guess.shape[1], truth.shape[1])
        return truth[:, :n][:, :, columns], guess[:, :n], truth[:, :n, BASIS.index("I")], net.target_leads


def interpolated(x: Float32Array, fs: int) -> Float32Array:
    """Rows at `fs`, shape (n_records, n_samples, n_leads), as rows at 250 Hz on the axis of the 250 Hz conditioner.

    The two conditioners' resamplers delay by different times; the difference is taken out.
    """
    up = signal.resample_poly(x, HIGH // 50, fs // 50, axis=1, padtype="line")
    late = Conditioner(NATIVE, fs, 1, ConditioningSpec()).delay - Conditioner(NATIVE, HIGH, 1, ConditioningSpec()).delay
    rows_late = late * HIGH
    assert abs(rows_late - round(rows_late)) < 1e-9, "the delays differ by a fraction of a sample"
    return np.asarray(up[:, round(rows_late) :], np.float32)


def _trained(row: BandwidthRow, parts: _Parts, out: Path) -> UNet:
    """The row's best network, trained now or before."""
    folder = out / row.name.replace(", ", "-").replace(" ", "")
    folder.mkdir(parents=True, exist_ok=True)
    train, validation = parts.training(row.net.fs, row.real), parts.validation(row.net.fs)
    batch = min(row.train.batch, len(train))
    trainer = Trainer(row.net, replace(row.train, batch=batch), train, validation, folder)
    if (folder / "last.pt").is_file():
        trainer.load(folder / "last.pt")
    elif row.after:
        trainer.start_from(load_network(out / row.after.replace(" ", "")))
    trainer.fit(lambda r: hint(f"{row.name} epoch {r['epoch']}: validation r {r['mean']['r']:.4f}"))
    return load_network(folder)


@torch.no_grad()
def macs_per_second(model: UNet) -> int:
    """Multiply-accumulates for a second of signal, by looking at every convolution's output."""
    seconds, total = 8, 0

    def count(conv: torch.nn.Module, _: Any, y: torch.Tensor) -> None:
        nonlocal total
        assert isinstance(conv, torch.nn.Conv2d)
        total += conv.weight.numel() * y.shape[-1]

    hooks = [m.register_forward_hook(count) for m in model.modules() if isinstance(m, torch.nn.Conv2d)]
    model(torch.zeros(1, model.spec.n_inputs, seconds * model.spec.fs // model.spec.hop * model.spec.hop))
    for hook in hooks:
        hook.remove()
    return total // seconds
