"""The head as a model file holds it: the network's weights and what was measured after training, in one call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ecg_edge.device.inference.spec import Head
from ecg_edge.device.lead_algebra import BASIS
from ecg_edge.firmware_bridge.array_types import Float32Array
from ecg_edge.train.head import figures_any_lead
from ecg_edge.train.head.design import head_lags, head_weights
from ecg_edge.train.head.figures import LEVEL, HeadFigures
from ecg_edge.train.network.unet import UNet


def read_head(network: UNet, file: Path) -> tuple[Head, dict[str, Any]]:
    """Return the head of a finished run, and the other fields of `ModelSpec` that were measured after training.

    Parameters
    ----------
    network : UNet
        The run's network.
    file : Path
        The run's ``calibration_file``.

    Raises
    ------
    CheckpointError
        The file is missing or damaged: the run has not finished.
    """
    if network.spec.any_lead:
        subsets, settling_s = figures_any_lead.load(file)
        if network.spec.any_electrode:  # lead sets have models of their own; their moments are half of the file
            subsets = tuple(s.without_calibration() if set(s.leads) <= set(BASIS) else s for s in subsets)
        return plain_head(network), {"subsets": subsets, "settling_s": settling_s, **any_fields(network)}
    found = HeadFigures.load(file)
    head = _head(network, found.moments, found.interval_factors, found.shrink)
    return head, {"ridge": found.ridge, "settling_s": found.settling_s}


def any_fields(network: UNet) -> dict[str, Any]:
    """Fields of `ModelSpec` that say which leads or channels a network accepts, beside fixed ones."""
    if not network.spec.any_electrode:
        return {"any_lead": network.spec.any_lead}
    covariance = network.get_buffer("covariance").double().cpu().numpy()
    return {"any_lead": True, "covariance": (covariance + covariance.T) / 2}


def plain_head(network: UNet) -> Head:
    """Return the head of a network nothing was measured of: interval factors of one, moments of independent regressors.

    An any-lead network has these per lead set, so its head holds none.
    """
    size, n_out = head_weights(network)[0].shape
    moments = np.zeros((0, 0), np.float32) if network.spec.any_lead else np.eye(size, dtype=np.float32)
    return _head(network, moments, np.ones(n_out, np.float32))


def _head(
    network: UNet,
    moments: Float32Array,
    interval_factors: Float32Array,
    shrink: Float32Array | None = None,
) -> Head:
    mean, log_scale = head_weights(network)
    return Head(head_lags(network.spec), mean, log_scale, moments, LEVEL, interval_factors, shrink)
