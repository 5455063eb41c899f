"""The shipped any-lead model on the lead-information study's configurations: one file beside fifteen networks each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ecg_edge.firmware_bridge.console import hint
from ecg_edge.train.data.prepare import Prepared
from ecg_edge.train.evaluation import scoring
from ecg_edge.train.evaluation.estimators import from_model
from ecg_edge.train.network import lead_subsets as subsets
from ecg_edge.train.runs.run_folder import environment
from ecg_edge.train.studies.grid import configurations

DESIGN = "any-lead, as shipped"


def measured_as(leads: tuple[str, ...]) -> tuple[str, ...]:
    """The basis leads a configuration amounts to: I and III give II exactly; III alone gives none."""
    if "III" not in leads:
        return leads
    return ("I", "II", *(n for n in leads if n.startswith("V"))) if "I" in leads else ()


def rows(test: Prepared, model: str = "any-int8") -> list[dict[str, Any]]:
    """Score the shipped file, as streamed, on every configuration it can serve.

    Parameters
    ----------
    test : Prepared
        Test records.
    model : str
        An any-lead file, or the name of a shipped one.

    Returns
    -------
    list of dict
        Documents like those of the study's own rows.
    """
    found: list[dict[str, Any]] = []
    for leads in configurations():
        basis = measured_as(leads)
        if not basis:
            hint(f"{'+'.join(leads)}: the any-lead model needs a lead of the basis")
            continue
        found.append({**_scored(test, model, leads, basis), "design": DESIGN, **environment()})
    return found


def beside_specialists(test: Prepared, model: str = "any-int8") -> dict[str, Any]:
    """Score the any-lead file and the shipped model of each lead set that has one, as streamed.

    Parameters
    ----------
    test : Prepared
        Test records.
    model : str
        An any-lead file, or the name of a shipped one.

    Returns
    -------
    dict
        Document of the study ``any-lead``: one row per lead set, with the ratio of the two RMSE.
    """
    rows = []
    for leads in subsets.SPECIALISTS:
        own = f"{'-'.join(leads).lower()}-int8"
        any_lead, special = (_scored(test, name, leads, leads) for name in (model, own))
        ratio = any_lead["figures"]["mean"]["rmse_mv"] / special["figures"]["mean"]["rmse_mv"]
        rows.append({"leads": list(leads), "any": any_lead, "specialist": special, "rmse_ratio": ratio})
    return {"study": "any-lead", "rows": rows, **environment()}


def _scored(test: Prepared, model: str, leads: tuple[str, ...], basis: tuple[str, ...]) -> dict[str, Any]:
    subject = from_model(model, basis)

    def estimate(x: Any) -> Any:
        return subject.estimate(x)[0]

    label = f"{'+'.join(leads)}, {Path(model).stem}"
    figures = scoring.score(test, subject.inputs, subject.targets, subject.fs, estimate, label)
    return {
        "configuration": "+".join(leads),
        "inputs": list(leads),
        "figures": figures.summary(),
        "model": subject.identity,
        "records": {"test": len(test)},
    }
