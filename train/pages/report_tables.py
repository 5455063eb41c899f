"""The tables of one evaluation, from its document (`evaluate.evaluate`)."""

from __future__ import annotations

from typing import Any

from ecg_edge.train.data.ptbxl import TEST_FOLD, VALIDATION_FOLD
from ecg_edge.train.evaluation.verdict import verdict
from ecg_edge.train.pages.tables import Table, counted, number, percent, with_interval

Doc = dict[str, Any]


def headline(doc: Doc) -> str:
    """One paragraph: what was scored on what, and how."""
    where = doc["data"] if doc["fold"] is None else f"{doc['data']}, fold {doc['fold']}"
    boot = doc["bootstrap"]
    brackets = (
        f"In brackets {boot['level']:.0%} bootstrap intervals over {boot['units']} {boot['over']} "
        f"({boot['resamples']} resamples, seed {boot['seed']})."
        if boot["resamples"]
        else f"Too few {boot['over']} ({boot['units']}) for intervals."
    )
    known = "" if boot["over"] == "patients" else "known "
    patients = f"{doc['patients']} {known}patient{'s' if doc['patients'] != 1 else ''}"
    patients = patients if doc["patients"] else "patients unknown"
    return (
        f"{doc['model']}: {_scored(doc)} of {where}, {patients}; {doc['how']}; "
        f"inputs {', '.join(doc['inputs'])}; hidden leads only, from {doc['scored_from_s']} s on; "
        f"{len(doc['excluded'])} records left out. {brackets}{''.join(f' {said}' for said in remarks(doc))}"
    )


def _scored(doc: Doc) -> str:
    """Records, and the windows they were cut into where these are more."""
    n, windows = doc["records"], counted(doc)
    return f"{n} record{'s' * (n != 1)}" + (f" in {windows} windows of 10 s" if windows != n else "")


def remarks(doc: Doc) -> list[str]:
    """What keeps the figures from being what they look like: the fold, patients seen before, a better baseline."""
    said = []
    if doc["fold"] == TEST_FOLD:
        said.append("This is the test fold: do not choose anything by these figures.")
    elif doc["fold"] is not None and doc["fold"] != VALIDATION_FOLD:
        said.append(f"**Fold {doc['fold']} is a training fold: a network trained on it knows these records.**")
    if n := doc.get("patients_in_training", 0):
        said.append(f"**Patients of this fold that training folds hold too: {n}.**")
    own = doc["mean"]["rmse_mv"]
    if worse := verdict(own, {name: table["mean"]["rmse_mv"] for name, table in doc["baselines"].items()}):
        said.append(f"**{worse}**")
    return said


def footnotes(doc: Doc) -> list[str]:
    """Records left out, and figures left out, each with its reason."""
    notes = []
    if doc["excluded"]:
        listed = "; ".join(f"{number} ({why})" for number, why in doc["excluded"].items())
        notes.append(f"Records left out: {listed}.\n")
    return notes + [f"Left out: {figures} ({why}).\n" for figures, why in doc["left_out"].items()]


def all_tables(doc: Doc) -> list[Table]:
    """Every table the document holds figures for."""
    found = [accuracy(doc), baselines(doc), superclasses(doc), amplitude(doc, "r"), amplitude(doc, "t")]
    found += [*st(doc), r_peaks(doc), interval(doc), band(doc), against(doc)]
    return [t for t in found if t is not None]


def _rows(doc: Doc) -> list[tuple[str, Doc]]:
    return [*doc["leads"].items(), ("mean", doc["mean"])]


