"""What a network sees of the basis leads, given the channels that are measured."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ecg_edge.device.lead_algebra import BASIS, measured
from ecg_edge.device.placement import guess_from
from ecg_edge.firmware_bridge.array_types import Float32Array, FloatArray
from ecg_edge.train.network.lead_subsets import mask_of
from ecg_edge.train.network.unet import NetSpec, UNet


def input_matrix(
    spec: NetSpec, channels: Sequence[str], covariance: FloatArray | None = None
) -> tuple[Float32Array, Float32Array]:
    """How measured channels become a network's inputs: ``inputs = channels @ matrix.T``, then the constant.

    Parameters
    ----------
    spec : NetSpec
        Of the network.
    channels : sequence of str
        Measured ones; a network of fixed channels takes its own.
    covariance : ndarray of shape (8, 8), optional
        Of the population; an any-electrode network needs it.

    Returns
    -------
    matrix : ndarray of float32, shape (n_values, len(channels))
        Channels to the values that the network sees.
    constant : ndarray of float32, shape (n_inputs - n_values,)
        Masks or known shares; empty for fixed channels.
    """
    if spec.any_electrode:
        assert covariance is not None
        found = guess_from(channels, covariance)
        return found.matrix.astype(np.float32), found.known.astype(np.float32)
    if spec.any_lead:
        matrix = np.array([[float(lead == name) for name in channels] for lead in BASIS], np.float32)
        return matrix, mask_of(tuple(channels))
    own = [[float(lead == name) for name in channels] for lead in spec.input_leads]
    return np.array(own, np.float32), np.zeros(0, np.float32)


def seen_by(model: UNet, x: Float32Array, channels: Sequence[str]) -> Float32Array:
    """What a network sees of records of the basis leads.

    Parameters
    ----------
    model : UNet
        Any.
    x : ndarray of shape (..., n_samples, 8)
        Conditioned, in mV.
    channels : sequence of str
        Measured ones.

    Returns
    -------
    ndarray of float32, shape (..., n_samples, n_inputs)
    """
    covariance = model.get_buffer("covariance").cpu().numpy() if model.spec.any_electrode else None
    return _seen(x, channels, *input_matrix(model.spec, channels, covariance))


def channel_inputs(model: UNet, x: Float32Array, channels: Sequence[str]) -> Float32Array:
    """What a network sees of measured channels themselves, shape (..., n_samples, len(channels)); see `seen_by`."""
    covariance = model.get_buffer("covariance").cpu().numpy() if model.spec.any_electrode else None
    matrix, constant = input_matrix(model.spec, channels, covariance)
    return _with_shares(x @ matrix.T, constant)


def guessed(x: Float32Array, channels: Sequence[str], covariance: FloatArray) -> Float32Array:
    """What an any-electrode network sees of the basis leads, shape (..., n_samples, 16); see `seen_by`."""
    found = guess_from(channels, covariance)
    return _seen(x, channels, found.matrix.astype(np.float32), found.known.astype(np.float32))


def _seen(x: Float32Array, channels: Sequence[str], matrix: Float32Array, constant: Float32Array) -> Float32Array:
    return _with_shares(measured(x, channels) @ matrix.T, constant)


def _with_shares(values: Float32Array, constant: Float32Array) -> Float32Array:
    shares = np.broadcast_to(constant, (*values.shape[:-1], len(constant)))
    return np.concatenate([values, shares], axis=-1, dtype=np.float32)


def masked(x: Float32Array, leads: tuple[str, ...]) -> Float32Array:
    """What an any-lead network sees of the basis leads, (…, n_samples, 8) → (…, n_samples, 16)."""
    mask = mask_of(leads)
    return np.concatenate([x * mask, np.broadcast_to(mask, x.shape)], axis=-1).astype(np.float32)
