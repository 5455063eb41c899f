"""Content and options to sheets."""

from __future__ import annotations

from ecg_edge.device.page.content import PageContent
from ecg_edge.device.page.options import PAGE_S, PageOptions
from ecg_edge.device.page.sheet import Sheet, wrapped
from ecg_edge.device.page.traces import draw_rows
from ecg_edge.device.page.words import notes_sheet, write_foot, write_head

_NOTES_PT = 7.5


def compose(content: PageContent, options: PageOptions) -> list[Sheet]:
    """Lay out a page, or several where the layout or the notes need them.

    Parameters
    ----------
    content : PageContent
    options : PageOptions
    """
    parts = options.sheets(content.rhythm)
    sheets, left_over = [], False
    for k, rows in enumerate(parts):
        sheet = Sheet(*options.size, grid=options.grid)
        cut = draw_rows(sheet, content, options, rows)
        page = f"page {k + 1} of {len(parts)}" if len(parts) > 1 else ""
        shown = options.seconds
        if shown < min(PAGE_S, content.seconds) - 0.05:
            page = f"{page}   {shown:.1f} of {content.seconds:.1f} s shown".strip()
        write_head(sheet, content, options, page)
        left_over |= bool(write_foot(sheet, content, options, cut))
        sheets.append(sheet)
    if left_over:
        width = options.size[0] - 14
        lines = [line for note in content.notes for line in wrapped(note, width, _NOTES_PT)]
        sheets.append(notes_sheet(content, options, lines))
    return sheets
