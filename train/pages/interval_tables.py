"""Tables of the study of intervals."""

from __future__ import annotations

from typing import Any

from ecg_edge.train.pages.tables import NONE, Table

Doc = dict[str, Any]
_TITLES = {"p": "P", "pr": "PR", "qrs": "QRS", "qt": "QT", "qtc_bazett": "QTc Bazett"}


def tables(doc: Doc) -> list[Table]:
    """Differences on fold 10, and delineators on known beats."""
    return [_fold10(doc), _known(doc)]


def _fold10(doc: Doc) -> Table:
    rows = []
    for row in doc["rows"]:
        cells = [_difference(row["figures"][name]) for name in _TITLES]
        qt = row["figures"]["qt"]
        near = " / ".join(f"{100 * qt[f'within_{ms}']:.0f}" if f"within_{ms}" in qt else NONE for ms in (20, 40))
        rows.append(["+".join(row["inputs"]), row["read"], *cells, near, f"{qt['both']} of {qt['true']}"])
    limits = [f"±{a} ± {b}" for a, b in doc["limits_ms"].values()]
    rows.append(["limit", "IEC 60601-2-25", *limits, NONE, NONE, NONE])
    note = (
        f"Mean ± standard deviation of found minus true in ms, over {doc['records']} records of fold 10 at 100 Hz, "
        "from 2 s on. Truth: the same rule on twelve measured leads. Intervals are stated of measured and derived "
        "leads only; the rows of all twelve leads show what is not stated, and why. The limits are those of "
        "IEC 60601-2-25:2011 (from IEC 60601-2-51:2003, 50.101.3.2) for biological ECGs, as they are commonly quoted. "
        "The standard itself was not at hand. They apply to referees' marks on the CSE recordings, which are "
        "not public. Nothing here shows that the standard is met. `ecg-edge reproduce intervals --limit 200` makes it."
    )
    head = ["measured", "read from", *_TITLES.values(), "QT within 20 / 40 ms, %", "QT stated"]
    return Table("Intervals", head, rows, note)


def _difference(figure: Doc) -> str:
    return f"{figure['mean']:+.0f} ± {figure['sd']:.0f}" if "sd" in figure else NONE


def _known(doc: Doc) -> Table:
    names = ("p", "pr", "qrs", "qt")
    rows = []
    for row in doc["known_beats"]:
        cells = []
        for name in names:
            e = row["errors_ms"][name]
            missed = "" if e["found"] == e["cases"] else f", {e['cases'] - e['found']} missed"
            cells.append(NONE if e["mean"] is None else f"{e['mean']:+.1f}, {e['worst']:.1f}{missed}")
        rows.append([row["delineator"], str(row["fs"]), *cells])
    note = (
        "Eleven kinds of beats whose waves begin and end at known instants, at 50 to 100 beats per minute. QRS lasts "
        "80 to 140 ms and QT 320 to 480 ms; waves are sharp and smooth, with and without 10 µV of noise. Mean "
        "error and largest absolute error in ms, all leads. NeuroKit2 delineates single leads: the median of the leads "
        "is taken, which costs it nothing, as the waves of all leads begin together here."
    )
    head = ["delineator", "Hz", *(_TITLES[n] for n in names)]
    return Table("Delineators on beats with known intervals", head, rows, note)
