"""Which channels an any-electrode network sees: placements drawn in training, listed ones measured afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from ecg_edge.device.lead_algebra import BASIS, missing_basis, of_basis
from ecg_edge.device.placement import guess
from ecg_edge.firmware_bridge.array_types import BoolArray, Float32Array, FloatArray
from ecg_edge.firmware_bridge.lead_names import LEADS, SKIN, electrodes_of
from ecg_edge.train.network.lead_subsets import LISTED as LISTED_LEADS
from ecg_edge.train.network.lead_subsets import SPECIALISTS

PLACES = (
    ("RA-V5",),
    ("RA-V2", "RA-V5"),
    ("RA-LL", "RA-V2", "RA-V5"),
    ("RA-V3", "RA-V5"),
    ("RA-V1", "RA-V5"),
    ("RA-V2", "RA-V6"),
    ("RA-LL", "RA-V2"),
    ("RA-LL", "RA-V5"),
    ("RA-LL", "RA-V2", "RA-V6"),
    ("V1-V3", "V1-V6"),
    ("V1-V5",),
    ("LA-V1",),
    ("V1-V6", "V2-V6"),
    ("V2-V5",),
)
"""Places worth a network's attention: the best of the study, CM5, MCL1, chest only."""
LISTED = tuple(dict.fromkeys((*LISTED_LEADS, *PLACES)))
"""Placements whose moments and interval are measured for the model file."""
MOST = 6
_MOST_PAIRS = 4
_LEAD_OFF = 0.15
_SHARES = {"leads": 0.35, "places": 0.35, "pairs": 0.2, "mixed": 0.1}
_PAIRS = tuple(f"{a}-{b}" for a, b in combinations(SKIN, 2))
Rng = np.random.Generator


@dataclass(frozen=True)
class Placements:
    """Channels of some records, and what is known of the basis leads from them.

    Attributes
    ----------
    channels : ndarray of float32, shape (n, MOST, 8)
        Each channel as a combination of the basis leads; rows of zeros beyond the last.
    before, after : ndarray of float32, shape (n, 8, MOST)
        Channels to guesses, before and after an electrode falls off; the same where none does.
    known_before, known_after : ndarray of float32, shape (n, 8)
        Share of each basis lead that is known from the channels.
    wanted : ndarray of float32, shape (n, 8)
        1 for the leads that do not follow exactly in the end: the ones to reconstruct.
    loses : ndarray of bool, shape (n,)
        Whether an electrode falls off.
    """

    channels: Float32Array
    before: Float32Array
    after: Float32Array
    known_before: Float32Array
    known_after: Float32Array
    wanted: Float32Array
    loses: BoolArray


def draw(n: int, covariance: FloatArray, rng: Rng) -> Placements:
    """Draw a placement for each of `n` records.

    Parameters
    ----------
    n : int
        Records.
    covariance : ndarray of shape (8, 8)
        Of the population, see `placement.guess`.
    rng : Generator
        All randomness.
    """
    rows = [_row(_one(rng), covariance, rng) for _ in range(n)]
    *columns, loses = (np.stack(column) for column in zip(*rows, strict=True))
    floats = [np.asarray(c, np.float32) for c in columns]
    return Placements(floats[0], floats[1], floats[2], floats[3], floats[4], floats[5], np.asarray(loses, np.bool_))


def _row(names: tuple[str, ...], covariance: FloatArray, rng: Rng) -> tuple[npt.NDArray[np.generic], ...]:
    left = _without_one(names, rng) if rng.random() < _LEAD_OFF else names
    full = np.zeros((MOST, len(BASIS)))
    full[: len(names)] = of_basis(names)
    there = np.array([*(name in left for name in names), *(False,) * (MOST - len(names))])
    before, after = guess(full, covariance), guess(full * there[:, None], covariance)
    missing = missing_basis(left)
    wanted = np.array([lead in missing for lead in BASIS])
    lost = np.array(left != names)
    return full, before.matrix, after.matrix, before.known, after.known, wanted, lost


def _without_one(names: tuple[str, ...], rng: Rng) -> tuple[str, ...]:
    """What is left of some channels when one of their electrodes falls off; all, where nothing would be left."""
    electrodes = sorted({e for name in names for e in electrodes_of(name)})
    off = electrodes[rng.integers(len(electrodes))]
    return tuple(name for name in names if off not in electrodes_of(name)) or names


def _one(rng: Rng) -> tuple[str, ...]:
    kind = rng.choice(list(_SHARES), p=list(_SHARES.values()))
    if kind == "places":
        return PLACES[rng.integers(len(PLACES))]
    if kind == "pairs":
        electrodes = rng.permutation(SKIN)[: rng.integers(2, _MOST_PAIRS + 2)]
        return tuple(f"{electrodes[0]}-{other}" for other in electrodes[1:])
    if kind == "mixed":
        return _some((*LEADS, *_PAIRS), int(rng.integers(1, _MOST_PAIRS + 1)), rng)
    if rng.random() < 0.7:
        return SPECIALISTS[rng.integers(len(SPECIALISTS))]
    return _some(BASIS, int(rng.integers(1, MOST + 1)), rng)


def _some(names: tuple[str, ...], n: int, rng: Rng) -> tuple[str, ...]:
    """Some names, but not so many that nothing is left to reconstruct."""
    while True:
        found = tuple(str(name) for name in rng.permutation(names)[:n])
        if missing_basis(found):
            return found


def covariance_of(x: Float32Array, skip: int) -> FloatArray:
    """Second moments of conditioned records, shape (n_records, n_samples, 8), from sample `skip` on; in mV²."""
    total = np.zeros((len(BASIS), len(BASIS)))
    for record in x:
        rows = np.asarray(record[skip:], np.float64)
        total += rows.T @ rows
    return np.asarray(total / (len(x) * (x.shape[1] - skip)))
