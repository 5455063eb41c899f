"""Provenance over time: columns for what outlives a block, and how long a lead was what."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ecg_edge.device.lead_algebra import Provenance, provenance
from ecg_edge.device.lead_block import LeadBlock
from ecg_edge.firmware_bridge.lead_names import LEADS

_KINDS = tuple(Provenance)


class LeadColumns:
    """Sorts the rows of blocks by lead and provenance.

    The first twelve columns are the leads as the run begins. A lead that is estimated for a while (its electrode is
    off) is invalid in its own column then, and lies in a further one. So a column holds one provenance, for ever.

    Parameters
    ----------
    usual : tuple of Provenance
        Of each of the twelve leads while all electrodes are on.

    Attributes
    ----------
    columns : tuple of (str, Provenance)
        Lead and provenance of each column.
    """

    def __init__(self, usual: tuple[Provenance, ...]) -> None:
        own = tuple(zip(LEADS, usual, strict=True))
        self.columns = own + tuple((lead, p) for lead, _ in own for p in _others(lead, usual))
        self._lead = np.array([LEADS.index(lead) for lead, _ in self.columns])
        self._kinds: dict[tuple[Provenance, ...], npt.NDArray[np.bool_]] = {}

    def spread(self, block: LeadBlock) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
        """Return values in mV and validity of a block's rows, each of shape (n_samples, n_columns)."""
        kinds = self._kinds.get(block.provenance)
        if kinds is None:
            kinds = np.array([block.provenance[LEADS.index(lead)] is p for lead, p in self.columns])
            self._kinds[block.provenance] = kinds
        return block.mv[:, self._lead], block.valid[:, self._lead] & kinds


def _others(lead: str, usual: tuple[Provenance, ...]) -> list[Provenance]:
    """What a lead can become while electrodes are off."""
    own = usual[LEADS.index(lead)]
    if own is Provenance.RECONSTRUCTED:
        return []
    rest = [x for x, p in zip(LEADS, usual, strict=True) if p is Provenance.MEASURED and x != lead]
    derived = own is Provenance.MEASURED and provenance(rest)[LEADS.index(lead)] is Provenance.DERIVED
    return [Provenance.DERIVED, Provenance.RECONSTRUCTED] if derived else [Provenance.RECONSTRUCTED]


class ProvenanceTally:
    """Counts the valid rows of each lead by provenance."""

    def __init__(self) -> None:
        self._rows = np.zeros((len(LEADS), len(_KINDS)), np.int64)

    def add(self, block: LeadBlock) -> None:
        """Count a block's rows."""
        kinds = [_KINDS.index(p) for p in block.provenance]
        self._rows[np.arange(len(LEADS)), kinds] += np.count_nonzero(block.valid, axis=0)

    def rows(self) -> dict[str, dict[Provenance, int]]:
        """Return lead to provenance to number of rows; what never happened is left out."""
        return {
            lead: {p: int(n) for p, n in zip(_KINDS, counts, strict=True) if n}
            for lead, counts in zip(LEADS, self._rows, strict=True)
        }
