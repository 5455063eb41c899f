"""Checkpoints: written whole or not at all, and read without running code."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ecg_edge.firmware_bridge.errors import CheckpointError
from ecg_edge.train.network.unet import NetSpec, UNet
from ecg_edge.train.runs.checkpoints import load_network, read_checkpoint, reconstruct, write_checkpoint
from tests.support.nets import lively

SPEC = NetSpec(("I", "II"), channels=(4, 6), kernels=(5, 4), dilations=(1,), n_features=4, lookahead=4)


def state(network: UNet, **changes: Any) -> dict[str, Any]:
    return {"net": network.spec.to_dict(), "spec": {}, "average": network.state_dict(), "epoch": 3} | changes


def test_a_network_comes_back_as_it_was(tmp_path: Path) -> None:
    net = lively(SPEC)
    write_checkpoint(tmp_path / "best.pt", state(net))
    for path in (tmp_path, tmp_path / "best.pt"):
        again = load_network(path)
        assert again.spec == SPEC and not again.training
        for a, b in zip(again.state_dict().values(), net.state_dict().values(), strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=0)
    assert [p.name for p in tmp_path.iterdir()] == ["best.pt"]


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_checkpoint(tmp_path / "last.pt", state(lively(SPEC)))
    before = (tmp_path / "last.pt").read_bytes()

    def full(path: Path, data: bytes) -> int:
        with path.open("wb") as f:
            f.write(bytes(data)[:100])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        write_checkpoint(tmp_path / "last.pt", state(lively(SPEC), epoch=4))
    monkeypatch.undo()
    assert (tmp_path / "last.pt").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["last.pt"]
    assert read_checkpoint(tmp_path / "last.pt")["epoch"] == 3


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_code_in_a_checkpoint_is_not_run(tmp_path: Path) -> None:
    hit = tmp_path / "hit"
    torch.save(state(lively(SPEC), spec=Trap(hit)), tmp_path / "evil.pt")
    (tmp_path / "bare.pt").write_bytes(pickle.dumps(Trap(hit), protocol=2))
    for name in ("evil.pt", "bare.pt"):
        with pytest.raises(CheckpointError, match="cannot read"):
            read_checkpoint(tmp_path / name)
    assert not hit.exists()


@pytest.mark.parametrize("cut", [0, 10, 1000, -1])
def test_a_truncated_checkpoint_names_the_way_out(cut: int, tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "best.pt", state(lively(SPEC)))
    whole = (tmp_path / "best.pt").read_bytes()
    (tmp_path / "best.pt").write_bytes(whole[:cut])
    with pytest.raises(CheckpointError, match="cannot read") as caught:
        read_checkpoint(tmp_path / "best.pt")
    assert "last.pt" in caught.value.fix


def test_what_is_not_there_or_not_ours_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no checkpoint") as caught:
        load_network(tmp_path)
    assert "ecg-edge train" in caught.value.fix
    for other in ([1, 2], {"model": {}}, {"net": {}, "spec": {}, "epoch": 1}):
        torch.save(other, tmp_path / "best.pt")
        with pytest.raises(CheckpointError, match="not a checkpoint of ecg-edge"):
            load_network(tmp_path)


def test_weights_of_another_shape_do_not_fit_their_description(tmp_path: Path) -> None:
    wide = NetSpec(("I", "II"), channels=(8, 6), kernels=(5, 4), dilations=(1,), n_features=4)
    write_checkpoint(tmp_path / "best.pt", state(lively(SPEC), net=wide.to_dict()))
    with pytest.raises(CheckpointError, match="does not fit its own description"):
        load_network(tmp_path)


@pytest.mark.parametrize("n", [40, 41, 63])
def test_rows_stand_at_their_instants_and_the_end_is_what_is_known(n: int) -> None:
    net = lively(SPEC)
    x = np.random.default_rng(0).normal(size=(3, n, 2)).astype(np.float32)
    found = reconstruct(net, x)
    whole = n // SPEC.hop * SPEC.hop
    assert found.shape == (3, whole - SPEC.lookahead, 6)
    with torch.no_grad():
        mean, _ = net(torch.from_numpy(x[:, :whole].transpose(0, 2, 1).copy()))
    np.testing.assert_array_equal(found, mean.numpy().transpose(0, 2, 1)[:, SPEC.lookahead :])
