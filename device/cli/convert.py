"""The verb ``convert``: a recording as EDF+ (extra `edf`)."""

from __future__ import annotations

import argparse
from pathlib import Path

from ecg_edge.device.recording.edf_writer import (
    write_edf,
)
from ecg_edge.device.recording.stored_recording import read_stored, record_name
from ecg_edge.firmware_bridge.console import emit_json, hint, say
from ecg_edge.firmware_bridge.errors import EcgEdgeError, UsageError


def convert(arguments: argparse.Namespace) -> int:
    """Do what ``ecg-edge convert`` says; return the exit status."""
    a = arguments
    out = Path(a.out) if a.out else Path(record_name(a.record) + ".edf")
    try:
        if out.exists() and not a.force:
            raise UsageError(f"{out} is there already", "choose another --out, or say --force")
        stored = read_stored(a.record)
        write_edf(stored, out, a.patient or stored.patient)
    except EcgEdgeError as e:
        if a.json:
            emit_json({"error": e.message, "fix": e.fix, "exit": e.exit_code})
        raise
    seconds = float(len(stored.counts) / stored.fs)
    if a.json:
        emit_json({"out": str(out), "seconds": seconds, "signals": [s.lead for s in stored.signals], "exit": 0})
    else:
        say(f"{out}: {len(stored.signals)} signals, {seconds:.1f} s, {len(stored.notes)} notes")
    hint(f"next: open {out} in any EDF+ reader, or print a page: ecg-edge report {record_name(a.record)}")
    return 0
