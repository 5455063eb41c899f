"""The two findings of the lead-information study (Gradowski & Buchner 2025) in words."""

from __future__ import annotations

import math
from typing import Any


def words(docs: list[dict[str, Any]], measured: tuple[str, ...] = ("I", "II")) -> list[str]:
    """Say for each design whether V1 and V6 come back best and V3 worst (by MSE, the study's figure).

    Parameters
    ----------
    docs : list of dict
        Rows of the study, with ``inputs``, ``design``, ``configuration`` and ``figures``.
    measured : tuple of str
        Only rows of these inputs are spoken of.
    """
    said = []
    for doc in docs:
        if tuple(doc["inputs"]) != measured:
            continue
        said.append(f"{doc['design']}, {doc['configuration']}: {ordinal(chest_mse(doc['figures']['leads']))}")
    return said


def chest_mse(leads: dict[str, dict[str, Any]]) -> dict[str, float]:
    """MSE in mV² of each chest lead of a table."""
    return {lead: row["mse_mv2"] for lead, row in leads.items() if lead.startswith("V")}


def ordinal(mse: dict[str, float]) -> str:
    """The study's two findings as a sentence.

    Parameters
    ----------
    mse : dict of str to float
        MSE in mV² of each of V1 … V6.
    """
    order = sorted(mse, key=lambda lead: mse[lead] if math.isfinite(mse[lead]) else math.inf)
    best, worst = set(order[:2]) == {"V1", "V6"}, order[-1] == "V3"
    return (
        f"V1 and V6 {'come' if best else 'do not come'} back best, V3 {'comes' if worst else 'does not come'} back "
        f"worst (MSE in mV², ascending: {', '.join(f'{lead} {mse[lead]:.4f}' for lead in order)})"
    )
