"""The twelve leads as JSON lines: what `run --jsonl`, `--serve` and `--mqtt` send.

One object per line; ``type`` names its kind: ``header``, ``leads``, ``note``, ``status``, ``end``. Header, note
and status hold the fields of `monitor.frames`; the header is sent again where the clock was set. ``leads`` holds

``index``
    of the first row on the model-rate axis; ``fs`` is in the header. Over a gap of more than a minute it leaps, after
    a note: such a gap has no rows.
``uv``
    lead to integers in µV; null where invalid.
``interval_uv``
    reconstructed lead to half-widths in µV; null where there is none.
``warmup``
    true where any row is not settled yet.
``provenance``
    lead to ``measured``, ``derived`` or ``reconstructed``; only where it has changed since the header.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime

import numpy as np
import numpy.typing as npt

from ecg_edge.device.lead_algebra import Provenance
from ecg_edge.device.lead_block import LeadBlock, Note
from ecg_edge.device.sinks.messages import end_message, header_message, note_message, status_message
from ecg_edge.device.sinks.sink import RunHeader, SinkBase, Status
from ecg_edge.firmware_bridge.console import silence_stdout, write_through
from ecg_edge.firmware_bridge.lead_names import LEADS

_MOST_MV = 1e5


def leads_line(block: LeadBlock, told: tuple[Provenance, ...]) -> str:
    """Rows of the twelve leads; `told` is the provenance that was last sent."""
    guessed = [k for k, p in enumerate(block.provenance) if p is Provenance.RECONSTRUCTED]
    doc = {
        "type": "leads",
        "index": block.index,
        "uv": {lead: _microvolts(block.mv[:, k], block.valid[:, k]) for k, lead in enumerate(LEADS)},
        "interval_uv": {LEADS[k]: _microvolts(block.sigma[:, k]) for k in guessed},
        "warmup": bool(block.warmup.any()),
    }
    if block.provenance != told:
        doc["provenance"] = {lead: p.value for lead, p in zip(LEADS, block.provenance, strict=True)}
    return json.dumps(doc, separators=(",", ":"), allow_nan=False)


def _microvolts(mv: npt.NDArray[np.floating], valid: npt.NDArray[np.bool_] | None = None) -> list[int | None]:
    """Whole microvolts; null where they are not valid or no number."""
    there = np.abs(mv) <= _MOST_MV  # also false for NaN
    if valid is not None:
        there &= valid
    uv = np.rint(np.where(there, mv, 0.0).astype(np.float64) * 1000).astype(np.int64)
    return uv.tolist() if there.all() else [v if ok else None for v, ok in zip(uv.tolist(), there, strict=True)]


class JsonLines(SinkBase):
    """A sink that hands every line to a function.

    Parameters
    ----------
    send : callable
        Takes the kind and the line, without its end.
    now : callable
        Dates the notes.
    end : callable
        Called when the run is over.
    """

    name = "json lines"

    def __init__(
        self, send: Callable[[str, str], None], now: Callable[[], datetime], end: Callable[[], None] = lambda: None
    ) -> None:
        self._send, self._now, self._end = send, now, end
        self._told: tuple[Provenance, ...] = ()

    def open(self, header: RunHeader) -> None:
        """Send the header."""
        self._told = header.provenance
        self._send("header", header_message(header))

    def redated(self, header: RunHeader) -> None:
        """Send the header again."""
        self._send("header", header_message(header))

    def leads(self, block: LeadBlock) -> None:
        """Send the rows."""
        if len(block):
            self._send("leads", leads_line(block, self._told))
            self._told = block.provenance

    def note(self, note: Note) -> None:
        """Send the note."""
        self._send("note", note_message(note, self._now()))

    def status(self, status: Status) -> None:
        """Send the figures."""
        self._send("status", status_message(status))

    def close(self) -> None:
        """Say that it is over."""
        self._send("end", end_message())
        self._end()


class StdoutLines(JsonLines):
    """The lines to standard output, each at once."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        super().__init__(_to_stdout, now)


def _to_stdout(kind: str, line: str) -> None:
    try:
        write_through(line + "\n")
    except OSError:
        silence_stdout()
        raise
