"""Table, sentences and picture of the study of places."""

from __future__ import annotations

from typing import Any

from ecg_edge.device.torso import torsos
from ecg_edge.train.pages.tables import NONE, Table, number

Doc = dict[str, Any]
SIZES = (2, 3, 4)
PICTURE = "placement.svg"
_MOST = 5


def ranked(doc: Doc, electrodes: int) -> list[Doc]:
    """Placements of one size, the least error over the eight basis leads first; of none: the usual ones."""
    rows = [row for row in doc["rows"] if len(row["electrodes"]) == electrodes]
    return sorted(rows, key=lambda row: float(row["over_eight"]["rmse_mv"]))


def table(doc: Doc) -> Table:
    """The usual places, then the best of each size."""
    leads = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")
    rows = []
    for size in (0, *SIZES):
        for row in ranked(doc, size)[: None if size == 0 else _MOST]:
            mean = row["over_eight"]
            cells = [number(row["leads"][lead]["rmse_mv"]) if lead in row["leads"] else "exact" for lead in leads]
            channels = ", ".join(row["channels"])
            more = [_network(row), number(row.get("diagnosis", {}).get("auc"))]
            rows.append(
                [str(size or "–"), row["name"], channels, number(mean["r"]), number(mean["rmse_mv"], 4), *more, *cells]
            )
    records = doc["records"]
    note = (
        f"{answers(doc)} A linear estimate of {doc['taps']} samples, fitted on {records['train']} records of folds 1 "
        f"to 8, scored on {records['test']} of fold 10 from 2 s on. The means of r, and of RMSE in mV, are over the "
        "eight basis leads, exact leads counted as right. The last eight columns are RMSE by lead. A dash: a placement "
        "in use, by the name it has there. Network: the same over the eight leads by an any-electrode model, int8 as "
        "streamed. Diagnosis: macro AUC that a classifier of diagnoses keeps; a dash where it has not judged the "
        "place. Limb leads matter to a diagnosis, and a small error alone does not keep it. "
        f"{LIMITS} `ecg-edge reproduce placement` makes it.\n\n"
        f"![The best two, three and four places](results/{PICTURE})"
    )
    head = ["electrodes", "placement", "channels", "r", "RMSE", "network", "diagnosis", *leads]
    return Table("Where to put the electrodes", head, rows, note)


def _network(row: Doc) -> str:
    """RMSE and r of the network over the eight basis leads, or a dash."""
    if "network" not in row:
        return NONE
    mean = row["network"]["over_eight"]
    return f"{mean['rmse_mv']:.4f}, {mean['r']:.3f}"


LIMITS = (
    "What this cannot say: PTB-XL has no electrodes elsewhere, so no other place was tried. Its limb electrodes are on "
    "limbs, not on the chest as a patch has them."
)


def answers(doc: Doc) -> str:
    """One sentence for each number of electrodes."""
    said = []
    for size in SIZES:
        first = ranked(doc, size)[0]
        mean = first["over_eight"]
        said.append(f"{size} electrodes: {first['name']} leave {mean['rmse_mv']:.4f} mV (r {mean['r']:.3f}).")
    return " ".join(said)


def picture(doc: Doc) -> str:
    """A torso for the best placement of each size, as SVG."""
    best = [ranked(doc, size)[0] for size in SIZES]
    return torsos([(f"{row['name']}: {row['over_eight']['rmse_mv']:.4f} mV", row["electrodes"]) for row in best])
