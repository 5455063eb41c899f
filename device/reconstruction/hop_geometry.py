"""What of a model's hops is the same for every hop and every stream."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ecg_edge.device.inference.head import RegressorLayout, layout_of
from ecg_edge.device.inference.spec import ModelSpec
from ecg_edge.device.lead_algebra import (
    BASIS,
    Provenance,
    known_basis,
    known_leads,
    of_basis,
    provenance,
    span_solution,
    twelve_from_basis,
)
from ecg_edge.firmware_bridge.array_types import BoolArray, FloatArray
from ecg_edge.firmware_bridge.lead_names import LEADS


@dataclass(frozen=True)
class HopGeometry:
    """Sizes, columns and matrices that lead from a model's inputs to the twelve leads.

    Attributes
    ----------
    fs : int
        Rate in Hz.
    hop, late, back : int
        Samples of a hop, of look-ahead, and before the newest hop that its rows need.
    settle : int
        Rows for which a reconstruction warms up.
    n_in : int
        Input leads.
    layout : RegressorLayout
        Of the head.
    provenance : tuple of Provenance
        Of each of the twelve leads.
    known : ndarray of float64, shape (n_inputs, n_known)
        From the inputs to the basis leads that follow from them, `known_columns` of the basis.
    target_columns : list of int
        Basis leads the head estimates.
    twelve, twelve2 : ndarray of float64, shape (8, 12)
        From the basis to the twelve leads, and the same squared.
    measured, columns : list of int
        Which of the twelve are inputs, and which input each is.
    direct : list of int
        Which of the twelve follow exactly from the inputs, but not from the basis leads that do: III, where only
        LL and LA are worn. `direct_of` has their weights, shape (n_inputs, n_direct).
    guess : ndarray of bool, shape (12,)
        Which are reconstructed; `certain` has the numbers of the others.
    needs : ndarray of bool, shape (12, n_inputs)
        Which inputs each lead is computed from; a reconstructed one is from all.
    """

    fs: int
    hop: int
    late: int
    back: int
    settle: int
    n_in: int
    layout: RegressorLayout
    provenance: tuple[Provenance, ...]
    known: FloatArray
    known_columns: list[int]
    target_columns: list[int]
    twelve: FloatArray
    twelve2: FloatArray
    measured: list[int]
    columns: list[int]
    direct: list[int]
    direct_of: FloatArray
    guess: BoolArray
    certain: npt.NDArray[np.intp]
    needs: BoolArray


def geometry_of(spec: ModelSpec) -> HopGeometry:
    """Return the geometry of a model of fixed leads."""
    layout, origin = layout_of(spec), provenance(spec.input_leads)
    known, matrix = known_basis(spec.input_leads)
    known_columns = [BASIS.index(lead) for lead in known]
    measured, columns = _measured(spec.input_leads)
    direct, direct_of = _direct(spec.input_leads, known_columns, measured)
    guess = np.array([p is Provenance.RECONSTRUCTED for p in origin])
    twelve = twelve_from_basis().T
    needs = np.abs(twelve[known_columns].T @ matrix) > 1e-9
    needs[measured] = np.eye(len(spec.input_leads), dtype=np.bool_)[columns]
    needs[direct] = np.abs(direct_of.T) > 1e-9
    needs[guess] = True
    return HopGeometry(
        fs=spec.fs,
        hop=spec.hop,
        late=spec.lookahead,
        back=spec.lookahead + layout.history,
        settle=round(spec.settling_s * spec.fs),
        n_in=len(spec.input_leads),
        layout=layout,
        provenance=origin,
        known=matrix.T,
        known_columns=known_columns,
        target_columns=[BASIS.index(lead) for lead in spec.target_leads],
        twelve=twelve,
        twelve2=twelve**2,
        measured=measured,
        columns=columns,
        direct=direct,
        direct_of=direct_of,
        guess=guess,
        certain=np.flatnonzero(~guess),
        needs=needs,
    )


def _measured(channels: tuple[str, ...]) -> tuple[list[int], list[int]]:
    """Which of the twelve leads are channels, under whatever name (``RA-LA`` is I), and which channel each is."""
    found: dict[int, int] = {}
    leads = of_basis(LEADS)
    for column, row in enumerate(of_basis(channels)):
        own = channels[column] if channels[column] in LEADS else None
        for lead in np.flatnonzero((leads == row).all(axis=1)).tolist():
            if own is not None or lead not in found:
                found[lead] = column
    return list(found), list(found.values())


def _direct(channels: tuple[str, ...], known_columns: list[int], measured: list[int]) -> tuple[list[int], FloatArray]:
    """Leads that follow from the channels and not from the basis leads that do, with their weights."""
    known, matrix = known_leads(channels)
    rows = [LEADS.index(lead) for lead in known]
    by_basis, _ = span_solution(np.eye(len(BASIS))[known_columns], twelve_from_basis()[rows])
    kept = [k for k, lead in enumerate(rows) if not by_basis[k] and lead not in measured]
    return [rows[k] for k in kept], matrix[kept].T
