"""The verb ``measure``: heart rate, intervals, axes and amplitudes of a stored recording."""

from __future__ import annotations

import argparse
import shlex

from ecg_edge.device.measurements.figures import INTERVALS, NOT_IDENTIFIABLE, UNSTATED, WAVES, Measurements
from ecg_edge.device.recording.implausible_leads import doubted_leads, warnings
from ecg_edge.device.recording.measure_stored import measure_stored
from ecg_edge.device.recording.stretch import file_rate, stretch_of
from ecg_edge.firmware_bridge.console import emit_json, hint, say, table
from ecg_edge.firmware_bridge.errors import EcgEdgeError, RecordingError


def measure(arguments: argparse.Namespace) -> int:
    """Do what ``ecg-edge measure`` says; return the exit status."""
    a = arguments
    try:
        stored = stretch_of(a.record, a.at, fs=file_rate(a.fs), unit=a.unit)
        said, found = warnings(stored, doubted_leads(stored)), measure_stored(stored)
        if found is None:
            raise RecordingError(
                "; ".join(said) or "no three beats resemble each other in these ten seconds of a measured lead",
                "choose another stretch with --at, or give the record of what was measured",
            )
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
                "warnings": [*stored.remarks, *said, *found.notes],
                "exit": 0,
            }
        )
    else:
        say(_text(found))
    for remark in stored.remarks:
        hint(f"warning: {remark}")
    for warning in said:
        hint(f"warning: {warning}: not measured")
    for note in found.notes:
        hint(f"warning: {note}")
    page = f"ecg-edge report {shlex.quote(a.record)}"
    hint(f"from {start:.1f} s: {found.beats} of {found.found} beats\nnext: {page}")
    return 0


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
