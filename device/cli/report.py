"""The verb ``report``: a twelve-lead page as PDF (extra `plot`)."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from ecg_edge.device.recording import ecg_page as report_page
from ecg_edge.device.recording.stored_recording import length, read_stored, record_name
from ecg_edge.firmware_bridge.console import emit_json, hint, say
from ecg_edge.firmware_bridge.errors import EcgEdgeError, UsageError


def report(arguments: argparse.Namespace) -> int:
    """Do what ``ecg-edge report`` says; return the exit status."""
    a = arguments
    try:
        fs, n = length(a.record)
        wanted = round(report_page.PAGE_S * fs)
        start = max(0, n - wanted) if a.at is None else round(a.at * float(fs))
        if not 0 <= start < n:
            raise UsageError(
                f"--at {a.at:g} is outside the recording of {n / float(fs):.1f} s", "choose a second inside"
            )
        out = Path(a.out or f"{record_name(a.record)}.pdf")
        if out.suffix not in report_page.SUFFIXES:
            raise UsageError(f"--out {out} is no page", "name a .pdf or .png file")
        page = report_page.Page(read_stored(a.record, start, start + wanted), a.patient or "", a.speed, a.gain)
        if out.exists() and not a.force:
            raise UsageError(f"{out} is there already", "choose another --out, or say --force")
        page.save(out)
    except EcgEdgeError as e:
        if a.json:
            emit_json({"error": e.message, "fix": e.fix, "exit": e.exit_code})
        raise
    if a.json:
        emit_json({"out": str(out), "from_s": start / float(fs), "exit": 0})
    else:
        say(f"{out}: from {start / float(fs):.1f} s, {a.speed} mm/s, {a.gain} mm/mV")
    hint(f"next: ecg-edge convert {shlex.quote(record_name(a.record))}")
    return 0
