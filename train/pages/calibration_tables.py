"""Tables of what personal calibration is worth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ecg_edge.train.pages.tables import NONE, Table, number, percent, with_interval

Doc = dict[str, Any]


def tables(doc: Doc) -> list[Table]:
    """Everything `ecg-edge reproduce calibration` found."""
    return [_protocols(doc), *(_leads(doc, row) for row in doc["rows"]), _variants(doc), _checks(doc)]


def _protocols(doc: Doc) -> Table:
    head = ["protocol", "records", "head", "r", "RMSE mV", "R: variance ratio", "ST at J+60: mean error µV"]
    head += ["90 % interval covers, per lead", "worse by over 5 %"]
    rows = []
    for row in doc["rows"]:
        for which, label in (("before", "the model's"), ("after", "calibrated")):
            d = row[which]
            harmed = percent(row["harmed"]) + " %" if which == "after" else NONE
            rows.append([row["configuration"], str(row["records"]), label, with_interval(d["mean"], "r", 4),
                         with_interval(d["mean"], "rmse_mv", 4), _mean(d, "amplitude", "variance_ratio", 2),
                         _mean(d, "st", "mae_mv", 0, 1000), _covered(d), harmed])  # fmt: skip
    note = (
        f"`{doc['model']}` as streamed on PTB-XL, means over {', '.join(doc['targets'])}; brackets: 95 % bootstrap "
        "intervals over patients. A next recording is worn `--placement again`: a careful head, drift watch on. "
        "`ecg-edge reproduce calibration --out docs/results` makes it."
    )
    return Table("Personal calibration", head, rows, note)


def _mean(d: Doc, part: str, name: str, digits: int, scale: float = 1.0) -> str:
    found = [x[name] for x in d.get(part, {}).values() if x.get(name) is not None]
    return number(float(np.mean(found)), digits, scale) if found else NONE


def _covered(d: Doc) -> str:
    shares = [x["coverage"] for x in d["interval"].values()]
    return f"{percent(min(shares))}–{percent(max(shares))} %"


def _leads(doc: Doc, row: Doc) -> Table:
    """Per lead, before and after."""
    names = doc["targets"]
    lines = []
    figures: tuple[tuple[str, Callable[[Doc, str], str]], ...] = (
        ("r", lambda d, x: number(d["leads"][x]["r"])),
        ("RMSE mV", lambda d, x: number(d["leads"][x]["rmse_mv"])),
        ("R: variance ratio", lambda d, x: number(d.get("amplitude", {}).get(x, {}).get("variance_ratio"), 2)),
        ("ST at J+60: mean error µV", lambda d, x: number(d.get("st", {}).get(x, {}).get("mae_mv"), 0, 1000)),
        ("90 % interval covers", lambda d, x: percent(d["interval"][x]["coverage"]) + " %"),
    )
    for label, value in figures:
        lines.append([label, *(f"{value(row['before'], x)} → {value(row['after'], x)}" for x in names)])
    return Table(f"Calibrated, per lead: {row['configuration']}", ["figure", *names], lines)


def _variants(doc: Doc) -> Table:
    head = ["fit", "same record: r, RMSE mV", "next recording: r, RMSE mV", "worse by over 5 %"]

    def cell(d: Doc | None) -> str:
        return f"{d['r']:.4f}, {d['rmse_mv']:.4f}" if d else NONE

    def harmed(d: Doc | None) -> str:
        return f"{percent(d['harmed'])} % of {d['records']}" if d else NONE

    rows = [[v["configuration"], cell(v["same"]), cell(v["next"]), harmed(v["next"])] for v in doc["variants"]]
    note = (
        f"Same record: {doc['variants'][0]['same']['records']} of fold 10; next recording: folds 9 and 10. The "
        "factors were learnt on pairs of recordings of the training folds, which are in neither."
    )
    return Table("What else a reference could be used for", head, rows, note)


def _checks(doc: Doc) -> Table:
    rows = [
        [c["check"], f"{percent(c['hits'] / c['of'])} % of {c['of']}",
         f"{percent(c['false_alarms'] / c['of_sound'])} % of {c['of_sound']}"]
        for c in doc["checks"] if c["of"] and c["of_sound"]
    ]  # fmt: skip
    note = "PTB-XL fold 9. What is flagged is written by `--force` alone: rare hearts look so too."
    return Table(
        "What is wrong with a reference: seen, and falsely seen", ["check", "seen", "false alarms"], rows, note
    )
