"""Leads of a stored recording that cannot be millivolts of a heart: nothing is measured in them, and it is said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ecg_edge.device.analysis.implausible import implausible
from ecg_edge.device.recording.stored_recording import Stored, no_voltage
from ecg_edge.firmware_bridge.lead_names import LEADS

_ESTIMATE = "reconstructed"


@dataclass(frozen=True)
class DoubtedLead:
    """A stretch of a lead.

    Attributes
    ----------
    column, start, stop : int
        Of the `Stored`, and its rows ``[start, stop)`` counted from its first.
    word : str
        ``large``, ``small``, ``counter``, ``tone`` or ``noise``.
    text : str
        For the human: ``lead I is noise without heartbeats``.
    """

    column: int
    start: int
    stop: int
    word: str
    text: str


def doubted_leads(stored: Stored) -> list[DoubtedLead]:
    """Judge the leads that are no estimates, by the limits of the live stream."""
    columns = [
        k for k, s in enumerate(stored.signals) if s.lead in LEADS and s.unit == "mV" and s.provenance != _ESTIMATE
    ]
    if not columns:
        return []
    found = implausible(stored.mv[:, columns], stored.fs)
    return [
        DoubtedLead(k, s.start, s.stop, s.doubt.word, f"lead {stored.signals[k].lead} {s.doubt.text}")
        for s in found
        for k in [columns[s.column]]
    ]


def plausible(stored: Stored) -> Stored:
    """The recording without what cannot be an ECG: invalid there."""
    found = doubted_leads(stored)
    if not found:
        return stored
    valid = stored.valid.copy()
    for d in found:
        valid[d.start : d.stop, d.column] = False
    return replace(stored, valid=valid)


def annotated(stored: Stored, found: Sequence[DoubtedLead]) -> Stored:
    """The recording, all its samples as they are, with a note where it cannot be an ECG."""
    notes = {(stored.first + d.start, d.text) for d in found} - set(stored.notes)
    return replace(stored, notes=tuple(sorted([*stored.notes, *notes]))) if notes else stored


def warnings(stored: Stored, found: Sequence[DoubtedLead]) -> list[str]:
    """What to say of them, in words: a line for each lead and doubt."""
    fs = float(stored.fs)
    told = {(k, "unit"): no_voltage(s) for k, s in enumerate(stored.signals) if s.lead in LEADS and s.unit != "mV"}
    for d in found:
        whole = d.start == 0 and d.stop == len(stored.counts)
        at = "" if whole else f" from {(stored.first + d.start) / fs:.1f} to {(stored.first + d.stop) / fs:.1f} s"
        told.setdefault((d.column, d.word), d.text + at)
    return list(told.values())
