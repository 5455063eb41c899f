"""Records as a reader of twelve leads would get them: measured leads as they are, the others estimated."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ecg_edge.device.lead_algebra import BASIS, of_basis
from ecg_edge.firmware_bridge.array_types import AnyFloatArray, Float32Array
from ecg_edge.firmware_bridge.progress import Progress

Estimate = Callable[[Float32Array], AnyFloatArray]
"""One record's channels (n_samples, n_channels) → its targets (m_samples, n_targets), m ≤ n, aligned at the start."""


def shown(
    x: Float32Array, channels: tuple[str, ...], targets: tuple[str, ...], estimate: Estimate, label: str
) -> Float32Array:
    """Return the basis leads of records with their hidden leads estimated; the other limb leads are algebra of these.

    Parameters
    ----------
    x : ndarray of float32, shape (n_records, n_samples, 8)
        The truth in mV.
    channels : tuple of str
        What is measured.
    targets : tuple of str
        Basis leads that the estimate gives; the others are the truth's: measured, or exact algebra of what is.
    estimate : callable
        One record at a time.
    label : str
        Shown by the progress line.

    Returns
    -------
    ndarray of float32, shape (n_records, m, 8)
        Cut to the shortest estimate.
    """
    matrix, columns = of_basis(channels).T.astype(np.float32), [BASIS.index(lead) for lead in targets]
    found = np.array(x)
    length = x.shape[1]
    with Progress(label, len(x)) as progress:
        for record in found:
            guess = estimate(np.ascontiguousarray(record @ matrix))
            length = min(length, len(guess))
            record[: len(guess), columns] = guess
            progress.step()
    return found[:, :length]
