"""Lead algebra and provenance: what follows exactly from which channels, and what is a guess.

A channel is a difference of electrodes: a vector of nine weights that sum to zero, and so a combination of the
eight basis leads. It may be a lead, or a pair of electrodes anywhere.

Einthoven 1912: II = I + III. Goldberger 1942: aVR = -(I + II)/2, aVL = I - II/2, aVF = II - I/2.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

import numpy as np
import numpy.typing as npt

from ecg_edge.firmware_bridge.lead_names import LEADS, SKIN, electrodes_of, fitted_weights

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


_OF_ELECTRODES = np.vstack([np.array([[-1, -1], [2, -1], [-1, 2]]) / 3 @ np.eye(2, 8), np.eye(6, 8, 2)])
"""Potentials of the electrodes of `SKIN` against Wilson's terminal as combinations of the basis leads: its terminal is
the mean of the three limbs, so RA + LA + LL = 0, I = LA - RA and II = LL - RA."""

_EXACT = 1e-9


def channel_vector(channel: str) -> npt.NDArray[np.float64]:
    """Weights of a channel over the electrodes of `SKIN`, shape (9,): their sum is zero.

    Parameters
    ----------
    channel : str
        Canonical name of a lead, or of a pair (``RA-V5`` is V5 minus RA), or one that carries fitted weights.
    """
    if fitted := fitted_weights(channel):
        return np.array(fitted)
    first, *others = electrodes_of(channel)
    weights = np.zeros(len(SKIN))
    weights[SKIN.index(first)] += 1
    for other in others:
        weights[SKIN.index(other)] -= 1 / len(others)
    return weights


def of_basis(channels: Sequence[str]) -> npt.NDArray[np.float64]:
    """Matrix of shape (len(channels), 8): each channel as a combination of the basis leads."""
    weights = np.array([channel_vector(name) for name in channels]).reshape(-1, len(SKIN))
    return np.round(weights @ _OF_ELECTRODES, 12) + 0.0


def measured(basis: npt.NDArray[np.floating], channels: Sequence[str]) -> npt.NDArray[np.float32]:
    """What channels measure of an ECG given by its basis leads.

    Parameters
    ----------
    basis : ndarray of shape (..., 8)
        In mV.
    channels : sequence of str
        Canonical names.

    Returns
    -------
    ndarray of float32, shape (..., len(channels))
    """
    if all(name in BASIS for name in channels):
        return np.ascontiguousarray(basis[..., [BASIS.index(name) for name in channels]], np.float32)
    return np.asarray(basis @ of_basis(channels).T, np.float32)


def span_solution(
    channels: npt.NDArray[np.float64], wanted: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    """Express vectors by channels, where that is exact.

    Parameters
    ----------
    channels : ndarray of shape (k, 8)
        Rows over the basis leads, in order of preference: a row that depends on earlier ones is not used.
    wanted : ndarray of shape (m, 8)
        Likewise.

    Returns
    -------
    exact : ndarray of bool, shape (m,)
        Whether the vector lies in the span of the channels.
    matrix : ndarray of shape (m, k)
        Its combination; zero where it does not.
    """
    used = _independent(channels)
    matrix = np.zeros((len(wanted), len(channels)))
    if used:
        matrix[:, used] = np.round(np.linalg.lstsq(channels[used].T, wanted.T, rcond=None)[0].T, 12) + 0.0
    exact = np.abs(matrix @ channels - wanted).max(axis=1, initial=0.0) < _EXACT
    matrix[~exact] = 0
    return exact, matrix


def _independent(rows: npt.NDArray[np.float64]) -> list[int]:
    used: list[int] = []
    for k in range(len(rows)):
        if np.linalg.matrix_rank(rows[[*used, k]], tol=_EXACT) > len(used):
            used.append(k)
    return used


def independent(channels: Sequence[str]) -> tuple[str, ...]:
    """Channels without those that follow from earlier ones."""
    return tuple(channels[k] for k in _independent(of_basis(channels)))


def known_leads(measured: Sequence[str]) -> tuple[tuple[str, ...], npt.NDArray[np.float64]]:
    """Leads of the twelve that are measured or follow exactly from measured channels.

    Parameters
    ----------
    measured : sequence of str
        Canonical names of the measured channels, each once.

    Returns
    -------
    leads : tuple of str
        In the order of `LEADS`.
    matrix : ndarray of shape (len(leads), len(measured))
        Each as a combination of the measured channels; a measured one is exactly itself. Where several combinations are
        possible, the first independent limb leads are used, then the channels in their order.
    """
    limb = sorted((name for name in measured if name in LIMB), key=LIMB.index)
    order = [list(measured).index(name) for name in (*limb, *(n for n in measured if n not in limb))]
    exact, ordered = span_solution(of_basis([measured[k] for k in order]), twelve_from_basis())
    matrix = np.zeros_like(ordered)
    matrix[:, order] = ordered
    for k, lead in enumerate(LEADS):
        if lead in measured:
            matrix[k] = np.arange(len(measured)) == list(measured).index(lead)
    return tuple(lead for lead, known in zip(LEADS, exact, strict=True) if known), matrix[exact]


def further_channels(measured: Sequence[str]) -> tuple[str, ...]:
    """Channels that are none of the twelve leads, also not under another name: they have strips of their own."""
    twelve = of_basis(LEADS)
    rows = zip(measured, of_basis(measured), strict=True)
    return tuple(name for name, row in rows if not (twelve == row).all(axis=1).any())


def known_basis(measured: Sequence[str]) -> tuple[tuple[str, ...], npt.NDArray[np.float64]]:
    """Return `known_leads` of the basis alone.

    Notes
    -----
    A single limb lead other than I and II (aVR alone, say) yields no basis lead: it
    restricts I and II without determining either.
    """
    leads, matrix = known_leads(measured)
    rows = [k for k, lead in enumerate(leads) if lead in BASIS]
    return tuple(leads[k] for k in rows), matrix[rows]


def missing_basis(measured: Sequence[str]) -> tuple[str, ...]:
    """Basis leads that neither are measured nor follow exactly."""
    known, _ = known_basis(measured)
    return tuple(lead for lead in BASIS if lead not in known)


def hidden_leads(measured: Sequence[str]) -> tuple[str, ...]:
    """Leads worth scoring: neither measured nor exact algebra; one per unknown (a subset of the basis)."""
    return missing_basis(measured)


def provenance(measured: Sequence[str]) -> tuple[Provenance, ...]:
    """Provenance of each of the twelve leads of `LEADS`, given the measured channels.

    A channel that is a lead under another name (``RA-LA`` is I) counts as that lead measured.
    """
    known, _ = known_leads(measured)
    vectors = [tuple(row) for row in of_basis(measured)]
    out = []
    for lead, row in zip(LEADS, of_basis(LEADS), strict=True):
        if tuple(row) in vectors:
            out.append(Provenance.MEASURED)
        else:
            out.append(Provenance.DERIVED if lead in known else Provenance.RECONSTRUCTED)
    return tuple(out)


def leads_known(there: Sequence[str]) -> tuple[str, ...]:
    """Leads of the twelve that are among these or follow exactly from those that are; other names count nothing."""
    return known_leads([lead for lead in LEADS if lead in there])[0]


ST_WEAK = ("V2", "V3")
"""Leads whose ST level limb leads do not determine: 96 and 95 % of it is out of their reach."""
