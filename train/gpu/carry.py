"""What a machine that trains needs beside records: this code, and the shipped networks as weights."""

from __future__ import annotations

import tarfile
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from ecg_edge.train.data.prepare import Prepared
from ecg_edge.train.gpu.farm import DONE
from ecg_edge.train.gpu.run import SHIPPED_FILE
from ecg_edge.train.learning.batches import draw
from ecg_edge.train.learning.train_spec import TrainSpec
from ecg_edge.train.runs.checkpoints import write_checkpoint
from ecg_edge.train.runs.from_model_file import load_file, settle_norms

CODE_FILE = "code.tar.gz"
_ROOMS = ("device", "train", "firmware_bridge")
_LEFT = (".onnx", ".tflite", ".pyc")
_SETTLE_RECORDS = 256


def code(out: Path) -> Path:
    """Archive the package, without what no training needs; unpacked beside a script it can be imported."""
    path = out / CODE_FILE
    with tarfile.open(path, "w:gz", dereference=True) as tar:
        for room in ("", *_ROOMS):
            module = import_module(f"ecg_edge.{room}".rstrip("."))
            for folder in map(Path, module.__path__):
                for file in sorted(folder.rglob("*") if room else folder.glob("*.py")):
                    if file.is_file() and file.suffix not in _LEFT and "web" not in file.parts:
                        tar.add(file, Path("ecg_edge", room, file.relative_to(folder)))
    return path


def shipped_weights(out: Path, names: tuple[str, ...], train: Prepared) -> Path:
    """Archive shipped networks as runs that can teach, their batch norms settled on training records."""
    path, rng = out / SHIPPED_FILE, np.random.default_rng(0)
    rows = rng.permutation(len(train))[:_SETTLE_RECORDS]
    with TemporaryDirectory() as here, tarfile.open(path, "w:xz") as tar:
        for name in names:
            model = load_file(f"{name}-int8")
            settle_norms(model, draw(train, rows, model.spec, TrainSpec(), rng).inputs)
            folder = Path(here) / "shipped" / name
            folder.mkdir(parents=True)
            spec = {"net": model.spec.to_dict(), "spec": TrainSpec().to_dict()}
            write_checkpoint(folder / "best.pt", {**spec, "epoch": 0, "average": model.state_dict()})
            (folder / DONE).touch()
        tar.add(Path(here) / "shipped", "shipped")
    return path
