"""A small PTB-XL-like folder and a run trained on it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from ecg_edge.device.conditioning.spec import ConditioningSpec
from ecg_edge.train.data.prepare import Prepared, prepare
from ecg_edge.train.network.unet import NetSpec
from tests.support.ptbxl_folder import write_folder

SMALL = NetSpec(("I", "II"), channels=(6, 8, 10, 12), dilations=(1, 2), n_features=6)


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def ptbxl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("ptbxl"), {1: 12, 2: 12, 9: 6, 10: 5})


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.getbasetemp() / "cache"
    monkeypatch.setenv("ECG_EDGE_CACHE", str(folder))
    return folder


@pytest.fixture
def parts(ptbxl: Path, cache: Path) -> tuple[Prepared, Prepared]:
    spec = ConditioningSpec()
    return prepare(ptbxl, (1, 2), spec), prepare(ptbxl, (9,), spec)


@pytest.fixture
def small() -> NetSpec:
    return SMALL
