"""``ecg-edge run … --sink csv:FILE``: the twelve leads in mV, a row per sample."""

from __future__ import annotations

from pathlib import Path
from typing import TextIO

from ecg_edge.device.lead_block import LeadBlock
from ecg_edge.device.sinks.sink import RunHeader, SinkBase, SinkRequest
from ecg_edge.firmware_bridge.errors import RecordingError, UsageError
from ecg_edge.firmware_bridge.lead_names import LEADS


class CsvSink(SinkBase):
    """Writes a file; cells that must not be used stay empty."""

    name = "csv"
    lossless = True

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: TextIO | None = None

    @property
    def where(self) -> str:
        """The file."""
        return f"csv: {self._path}" if self._file else ""

    def open(self, header: RunHeader) -> None:
        """Begin the file."""
        try:
            self._file = self._path.open("w", encoding="utf-8")
        except OSError as e:
            raise RecordingError(
                f"cannot write {self._path}: {e.strerror}", "name another file: --sink csv:FILE"
            ) from e
        self._file.write("index," + ",".join(LEADS) + "\n")

    def leads(self, block: LeadBlock) -> None:
        """Append rows."""
        if self._file is None:
            return
        for k in range(len(block)):
            cells = [f"{v:.3f}" if ok else "" for v, ok in zip(block.mv[k], block.valid[k], strict=True)]
            self._file.write(f"{block.index + k},{','.join(cells)}\n")

    def close(self) -> None:
        """End the file."""
        if self._file is not None:
            self._file.close()


def make(request: SinkRequest) -> CsvSink:
    """Make the sink of ``--sink csv:FILE``."""
    if not request.argument:
        raise UsageError("--sink csv names no file", "write --sink csv:leads.csv")
    return CsvSink(Path(request.argument))
