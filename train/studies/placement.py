"""What each place of the electrodes knows: every pair, every set of three and four, by a linear estimate.

The products of the basis leads with each other at nine shifts are summed once per record. Every placement's estimate
and its error follow from those sums.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ecg_edge.device.lead_algebra import BASIS, missing_basis, of_basis
from ecg_edge.firmware_bridge.array_types import FloatArray
from ecg_edge.firmware_bridge.lead_names import SKIN
from ecg_edge.firmware_bridge.progress import Progress
from ecg_edge.train.data.prepare import SCORED_FROM_S, Prepared
from ecg_edge.train.evaluation import scoring
from ecg_edge.train.evaluation.estimators import Subject, from_model
from ecg_edge.train.network.placement_draw import LISTED
from ecg_edge.train.runs.run_folder import environment

MOST = 5
"""Placements of each number of electrodes that a network is scored on."""
TAPS = 9
STRENGTH = 1e-4
USUAL: dict[str, tuple[str, ...]] = {
    "I": ("I",),
    "II": ("II",),
    "I, II": ("I", "II"),
    "I, II, V2": ("I", "II", "V2"),
    "I, II, V3": ("I", "II", "V3"),
    "I, II, V2, V5": ("I", "II", "V2", "V5"),
    "CM5": ("RA-V5",),
    "MCL1": ("LA-V1",),
    "V1-V5": ("V1-V5",),
    "EASI's nearest": ("V1-V6", "V2-V6"),
}
"""Channels that are in use, by the name they have there."""


def electrode_sets(n: int) -> list[tuple[str, ...]]:
    """Every choice of `n` electrodes."""
    return list(combinations(SKIN, n))


def channels_of(electrodes: tuple[str, ...]) -> tuple[str, ...]:
    """All that some electrodes give: each against the first; the other pairs are algebra of these."""
    return tuple(f"{electrodes[0]}-{other}" for other in electrodes[1:])


@dataclass(frozen=True)
class Products:
    """Products of the basis leads at all shifts, summed over the scored samples.

    Attributes
    ----------
    gram : ndarray of shape (n_records, 72, 72)
        Of shifted basis leads (shift by shift, leads within a shift); one record where they are summed over all.
    total : ndarray of shape (n_records, 72)
        Their sums.
    samples : int
        How many samples a record has.
    """

    gram: FloatArray
    total: FloatArray
    samples: int


def products(data: Prepared, fs: int, each: bool) -> Products:
    """Sum the products of records, `each` for itself or all together."""
    n, half = TAPS * len(BASIS), TAPS // 2
    gram = np.zeros((len(data) if each else 1, n, n))
    total, samples = np.zeros((len(gram), n)), 0
    with Progress("products", len(data)) as progress:
        for k, record in enumerate(data.x):
            padded = np.pad(np.asarray(record, np.float64), ((half, half), (0, 0)), mode="edge")
            windows = np.lib.stride_tricks.sliding_window_view(padded, TAPS, axis=0)
            rows = windows.transpose(0, 2, 1).reshape(len(record), n)[round(SCORED_FROM_S * fs) :]
            at = k if each else 0
            gram[at] += rows.T @ rows
            total[at] += rows.sum(axis=0)
            samples = len(rows)
            progress.step()
    return Products(gram, total, samples)


def score(channels: tuple[str, ...], train: Products, test: Products) -> dict[str, Any]:
    """Fit the linear estimate of one placement on the training sums and score it on the test records.

    Returns
    -------
    dict
        Channels, leads that follow exactly, RMSE (mV) and r per hidden lead, and their means over the hidden leads
        and over all eight.
    """
    hidden = missing_basis(channels)
    columns = [BASIS.index(lead) for lead in hidden]
    lift = np.kron(np.eye(TAPS), of_basis(channels))
    seen = lift @ train.gram[0] @ lift.T
    now = TAPS // 2 * len(BASIS) + np.array(columns, int)
    seen[np.diag_indices(len(seen))] += STRENGTH * np.trace(seen) / len(seen)
    weights = lift.T @ np.linalg.solve(seen, lift @ train.gram[0][:, now])  # over all shifted basis leads
    error = -weights
    error[now, np.arange(len(now))] += 1
    per_record = np.einsum("ia,nij,ja->na", error, test.gram, error, optimize=True) / test.samples
    r = _correlation(weights, now, test)
    rmse = np.sqrt(np.maximum(per_record, 0)).mean(axis=0)
    leads = {n: {"rmse_mv": float(a), "r": float(b)} for n, a, b in zip(hidden, rmse, r, strict=True)}
    known = len(BASIS) - len(hidden)
    mean = {"rmse_mv": float(rmse.mean()), "r": float(r.mean())}
    over_eight = {"rmse_mv": float(rmse.sum() / len(BASIS)), "r": float((r.sum() + known) / len(BASIS))}
    derived = [lead for lead in BASIS if lead not in hidden]
    return {"channels": list(channels), "exact": derived, "leads": leads, "mean": mean, "over_eight": over_eight}


def _correlation(weights: FloatArray, now: npt.NDArray[np.int64], test: Products) -> FloatArray:
    """Mean over records of Pearson's r of each hidden lead; flat records left out."""
    mean = test.total / test.samples
    centred = test.gram / test.samples - mean[:, :, None] * mean[:, None, :]
    both = np.einsum("nja,ja->na", centred[:, :, now], weights, optimize=True)
    power = np.einsum("ia,nij,ja->na", weights, centred, weights, optimize=True) * centred[:, now, now]
    r = np.where(power > 1e-12, both / np.sqrt(np.maximum(power, 1e-12)), np.nan)
    return np.asarray(np.nanmean(r, axis=0))