def accuracy(doc: Doc, title: str = "Accuracy per lead") -> Table:
    """RMSE, r, R², PRD with intervals."""
    rows = [
        [
            lead,
            with_interval(row, "rmse_mv", 4),
            with_interval(row, "mse_mv2", 4),
            with_interval(row, "r", 3),
            number(row["r_p5"]),
            with_interval(row, "r2", 3),
            with_interval(row, "prd", 1),
        ]
        for lead, row in _rows(doc)
    ]
    undefined = sum(row["r_undefined"] for row in doc["leads"].values())
    note = (
        "RMSE, MSE, r and PRD are means over windows, R² is pooled over windows"
        + (f"; r is undefined {undefined} times (flat truth or estimate) and left out there" if undefined else "")
        + "."
    )
    return Table(title, ("lead", "RMSE mV", "MSE mV²", "r", "r, 5th percentile", "R²", "PRD %"), rows, note)


def baselines(doc: Doc) -> Table:
    """RMSE and r beside those of the baselines."""
    columns = {"this model": doc, **doc["baselines"]}
    head = ["lead", *(f"{name}: RMSE mV{'' if name == 'zero' else ', r'}" for name in columns)]
    rows = []
    for lead in (*doc["leads"], "mean"):
        found = {name: c["mean"] if lead == "mean" else c["leads"][lead] for name, c in columns.items()}
        rows.append([lead, *(number(r["rmse_mv"], 4) if name == "zero" else _pair(r) for name, r in found.items())])
    note = ""
    if "ridge 31" in columns:
        note += "ridge 31 sees 150 ms to both sides of each sample; its figures are offline ones. "
    if "offline U-Net" not in columns:
        note += (
            "The offline U-Net over whole records (Gradowski & Buchner 2025) is not in a model file: "
            "`--offline-unet RUN`, a run of `ecg-edge reproduce gradowski2025`."
        )
    return Table("Beside the baselines", head, rows, note.strip())


def _pair(row: Doc) -> str:
    return f"{row['rmse_mv']:.4f}, {row['r']:.3f}"


def superclasses(doc: Doc) -> Table | None:
    """One row per diagnostic group."""
    groups = doc["superclasses"]
    if not groups:
        return None
    head = ["diagnosis", "windows", "RMSE mV", "r", *(f"r {lead}" for lead in doc["leads"])]
    rows = [
        [
            name,
            str(counted(g)),
            with_interval(g["mean"], "rmse_mv", 4),
            with_interval(g["mean"], "r", 3),
            *(number(row["r"]) for row in g["leads"].values()),
        ]
        for name, g in groups.items()
    ]
    return Table("Per diagnosis", head, rows, "A record of several classes counts in each.")


def amplitude(doc: Doc, wave: str) -> Table | None:
    """Regression to the mean of the R or T amplitude."""
    if "amplitude" not in doc:
        return None
    rows = [
        [
            lead,
            str(counted(row)),
            with_interval(row, "variance_ratio", 2),
            with_interval(row, "slope", 2),
            with_interval(row, "bland_altman_slope", 2),
            with_interval(row, "error_r2", 2),
            number(row.get("bias_mv")),
            " to ".join(number(x) for x in row["limits_mv"]) if "limits_mv" in row else "–",
        ]
        for lead, row in doc["amplitude"][wave].items()
    ]
    head = ["lead", "windows", "variance ratio", "slope", "Bland–Altman slope", "R² of error on truth"]
    note = (
        f"{wave.upper()} amplitude of each window's representative beat (median over beats). Variance ratio: variance "
        "of the estimates over that of the truth. Slope: estimate on truth. Both are 1 where nothing shrinks toward "
        "the mean, and the Bland–Altman slope (difference on mean of both) is 0. Limits: bias ± 1.96 SD."
    )
    return Table(f"{wave.upper()} amplitude: regression to the mean", [*head, "bias mV", "limits mV"], rows, note)


