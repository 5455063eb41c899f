"""What a judge learns to say: the diagnostic superclasses of PTB-XL, several to a record."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ecg_edge.firmware_bridge.array_types import Float32Array
from ecg_edge.train.evaluation.metrics_table import SUPERCLASSES


def labels(superclasses: Sequence[str]) -> Float32Array:
    """Return 1 for each superclass of each record, shape (n_records, 5), columns as `SUPERCLASSES`.

    Parameters
    ----------
    superclasses : sequence of str
        As in PTB-XL's table: ``"MI;CD"``. A text that names no superclass gives a row of zeros.
    """
    sets = [set(text.split(";")) for text in superclasses]
    return np.array([[name in found for name in SUPERCLASSES] for found in sets], np.float32)


def diagnosed(superclasses: Sequence[str]) -> npt.NDArray[np.intp]:
    """Rows of the records that have a superclass: the others neither teach nor count (Strodthoff et al. 2021)."""
    return np.flatnonzero(labels(superclasses).any(axis=1))
