"""The twelve leads, the ten electrodes, and how their names are read."""

from __future__ import annotations

from ecg_edge.firmware_bridge.errors import UsageError

LEADS: tuple[str, ...] = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")


ELECTRODES: tuple[str, ...] = ("RA", "LA", "LL", "RL", "V1", "V2", "V3", "V4", "V5", "V6")
"""Bit `k` of a lead-off mask is electrode ``ELECTRODES[k]``."""


_LIMB = {
    "I": ("LA", "RA"),
    "II": ("LL", "RA"),
    "III": ("LL", "LA"),
    "aVR": ("RA", "LA", "LL"),
    "aVL": ("LA", "RA", "LL"),
    "aVF": ("LL", "RA", "LA"),
}


_BY_LOWER = {lead.lower(): lead for lead in LEADS}


def lead_name(name: str) -> str:
    """Return the canonical spelling of a lead name.

    Parameters
    ----------
    name : str
        Any case: ``"AVR"``, ``"v1"``, ``"i"``.

    Returns
    -------
    str
        One of `LEADS`.

    Raises
    ------
    UsageError
        The name is none of the twelve.
    """
    try:
        return _BY_LOWER[name.strip().lower()]
    except KeyError:
        raise UsageError(f"unknown lead {name!r}", f"use one of {', '.join(LEADS)}") from None


def parse_leads(text: str) -> tuple[str, ...]:
    """Parse ``"I,II"`` into canonical lead names, refusing duplicates and an empty list."""
    leads = tuple(lead_name(part) for part in text.replace("+", ",").split(",") if part.strip())
    if not leads or len(set(leads)) != len(leads):
        raise UsageError(f"bad lead list {text!r}", "name each lead once, separated by commas: I,II")
    return leads


def electrodes_of(lead: str) -> tuple[str, ...]:
    """Electrodes a lead is made from (chest leads are taken against Wilson's terminal RA, LA, LL)."""
    return _LIMB.get(lead) or (lead, "RA", "LA", "LL")


def lead_off_leads(mask: int) -> frozenset[str]:
    """Leads that depend on an electrode whose lead-off bit is set in `mask`."""
    off = {name for k, name in enumerate(ELECTRODES) if mask >> k & 1}
    return frozenset(lead for lead in LEADS if off.intersection(electrodes_of(lead)))
