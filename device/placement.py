"""Electrodes anywhere: the best linear guess of the eight basis leads from the channels that are there.

The guess is the mean of a Gaussian whose covariance is the population's (Bishop, Pattern Recognition and Machine
Learning, 2006, equation 2.81). Values and masks of an any-lead network are its special case without covariance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ecg_edge.device.lead_algebra import of_basis
from ecg_edge.firmware_bridge.array_types import FloatArray

NOISE_MV2 = 1e-6
"""Noise that a channel is taken to have, 1 µV squared: two channels that say the same can then be weighed."""


@dataclass(frozen=True)
class Guess:
    """What some channels say of the basis leads by linear algebra alone.

    Attributes
    ----------
    matrix : ndarray of float64, shape (8, n_channels)
        Channels in mV to the guess of each basis lead in mV.
    known : ndarray of float64, shape (8,)
        Share of each basis lead's power that the guess explains, 0 to 1; 1 where it follows exactly.
    """

    matrix: FloatArray
    known: FloatArray


def guess(channels: FloatArray, covariance: FloatArray) -> Guess:
    """Guess the basis leads from channels.

    Parameters
    ----------
    channels : ndarray of shape (n_channels, 8)
        Each as a combination of the basis leads, see `lead_algebra.of_basis`; a row of zeros says nothing.
    covariance : ndarray of shape (8, 8)
        Second moments of the basis leads in the population, in mV².
    """
    seen = channels @ covariance
    matrix = np.linalg.solve(seen @ channels.T + NOISE_MV2 * np.eye(len(channels)), seen).T
    known = np.einsum("jk,kj->j", matrix, seen) / np.diag(covariance)
    return Guess(matrix, np.clip(known, 0.0, 1.0))


def guess_from(channels: Sequence[str], covariance: FloatArray) -> Guess:
    """As `guess`, of channels by their canonical names."""
    return guess(of_basis(channels), covariance)
