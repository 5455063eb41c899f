"""The verb ``report``: a page of a recording as PDF or PNG."""

from __future__ import annotations

import argparse
from pathlib import Path

from ecg_edge.device.page.compose import compose
from ecg_edge.device.page.content import PageContent
from ecg_edge.device.page.draw import png
from ecg_edge.device.page.options import PageOptions
from ecg_edge.device.page.pdf import pdf
from ecg_edge.device.page.traces import is_cut
from ecg_edge.device.recording.implausible_leads import annotated, doubted_leads, warnings
from ecg_edge.device.recording.page_content import page_content
from ecg_edge.device.recording.safe_files import disk_errors, refuse_replacing
from ecg_edge.device.recording.stored_recording import command_on, record_name, same_recording
from ecg_edge.device.recording.stretch import file_rate, stretch_of
from ecg_edge.firmware_bridge.console import emit_json, hint, say
from ecg_edge.firmware_bridge.errors import EcgEdgeError, UsageError
from ecg_edge.firmware_bridge.extras import needing
from ecg_edge.firmware_bridge.private_files import private_open

SUFFIXES = (".pdf", ".png")


def report(arguments: argparse.Namespace) -> int:
    """Do what ``ecg-edge report`` says; return the exit status."""
    a = arguments
    try:
        stored = stretch_of(a.record, a.at, fs=file_rate(a.fs), unit=a.unit)
        out = Path(a.out or f"{record_name(a.record)}.pdf")
        if out.suffix not in SUFFIXES:
            raise UsageError(f"--out {out} is no page", "name a .pdf or .png file")
        found = doubted_leads(stored)
        content = page_content(annotated(stored, found), a.patient or "", a.name or "")
        options = PageOptions(a.paper, a.layout, a.speed, _gain(a, content), a.simultaneous)
        refuse_replacing([out], a.force, a.record)
        written = _write(content, options, out, a.force)
    except EcgEdgeError as e:
        if a.json:
            emit_json({"error": e.message, "fix": e.fix, "exit": e.exit_code})
        raise
    start = stored.first / float(stored.fs)
    if a.json:
        emit_json(
            {
                "out": str(out),
                "files": [str(p) for p in written],
                "from_s": start,
                "warnings": [*stored.remarks, *warnings(stored, found)],
                "exit": 0,
            }
        )
    else:
        said = ", ".join(str(p) for p in written)
        say(f"{said}: from {start:.1f} s, {options.speed:g} mm/s, {options.gain:g} mm/mV")
    for remark in stored.remarks:
        hint(f"warning: {remark}")
    for warning in warnings(stored, found):
        hint(f"warning: {warning}: not measured")
    again = command_on("convert", same_recording(a.record), ".edf")
    hint(f"next: {needing('edf', again)}")
    return 0


def _gain(a: argparse.Namespace, content: PageContent) -> float:
    """The gain asked for; with ``auto`` half of the usual one where waves would be cut."""
    if a.gain != "auto":
        return float(a.gain)
    usual = PageOptions(a.paper, a.layout, a.speed, 10.0, a.simultaneous)
    return 5.0 if is_cut(content, usual) else 10.0


def _write(content: PageContent, options: PageOptions, out: Path, force: bool) -> list[Path]:
    """Write the page; a PNG holds one sheet, so further ones lie beside it."""
    sheets = compose(content, options)
    if out.suffix == ".pdf":
        files = [(out, pdf(sheets, f"ECG {content.record}"))]
    else:
        names = [out, *(out.with_name(f"{out.stem}-{k}.png") for k in range(2, len(sheets) + 1))]
        files = [(path, png(sheet)) for path, sheet in zip(names, sheets, strict=True)]
    refuse_replacing([path for path, _ in files], force)
    for path, data in files:
        with disk_errors(path), private_open(path, "wb") as f:
            f.write(data)
    return [path for path, _ in files]
