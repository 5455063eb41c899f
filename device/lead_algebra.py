"""Lead algebra and provenance: what follows exactly from what, and what is a guess.

Einthoven 1912: II = I + III. Goldberger 1942: aVR = -(I + II)/2, aVL = I - II/2, aVF = II - I/2.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from itertools import combinations

import numpy as np
import numpy.typing as npt

from ecg_edge.firmware_bridge.lead_names import LEADS

BASIS: tuple[str, ...] = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")
"""The eight independent leads; the other four limb leads are algebra of I and II."""

LIMB: tuple[str, ...] = LEADS[:6]

_LIMB_OF_I_II = np.array([[1, 0], [0, 1], [-1, 1], [-0.5, -0.5], [1, -0.5], [-0.5, 1]], dtype=np.float64)
"""Rows I, II, III, aVR, aVL, aVF as combinations of (I, II)."""


class Provenance(str, Enum):
    """Where the values of a lead come from.

    Examples
    --------
    >>> import ecg_edge as ee
    >>> [p.value for p in ee.Provenance]
    ['measured', 'derived', 'reconstructed']
    """

    MEASURED = "measured"
    """An electrode pair."""
    DERIVED = "derived"
    """Exact algebra of measured leads."""
    RECONSTRUCTED = "reconstructed"
    """Estimated by the network, or algebra with an estimated ancestor."""


def twelve_from_basis() -> npt.NDArray[np.float64]:
    """Matrix of shape (12, 8) that turns the eight basis leads into the twelve of `LEADS`."""
    m = np.zeros((12, 8))
    m[:6, :2] = _LIMB_OF_I_II
    m[6:, 2:] = np.eye(6)
    return m


def solve_limb(measured: Sequence[str]) -> npt.NDArray[np.float64] | None:
    """Express I and II by measured limb leads, if two independent ones are there.

    Parameters
    ----------
    measured : sequence of str
        Canonical names of the measured leads.

    Returns
    -------
    ndarray of shape (2, len(measured)) or None
        Rows give I and II as combinations of the measured leads. The first independent
        pair in the order I, II, III, aVR, aVL, aVF is used, so a measured I or II stays
        exactly itself. None where fewer than two independent limb leads are measured.
    """
    limb = [lead for lead in LIMB if lead in measured]
    for a, b in combinations(limb, 2):
        pair = _LIMB_OF_I_II[[LIMB.index(a), LIMB.index(b)]]
        if abs(np.linalg.det(pair)) > 1e-9:
            out = np.zeros((2, len(measured)))
            out[:, [measured.index(a), measured.index(b)]] = np.linalg.inv(pair)
            return out
    return None


def known_basis(measured: Sequence[str]) -> tuple[tuple[str, ...], npt.NDArray[np.float64]]:
    """Basis leads that are measured or follow exactly from measured ones.

    Parameters
    ----------
    measured : sequence of str
        Canonical names of the measured leads, each once.

    Returns
    -------
    leads : tuple of str
        Known basis leads, in the order of `BASIS`.
    matrix : ndarray of shape (len(leads), len(measured))
        Each as a combination of the measured ones.

    Notes
    -----
    A single limb lead other than I and II (aVR alone, say) yields no basis lead: it
    restricts I and II without determining either.
    """
    rows: list[npt.NDArray[np.float64]] = []
    leads: list[str] = []
    limb = solve_limb(measured)
    for lead in BASIS:
        if lead in measured:
            rows.append(np.eye(len(measured))[list(measured).index(lead)])
        elif lead in ("I", "II") and limb is not None:
            rows.append(limb[("I", "II").index(lead)])
        else:
            continue
        leads.append(lead)
    return tuple(leads), np.array(rows).reshape(len(rows), len(measured))


def missing_basis(measured: Sequence[str]) -> tuple[str, ...]:
    """Basis leads that neither are measured nor follow exactly."""
    known, _ = known_basis(measured)
    return tuple(lead for lead in BASIS if lead not in known)


def hidden_leads(measured: Sequence[str]) -> tuple[str, ...]:
    """Leads worth scoring: neither measured nor exact algebra; one per unknown (a subset of the basis)."""
    return missing_basis(measured)


def provenance(measured: Sequence[str]) -> tuple[Provenance, ...]:
    """Provenance of each of the twelve leads of `LEADS`, given the measured ones."""
    limb_known = solve_limb(measured) is not None
    out = []
    for lead in LEADS:
        if lead in measured:
            out.append(Provenance.MEASURED)
        elif lead in LIMB and limb_known:
            out.append(Provenance.DERIVED)
        else:
            out.append(Provenance.RECONSTRUCTED)
    return tuple(out)


ST_WEAK = ("V2", "V3")
"""Leads whose ST level limb leads do not determine: 96 and 95 % of it is out of their reach."""
