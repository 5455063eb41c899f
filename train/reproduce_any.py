"""The shipped any-lead model on the lead-information study's configurations: one file beside fifteen networks each."""

from __future__ import annotations

from typing import Any

from ecg_edge.firmware_bridge.verb import hint
from ecg_edge.train import scoring
from ecg_edge.train.estimators import from_model
from ecg_edge.train.prepare import Prepared
from ecg_edge.train.reproduce_grid import configurations
from ecg_edge.train.run_folder import environment

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
    found = []
    for leads in configurations():
        basis = measured_as(leads)
        if not basis:
            hint(f"{'+'.join(leads)}: the any-lead model needs a lead of the basis")
            continue
        subject = from_model(model, basis)

        def estimate(x: Any, subject: Any = subject) -> Any:
            return subject.estimate(x)[0]

        figures = scoring.score(test, subject.inputs, subject.targets, subject.fs, estimate, "+".join(leads))
        found.append(
            {
                "configuration": "+".join(leads),
                "design": DESIGN,
                "inputs": list(leads),
                "figures": figures.summary(),
                "model": subject.identity,
                "records": {"test": len(test)},
                **environment(),
            }
        )
    return found
