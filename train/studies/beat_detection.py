"""How the device's beat detector does beside kept ones, on made-up hard cases and annotated records.

``python -m ecg_edge.train.studies.beat_detection --data FOLDER [--out FILE]``: `FOLDER` holds ``nstdb/118e06`` and
``wearable/*``. The others run offline on the whole record, since they cannot be fed as samples arrive. Used are those
that are installed: WFDB's XQRS and GQRS, NeuroKit2's, py-ecg-detectors', SleepECG's. Prints one JSON document.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.util
import io
import json
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from ecg_edge.device.analysis.beat_detector import BeatDetector
from ecg_edge.device.conditioning.conditioner import Conditioner
from ecg_edge.device.conditioning.spec import ConditioningSpec
from ecg_edge.firmware_bridge.array_types import FloatArray
from ecg_edge.train.studies.beat_cases import FS, SECONDS, Case, cases, heartless

Detector = Callable[[FloatArray, int], FloatArray]
TOLERANCE_S, FROM_S, RATE_FROM_S = 0.15, 5.0, 12
RATE_OFF, RATE_OFF_PER_MINUTE = 0.1, 5.0
MODEL_FS, HOP = 100, 8
RECORDS = ("nstdb/118e06", "wearable/data_101_6", "wearable/data_21_8", "wearable/data_35_4")
_BEATS = "NLRBAaJSVFejE/fQ"
_NEUROKIT = ("neurokit", "pantompkins1985", "hamilton2002", "engzeemod2012", "elgendi2010", "kalidas2017")


@dataclass(frozen=True)
class Followed:
    """What the device's detector reports of one lead: beats in seconds of the record, and the rate once a second."""

    beats: FloatArray
    rates: FloatArray


