"""The one table of what a run can be told."""

from __future__ import annotations

from dataclasses import dataclass, field

from ecg_edge.device.sources.rescaled import Scale


@dataclass(frozen=True)
class Outlets:
    """Beside recorder, monitor and status line; names as on the command line."""

    jsonl: bool = False
    serve: str | None = None
    token: str | None = None
    mqtt: str | None = None
    lsl: bool = False
    metrics: str | None = None


@dataclass(frozen=True)
class Options:
    """What the user asked for; names and defaults as on the command line."""

    source: str
    model: str | None = None
    out: str | None = None
    monitor: bool = False
    host: str = "127.0.0.1"
    port: int = 8765
    token: str | None = None
    seconds: float | None = None
    mains: str = "50"
    leads: str | None = None
    baud: int | None = None
    reconnect: bool = True
    fast: bool = False
    device: str | None = None
    gain: float | None = None
    calibration: str | None = None
    patient: str | None = None
    placement: str = "again"
    fallback: str | None = None
    rotate: str | None = None
    tui: bool = False
    name: str = ""
    scales: dict[str, Scale] = field(default_factory=dict)
    outlets: Outlets = field(default_factory=Outlets)
