"""The notes of a WFDB record: annot(5) of the WFDB Applications Guide (G. B. Moody, physionet.org)."""

from __future__ import annotations

import struct
from pathlib import Path

from ecg_edge.firmware_bridge.recordings.text import decode

_SKIP, _NUM, _SUB, _CHAN, _AUX = 59, 60, 61, 62, 63
_MAX_BYTES = 64_000_000


def read_notes(path: Path) -> tuple[tuple[int, str], ...]:
    """Read the texts of an annotation file.

    Parameters
    ----------
    path : Path
        A ``.atr`` file; one that is missing or cut holds what can be read of it.

    Returns
    -------
    tuple of (int, str)
        Frame and text of every annotation that has one. Beats without a text are left out.
    """
    try:
        with path.open("rb") as f:
            data = f.read(_MAX_BYTES)
    except OSError:
        return ()
    notes: list[tuple[int, str]] = []
    at, frame = 0, 0
    while at + 2 <= len(data):
        (word,) = struct.unpack_from("<H", data, at)
        code, low = word >> 10, word & 0x3FF
        at += 2
        if word == 0:
            break
        if code == _SKIP:
            if at + 4 > len(data):
                break
            high, rest = struct.unpack_from("<hH", data, at)
            frame, at = frame + (high << 16 | rest), at + 4
        elif code == _AUX:
            text = decode(data[at : at + low]).strip("\0 ")
            at += low + low % 2
            # Notes of code 0 at frame 0 hold definitions of the file, not events of the record.
            if text and not text.startswith("## "):
                notes.append((frame, text))
        elif code not in (_NUM, _SUB, _CHAN):
            frame += low
    return tuple(notes)
