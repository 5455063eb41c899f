"""A small folder laid out as PTB-XL, of synthetic hearts: two random dipoles seen by eight leads."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import wfdb

from ecg_edge.device.lead_algebra import twelve_from_basis
from ecg_edge.firmware_bridge.lead_names import LEADS

N = 1000


def heart(seed: int) -> np.ndarray:
    """Ten seconds of twelve leads at 100 Hz in mV, shape (1000, 12)."""
    rng = np.random.default_rng(seed)
    t = np.arange(N) / 100
    beats = np.arange(rng.uniform(0, 0.8), 10, rng.uniform(0.7, 1.1))
    waves = []
    for centre, width in ((-0.16, 0.025), (0.0, 0.02), (0.03, 0.015), (0.28, 0.05)):
        shape = np.exp(-(((t[:, None] - beats - centre) / width) ** 2) / 2).sum(axis=1)
        waves.append(shape[:, None] * rng.normal([[0.3, 0.8, -0.5, -0.2, 0.4, 0.9, 1.0, 0.8]], 0.2))
    basis = sum(waves) + rng.normal(0, 0.01, (N, 8))
    return np.round(np.asarray(basis) @ twelve_from_basis().T, 3)


def write_record(root: Path, number: int, x: np.ndarray, fs: int = 100) -> str:
    """Write one record; return its ``filename_lr``."""
    folder = root / "records100" / "00000"
    folder.mkdir(parents=True, exist_ok=True)
    names = [n.upper() if n.startswith("a") else n for n in LEADS[: x.shape[1]]]
    wfdb.wrsamp(
        f"{number:05d}_lr",
        fs=fs,
        units=["mV"] * x.shape[1],
        sig_name=names,
        p_signal=x,
        fmt=["16"] * x.shape[1],
        adc_gain=[1000.0] * x.shape[1],
        baseline=[0] * x.shape[1],
        write_dir=str(folder),
    )
    return f"records100/00000/{number:05d}_lr"


def write_folder(root: Path, folds: dict[int, int]) -> Path:
    """Write ``folds[k]`` records of fold k and the table."""
    rows, number = [], 0
    for fold, count in folds.items():
        for _ in range(count):
            number += 1
            name = write_record(root, number, heart(number))
            rows.append([number, 1000 + number // 2, fold, name, "NORM"])
    with (root / "ptbxl_database.csv").open("w", newline="") as f:
        writer = csv.writer(f)
        writer.writerow(["ecg_id", "patient_id", "strat_fold", "filename_lr", "diagnostic_superclass"])
        writer.writerows(rows)
    return root
