"""A sink of your own beside the recorder: it raises a flag while a lead is off.

    python docs/examples/own_sink.py [SOURCE] [SECONDS]

In a package of your own, an entry point of the group `ecg_edge.sinks` makes it available to `ecg-edge run`.
"""

import sys
import tempfile

import ecg_edge as ee


class Flag(ee.SinkBase):
    """Counts rows that may be used, and reports what happens."""

    name = "flag"

    def open(self, header: ee.RunHeader) -> None:
        """The first samples are here."""
        self.usable = self.rows = 0
        print(f"{header.info.device}: {', '.join(header.info.leads)} at {float(header.info.fs):g} Hz")

    def leads(self, block: ee.LeadBlock) -> None:
        """Twelve leads, as often as the model makes them."""
        self.rows += len(block)
        self.usable += int((block.valid.all(axis=1) & ~block.warmup).sum())

    def note(self, note: ee.Note) -> None:
        """Something happened: a gap, an electrode off, a reconnection."""
        print(f"{note.kind}: {note.text}")

    def close(self) -> None:
        """The run has ended."""
        print(f"{self.usable} of {self.rows} rows may be used")


source = sys.argv[1] if len(sys.argv) > 1 else "synthetic:"
seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 5.0
with tempfile.TemporaryDirectory() as folder:
    try:
        summary = ee.run(source, [Flag(), ee.Recorder(folder)], seconds=seconds)
    except ee.EcgEdgeError as e:
        sys.exit(str(e))
    print(f"{summary.counts.samples_in} samples in, {summary.counts.lost} lost, {summary.notes}")