def follow(mv: FloatArray, fs: int, detector: BeatDetector | None = None) -> Followed:
    """Run the conditioner and the detector hop by hop, as a live run does; the rate is asked for once a second."""
    conditioner = Conditioner(fs, MODEL_FS, 1, ConditioningSpec(), 50)
    detector = detector or BeatDetector(MODEL_FS)
    rows = conditioner.feed(np.nan_to_num(mv)[:, None])[:, 0]
    beats: list[int] = []
    rates = []
    asked = set((np.arange(1, len(rows) // MODEL_FS) * MODEL_FS // HOP - 1).tolist())
    for k in range(0, len(rows), HOP):
        hop = rows[k : k + HOP]
        beats += detector.feed(hop, np.ones(len(hop), np.bool_))
        if k // HOP in asked:
            rates.append(detector.heart_rate() or np.nan)
    return Followed(np.array(sorted(beats)) / MODEL_FS - conditioner.delay, np.array(rates, np.float64))


def counted(found: FloatArray, truth: FloatArray, stop: float) -> tuple[int, int, int]:
    """Hits, beats and false ones between `FROM_S` and `stop`, one for one within 150 ms."""
    free = list(found)
    hits = beats = 0
    for beat in truth:
        near = [f for f in free if abs(f - beat) <= TOLERANCE_S]
        if near:
            free.remove(min(near, key=lambda f: abs(f - beat)))
        if FROM_S < beat < stop:
            beats, hits = beats + 1, hits + bool(near)
    return hits, beats, sum(FROM_S < f < stop for f in free)


def judged(rates: FloatArray, truth: FloatArray) -> tuple[int, int, int]:
    """Seconds in which the rate stated is right, wrong, and none, from `RATE_FROM_S` on.

    Right is within 10 % or 5/min of the mean or the median of the last eight true intervals.
    """
    right = wrong = none = 0
    for second in range(RATE_FROM_S, len(rates)):
        stated, past = rates[second - 1], truth[truth < second - 0.5][-9:]
        if np.isnan(stated):
            none += 1
            continue
        rr = np.diff(past)
        true = [60 / rr.mean(), 60 / np.median(rr)] if len(rr) > 1 else []
        good = any(abs(stated - t) <= max(RATE_OFF_PER_MINUTE, RATE_OFF * t) for t in true)
        right, wrong = right + good, wrong + (not good)
    return right, wrong, none


def others() -> dict[str, Detector]:
    """Kept detectors that are installed."""
    found: dict[str, Detector] = {"WFDB XQRS": _xqrs, "WFDB GQRS": _gqrs}
    for method in _NEUROKIT:
        found[f"NeuroKit2 {method}"] = partial(_neurokit, method=method)
    if importlib.util.find_spec("ecgdetectors"):
        for method in ("two_average_detector", "swt_detector", "wqrs_detector"):
            found[f"py-ecg-detectors {method}"] = partial(_py_ecg, method=method)
    if importlib.util.find_spec("sleepecg"):
        found["SleepECG"] = _sleepecg
    return found


def _xqrs(mv: FloatArray, fs: int) -> FloatArray:
    from wfdb import processing

    return np.asarray(processing.xqrs_detect(mv, fs, verbose=False)) / fs


def _gqrs(mv: FloatArray, fs: int) -> FloatArray:
    from wfdb import processing

    return np.asarray(processing.gqrs_detect(mv, fs)) / fs


def _neurokit(mv: FloatArray, fs: int, method: str) -> FloatArray:
    import neurokit2

    clean = neurokit2.ecg_clean(mv, fs, method=method)
    return np.asarray(neurokit2.ecg_peaks(clean, fs, method=method)[1]["ECG_R_Peaks"]) / fs


def _py_ecg(mv: FloatArray, fs: int, method: str) -> FloatArray:
    detectors = importlib.import_module("ecgdetectors").Detectors(fs)
    return np.asarray(getattr(detectors, method)(mv)) / fs


def _sleepecg(mv: FloatArray, fs: int) -> FloatArray:
    return np.asarray(importlib.import_module("sleepecg").detect_heartbeats(mv, fs)) / fs


def annotated(folder: Path) -> Iterator[tuple[str, int, Case]]:
    """Each lead of the records at hand, with the beats somebody marked."""
    import wfdb

    for name in RECORDS:
        record, notes = wfdb.rdrecord(str(folder / name)), wfdb.rdann(str(folder / name), "atr")
        fs = int(record.fs)
        beats = np.array([s for s, c in zip(notes.sample, notes.symbol, strict=True) if c in _BEATS]) / fs
        for k, lead in enumerate(record.sig_name):
            yield f"{name} {lead}", fs, Case(f"{name} {lead}", "", np.nan_to_num(record.p_signal[:, k]), beats)


def _inputs(folder: Path, seeds: int) -> Iterator[tuple[str, int, Case]]:
    for seed in range(seeds):
        for case in chain(cases(seed), heartless(seed)):
            yield case.group, FS, case
    yield from annotated(folder)


def earlier(file: Path) -> Detector:
    """The detector of an earlier version of this project, by its file."""
    spec = importlib.util.spec_from_file_location("earlier", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["earlier"] = module
    spec.loader.exec_module(module)

    def run(mv: FloatArray, fs: int) -> FloatArray:
        return follow(mv, fs, module.BeatDetector(MODEL_FS)).beats

    return run


def study(folder: Path, seeds: int, rivals: dict[str, Detector]) -> dict[str, Any]:
    """Counts of every detector in every group; of the device's, the rate as well."""
    counts: dict[str, dict[str, FloatArray]] = {}
    rate: dict[str, FloatArray] = {}
    for group, fs, case in _inputs(folder, seeds):
        stop = len(case.mv) / fs - 1
        ours = follow(case.mv, fs)
        rate[group] = rate.get(group, np.zeros(3)) + judged(ours.rates, case.beats)
        found = {"device": ours.beats, **{name: _quietly(run, case.mv, fs) for name, run in rivals.items()}}
        for name, beats in found.items():
            row = counts.setdefault(name, {})
            row[group] = row.get(group, np.zeros(3)) + counted(beats, case.beats, stop)
    return {
        "tolerance_ms": 1e3 * TOLERANCE_S,
        "cases": seeds * sum(1 for _ in chain(cases(), heartless())),
        "seconds_each": SECONDS,
        "detectors": {name: {g: _row(c) for g, c in row.items()} for name, row in counts.items()},
        "rate": {g: dict(zip(("right", "wrong", "none"), map(int, c), strict=True)) for g, c in rate.items()},
    }


def _row(c: FloatArray) -> dict[str, Any]:
    hits, beats, false = (int(v) for v in c)
    se = round(100 * hits / beats, 2) if beats else None
    precision = round(100 * hits / (hits + false), 2) if hits else None
    return {"beats": beats, "se_percent": se, "precision_percent": precision, "false": false}


def _quietly(run: Detector, mv: FloatArray, fs: int) -> FloatArray:
    """A detector that fails on a record has found nothing."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            found = np.asarray(run(np.asarray(mv, np.float64), fs), np.float64)
        except Exception:  # noqa: BLE001  whatever it is, it is theirs
            return np.zeros(0)
    return np.sort(found[np.isfinite(found)])


def main() -> None:
    """Command line."""
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--data", type=Path, required=True)
    p.add_argument("--seeds", type=int, default=2)
    p.add_argument("--out", type=Path)
    p.add_argument("--before", type=Path, help="beat_detector.py of an earlier version, to compare with")
    args = p.parse_args()
    rivals = {"before": earlier(args.before)} if args.before else {}
    text = json.dumps(study(args.data, args.seeds, rivals | others()), indent=1, ensure_ascii=False)
    if args.out:
        args.out.write_text(text + "\n", encoding="utf-8")
    else:
        sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
