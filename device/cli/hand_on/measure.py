"""The verb ``measure``: heart rate, intervals, axes and amplitudes of a stored recording."""

from __future__ import annotations

import argparse

from ecg_edge.device.measurements.figures import INTERVALS, NOT_IDENTIFIABLE, UNSTATED, WAVES, Measurements
from ecg_edge.device.recording.implausible_leads import doubted_leads, warnings
from ecg_edge.device.recording.measure_stored import measure_stored
from ecg_edge.device.recording.stored_recording import Stored, command_on, no_lead
from ecg_edge.device.recording.stretch import file_rate, stretch_of
from ecg_edge.firmware_bridge.console import emit_json, hint, say, table
from ecg_edge.firmware_bridge.errors import EcgEdgeError, RecordingError
from ecg_edge.firmware_bridge.lead_names import LEADS

_ENOUGH = 0.6
"""Share of its samples without which no lead has figures."""


def measure(arguments: argparse.Namespace) -> int:
    """Do what ``ecg-edge measure`` says; return the exit status."""
    a = arguments
    try:
        stored = stretch_of(a.record, a.at, fs=file_rate(a.fs), unit=a.unit)
        said, found = warnings(stored, doubted_leads(stored)), measure_stored(stored)
        if found is None:
            raise _why(stored, said)
        left = _left_out(stored, found)
    except EcgEdgeError as e:
        if a.json:
            emit_json({"error": e.message, "fix": e.fix, "exit": e.exit_code})
        raise
    start = stored.first / float(stored.fs)
    if a.json:
        emit_json(
            {
                "record": a.record,
                "from_s": start,
                **found.document(),
                "warnings": [*stored.remarks, *said, *left, *found.notes],
                "exit": 0,
            }
        )
    else:
        say(_text(found))
    for remark in stored.remarks:
        hint(f"warning: {remark}")
    for warning in said:
        hint(f"warning: {warning}: not measured")
    for note in (*left, *found.notes):
        hint(f"warning: {note}")
    page = command_on("report", a.record, ".pdf")
    hint(f"from {start:.1f} s: {found.beats} of {found.found} beats\nnext: {page}")
    return 0


def _why(stored: Stored, said: list[str]) -> EcgEdgeError:
    """Why nothing can be measured."""
    leads = [k for k, s in enumerate(stored.signals) if s.lead in LEADS]
    if not leads:
        return no_lead(stored)
    known = [k for k in leads if stored.valid[:, k].any()]
    if not known:
        return RecordingError("these ten seconds hold no sample of a lead", "choose another stretch with --at")
    if all(stored.signals[k].provenance == "reconstructed" for k in known):
        return RecordingError(
            "these ten seconds hold only estimates, and nothing is measured in estimates",
            "give the record of what was measured (_measured), where it holds one of the twelve leads",
        )
    return RecordingError(
        "; ".join(said) or "no three beats resemble each other in these ten seconds of a measured lead",
        "choose another stretch with --at",
    )


def _left_out(stored: Stored, found: Measurements) -> list[str]:
    """Leads without figures of which nothing is said yet: most of their samples are missing."""
    share = {
        lead: max(float(stored.valid[:, k].mean()) for k in stored.columns(lead))
        for lead in LEADS
        if stored.columns(lead)
    }
    return [
        f"lead {lead} is left out: {100 * (1 - known):.0f} % of its samples are missing"
        for lead, known in share.items()
        if known < _ENOUGH and lead not in found.amplitudes
    ]


def _text(m: Measurements) -> str:
    rows = []
    for name, title in INTERVALS:
        f = getattr(m, name)
        rows.append([title, str(f), f.quality, f.read_from] if f else [title, NOT_IDENTIFIABLE, "", ""])
    if (longest := m.longest_rr) and m.notes:
        rows.insert(1, ["Longest RR", str(longest), longest.quality, longest.read_from])
    waves = [["lead", "R", "S", "T", "ST at J", "ST at J+60", "mV"]]
    for lead, row in m.amplitudes.items():
        cells = [f"{f.value:+.2f}" if (f := row[w]) else NOT_IDENTIFIABLE for w in WAVES]
        r = row["r"]
        spread = f"± {r.interval:.2f}, reconstructed" if r and r.interval is not None else ""
        spread = UNSTATED if r and not r.stated else spread
        waves.append([lead, *cells, spread])
    return table(rows) + "\n" + table(waves)