def st(doc: Doc) -> list[Table]:
    """ST levels, one table per truth."""
    if "st" not in doc:
        return []
    found = []
    for truth, leads in doc["st"]["truth"].items():
        rows = [_st_row(lead, row) for lead, row in leads.items() if counted(row)]
        found.append(
            Table(f"ST at J+{doc['st']['after_j_ms']} ms, truth behind a high-pass of {truth}", _ST_HEAD, rows)
        )
    note = (
        "Level relative to 80 ms before the R peak. Event: beyond ±0.1 mV in the truth; a false positive is stated, a "
        "false negative is not (an elevation stated for a depression is both). Wrong events: false ones among all that "
        "are true or stated. Unexplained: 1 − squared correlation with the true level."
    )
    if set(doc["inputs"]) <= {"I", "II"}:
        note += " **A stated ST level in V2 or V3 is no measurement: limb leads do not determine it.**"
    return [*found[:-1], Table(found[-1].title, _ST_HEAD, found[-1].rows, note)]


_ST_HEAD = (
    *("lead", "windows", "bias µV", "MAE µV", "error > 0.1 mV, %", "events", "sensitivity", "specificity"),
    *("false positives", "false negatives", "wrong events %", "unexplained"),
)


def _st_row(lead: str, row: Doc) -> list[str]:
    return [
        lead,
        str(counted(row)),
        with_interval(row, "bias_mv", 0, 1000),
        with_interval(row, "mae_mv", 0, 1000),
        percent(row["above_threshold"]),
        str(row["events"]),
        with_interval(row, "sensitivity", 2),
        with_interval(row, "specificity", 2),
        str(row["false_positives"]),
        str(row["false_negatives"]),
        percent(row["wrong_events"]),
        number(row["unexplained"], 2),
    ]


def r_peaks(doc: Doc) -> Table | None:
    """R-peak times of each estimated lead against the true one."""
    if "r_peaks" not in doc:
        return None
    rows = [
        [
            lead,
            str(row["beats"]),
            with_interval(row, "bias_ms", 1),
            with_interval(row, "mae_ms", 1),
            number(row["p95_ms"], 0),
            with_interval(row, "sensitivity", 3),
            with_interval(row, "precision", 3),
        ]
        for lead, row in doc["r_peaks"].items()
    ]
    note = (
        f"Peaks by {doc['delineation']['by']} in the true and in the estimated lead, on a grid of "
        f"{1000 / doc['fs']:g} ms; partners within 100 ms."
    )
    head = ("lead", "beats", "bias ms", "mean absolute error ms", "95th percentile ms", "sensitivity", "precision")
    return Table("R-peak timing", head, rows, note)


def interval(doc: Doc) -> Table | None:
    """Coverage and width of the stated interval."""
    if "interval" not in doc:
        return None
    leads = doc["interval"]["leads"].items()
    rows = [[lead, with_interval(row, "coverage", 1, 100), number(row["width_mv"])] for lead, row in leads]
    title = f"Coverage of the stated {doc['interval']['level']:.0%} interval"
    return Table(title, ("lead", "coverage %", "mean width mV"), rows)


def band(doc: Doc) -> Table | None:
    """The same figures in the band of publications."""
    if "literature_band" not in doc:
        return None
    low, high = doc["literature_band"]["band_hz"]
    other = doc["literature_band"]
    rows = [
        [lead, _pair(row), _pair(other["mean"] if lead == "mean" else other["leads"][lead])] for lead, row in _rows(doc)
    ]
    note = (
        "Truth and streamed estimate both filtered forwards and backwards (Butterworth, order 2): for comparison only."
    )
    title = f"The literature's band, {low:g}–{high:g} Hz without phase"
    return Table(title, ("lead", "device's conditioner: RMSE mV, r", "literature's band: RMSE mV, r"), rows, note)


def against(doc: Doc) -> Table | None:
    """Difference to the fp32 file."""
    if "against" not in doc:
        return None
    rows = [[lead, number(row["rms_uv"], 1), number(row["max_uv"], 0)] for lead, row in doc["against"]["leads"].items()]
    return Table(f"Difference to {doc['against']['model']}", ("lead", "RMS µV", "largest µV"), rows)
