"""What a file says of whole records: streamed and offline alike, by the head of its description."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ecg_edge.device.inference.load import Model
from ecg_edge.export import run_file
from ecg_edge.export.exporter import Exporter
from ecg_edge.firmware_bridge.errors import ModelFileError
from ecg_edge.train.runs.checkpoints import reconstruct
from tests.support.nets import noise

X = np.stack([noise(400, 2, seed) for seed in range(3)])


@pytest.mark.parametrize("kind", ["fp32", "tflite-fp32", "fp32-offline", "tflite-fp32-offline"])
def test_means_are_those_of_the_network(kind: str, files: dict[str, Path], exporter: Exporter) -> None:
    name = kind if kind in files else f"{kind.removesuffix('-offline')}-offline"
    spec, body, digest = run_file.bodies(files[name])
    features, mean = run_file.means(spec, body, X, "records")
    want = reconstruct(exporter.network, X)
    assert len(digest) == 64 and features.shape == (*mean.shape[:2], spec.n_features)
    np.testing.assert_allclose(mean, want[:, : mean.shape[1]], atol=2e-5)


@pytest.mark.parametrize("n", [160, 161, 399, 400])
def test_a_shorter_record_is_cut_to_whole_hops_and_what_is_known(n: int, files: dict[str, Path]) -> None:
    found = {}
    for kind in ("fp32-offline", "tflite-fp32-offline"):
        spec, body, _ = run_file.offline(files[kind])
        y = body(X[0, :n])
        assert len(y) == n // spec.hop * spec.hop - spec.lookahead
        found[kind] = y
    np.testing.assert_allclose(*found.values(), atol=1e-5)


def test_a_body_does_not_remember_the_record_before(models: dict[str, Model]) -> None:
    body = run_file.streaming(models["int8"])
    first = body(X[0])
    body(X[1])
    np.testing.assert_array_equal(body(X[0]), first)


def test_what_is_no_file_of_ours_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m-fp32-offline.onnx").write_bytes(b"nothing")
    for name in ("m-fp32-offline.onnx", "n-fp32-offline.tflite"):
        with pytest.raises(ModelFileError):
            run_file.bodies(tmp_path / name)
