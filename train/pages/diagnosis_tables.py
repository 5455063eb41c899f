"""Tables of what a classifier of diagnoses still sees in reconstructed leads."""

from __future__ import annotations

from typing import Any

from ecg_edge.train.pages.tables import Table, number

Doc = dict[str, Any]


def tables(doc: Doc) -> list[Table]:
    """Everything `ecg-edge reproduce diagnosis` found."""
    return [_macro(doc), _classes(doc, "auc", "AUC"), _classes(doc, "f1", "F1")]


def _macro(doc: Doc) -> Table:
    head = ["measured", "shown to the classifier", "macro AUC", "lost against real leads", "macro F1"]
    rows = [
        [
            row["configuration"],
            _name(row),
            _with_interval(row["auc"]["macro"], row["auc"]["ci"]),
            _with_interval(row["lost"]["auc"], row["lost"]["ci"]),
            _with_interval(row["f1"]["macro"], row["f1"]["ci"]),
        ]
        for row in doc["rows"]
    ]
    judge, first = doc["judge"], doc["rows"][0]
    note = (
        f"{doc['sentence']} PTB-XL fold 10, {first['records']} records that have a superclass, seconds "
        f"{judge['seconds'][0]:g} to {judge['seconds'][1]:g}. The classifier ({judge['design']}, "
        f"{judge['parameters']} parameters) learnt from real leads of folds 1 to 8 and took no part in training the "
        "models. Measured leads are shown as they are, hidden leads as streamed. F1: limits of the probabilities "
        "from fold 9, real leads. Brackets: 95 % bootstrap intervals over patients; the loss is paired. Rows of "
        "seconds 5–10 are compared to the real leads of these seconds. `ecg-edge reproduce diagnosis` makes it."
    )
    return Table("Diagnosis kept", head, rows, note)


def _classes(doc: Doc, figure: str, title: str) -> Table:
    names = list(doc["rows"][0][figure]["classes"])
    rows = [
        [row["configuration"], _name(row), *(_cell(row[figure]["classes"][name]) for name in names)]
        for row in doc["rows"]
    ]
    return Table(f"Diagnosis kept: {title} by superclass", ["measured", "shown to the classifier", *names], rows)


def _name(row: Doc) -> str:
    model, comma, how = row["estimate"].partition(", ")
    return f"`{model}`{comma}{how}" if model.endswith("-int8") else row["estimate"]


def _cell(figure: Doc) -> str:
    return _with_interval(figure["value"], figure["ci"])


def _with_interval(value: float | None, ci: list[float] | None) -> str:
    return number(value) + (f" [{number(ci[0])}, {number(ci[1])}]" if ci else "")
