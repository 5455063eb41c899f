"""Header, status, notes and end as JSON messages, the same in every outlet."""

from __future__ import annotations

import json
import math
from datetime import datetime
from importlib import metadata

from ecg_edge.device.lead_algebra import ST_WEAK
from ecg_edge.device.lead_block import Note
from ecg_edge.device.sinks.sink import RunHeader, Status
from ecg_edge.firmware_bridge.lead_names import ELECTRODES, LEADS

VERSION = 1


def header_message(header: RunHeader) -> str:
    """Describe the run for the page."""
    spec = header.spec
    return _dump(
        "header",
        protocol=VERSION,
        version=metadata.version("ecg-edge"),
        device=header.info.device,
        firmware=header.info.firmware,
        source=header.source,
        started=header.started.isoformat(),
        leads=LEADS,
        provenance=[p.value for p in header.provenance],
        inputs=spec.input_leads,
        channels=header.channels,
        electrodes=header.electrodes,
        sensed=[e for k, e in enumerate(ELECTRODES) if header.info.sensed >> k & 1],
        patient=header.patient,
        fs=spec.fs,
        native_fs=float(header.info.fs),
        model={"name": header.model_name, "precision": spec.precision, "sha256": header.model_sha256},
        calibration=header.calibration,
        interval_level=spec.head.interval_level,
        hop=spec.hop,
        highpass_hz=spec.conditioning.highpass_hz,
        notch_hz=header.mains_hz,
        delay_ms=1000 * header.delay_s,
        algorithmic_ms=1000 * spec.algorithmic_latency_s,
        latency_ms={name: 1000 * seconds for name, seconds in header.latency_terms.items() if math.isfinite(seconds)},
        st_weak=ST_WEAK,
    )


def status_message(status: Status) -> str:
    """Fresh figures for the page."""
    return _dump("status", **vars(status))


def note_message(note: Note, at: datetime) -> str:
    """Something happened, at the wall-clock time `at`."""
    return _dump("note", at=at.isoformat(), **vars(note))


def end_message() -> str:
    """The run is over."""
    return _dump("end")


def _dump(message_type: str, /, **fields: object) -> str:
    """Serialise; JSON has no NaN and no infinity, so unknown figures become null."""
    return json.dumps({"type": message_type, **{k: _clean(v) for k, v in fields.items()}}, allow_nan=False)


def _clean(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {k: _clean(v) for k, v in value.items()}
    return [_clean(v) for v in value] if isinstance(value, list | tuple) else value
