"""Everything written on the sheet: who, when, how, the figures, ST levels, the warning, notes."""

from __future__ import annotations

from ecg_edge.device.measurements.figures import INTERVALS, NOT_IDENTIFIABLE, Figure
from ecg_edge.device.page.content import PageContent
from ecg_edge.device.page.options import GRIDS, MARGIN, PageOptions
from ecg_edge.device.page.sheet import Sheet, extent, line_height, wrapped
from ecg_edge.device.page.traces import CUT
from ecg_edge.firmware_bridge.lead_names import LEADS

WARNING = "Monitor band, reconstructed leads: not for diagnosis"
WITHOUT_ESTIMATES = "Monitor band: not for diagnosis"
ROOM_FOR_NOTES = 2
"""Lines below the traces; more go on a sheet of their own."""
_SMALL, _PLAIN, _ST_PT = 6.0, 7.5, 5.6
_GREY = "#444444"
_BOX_WIDTH = 92.0


def write_head(sheet: Sheet, content: PageContent, options: PageOptions, page: str) -> None:
    """Person, time and origin, and the box of figures."""
    top, right = sheet.height - 6.0, sheet.grid[2]
    box = right - _BOX_WIDTH
    who = (box - MARGIN - 6) * 0.45
    y = sheet.paragraph(MARGIN, top, who, _short(content.name or "Name not stated", who, 10, 3), 10, bold=True)
    for label, value in (
        ("ID", content.identifier),
        ("Born", content.born),
        ("Sex", content.sex),
        ("Recorded", content.when),
    ):
        y = sheet.paragraph(MARGIN, y, who, _short(f"{label} {value or 'not stated'}", who, _PLAIN, 2), _PLAIN)
    x, wide = MARGIN + who + 3, box - MARGIN - who - 6
    y = top
    for label, value, lines in (
        ("Device", content.device, 1),
        ("Electrodes", content.electrodes, 2),
        ("Record", content.record, 2),
        ("Model", content.model, 2),
        ("Personal calibration", content.calibration or "none", 2),
    ):
        y = sheet.paragraph(x, y, wide, _short(f"{label}: {value or 'not stated'}", wide, _SMALL, lines), _SMALL)
    y = sheet.paragraph(x, y, wide, page, _SMALL, bold=True)
    _figures(sheet, content, box, top)


def _short(words: str, width: float, size: float, lines: int) -> str:
    """Text that fits into some lines: the last ends in an ellipsis where it is longer."""
    found = wrapped(words, width, size, size >= 10)
    if len(found) <= lines:
        return words
    last = found[lines - 1]
    while last and extent(last + "…", size, size >= 10)[0] > width:
        last = last[:-1]
    return " ".join([*found[: lines - 1], last.rstrip() + "…"])


