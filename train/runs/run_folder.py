"""The run folder: everything a training run leaves behind, and how to find the data again."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ecg_edge.device.conditioning.spec import ConditioningSpec
from ecg_edge.firmware_bridge.errors import CheckpointError, DataFolderError
from ecg_edge.train.data.datasets import KINDS, Dataset, open_dataset, recognise

DATASET = {
    "name": "PTB-XL 1.0.3, 100 Hz, folds 1-8 (training), 9 (validation)",
    "licence": "CC BY 4.0",
    "citation": (
        "Wagner P, Strodthoff N, Bousseljot R, Samek W, Schaeffter T. PTB-XL, a large publicly available "
        "electrocardiography dataset (version 1.0.3). PhysioNet 2022. doi:10.13026/kfzx-aw45"
    ),
}


@dataclass(frozen=True)
class RunFolder:
    """Paths inside a run folder.

    Attributes
    ----------
    path : Path
        ``config.json`` (settings, environment, commit), ``last.pt``, ``best.pt``, ``history.jsonl``,
        ``calibration.npz`` (what the model file says beside the weights).
    """

    path: Path

    @property
    def config_file(self) -> Path:
        """Settings and environment of the run."""
        return self.path / "config.json"

    @property
    def calibration_file(self) -> Path:
        """Moments, interval, baselines; written when training has finished."""
        return self.path / "calibration.npz"

    def write_config(self, config: dict[str, Any]) -> None:
        """Record how the run was made before the first epoch."""
        self.path.mkdir(parents=True, exist_ok=True)
        self.config_file.write_text(json.dumps({**config, **environment()}, indent=2) + "\n")

    def read_config(self) -> dict[str, Any]:
        """Read `config.json`.

        Raises
        ------
        CheckpointError
            The folder is not a training run.
        """
        try:
            doc = json.loads(self.config_file.read_text())
        except (OSError, ValueError) as e:
            raise CheckpointError(
                f"{self.path} is not a training run: {e}", "give the folder that `ecg-edge train --out` wrote"
            ) from e
        if not isinstance(doc, dict):
            raise CheckpointError(f"{self.config_file} is damaged", "train again")
        return doc

    def history(self) -> list[dict[str, Any]]:
        """Figures of every epoch so far."""
        file = self.path / "history.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.is_file() else []

    def conditioning(self) -> ConditioningSpec:
        """The chain the run was trained behind.

        Raises
        ------
        CheckpointError
            Its response differs from that of this build's chain.
        """
        spec = ConditioningSpec.from_dict(self.read_config()["conditioning"])
        if spec.departure:
            raise CheckpointError(
                f"{self.path} was trained on records of {spec.departure}",
                "train again, or use the version of ecg-edge that trained it",
            )
        return spec


def environment() -> dict[str, Any]:
    """Versions and commit, for the record."""
    try:
        commit = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True, timeout=10
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        commit = ""
    packages = {name: version(name) for name in ("ecg-edge", "torch", "numpy", "scipy")}
    return {"commit": commit, "python": platform.python_version(), "packages": packages}


def data_root(given: str | None) -> Path | Dataset:
    """Find the data: ``--data``, else ``$ECG_EDGE_DATA``.

    Returns
    -------
    Path or Dataset
        A PTB-XL folder (the folder itself or ``ptb-xl`` inside it), or another data set,
        named as ``KIND:DIR`` or recognised.

    Raises
    ------
    DataFolderError
        Neither is set, or no data set is there.
    """
    text = given or os.environ.get("ECG_EDGE_DATA")
    if not text:
        raise DataFolderError("where is PTB-XL?", "give --data DIR, or set ECG_EDGE_DATA")
    root = Path(text)
    for folder in (root / "ptb-xl", root):
        if (folder / "ptbxl_database.csv").is_file():
            return folder
    if text.partition(":")[0] in KINDS or (root.is_dir() and recognise(root) != "wfdb"):
        return open_dataset(text)
    return root
