"""The page of a live monitor: the last rows it holds, through the same layout as a stored recording's."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import numpy as np
import numpy.typing as npt

from ecg_edge.device.conditioning.spec import ConditioningSpec
from ecg_edge.device.conditioning.zero_phase import phase_undone
from ecg_edge.device.lead_algebra import Provenance
from ecg_edge.device.measurements.figures import Measurements
from ecg_edge.device.measurements.measure import measure_leads
from ecg_edge.device.monitor.frames import Frame, decode_frame
from ecg_edge.device.monitor.held import Held
from ecg_edge.device.page.compose import compose
from ecg_edge.device.page.content import PageContent, Strip
from ecg_edge.device.page.options import GRIDS, PAGE_S, SIZES, PageOptions
from ecg_edge.device.page.pdf import pdf
from ecg_edge.device.page.said import local_time, named_model, passband
from ecg_edge.firmware_bridge.array_types import FloatArray
from ecg_edge.firmware_bridge.errors import RecordingError, UsageError
from ecg_edge.firmware_bridge.lead_names import LEADS

_SPEEDS, _GAINS = ("25", "50"), ("5", "10", "20")
_CHOICES = {"paper": tuple(SIZES), "layout": tuple(GRIDS), "speed": _SPEEDS, "gain": _GAINS}
Message = Mapping[str, Any]


@dataclass(frozen=True)
class _Rows:
    """Rows that follow each other, shape (n_rows, 12): mV, half-widths, kinds (empty: none), settled estimates."""

    first: int
    mv: FloatArray
    half: FloatArray
    kind: npt.NDArray[np.str_]
    settled: npt.NDArray[np.bool_]


def screen_page(held: Held, query: str) -> bytes:
    """Return the page that ends with a row, or with the newest, as PDF.

    Parameters
    ----------
    held : Held
    query : str
        ``end`` (number of the row behind the last one), ``paper``, ``layout``, ``speed``, ``gain``, as in an address.

    Raises
    ------
    UsageError
        A word of the query is unknown.
    RecordingError
        These rows are not held (any more).
    """
    options, end = _asked(query)
    if not held.header:
        raise RecordingError("there is no signal yet", "wait for the first samples")
    header: Message = json.loads(held.header)
    rows = _rows(held.frames, int(header["fs"]), end)
    content = _content(header, json.loads(held.status or "{}"), [json.loads(n) for n in held.notes], rows)
    return pdf(compose(content, options), f"ECG {content.identifier} {content.when}")


def _asked(query: str) -> tuple[PageOptions, int | None]:
    given = dict(parse_qsl(query, keep_blank_values=True))
    end = given.pop("end", "")
    for name, value in given.items():
        if value not in _CHOICES.get(name, ()):
            known = "; ".join(f"{k}={'|'.join(v)}" for k, v in _CHOICES.items())
            raise UsageError(f"{name}={value} is no choice of a page", f"choose of {known}")
    if end and not (end.isascii() and end.isdigit() and len(end) < 16):
        raise UsageError(f"end={end} is no row", "give a whole number")
    usual = PageOptions()
    options = PageOptions(
        given.get("paper", usual.paper),
        given.get("layout", usual.layout),
        float(given.get("speed", usual.speed)),
        float(given.get("gain", usual.gain)),
    )
    return options, int(end) if end else None


def _rows(data: Sequence[bytes], fs: int, end: int | None) -> _Rows:
    """Up to ten seconds before `end`; a row that was lost on the way is empty."""
    frames = _of_one_axis(data)
    last = frames[0].index + len(frames[0].uv) if frames else 0
    end = last if end is None else end
    first = max(end - round(PAGE_S * fs), frames[-1].index if frames else 0)
    if not first < end <= last:
        raise RecordingError("these seconds are not held any more", "choose later ones")
    shape = end - first, len(LEADS)
    empty = np.full(shape, np.nan)
    rows = _Rows(first, empty, empty.copy(), np.full(shape, "", "<U13"), np.ones(shape, np.bool_))
    for frame in frames:
        if frame.index < end and frame.index + len(frame.uv) > first:
            _put(rows, frame, end)
    return rows


def _of_one_axis(data: Sequence[bytes]) -> list[Frame]:
    """The newest first, as far as they follow each other: a device that began anew began another axis."""
    found: list[Frame] = []
    for raw in reversed(data):
        frame = decode_frame(raw)
        if found and frame.index + len(frame.uv) > found[-1].index:
            break
        found.append(frame)
    return found


def _put(rows: _Rows, frame: Frame, end: int) -> None:
    """Fill in a frame's rows."""
    a, b = max(frame.index, rows.first), min(frame.index + len(frame.uv), end)
    here, there = slice(a - rows.first, b - rows.first), slice(a - frame.index, b - frame.index)
    guessed = np.array([p is Provenance.RECONSTRUCTED for p in frame.provenance])
    shown = frame.valid[there]
    rows.mv[here] = np.where(shown, frame.uv[there] / 1000, np.nan)
    rows.half[here] = np.where(shown & guessed, frame.sigma_uv[there] / 1000, np.nan)
    rows.kind[here] = [p.value for p in frame.provenance]
    rows.settled[here] = ~(frame.warmup[there, None] & guessed)