def _figures(sheet: Sheet, content: PageContent, left: float, top: float) -> None:
    """Intervals and axes in a box, in two columns."""
    m = content.measurements
    step = line_height(_PLAIN)
    rows = (len(INTERVALS) + 1) // 2
    sheet.frame((left, top - (rows + 1.75) * step - 1.4, left + _BOX_WIDTH, top))
    for k, (name, title) in enumerate(INTERVALS):
        figure: Figure | None = getattr(m, name) if m else None
        x = left + 1.5 + (k // rows) * 0.5 * _BOX_WIDTH
        y = top - (k % rows + 1) * step
        sheet.write(x, y, title, _PLAIN)
        if figure is None:
            sheet.write(x + 24, y, NOT_IDENTIFIABLE, _SMALL, color=_GREY)
        else:
            sheet.write(x + 24, y, f"{figure}{'' if figure.quality == 'good' else ' ~'}", _PLAIN, bold=True)
    said = "three like beats of a measured lead are needed"
    if m and m.heart_rate:
        said = f"from {m.heart_rate.read_from}, {m.beats} of {m.found} beats; ~ fair quality. Check against the trace."
    for k, line in enumerate(wrapped(said, _BOX_WIDTH - 3, 5.0)[:2]):
        sheet.write(left + 1.5, top - (rows + 0.85 + 0.6 * k) * step, line, 5.0, color=_GREY)


def write_foot(sheet: Sheet, content: PageContent, options: PageOptions, cut: bool) -> list[str]:
    """ST table, scales, warning and notes; return the lines of notes that found no room."""
    left, bottom, right, _ = sheet.grid
    y = _st_table(sheet, content, left, bottom - 1.0, right - left)
    sheet.write(left, y - 5.2, WARNING if content.of("reconstructed") else WITHOUT_ESTIMATES, 12, bold=True)
    y = sheet.paragraph(left, y - 7.2, right - left, _scales(content, options, cut), _SMALL + 0.5)
    lines = wrapped("Notes: " + "; ".join(content.notes), right - left, _SMALL) if content.notes else []
    shown = len(lines) if len(lines) <= ROOM_FOR_NOTES else 1
    for k, line in enumerate(lines[:shown]):
        more = " (all notes: last page)" if shown < len(lines) else ""
        if more:
            line = _short("Notes: " + "; ".join(content.notes), right - left - 40, _SMALL, 1) + more
        sheet.write(left, y - (k + 0.8) * line_height(_SMALL), line, _SMALL, color=_GREY)
    return lines if shown < len(lines) else []


def _scales(content: PageContent, options: PageOptions, cut: bool) -> str:
    columns = len(GRIDS[options.layout][0])
    each = options.seconds / columns
    order = (
        f"simultaneous: all leads show the same {each:.3g} s" if options.simultaneous
        else f"sequential: {columns} columns of {each:.3g} s follow each other" if columns > 1
        else f"all leads show the same {each:.3g} s"
    )  # fmt: skip
    band = "band: 90 % interval" if any(_has_interval(content)) else "no interval in the record"
    said = [
        f"{options.speed:g} mm/s",
        f"{options.gain:g} mm/mV",
        f"filters {content.filters or 'not stated'}",
        f"{content.fs:g} Hz",
        order,
        "thick: measured, thin: derived or reconstructed, as said beside the lead"
        if content.of("reconstructed")
        else "",
        band if content.of("reconstructed") else "",
        "blank: no valid signal",
        CUT if cut else "",
    ]
    return " · ".join(s for s in said if s)


def _has_interval(content: PageContent) -> list[bool]:
    import numpy as np

    return [bool(np.isfinite(s.half).any()) for strips in content.leads.values() for s in strips]


def _st_table(sheet: Sheet, content: PageContent, left: float, top: float, width: float) -> float:
    """ST at J and at J+60 ms of every lead in mV; return where it ends."""
    m = content.measurements
    head, step = 13.0, 3.4
    column = (width - head) / len(LEADS)
    for k, title in enumerate(("ST, mV", "at J", "at J+60 ms")):
        sheet.write(left, top - (k + 0.8) * step, title, _ST_PT, bold=k == 0)
    for j, lead in enumerate(LEADS):
        x = left + head + j * column
        sheet.write(x, top - 0.8 * step, lead, _ST_PT, bold=True)
        row = m.amplitudes.get(lead) if m else None
        for k, name in enumerate(("st_j", "st_j60"), 1):
            figure = row.get(name) if row else None
            sheet.write(x, top - (k + 0.8) * step, _level(figure, column), _ST_PT, color="#111111" if figure else _GREY)
    return top - 3 * step


def _level(figure: Figure | None, room: float) -> str:
    if figure is None:
        return NOT_IDENTIFIABLE
    spread = f" ±{figure.interval:.2f}" if figure.interval is not None else ""
    return f"{round(figure.value, 2) + 0.0:+.2f}{spread}"


def notes_sheet(content: PageContent, options: PageOptions, lines: list[str]) -> Sheet:
    """All notes of the stretch, whole."""
    width, height = options.size
    sheet = Sheet(width, height)
    wide = width - 2 * MARGIN
    y = sheet.paragraph(MARGIN, height - 8, wide, f"Notes of {content.record or 'the recording'}", 10, bold=True)
    for line in lines:
        y = sheet.paragraph(MARGIN, y, wide, line, _PLAIN)
    return sheet
