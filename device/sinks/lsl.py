"""The twelve leads as a Lab Streaming Layer outlet (extra `lsl`)."""

from __future__ import annotations

from typing import Any

import numpy as np

from ecg_edge.device.lead_block import LeadBlock, Note
from ecg_edge.device.lead_columns import LeadColumns
from ecg_edge.device.sinks.sink import RunHeader, SinkBase
from ecg_edge.device.sinks.steady_stamps import SteadyStamps
from ecg_edge.firmware_bridge.errors import NOT_LOADABLE, MissingExtraError


class LslSink(SinkBase):
    """Two outlets: ``ecg-edge`` (type ECG, channels in mV, NaN where invalid) and ``ecg-edge notes``.

    Twelve channels are the leads; further ones take a lead while it is estimated because an electrode is off. So the
    provenance in a channel's description holds for every sample (see `LeadColumns`).

    A patch of several has its name in both: ``ecg-edge bed-7``. A row is stamped with the time of its own instant,
    see `SteadyStamps`. ``delay_s`` of the description says how late the rows are where they are counted, not stamped.

    Parameters
    ----------
    patch : str
        Name of the patch; empty where a process runs one.

    Raises
    ------
    MissingExtraError
        pylsl, or the library it needs, is not installed (from `open`).
    """

    name = extra = "lsl"

    def __init__(self, patch: str = "") -> None:
        self._stream = f"ecg-edge {patch}".strip()
        self._outlet: Any = None
        self._notes: Any = None

    def open(self, header: RunHeader) -> None:
        """Announce the streams."""
        try:
            import pylsl
        except NOT_LOADABLE as e:
            raise MissingExtraError("pylsl", self.extra) from e
        self._clock = pylsl.local_clock
        self._fs = header.spec.fs
        self._stamps = SteadyStamps(self._fs, sum(x for x in header.latency_terms.values() if np.isfinite(x)))
        self._columns = LeadColumns(header.provenance)
        columns = self._columns.columns
        identity = f"{self._stream}-{header.info.serial or header.info.device}-{header.source}"
        info: Any = pylsl.StreamInfo(self._stream, "ECG", len(columns), self._fs, "float32", identity)
        about = info.desc()
        about.append_child_value("manufacturer", "ecg-edge")
        about.append_child_value("warning", "reconstructed leads are estimates, not for diagnosis")
        about.append_child_value("model", f"{header.model_name} sha256 {header.model_sha256}")
        about.append_child_value("delay_s", f"{header.delay_s:.6f}")
        channels = about.append_child("channels")
        for k, (lead, provenance) in enumerate(columns):
            channel = channels.append_child("channel")
            for key, value in (
                ("label", lead if k < len(header.provenance) else f"{lead} ({provenance.value})"),
                ("unit", "millivolts"),
                ("type", "ECG"),
                ("provenance", provenance.value),
            ):
                channel.append_child_value(key, value)
        self._outlet = pylsl.StreamOutlet(info)
        marks: Any = pylsl.StreamInfo(f"{self._stream} notes", "Markers", 1, 0, "string", f"{identity}-notes")
        self._notes = pylsl.StreamOutlet(marks)

    def leads(self, block: LeadBlock) -> None:
        """Push the rows; the last one's time counts, the others follow from the rate."""
        if len(block):
            mv, valid = self._columns.spread(block)
            rows = np.where(valid, mv, np.float32(np.nan)).astype(np.float32)
            self._outlet.push_chunk(rows.tolist(), self._stamps.stamp(block.index + len(block) - 1, self._clock()))

    def note(self, note: Note) -> None:
        """Push a marker."""
        self._notes.push_sample([f"{note.kind}: {note.text}"])

    def close(self) -> None:
        """Withdraw the streams."""
        self._outlet = self._notes = None
