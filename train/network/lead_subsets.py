"""Which leads an any-lead network sees: subsets drawn in training, listed ones measured afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

import numpy as np

from ecg_edge.device.lead_algebra import BASIS
from ecg_edge.firmware_bridge.array_types import Float32Array

SPECIALISTS = (("I",), ("II",), ("I", "II"), ("I", "II", "V2"), ("I", "II", "V3"), ("I", "II", "V2", "V5"))
"""Lead sets that have a network of their own; a share of the drawn subsets are these."""
LISTED = tuple(dict.fromkeys(chain(SPECIALISTS, ((lead,) for lead in BASIS))))
"""Subsets whose moments and interval are measured for the model file."""
_LEAD_OFF = 0.15


def mask_of(leads: tuple[str, ...]) -> Float32Array:
    """One row over the basis: 1 where a lead is there."""
    return np.array([lead in leads for lead in BASIS], np.float32)


@dataclass(frozen=True)
class Drawn:
    """Subsets of one batch.

    Attributes
    ----------
    masks : ndarray of float32, shape (n_records, 8, n_samples)
        1 while a lead is there. In some records electrodes fall off on the way.
    wanted : ndarray of float32, shape (n_records, 8)
        1 for leads that are missing at the end: the ones to reconstruct.
    """

    masks: Float32Array
    wanted: Float32Array


def draw(n: int, samples: int, rng: np.random.Generator, share: float = 0.5) -> Drawn:
    """Draw a subset for each record: a `share` of them specialists' sets, the others of any size and choice."""
    late = np.stack([_one(rng, share) for _ in range(n)])
    masks = np.repeat(late[:, :, None], samples, axis=2)
    for k in np.flatnonzero(rng.random(n) < _LEAD_OFF):
        before = np.maximum(late[k], _one(rng, share))
        if before.sum() < len(BASIS):
            masks[k, :, : rng.integers(samples)] = before[:, None]
    return Drawn(masks, 1 - late)


def _one(rng: np.random.Generator, share: float) -> Float32Array:
    if rng.random() < share:
        return mask_of(SPECIALISTS[rng.integers(len(SPECIALISTS))])
    mask = np.zeros(len(BASIS), np.float32)
    mask[rng.permutation(len(BASIS))[: rng.integers(1, len(BASIS))]] = 1
    return mask
