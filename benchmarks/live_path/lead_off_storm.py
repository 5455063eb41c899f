"""A lead-off storm: electrodes fall off and on at random, and every recording must agree with the pipeline.

In one process, pipeline to recorder, so that what was said is known. Recording, EDF and page data are held against it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ecg_edge.device.inference.load import load_model
from ecg_edge.device.lead_algebra import Provenance
from ecg_edge.device.lead_block import LeadBlock, Note
from ecg_edge.device.reconstruction.pipeline import Pipeline
from ecg_edge.device.recording.edf_writer import write_edf
from ecg_edge.device.recording.page_content import page_content
from ecg_edge.device.recording.recorder import Recorder
from ecg_edge.device.recording.stored_recording import length, read_stored
from ecg_edge.device.recording.stretch import PAGE_S
from ecg_edge.device.sinks.sink import RunHeader
from ecg_edge.firmware_bridge.array_types import AnyFloatArray, BoolArray, Float32Array
from ecg_edge.firmware_bridge.events import Channel, SampleBlock, StreamInfo
from ecg_edge.firmware_bridge.lead_names import LEADS
from ecg_edge.firmware_bridge.synthetic_heart.heart import SyntheticHeart

_FS, _LEADS, _LSB_MV, _FRAME = 250, ("I", "II"), 0.001, 25
_KINDS = tuple(p.value for p in Provenance)
_CHUNK_S = 600
_HALF_LSB = 0.00051
_MOST_MV = 32.7675
_OFF_S, _ON_S = 4.0, 6.0


@dataclass
class Said:
    """What the pipeline called every sample: kind by row and lead, and its value."""

    kinds: list[npt.NDArray[np.int8]] = field(default_factory=list)
    mv: list[Float32Array] = field(default_factory=list)

    def add(self, block: LeadBlock) -> None:
        """Take a block; -1 where nothing is valid."""
        kinds = np.array([_KINDS.index(p.value) for p in block.provenance], np.int8)
        self.kinds.append(np.where(block.valid, kinds, np.int8(-1)))
        self.mv.append(block.mv.copy())

    def joined(self) -> tuple[npt.NDArray[np.int8], Float32Array]:
        """All rows, shape (n_samples, 12) each."""
        return np.concatenate(self.kinds), np.concatenate(self.mv)


def storm(seconds: float, folder: Path, model: str = "i-ii-int8", seed: int = 0) -> dict[str, Any]:
    """Record a storm into `folder` and hold what was kept against what was said.

    Returns
    -------
    dict
        ``rows``, ``estimated_rows``, ``lead_offs``, ``took_s`` and ``wrong``. The last counts samples that
        differ from what was said or sent: in the recording, its EDF, the page's data and the native record.
    """
    folder.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    counts, there = _sent(seconds, seed)
    path, said, notes = _run(folder, model, counts, there)
    kinds, mv = said.joined()
    edf = folder / "storm.edf"
    write_edf(read_stored(str(path)), edf)
    wrong = {
        "recording": _differs(str(path), kinds, mv),
        "EDF": _differs(str(edf), kinds, mv),
        "page": _page_differs(str(path), kinds, mv),
        "measured record": _native_differs(f"{path}_measured", counts, there),
    }
    return {
        "seconds": seconds,
        "rows": len(kinds),
        "estimated_rows": int((kinds[:, LEADS.index("II")] == _KINDS.index("reconstructed")).sum()),
        "lead_offs": notes.get("fallback", 0),
        "took_s": round(time.monotonic() - began, 1),
        "wrong": wrong,
    }


def _sent(seconds: float, seed: int) -> tuple[npt.NDArray[np.int32], BoolArray]:
    """Counts and presence: each lead is lost and returns at random, on its own."""
    n = int(seconds * _FS)
    counts = np.rint(SyntheticHeart(_FS, _LEADS, seed=seed).read(n) / _LSB_MV).astype(np.int32)
    there = np.ones(counts.shape, np.bool_)
    rng = np.random.default_rng(seed)
    for k in range(len(_LEADS)):
        at = 0
        while at < n:
            at += int(_FS * rng.exponential(_ON_S))
            gone = int(_FS * rng.exponential(_OFF_S))
            there[at : at + gone, k] = False
            at += gone
    return counts, there


def _run(
    folder: Path, model: str, counts: npt.NDArray[np.int32], there: BoolArray
) -> tuple[Path, Said, dict[str, int]]:
    loaded = load_model(model)
    info = StreamInfo("storm", Fraction(_FS), tuple(Channel(x, _LSB_MV, bits=16) for x in _LEADS))
    pipeline = Pipeline(loaded, info, mains_hz=None, spare=load_model("any-int8"))
    recorder, said, notes = Recorder(folder), Said(), dict[str, int]()
    started = datetime(2025, 1, 1, tzinfo=timezone.utc)
    recorder.open(
        RunHeader(info, "storm:", loaded.spec, model, loaded.file_sha256, pipeline.provenance, started,
                  pipeline.latency_terms)
    )  # fmt: skip
    try:
        for item in _items(pipeline, recorder, counts, there):
            if isinstance(item, Note):
                notes[item.kind] = notes.get(item.kind, 0) + 1
                recorder.note(item)
            else:
                said.add(item)
                recorder.leads(item)
    finally:
        recorder.close()
    assert recorder.path is not None
    return recorder.path, said, notes


def _items(
    pipeline: Pipeline, recorder: Recorder, counts: npt.NDArray[np.int32], there: BoolArray
) -> Iterator[LeadBlock | Note]:
    for at in range(0, len(counts), _FRAME):
        x, ok = counts[at : at + _FRAME], there[at : at + _FRAME]
        block = SampleBlock(at, x, (x * _LSB_MV).astype(np.float32), ok)
        recorder.native(block)
        yield from pipeline.feed(block)
    yield from pipeline.flush()


def _differs(path: str, kinds: npt.NDArray[np.int8], mv: Float32Array) -> int:
    """Samples of a stored recording that are not what was said, or are there under a name that was not given them."""
    fs, n = length(path)
    wrong = abs(n - len(kinds))
    step = int(_CHUNK_S * fs)
    for at in range(0, min(n, len(kinds)), step):
        stored = read_stored(path, at, at + step)
        parts = [(s.lead, s.provenance, stored.mv[:, k]) for k, s in enumerate(stored.signals)]
        wrong += _mistakes(parts, kinds[at : at + step], mv[at : at + step])
    return wrong


def _page_differs(path: str, kinds: npt.NDArray[np.int8], mv: Float32Array) -> int:
    wrong = 0
    fs, n = length(path)
    step = int(PAGE_S * fs)
    for at in range(0, n, step):
        page = page_content(read_stored(path, at, at + step))
        parts = [(lead, s.kind, s.mv) for lead in LEADS for s in page.leads[lead]]
        wrong += _mistakes(parts, kinds[at : at + step], mv[at : at + step])
    return wrong


def _mistakes(parts: Sequence[tuple[str, str, AnyFloatArray]], kinds: npt.NDArray[np.int8], mv: Float32Array) -> int:
    found = {(lead, kind): x for lead, kind, x in parts}
    wrong = sum(int(np.isfinite(x).sum()) for (_, kind), x in found.items() if kind not in _KINDS)
    for k, lead in enumerate(LEADS):
        for code, kind in enumerate(_KINDS):
            want = np.where((kinds[:, k] == code) & (np.abs(mv[:, k]) < _MOST_MV), mv[:, k], np.nan)
            x = found.get((lead, kind), np.full(len(want), np.nan))
            apart = (np.isfinite(x) != np.isfinite(want)) | (np.abs(x - want) > _HALF_LSB)
            wrong += int(apart.sum())
    return wrong


def _native_differs(path: str, counts: npt.NDArray[np.int32], there: BoolArray) -> int:
    stored = read_stored(path)
    n = len(stored.counts)
    same = (stored.valid == there[:n]) & (~stored.valid | (stored.counts == counts[:n]))
    return abs(n - len(counts)) + int((~same).sum())
