"""A page of which one part, between two marks, is made by a program."""

from __future__ import annotations

from ecg_edge.firmware_bridge.errors import UsageError


def renewed(page: str, begin: str, end: str, text: str) -> str:
    """Return a page with a new text between its two marks.

    Parameters
    ----------
    page : str
        The whole page.
    begin, end : str
        The marks: lines of their own.
    text : str
        Lines, the last one ended.

    Raises
    ------
    UsageError
        The marks are not there, or not in this order.
    """
    before, first, rest = page.partition(begin)
    _, last, after = rest.partition(end)
    if not first or not last:
        raise UsageError("the page has no place for the table", f"put the lines {begin} and {end} into it")
    return f"{before}{begin}\n{text}{end}{after}"
