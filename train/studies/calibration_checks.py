"""How often what is wrong with a reference is seen, and how often it is seen where nothing is wrong."""

from __future__ import annotations

from typing import Any

import numpy as np

from ecg_edge.device.analysis.beat_detector import BeatDetector
from ecg_edge.device.analysis.representative_beat import ARMS_AT, RepresentativeBeat
from ecg_edge.device.inference.load import Model
from ecg_edge.device.lead_algebra import BASIS, provenance, twelve_from_basis
from ecg_edge.device.lead_block import LeadBlock
from ecg_edge.device.personal_calibration.fit import fit
from ecg_edge.device.personal_calibration.reference_checks import flags, unlike
from ecg_edge.device.reconstruction.stream_reconstructor import StreamReconstructor
from ecg_edge.firmware_bridge.array_types import FloatArray
from ecg_edge.firmware_bridge.progress import Progress
from ecg_edge.train.data.prepare import Prepared
from ecg_edge.train.studies.calibration import Trial, columns, of_others, reference_design, worn_as


def rates(model: Model, data: Prepared, trials: list[Trial]) -> list[dict[str, Any]]:
    """Hit and false-alarm rates.

    Parameters
    ----------
    model : Model
        Of fixed leads.
    data : Prepared
        Records for exchanged electrodes.
    trials : list of Trial
        Wearers with a reference of their own, from `calibration.next_recording`.

    Returns
    -------
    list of dict
        ``check``, ``hits``, ``of``, ``false_alarms``, ``of_sound``.
    """
    return [
        _exchanged("LA and RA exchanged", data, "LA and RA", _arms),
        _exchanged("V1 and V2 exchanged", data, "V1 and V2", _first_chest_leads),
        _arms_while_worn(data),
        _among_references(model, trials),
        _while_worn(model, trials),
    ]


def _row(check: str, hits: int, of: int, false_alarms: int, of_sound: int) -> dict[str, Any]:
    return {"check": check, "hits": hits, "of": of, "false_alarms": false_alarms, "of_sound": of_sound}


def _exchanged(check: str, data: Prepared, said: str, exchange: Any) -> dict[str, Any]:
    twelve = twelve_from_basis()
    hits = alarms = 0
    with Progress(check, len(data)) as progress:
        for x in data.x:
            basis = np.asarray(x[100:], np.float64)
            alarms += any(said in f for f in flags(basis @ twelve.T))
            hits += any(said in f for f in flags(exchange(basis) @ twelve.T))
            progress.step()
    return _row(check, hits, len(data), alarms, len(data))


def _arms_while_worn(data: Prepared) -> dict[str, Any]:
    """What a run finds in its measured lead I alone."""
    fs = 100
    hits = alarms = unknown = 0
    for x in data.x:
        basis = np.asarray(x[fs:], np.float64)
        scores = [_arms_score(b, fs) for b in (basis, _arms(basis))]
        if scores[0] is None or scores[1] is None:
            unknown += 1
            continue
        alarms += scores[0] > ARMS_AT
        hits += scores[1] > ARMS_AT
    n = len(data) - unknown
    return _row("LA and RA exchanged, told from lead I while worn", hits, n, alarms, n)


def _arms_score(basis: FloatArray, fs: int) -> float | None:
    mv = (basis @ twelve_from_basis().T).astype(np.float32)
    good, zero = np.ones(mv.shape, np.bool_), np.zeros(mv.shape, np.float32)
    beat = RepresentativeBeat(fs)
    block = LeadBlock(0, mv, provenance(("I", "II")), good, ~good[:, 0], zero)
    beat.feed(block, BeatDetector(fs).feed(mv[:, 1], good[:, 0]))
    return beat.arms_score()


def _arms(x: FloatArray) -> FloatArray:
    """I turns round and II becomes III; the chest leads' reference, the mean of the three limbs, stays."""
    out: FloatArray = x.copy()
    i, ii = BASIS.index("I"), BASIS.index("II")
    out[:, i], out[:, ii] = -x[:, i], x[:, ii] - x[:, i]
    return out


def _first_chest_leads(x: FloatArray) -> FloatArray:
    out: FloatArray = x.copy()
    v = [BASIS.index("V1"), BASIS.index("V2")]
    out[:, v] = x[:, v[::-1]]
    return out


def _among_references(model: Model, trials: list[Trial]) -> dict[str, Any]:
    """A second reference that is somebody else's."""

    def seen(t: Trial) -> bool:
        return unlike(model.spec, [reference_design(model, t.reference), reference_design(model, t.worn)], 1)

    others = of_others(trials)
    return _row("a second reference is another patient's", sum(map(seen, others)), len(others),
                sum(map(seen, trials)), len(trials))  # fmt: skip


def _while_worn(model: Model, trials: list[Trial]) -> dict[str, Any]:
    """A calibration of somebody else, noticed within ten seconds of wearing by the measured leads alone."""
    read, _ = columns(model)

    def seen(t: Trial) -> bool:
        worn = worn_as(model, fit(model.spec, [reference_design(model, t.reference)]), "again")
        share = StreamReconstructor(worn).feed(np.ascontiguousarray(t.worn[:, read])).share
        return share is not None and bool((share < 0.5).any())

    others = of_others(trials)
    return _row("the wearer is not who was calibrated (noticed in 10 s)", sum(map(seen, others)), len(others),
                sum(map(seen, trials)), len(trials))  # fmt: skip
