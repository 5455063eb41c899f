"""Model files of a small network, shared by the tests of this folder."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ecg_edge.device.inference.load import Model, load_model
from ecg_edge.export.exporter import Exporter
from ecg_edge.export.targets import Target
from ecg_edge.train.network.unet import NetSpec
from tests.support.nets import SMALL, exporter_of, lively, noise


@pytest.fixture(scope="session")
def exporter() -> Exporter:
    return exporter_of(lively(NetSpec(("I", "II"), **SMALL)))


KINDS = [
    Target("onnx", "fp32"),
    Target("onnx", "int8"),
    *(Target("tflite", precision) for precision in ("fp32", "fp16", "dynamic", "int8")),
]


def written(e: Exporter, folder: Path, targets: list[Target], seeds: int) -> dict[str, Path]:
    """Files of a network by format and precision: ``int8`` (ONNX), ``tflite-int8``, ``tflite-int8-offline``."""
    n = len(e.spec.input_leads)
    e = e.for_eight_bits(np.stack([noise(400, n, s) for s in range(seeds)]))
    quant = e.eight.quantisation
    out = {}
    for t in targets:
        name = ("" if t.format == "onnx" else "tflite-") + t.precision + ("-offline" if t.offline else "")
        spec = e.describe(t, quant, {}, {})
        out[name] = e.write(folder / t.file_name("m"), t, spec, quant, n_samples=400)
    return out


@pytest.fixture(scope="session")
def files(exporter: Exporter, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every file the small network can become."""
    targets = KINDS + [dataclasses.replace(t, offline=True) for t in KINDS]
    return written(exporter, tmp_path_factory.mktemp("models"), targets, seeds=12)


@pytest.fixture(scope="session")
def models(files: dict[str, Path]) -> dict[str, Model]:
    """The streaming ones, loaded as the device does."""
    return {name: load_model(path) for name, path in files.items() if not name.endswith("offline")}


@pytest.fixture(scope="session")
def make_models(tmp_path_factory: pytest.TempPathFactory) -> Callable[[NetSpec], dict[str, Path]]:
    """Files of another network."""

    def make(spec: NetSpec) -> dict[str, Path]:
        return written(exporter_of(lively(spec, 3)), tmp_path_factory.mktemp("more"), KINDS, seeds=4)

    return make
