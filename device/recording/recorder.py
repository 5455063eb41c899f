"""The recorder: one run becomes two WFDB records, the twelve leads and the measured ones as they came."""

from __future__ import annotations

import contextlib
from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path

import numpy as np

from ecg_edge.device.lead_algebra import Provenance
from ecg_edge.device.lead_block import LONG_GAP_S, LeadBlock, Note
from ecg_edge.device.lead_columns import LeadColumns
from ecg_edge.device.recording.rolling_record import RollingRecord, parse_rotation
from ecg_edge.device.recording.safe_files import disk_errors
from ecg_edge.device.recording.wfdb_writer import WfdbColumn, WfdbWriter
from ecg_edge.device.sinks.sink import RunHeader, SinkBase
from ecg_edge.firmware_bridge.errors import UsageError
from ecg_edge.firmware_bridge.events import Channel, SampleBlock
from ecg_edge.firmware_bridge.lead_names import LEADS
from ecg_edge.firmware_bridge.private_files import exact_path, private_folder
from ecg_edge.firmware_bridge.recordings.recording import DELAY
from ecg_edge.firmware_bridge.recordings.wfdb_record import UTC

_BYTES_PER_S = 3600
_MOST = np.iinfo(np.int32)
_GAIN = 1000
"""Counts per mV of the twelve leads: 1 µV, up to 32.767 mV."""
_LARGEST = 2**30
_SYNC_S = 0.72
"""Signal between two updates of the headers; with what waits in the queue, a killed run loses under a second."""
_SAME = timedelta(seconds=1)
"""Two records that begin within it are of one pair: their rates put the same instant between different samples."""


@dataclass(frozen=True)
class _Half:
    """A record of a pair whose other one is not there yet."""

    name: str
    suffix: str
    started: datetime


