"""Checkpoints of a run: written by renaming, read without unpickling code; and the network out of one at work."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ecg_edge.firmware_bridge.array_types import Float32Array
from ecg_edge.firmware_bridge.errors import CheckpointError
from ecg_edge.train.network.unet import NetSpec, UNet


def write_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write by renaming: a killed process, or a full disk, leaves the one before.

    Raises
    ------
    OSError
        The disk is full, or the folder cannot be written.
    """
    blob = io.BytesIO()  # torch itself would tell a full disk as a RuntimeError of its archive
    torch.save(state, blob)
    part = path.with_suffix(".part")
    try:
        part.write_bytes(blob.getbuffer())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Load a checkpoint written by `Trainer.save`, without unpickling code.

    Raises
    ------
    CheckpointError
        Missing, truncated, or not ours.
    """
    if not path.is_file():
        raise CheckpointError(f"no checkpoint {path}", "train first: ecg-edge train --out RUN")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, OSError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as e:
        raise CheckpointError(f"cannot read {path}: {e}", "use last.pt or train again") from e
    if not isinstance(state, dict) or not {"net", "spec", "average", "epoch"} <= state.keys():
        raise CheckpointError(f"{path} is not a checkpoint of ecg-edge", "give the run folder or its best.pt")
    return state


def load_network(run: Path) -> UNet:
    """The averaged network of a run folder (``best.pt``) or of a checkpoint file, ready for evaluation."""
    path = run if run.is_file() else run / "best.pt"
    state = read_checkpoint(path)
    model = UNet(NetSpec.from_dict(state["net"]))
    try:
        model.load_state_dict(state["average"])
    except RuntimeError as e:
        raise CheckpointError(f"{path} does not fit its own description: {e}", "train again") from e
    return model.eval()


@torch.no_grad()
def reconstruct(model: UNet, x: Float32Array) -> Float32Array:
    """Estimate the missing leads of whole records.

    Parameters
    ----------
    model : UNet
        In evaluation mode.
    x : ndarray of shape (n_records, n_samples, n_inputs)
        Conditioned, in mV.

    Returns
    -------
    ndarray of shape (n_records, m, n_targets)
        Row ``t`` belongs to input row ``t``; the last rows, whose future is not there, are left out.
    """
    hop, late = model.spec.hop, model.spec.lookahead
    n = x.shape[1] // hop * hop
    device = next(model.parameters()).device
    mean, _ = model(torch.from_numpy(np.ascontiguousarray(x[:, :n].transpose(0, 2, 1))).to(device))
    return np.asarray(mean.cpu().numpy().transpose(0, 2, 1)[:, late:])
