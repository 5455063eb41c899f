"""Model files of a small network, shared by the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support.nets import SMALL, exporter_of, lively, noise

from ecg_edge.device.model import Model
from ecg_edge.export.build import Exporter
from ecg_edge.train.network import NetSpec


@pytest.fixture(scope="session")
def exporter() -> Exporter:
    return exporter_of(lively(NetSpec(("I", "II"), **SMALL)))


@pytest.fixture(scope="session")
def models(exporter: Exporter, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Model]:
    """fp32 and int8 files of the small network, loaded as the device does."""
    folder = tmp_path_factory.mktemp("models")
    quant = exporter.quantise(np.stack([noise(400, 2, s) for s in range(12)]))
    return {
        "fp32": exporter.write(folder / "a.onnx", exporter.describe(None, {}, {}), None),
        "int8": exporter.write(folder / "b.onnx", exporter.describe(quant, {}, {}), quant),
    }


@pytest.fixture(scope="session")
def make_models(tmp_path_factory: pytest.TempPathFactory) -> Callable[[NetSpec], dict[str, Path]]:
    """Files of another network."""

    def make(spec: NetSpec) -> dict[str, Path]:
        e = exporter_of(lively(spec, 3))
        folder = tmp_path_factory.mktemp("more")
        quant = e.quantise(np.stack([noise(400, len(spec.input_leads), s) for s in range(4)]))
        e.write(folder / "fp32.onnx", e.describe(None, {}, {}), None)
        e.write(folder / "int8.onnx", e.describe(quant, {}, {}), quant)
        return {"fp32": folder / "fp32.onnx", "int8": folder / "int8.onnx"}

    return make
