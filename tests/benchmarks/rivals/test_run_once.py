"""One call is one hop, or one window, of the file that was opened."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from ecg_edge.benchmarks.hop_cost.random_weights import exporter_of
from ecg_edge.benchmarks.rivals import memory, rivals
from ecg_edge.benchmarks.rivals.run_once import foreign, stream, window
from ecg_edge.device.inference.shipped import resolve
from ecg_edge.export.targets import Target
from ecg_edge.firmware_bridge.errors import ModelFileError
from ecg_edge.train.network.unet import NetSpec, UNet

SMALL = NetSpec(("I", "II"), channels=(4, 6), kernels=(5, 4), dilations=(1,), n_features=4)
N = 100


@pytest.fixture(scope="module")
def offline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    exporter = exporter_of(UNet(SMALL).eval())
    target = Target("onnx", "fp32", offline=True)
    path = tmp_path_factory.mktemp("offline") / target.file_name("small")
    return exporter.write(path, target, exporter.describe(target, None, {}, {}), None, N)


def test_a_stream_gives_a_hop_of_features_and_keeps_its_state() -> None:
    work = stream(resolve("i-ii-int8"))
    first, second = np.array(work()), np.array(work())
    assert first.shape == second.shape
    assert not np.array_equal(first, second)  # the same samples behind another past


def test_a_window_is_run_whole_and_again(offline: Path) -> None:
    work = window(offline, N)
    first, second = np.array(work()), np.array(work())
    assert first.shape == (N - SMALL.lookahead, SMALL.n_features)
    np.testing.assert_array_equal(first, second)


def test_a_foreign_file_is_run_by_its_own_input(tmp_path: Path) -> None:
    path = tmp_path / "foreign.onnx"
    path.write_bytes(rivals._to_onnx(torch.nn.Conv1d(2, 3, 5, padding=2), (1, 2, 40)))
    (y,) = foreign(path, (1, 2, 40))()  # type: ignore[misc]
    assert y.shape == (1, 3, 40)


def test_memory_opens_each_kind_by_its_shape(offline: Path, tmp_path: Path) -> None:
    other = tmp_path / "foreign.onnx"
    other.write_bytes(rivals._to_onnx(torch.nn.Conv1d(2, 3, 5), (1, 2, 40)))
    assert np.array(memory.opened(offline, (N, 2))()).size > N
    assert len(memory.opened(other, [1, 2, 40])()) == 1  # type: ignore[arg-type]
    with pytest.raises(ModelFileError):
        memory.opened(other, None)


@pytest.mark.skipif(not memory.STATUS_FILE.exists(), reason="needs /proc")
def test_memory_of_a_shape_is_measured_in_a_process_of_its_own(
    offline: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(memory, "PEAK_RESET", tmp_path / "clear_refs")  # this process's own peak stays
    assert memory.main([str(offline), json.dumps((N, 2))]) == 0
    assert float(capsys.readouterr().out) >= 0
    assert (tmp_path / "clear_refs").read_text() == "5"
    monkeypatch.setattr(memory, "STATUS_FILE", tmp_path / "nothing")
    assert memory.main([str(offline), json.dumps((N, 2))]) == 1
    assert capsys.readouterr().out == ""