class Recorder(SinkBase):
    """A sink that writes ``<UTC stamp>`` (twelve leads, model rate) and ``<UTC stamp>_measured``.

    The measured record holds the device's own counts, its scale as gain. In both, a sample that was lost or must not be
    trusted reads as NaN, and notes say why. Headers are brought up to date every 0.72 s of signal. A column holds one
    provenance. A lead that is estimated for a while is NaN in its own column and lies in a further one, ``I
    (reconstructed)`` (see `LeadColumns`). Behind a gap of more than a minute a new pair begins.

    Parameters
    ----------
    folder : Path or str
        Made if it is not there.
    rotate : str, optional
        A new pair of records every ``1h``, ``10min`` or ``500MB`` (of the twelve leads).

    Raises
    ------
    DiskFullError, RecordingError
        From every method, when the files cannot be written.

    Examples
    --------
    >>> import tempfile, ecg_edge as ee
    >>> folder = tempfile.TemporaryDirectory()
    >>> summary = ee.run("synthetic:", [ee.Recorder(folder.name)], seconds=2, fast=True)
    >>> summary.recording.with_suffix(".hea").read_text().split()[1:4]  # columns, rate, samples
    ['18', '100.0', '200']
    >>> folder.cleanup()
    """

    name = "recorder"
    takes = (SampleBlock, LeadBlock)
    lossless = True
    capacity = 4096  # minutes of hops: memory cards pause for seconds now and then
    batch = 6  # three hops, measured and reconstructed

    def __init__(self, folder: Path | str, rotate: str | None = None) -> None:
        self._folder, self._rotate = exact_path(folder, "folder"), rotate
        if rotate is not None and not isinstance(rotate, str):
            raise UsageError(f"rotate={rotate!r} is no text", 'pass a time or a size: rotate="1h", or "500MB"')
        if rotate:
            parse_rotation(rotate, _BYTES_PER_S)
        self._twelve: RollingRecord | None = None
        self._measured: RollingRecord | None = None
        self._halves: deque[_Half] = deque(maxlen=4)
        self._synced = 0
        self._warming = False

    @property
    def path(self) -> Path | None:
        """The twelve-lead record without extension, once open."""
        return self._twelve.path if self._twelve else None

    def open(self, header: RunHeader) -> None:
        """Create both records."""
        with disk_errors(self._folder):
            private_folder(self._folder)
        spec, info = header.spec, header.info
        said = [*_comments(header), *_kept(header)]
        self._columns = LeadColumns(header.provenance)
        signals = [WfdbColumn(f"{lead} ({p.value})", _GAIN) for lead, p in self._columns.columns]
        every = parse_rotation(self._rotate, 2 * len(signals) * spec.fs) if self._rotate else None
        self._ratio = spec.fs / info.fs
        self._sync_every = round(_SYNC_S * spec.fs)
        fs = Fraction(spec.fs)

        def twelve(started: datetime) -> WfdbWriter:
            return WfdbWriter(self._folder, self._free_name(started), fs, signals, 16, started, said)

        # Shorter gaps have rows, so that what is missing here is a long one, less the model's own reach.
        self._twelve = RollingRecord(twelve, header.started, fs, every, LONG_GAP_S / 2)
        # Some devices send rates and flags beside voltages; those have no scale in mV.
        self._volts = [k for k, c in enumerate(info.channels) if np.isfinite(c.lsb_mv) or c.lsb]
        native = [_native_signal(info.channels[k]) for k in self._volts]
        fmt = max(_format(info.channels[k]) for k in self._volts)
        device = f"device: {info.device} {info.firmware} {info.serial}".rstrip()
        who = [f"patient: {header.patient}"] if header.patient else []
        late = _late(header)
        about = [*([f"{DELAY}{late:.6f}"] if late else []), device, *who, f"source: {header.source}"]

        def measured(started: datetime) -> WfdbWriter:
            name = self._free_name(started, "_measured")
            return WfdbWriter(self._folder, name, info.fs, native, fmt, started, [*about, *_kept(header)])

        with contextlib.ExitStack() as undo:  # of a pair that cannot begin nothing is left
            undo.callback(self._twelve.discard)
            self._measured = RollingRecord(measured, header.started, info.fs, every)
            undo.callback(self._measured.discard)
            for record in (self._twelve, self._measured):
                record.annotate(0, "start of recording")
            undo.pop_all()

    def native(self, block: SampleBlock) -> None:
        """Append the device's counts; samples missing before the block are written as invalid."""
        record = self._measured
        if record is None:
            return
        record.skip(block.index - record.n_samples)
        seen = record.n_samples - block.index
        counts, valid = block.counts[seen:][:, self._volts], block.valid[seen:][:, self._volts]
        held = (counts < _MOST.max) & (counts > _MOST.min)  # a source stops at these where its number is larger
        record.append(counts, valid & held)

    def leads(self, block: LeadBlock) -> None:
        """Append rows of the twelve leads."""
        record = self._twelve
        if record is None:
            return
        record.skip(block.index - record.n_samples)
        seen = record.n_samples - block.index
        self._mark_warmup(block, seen)
        mv, valid = self._columns.spread(block.rows(seen, len(block)))
        counts = np.rint(np.clip(mv.astype(np.float64) * _GAIN, -_LARGEST, _LARGEST))  # beyond 16 bits: invalid
        record.append(counts.astype(np.int32), valid)
        if record.n_samples - self._synced >= self._sync_every:
            self._sync()

    def note(self, note: Note) -> None:
        """Annotate both records at the note's place."""
        text = f"{note.kind}: {note.text}" if note.text else note.kind
        if self._measured is not None and self._twelve is not None:
            self._measured.annotate(note.index, text)
            self._twelve.annotate(int(note.index * self._ratio), text)

    def redated(self, header: RunHeader) -> None:
        """Mend the dates of both newest records, and of those that follow; names stay."""
        for record in (self._twelve, self._measured):
            if record is not None:
                record.redate(header.started)

    def close(self) -> None:
        """Bring both headers up to date and close the files, also when one of them fails."""
        try:
            if self._twelve is not None:
                self._twelve.close()
        finally:
            if self._measured is not None:
                self._measured.close()

    def _mark_warmup(self, block: LeadBlock, seen: int) -> None:
        """Say where estimates are not settled yet; after a cold start they are invalid until then."""
        changes = np.flatnonzero(np.diff(block.warmup[seen:], prepend=self._warming)) + seen
        for row in changes.tolist():
            self._warming = bool(block.warmup[row])
            text = "warm-up: reconstructed leads not settled" if self._warming else "settled"
            if self._twelve is not None:
                self._twelve.annotate(block.index + row, text)

    def _sync(self) -> None:
        for record in (self._measured, self._twelve):
            if record is not None:
                record.sync()
                self._synced = record.n_samples

    def _free_name(self, started: datetime, suffix: str = "") -> str:
        """Name after a time; two runs may begin within a second. A measured record is named as its twelve leads."""
        for half in self._halves:
            if half.suffix != suffix and abs(half.started - started) <= _SAME:
                self._halves.remove(half)
                return half.name + suffix
        stamp = f"{started.year:04}{started:%m%dT%H%M%S}" + ("Z" if started.tzinfo else "")
        name, k = stamp, 2
        while not (self._free(name) and self._free(f"{name}_measured")):
            name, k = f"{stamp}_{k}", k + 1
        self._halves.append(_Half(name, suffix, started))
        return name + suffix

    def _free(self, name: str) -> bool:
        return not (self._folder / f"{name}.dat").exists()


