"""What a run says of itself when it has ended."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from ecg_edge.device.inference.load import Model
from ecg_edge.device.lead_algebra import Provenance
from ecg_edge.device.live.options import Options
from ecg_edge.firmware_bridge.errors import EcgEdgeError
from ecg_edge.firmware_bridge.events import StreamInfo
from ecg_edge.firmware_bridge.lead_names import ELECTRODES, LEADS, electrodes_of, known_channels
from ecg_edge.firmware_bridge.tally import Counts


@dataclass(frozen=True)
class Renewal:
    """How a run begins anew: what was believed of the device at its start has turned out wrong.

    Attributes
    ----------
    reason : str
        For the user.
    fs : Fraction, optional
        The rate the device was found to have, in Hz.
    stranger : bool
        Another device is there, and so perhaps another person.
    device : str
        Name of the device whose rate it is, for ``--as``.
    """

    reason: str
    fs: Fraction | None = None
    stranger: bool = False
    device: str = ""

    def applied(self, options: Options) -> Options:
        """Options of the run that follows one with these `options`."""
        if self.stranger:
            return replace(options, patient=None, calibration=None, placement=Options.placement)
        return options if self.fs is None else replace(options, fs=float(self.fs), device=self.device)


@dataclass(repr=False)
class Summary:
    """Figures of a finished run.

    Attributes
    ----------
    error : EcgEdgeError or None
        What ended the run, if it was an error.
    info, model, provenance : optional
        None where the run ended before the source had described itself. Provenance is that of each lead while all
        electrodes are on.
    provenance_rows : dict of str to dict
        Lead to `Provenance` to number of valid rows.
    latency_s : dict of str to float
        ``p50``, ``p99``, ``max`` from byte arrival to LeadBlock, in seconds.
    terms_s : dict of str to float
        The terms of the latency a user sees, in seconds.
    notes : dict of str to int
        How often something of each kind happened.
    sink_errors : dict of str to EcgEdgeError
        What ended a sink that is not lossless, in its work or its ``close``, by the sink's name. It is the run's
        `error` as well where no other outlet has got to the end.
    drift_ppm : float, optional
        How much slow the device's clock was; see `clock_fit`.
    renewal : Renewal, optional
        Why another run must follow.
    recording : Path, optional
        The twelve-lead record without extension.

    Examples
    --------
    >>> import ecg_edge as ee
    >>> summary = ee.run("synthetic:", seconds=2, fast=True)
    >>> summary.counts.samples_in, summary.counts.rows_out, summary.error
    (500, 200, None)
    """

    source: str
    error: EcgEdgeError | None
    info: StreamInfo | None = None
    model: Model | None = None
    provenance: tuple[Provenance, ...] = ()
    provenance_rows: dict[str, dict[Provenance, int]] = field(default_factory=dict)
    counts: Counts = field(default_factory=Counts)
    dropped_blocks: int = 0
    latency_s: dict[str, float] = field(default_factory=dict)
    terms_s: dict[str, float] = field(default_factory=dict)
    heart_rate_bpm: float | None = None
    notes: dict[str, int] = field(default_factory=dict)
    sink_errors: dict[str, EcgEdgeError] = field(default_factory=dict)
    recording: Path | None = None
    drift_ppm: float | None = None
    renewal: Renewal | None = None

    def __repr__(self) -> str:
        c = self.counts
        parts = [f"{c.samples_in} samples in, {c.lost} lost, {c.rows_out} rows out"]
        parts += [self.model.path.name] if self.model else []
        parts += [str(self.recording)] if self.recording else []
        parts += [f"error: {self.error.message}"] if self.error else []
        parts += [f"{name} stopped: {error.message}" for name, error in self.sink_errors.items()]
        return f"<Summary of {self.source} {'; '.join(parts)}>"

    @property
    def exit_code(self) -> int:
        """Exit status: that of the error, or 0."""
        return self.error.exit_code if self.error else 0

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; no NaN."""
        spec = self.model.spec if self.model else None
        return {
            "source": self.source,
            "device": self.info.device if self.info else None,
            "fs_in": float(self.info.fs) if self.info else None,
            "fs_out": spec.fs if spec else None,
            "leads": list(LEADS),
            "channels": list(known_channels(self.info.leads)) if self.info else [],
            "electrodes": self._electrodes(),
            "provenance": {x: self._weakest(x, p).value for x, p in zip(LEADS, self.provenance, strict=False)},
            "provenance_s": self._seconds(),
            "samples_in": self.counts.samples_in,
            "samples_out": self.counts.rows_out,
            "samples_lost": self.counts.lost,
            "lost_ranges": [list(r) for r in self.counts.lost_ranges],
            "loss_known": self.counts.loss_known,
            "dropped_blocks": self.dropped_blocks,
            "latency_ms": self._latency_ms(),
            "delay_ms": self._latency_ms()["terms"].get("resampler"),
            "heart_rate_bpm": self.heart_rate_bpm,
            "model": self._model(),
            "notes": self.notes,
            "sink_errors": {name: error.message for name, error in self.sink_errors.items()},
            "drift_ppm": self.drift_ppm,
            "recording": str(self.recording) if self.recording else None,
            "error": self.error.message if self.error else None,
            "exit": self.exit_code,
        }

    def _electrodes(self) -> list[str]:
        """Electrodes that the measured leads and channels are taken from."""
        there = known_channels(self.info.leads) if self.info else ()
        return [e for e in ELECTRODES if any(e in electrodes_of(name) for name in there)]

    def _weakest(self, lead: str, usual: Provenance) -> Provenance:
        """A lead that was estimated for a while is not called measured."""
        order = list(Provenance)
        return max(self.provenance_rows.get(lead) or {usual: 0}, key=order.index)

    def _seconds(self) -> dict[str, dict[str, float]]:
        fs = self.model.spec.fs if self.model else 1
        return {x: {p.value: n / fs for p, n in rows.items()} for x, rows in self.provenance_rows.items()}

    def _latency_ms(self) -> dict[str, Any]:
        terms = {k: round(1e3 * v, 3) for k, v in self.terms_s.items()}
        out: dict[str, Any] = {k: round(1e3 * v, 3) for k, v in self.latency_s.items()}
        return out | {"algorithmic": terms.get("algorithmic"), "terms": terms}

    def _model(self) -> dict[str, str] | None:
        if self.model is None:
            return None
        spec = self.model.spec
        return {
            "name": self.model.path.name,
            "sha256": self.model.file_sha256,
            "model_id": spec.model_id,
            "precision": spec.precision,
        }
