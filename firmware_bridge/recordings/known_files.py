"""Files of recordings among bytes that are to be a device's stream: whatever reads them, no decoder does."""

from __future__ import annotations

import re
from pathlib import Path

from ecg_edge.firmware_bridge.errors import NotAnEcgStreamError, RecordingError
from ecg_edge.firmware_bridge.recordings.edf_file import is_edf
from ecg_edge.firmware_bridge.recordings.table_file import is_clock
from ecg_edge.firmware_bridge.recordings.table_text import find_table

_HEAD = 1 << 16
_MARKS = (
    (rb"\APK\x03\x04", "a zip archive, or a file of numpy (.npz)"),
    (rb"\AMATLAB 5\.0", "a MATLAB file"),
    (rb"\A(\xef\xbb\xbf)?\s*<(\?xml|[A-Za-z!])", "an XML file"),
    (rb"\A(\xef\xbb\xbf)?\s*[{\[]\s*[\"{\[]", "a JSON file"),
    (rb"\A[^\n]*\.(dat|mat) \d+", "a WFDB header"),
    (rb"\A#?\S+(/\d+)? \d+ [\d.]+[^\n]*\n\S+\.(dat|mat) \d+", "a WFDB header"),
    (rb"\A.{128}DICM", "a DICOM file"),
)


def refuse_files(data: bytes) -> None:
    """Refuse bytes that are a recording's file, not what a device sent.

    Raises
    ------
    NotAnEcgStreamError
        They are; what kind of file is named.
    """
    if what := _file(data[:_HEAD]):
        raise NotAnEcgStreamError(
            f"this is {what}, not what a device sent",
            "play the recording: ecg-edge replay FILE; or name the device: ecg-edge decode --as DEVICE FILE",
        )


def _file(head: bytes) -> str:
    if is_edf(head):
        return "an EDF file"
    if found := next((what for mark, what in _MARKS if re.match(mark, head, re.DOTALL)), ""):
        return found
    return _table(head)


def _table(head: bytes) -> str:
    """A table of another program; a device's text has no lines of facts above it, no times, no decimal commas."""
    if b"\0" in head:
        return ""
    whole = head[: head.rfind(b"\n") + 1] or head
    try:
        table = find_table(whole, Path("text"))
    except RecordingError:
        return ""
    facts = [row for row in table.above if len(row) > 1 and row[1]]
    if len(facts) > 1:
        return f"a table with {facts[0][0][:40]!r} above it"
    if clock := next((cell for row in table.heads for cell in row if is_clock(cell)), ""):
        return f"a table with a column {clock[:40]!r}"
    if table.texts:
        return "a table with a column of text or times"
    return "a table with decimal commas" if table.decimal == "," and table.values.shape[1] > 1 else ""