def _content(header: Message, status: Message, notes: Sequence[Message], rows: _Rows) -> PageContent:
    fs = float(header["fs"])
    row = rows.first - fs * header["delay_ms"] / 1000
    started = datetime.fromisoformat(header["started"])
    model = header["model"]
    notch = f"notch {header['notch_hz']:g} Hz" if header.get("notch_hz") else "no notch"
    return PageContent(
        fs,
        {lead: _strips(rows, k) for k, lead in enumerate(LEADS)},
        identifier=header["patient"],
        when=local_time(started + timedelta(seconds=row / fs)),
        device=f"{header['device']} {header['firmware']}".strip(),
        electrodes=f"{' '.join(header['electrodes'])}, place not stated" if header["electrodes"] else "",
        record=f"live, {header['source']}",
        model=named_model(model["name"], model["sha256"]),
        calibration=status.get("calibration") or header["calibration"],
        filters=passband(header["highpass_hz"], fs, notch, live=True),
        measurements=_measured(rows, fs, ConditioningSpec(highpass_hz=header["highpass_hz"])),
        notes=tuple(_notes(header, status, notes, rows)),
    )


def _strips(rows: _Rows, k: int) -> tuple[Strip, ...]:
    """A strip for each kind this lead had."""
    kinds = [x for x in dict.fromkeys(rows.kind[:, k].tolist()) if x]
    of = ((kind, rows.kind[:, k] == kind) for kind in kinds)
    return tuple(
        Strip(kind, np.where(at, rows.mv[:, k], np.nan), np.where(at, rows.half[:, k], np.nan)) for kind, at in of
    )


def _measured(rows: _Rows, fs: float, passed: ConditioningSpec) -> Measurements | None:
    """Measure each lead as the kind it was for longest, and estimates once they have settled."""
    kinds = [max(set(rows.kind[:, k].tolist()) - {""}, key=rows.kind[:, k].tolist().count) for k in range(len(LEADS))]
    there = (rows.kind == np.array(kinds)) & rows.settled
    mv, half = (np.where(there, v, np.nan) for v in (rows.mv, rows.half))
    return measure_leads(phase_undone(mv, fs, passed), fs, LEADS, kinds, interval_mv=half)


def _notes(header: Message, status: Message, notes: Sequence[Message], rows: _Rows) -> Iterable[str]:
    """What happened in the stretch, and what is to be known of it."""
    ratio = header["native_fs"] / header["fs"]
    first, last = ratio * rows.first, ratio * (rows.first + len(rows.mv))
    if not rows.settled.all():
        yield "warm-up: reconstructed leads not settled"
    yield from dict.fromkeys(f"{n['kind']}: {n['text']}" for n in notes if first <= n["index"] < last)
    yield from status.get("warnings", ())
