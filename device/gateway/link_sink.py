"""The sink of a worker: a bed's header, leads, notes and figures to the supervisor."""

from __future__ import annotations

from ecg_edge.device.gateway.link import Link
from ecg_edge.device.lead_block import LeadBlock, Note
from ecg_edge.device.monitor.frames import encode_frames
from ecg_edge.device.sinks.messages import header_message, note_message, status_message
from ecg_edge.device.sinks.sink import RunHeader, SinkBase, Status
from ecg_edge.firmware_bridge.clock import Clock


class LinkSink(SinkBase):
    """Sends what a run makes over the worker's link; a supervisor that is slow costs frames, never the run.

    Parameters
    ----------
    link : Link
        Shared by all beds of the worker.
    bed : str
        Name of the patch.
    run : int
        Number of the run, which tells it from the one before.
    clock : Clock
        Dates the notes.
    leads : bool
        Whether anybody shows the leads.
    """

    name = "ward"
    outlet = False
    capacity = 128

    def __init__(self, link: Link, bed: str, run: int, clock: Clock, leads: bool) -> None:
        self._link, self._bed, self._run, self._clock = link, bed, run, clock
        self.takes = (LeadBlock,) if leads else ()
        self._sequence = 0

    def open(self, header: RunHeader) -> None:
        """Send the header."""
        self._say("header", header_message(header))

    def leads(self, block: LeadBlock) -> None:
        """Send the rows."""
        for frame in encode_frames(block, self._sequence):
            self._sequence += 1
            self._link.send_samples(self._bed, frame)

    def note(self, note: Note) -> None:
        """Send the note."""
        self._say("note", note_message(note, self._clock.now()))

    def status(self, status: Status) -> None:
        """Send the figures."""
        self._say("status", status_message(status))

    def _say(self, kind: str, text: str) -> None:
        self._link.send({"kind": kind, "bed": self._bed, "run": self._run, "text": text})
