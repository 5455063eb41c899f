"""Intervals of fold 10: what is read off two measured leads, and off a reconstruction, against all twelve.

The limits are those electrocardiographs are held to on biological ECGs, as they are commonly quoted. They stand in
IEC 60601-2-25:2011, taken over from IEC 60601-2-51:2003, clause 50.101.3.2. The standard itself was not read, and no
public text with the four figures was found. They apply to the CSE recordings, with referees' marks as the truth. Here
the truth is the same rule on twelve measured leads, so only what missing leads do to it is seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ecg_edge.device.lead_algebra import BASIS, Provenance, twelve_from_basis
from ecg_edge.device.measurements.figures import Measurements
from ecg_edge.device.measurements.measure import measure_leads
from ecg_edge.firmware_bridge.array_types import FloatArray
from ecg_edge.firmware_bridge.lead_names import LEADS
from ecg_edge.train.data import ptbxl
from ecg_edge.train.data.prepare import SCORED_FROM_S, Prepared
from ecg_edge.train.evaluation.estimators import Subject, from_model
from ecg_edge.train.intervals import delineators
from ecg_edge.train.runs.run_folder import environment

STUDY = "intervals"
LIMITS_MS = {"p": (10, 15), "pr": (10, 10), "qrs": (10, 10), "qt": (25, 30)}
"""Largest mean difference, and largest standard deviation."""
NAMES = (*LIMITS_MS, "qtc_bazett")
MODELS = ("i-ii-int8", "i-ii-v2-int8", "ii-int8", "i-int8")
_WITHIN_MS = (20, 40)
_ALL = tuple(Provenance.MEASURED for _ in LEADS)


Doc = dict[str, Any]


def run(test: Prepared, models: Sequence[str] = MODELS, progress: Callable[[str], None] = lambda text: None) -> Doc:
    """Measure every record by every model, both ways, and the delineators on known beats.

    Parameters
    ----------
    test : Prepared
        Records of fold 10.
    models : sequence of str
        Shipped models.
    progress : callable
        Takes a line about what is done.
    """
    first, fs = round(SCORED_FROM_S * ptbxl.FS), ptbxl.FS
    x = np.asarray(test.x, np.float64)
    progress(f"{len(x)} records, all leads measured")
    truth = [_of(record[first:], fs, _ALL) for record in x]
    rows = []
    for name in models:
        progress(name)
        subject = from_model(name)
        whole = [_completed(record, subject) for record in x]
        known = _provenance(subject.inputs)
        for read, kinds in (("measured and derived leads", known), ("all twelve leads", _ALL)):
            found = [_of(record[first:], fs, kinds) for record in whole]
            rows.append(
                {"model": name, "inputs": list(subject.inputs), "read": read, "figures": compared(truth, found)}
            )
    stated = sum(t is not None and t.qt is not None for t in truth)
    return {
        "study": STUDY, "records": len(x), "stated": stated, "rows": rows, "limits_ms": LIMITS_MS,
        "known_beats": delineators.compare(), **environment(),
    }  # fmt: skip


def compared(truth: Sequence[Measurements | None], found: Sequence[Measurements | None]) -> Doc:
    """Differences found minus true, of each interval."""
    return {name: _differences(name, truth, found) for name in NAMES}


def _differences(name: str, truth: Sequence[Measurements | None], found: Sequence[Measurements | None]) -> Doc:
    pairs = [(getattr(a, name, None), getattr(b, name, None)) for a, b in zip(truth, found, strict=True)]
    there = [a for a, _ in pairs if a is not None]
    d = np.array([b.value - a.value for a, b in pairs if a is not None and b is not None])
    out: Doc = {"true": len(there), "both": len(d)}
    if len(d) > 1:
        inner = np.sort(d)[round(0.02 * len(d)) : len(d) - round(0.02 * len(d))]
        out |= {"mean": float(d.mean()), "sd": float(d.std(ddof=1)), "median": float(np.median(d))}
        out |= {"trimmed_sd": float(inner.std(ddof=1))}
        out |= {f"within_{ms}": float((np.abs(d) <= ms).mean()) for ms in _WITHIN_MS}
    return out


def _of(basis: FloatArray, fs: int, kinds: Sequence[Provenance]) -> Measurements | None:
    return measure_leads(basis @ twelve_from_basis().T, fs, LEADS, kinds)


def _completed(record: FloatArray, subject: Subject) -> FloatArray:
    """The basis leads: the inputs as measured, the others as estimated."""
    out = np.array(record, np.float64)
    columns = [BASIS.index(x) for x in subject.inputs]
    guess = subject.estimate(record[:, columns].astype(np.float32))[0]
    n = min(len(guess), len(record))
    for k, lead in enumerate(subject.targets):
        if lead not in subject.inputs:
            out[:n, BASIS.index(lead)] = guess[:n, k]
    return np.asarray(out[:n])


def _provenance(inputs: Sequence[str]) -> tuple[Provenance, ...]:
    """What is measured, and the limb leads that follow from I and II."""
    derived = LEADS[:6] if {"I", "II"} <= set(inputs) else ()
    return tuple(
        Provenance.MEASURED if x in inputs else Provenance.DERIVED if x in derived else Provenance.RECONSTRUCTED
        for x in LEADS
    )
