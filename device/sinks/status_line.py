"""The terminal's status line: one a second on stderr."""

from __future__ import annotations

import re
import sys
from typing import TextIO

from ecg_edge.device.lead_block import Note
from ecg_edge.device.sinks.sink import RunHeader, SinkBase, Status
from ecg_edge.firmware_bridge.console import one_line


class StatusLine(SinkBase):
    """A sink that shows the figures of the run; redrawn in place on a terminal, else a line each.

    Parameters
    ----------
    stream : file, optional
        stderr by default.
    name : str, optional
        Put before every line where several runs share a terminal; nothing is redrawn then.
    """

    name = "status"
    takes = ()
    outlet = False

    def __init__(self, stream: TextIO | None = None, name: str = "") -> None:
        self._out = stream or sys.stderr
        self._name = f"{name}: " if name else ""
        self._tty = self._out.isatty() and not name
        self._drawn = False
        self._said: set[str] = set()

    def open(self, header: RunHeader) -> None:
        """Say what runs."""
        channels = ", ".join(header.info.leads)
        self._line(
            f"{header.source.removesuffix(':')}: {header.info.device}, {channels} at {float(header.info.fs):g} Hz"
        )
        if unnamed := [lead for lead in header.info.leads if re.fullmatch(r"ch\d+", lead)]:
            self._line(f"{', '.join(unnamed)}: no leads, not used (a board cannot know its electrodes; --leads)")
        self._line(f"model {header.model_name} ({header.spec.precision}); reconstructed leads are not for diagnosis")

    def note(self, note: Note) -> None:
        """Say it on a line of its own; held gaps, and what comes by the dozen, only count as lost."""
        if note.kind == "held" or note.kind in self._said:
            return
        self._said.add(note.kind)
        self._line(f"{note.kind} at sample {note.index}: {note.text}")

    def status(self, status: Status) -> None:
        """Show the figures."""
        self._said.clear()
        text = status_text(status)
        if self._tty:
            self._out.write(f"\r{text}\x1b[K")
            self._out.flush()
            self._drawn = True
        else:
            self._line(text)

    def close(self) -> None:
        """Leave the last figures standing."""
        if self._drawn:
            self._line("")

    def _line(self, text: str) -> None:
        if self._drawn:
            self._out.write("\r\x1b[K" if text else "\n")
            self._drawn = False
        if text:
            self._out.write(one_line(self._name + text) + "\n")
        self._out.flush()


def status_text(status: Status) -> str:
    """One line of figures."""
    rate = f"{status.heart_rate_bpm:.0f}/min" if status.heart_rate_bpm is not None else "--/min"
    parts = [
        f"{status.elapsed_s:.0f} s",
        f"{status.rate_hz:.1f} Hz" if status.connected else "disconnected",
        f"lost {status.samples_lost}",
        f"latency {status.latency_p50_ms:.1f}/{status.latency_p99_ms:.1f} ms",
        f"heart {rate}",
    ]
    if status.lead_off:
        parts.append("off: " + " ".join(status.lead_off))
    spoilt = [f"{lead} {q['reason']}" for lead, q in status.quality.items() if q["reason"]]
    if spoilt:
        parts.append("signal: " + ", ".join(spoilt))
    parts += status.warnings
    if status.drift_ppm is not None:
        parts.append(f"clock {abs(status.drift_ppm):.0f} ppm {'slow' if status.drift_ppm > 0 else 'fast'}")
    if status.dropped_blocks:
        parts.append(f"dropped {status.dropped_blocks}")
    if status.battery_percent is not None:
        parts.append(f"battery {status.battery_percent} %")
    return "  ".join(parts)