def _late(header: RunHeader) -> float:
    """Seconds by which the source's own rows are late."""
    volts = (c for c in header.info.channels if np.isfinite(c.lsb_mv))
    return max((c.group_delay_s for c in volts), default=0.0)


def _comments(header: RunHeader) -> list[str]:
    spec = header.spec
    by: dict[Provenance, list[str]] = {p: [] for p in Provenance}
    for lead, p in zip(LEADS, header.provenance, strict=True):
        by[p].append(lead)
    level = f"{100 * spec.head.interval_level:g} %"
    return [
        "reconstructed leads are estimates, not for diagnosis",
        *(f"{p.value}: {', '.join(leads) or 'none'}" for p, leads in by.items()),
        "a column holds one provenance; a lead estimated for a while lies in its column (reconstructed) meanwhile",
        f"model: {header.model_name} sha256 {header.model_sha256} model_id {spec.model_id} {spec.precision}",
        f"electrodes: {', '.join(header.electrodes) or 'unknown'}",
        *([f"channels: {', '.join(header.channels)} (measured); see the measured record"] if header.channels else []),
        *([f"patient: {header.patient}"] if header.patient else []),
        *([header.calibration] if header.calibration else []),
        f"source: {header.source}",
        f"conditioning: high-pass {spec.conditioning.highpass_hz:g} Hz (monitor band), rate {spec.fs} Hz, "
        + (f"notch {header.mains_hz:g} Hz" if header.mains_hz else "no notch"),
        f"device: {header.info.device} {header.info.firmware} {header.info.serial}".rstrip(),
        f"alignment: sample m shows the instant m/{spec.fs} s - {header.delay_s:.4f} s"
        + (f" of the source, which is itself {late:.4f} s late" if (late := _late(header)) else ""),
        f"{DELAY}{header.delay_s:.6f}",
        f"interval: the model states a {level} interval for its estimates while running; it is not in this record",
        "invalid samples (lost, electrode off, beyond 32.767 mV) read as NaN; notes say why, where short gaps were "
        "bridged (held), and where estimates warm up",
    ]


def _kept(header: RunHeader) -> list[str]:
    """What a stored source says of itself and its person, and that the header's time is UTC where it is."""
    origin = header.info.origin
    kept = [c for c in origin.comments if c != UTC] if origin else []
    return [*([UTC] if header.started.tzinfo else []), *kept]


def _format(channel: Channel) -> int:
    """Smallest format that holds every count; an offset may mean that counts are unsigned."""
    bits = 32 if not channel.bits else channel.bits if channel.offset == 0 else channel.bits + 1
    return 16 if bits <= 16 else 24 if bits <= 24 else 32


def _native_signal(channel: Channel) -> WfdbColumn:
    lsb = channel.lsb or channel.lsb_mv
    return WfdbColumn(
        f"{channel.lead} (measured)", 1 / lsb if lsb else 0.0, round(channel.offset), channel.bits, channel.unit
    )