def placements() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Name and channels of every placement: the usual ones, those listed in model files, all sets of electrodes."""
    yield from USUAL.items()
    yield from ((", ".join(c), c) for c in LISTED if c not in USUAL.values())
    for n in (2, 3, 4):
        for electrodes in electrode_sets(n):
            yield ", ".join(electrodes), channels_of(electrodes)


def best(doc: dict[str, Any], most: int = 5) -> list[dict[str, Any]]:
    """The usual placements of a study, then those with the least error for each number of electrodes."""
    rows = [row for row in doc["rows"] if not row["electrodes"]]
    for n in (2, 3, 4):
        sized = [row for row in doc["rows"] if len(row["electrodes"]) == n]
        rows += sorted(sized, key=lambda row: float(row["over_eight"]["rmse_mv"]))[:most]
    return rows


def linear(train: Prepared, test: Prepared, fs: int, out: Path) -> dict[str, Any]:
    """Score every placement; rows that `out` holds already are not done again.

    Parameters
    ----------
    train, test : Prepared
        Conditioned records.
    fs : int
        In Hz.
    out : Path
        ``placement.json``: written after every ten rows.

    Returns
    -------
    dict
        The document in `out`.
    """
    done = {row["name"]: row for row in json.loads(out.read_text())["rows"]} if out.is_file() else {}
    todo = [(name, channels) for name, channels in placements() if name not in done]
    if todo:
        sums = products(train, fs, each=False), products(test, fs, each=True)
        with Progress("placements", len(todo)) as progress:
            for k, (name, channels) in enumerate(todo, 1):
                row = score(channels, *sums)
                parts = name.split(", ")
                electrodes = parts if len(parts) > 1 and set(parts) <= set(SKIN) else []
                done[name] = {"name": name, "electrodes": electrodes, **row}
                progress.step()
                if k % 10 == 0 or k == len(todo):
                    _write(out, list(done.values()), len(train), len(test))
    return dict(json.loads(out.read_text()))


def network(doc: dict[str, Any], test: Prepared, model: str, out: Path, most: int = MOST) -> dict[str, Any]:
    """Score a model file, as streamed, on the usual placements, the listed ones and the best of each size.

    Parameters
    ----------
    doc : dict
        As `linear` returns it.
    test : Prepared
        Conditioned records.
    model : str
        An any-electrode file, or the name of a shipped one.
    out : Path
        Rows that have this model's figures already are not done again; written after every row.
    most : int
        Placements of each number of electrodes.

    Returns
    -------
    dict
        The document, each such row with ``network``: as the linear figures, and the file's digest.
    """
    records = doc["records"]
    rows = best(doc, most)
    with Progress("placements by the network", len(rows)) as progress:
        for row in rows:
            subject = from_model(model, tuple(row["channels"]))
            found = row.get("network", {})
            if (found.get("file_sha256"), found.get("records")) != (subject.identity["file_sha256"], len(test)):
                row["network"] = _by_network(subject, test)
                _write(out, doc["rows"], records["train"], records["test"])
            progress.step()
    return dict(json.loads(out.read_text()))


def _by_network(subject: Subject, test: Prepared) -> dict[str, Any]:
    label, known = "+".join(subject.inputs), len(BASIS) - len(subject.targets)
    figures = scoring.score(
        test, subject.inputs, subject.targets, subject.fs, lambda x: subject.estimate(x)[0], label
    ).summary()
    mean = figures["mean"]
    over_eight = {
        "rmse_mv": mean["rmse_mv"] * len(subject.targets) / len(BASIS),
        "r": (mean["r"] * len(subject.targets) + known) / len(BASIS),
    }
    return {**figures, "over_eight": over_eight, "records": len(test), **subject.identity}


def _write(out: Path, rows: list[dict[str, Any]], trained: int, tested: int) -> None:
    records = {"train": trained, "test": tested}
    doc = {"study": "placement", "taps": TAPS, "records": records, "rows": rows, **environment()}
    part = out.with_suffix(".part")
    part.write_text(json.dumps(doc, indent=1) + "\n")
    part.replace(out)
