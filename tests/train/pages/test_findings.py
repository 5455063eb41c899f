"""The two findings of the lead-information study, in words that follow the figures."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from ecg_edge.train.pages.findings import chest_mse, ordinal, words

CHEST = ("V1", "V2", "V3", "V4", "V5", "V6")


def ranked(*order: str) -> dict[str, float]:
    return {lead: 0.01 * (k + 1) for k, lead in enumerate(order)}


def test_what_the_study_found_is_said_so() -> None:
    said = ordinal(ranked("V6", "V1", "V5", "V2", "V4", "V3"))
    assert said.startswith("V1 and V6 come back best, V3 comes back worst")
    assert said.endswith("V6 0.0100, V1 0.0200, V5 0.0300, V2 0.0400, V4 0.0500, V3 0.0600)")


@pytest.mark.parametrize("best", list(permutations(("V1", "V5", "V6"), 2)))
@pytest.mark.parametrize("worst", ["V2", "V3"])
def test_each_finding_stands_for_itself(best: tuple[str, str], worst: str) -> None:
    rest = [lead for lead in CHEST if lead not in (*best, worst)]
    said = ordinal(ranked(*best, *rest, worst))
    assert ("V1 and V6 come back best" in said) == (set(best) == {"V1", "V6"})
    assert ("V3 comes back worst" in said) == (worst == "V3")


def test_a_lead_without_a_figure_is_no_best_one() -> None:
    said = ordinal(ranked("V1", "V6", "V2", "V4", "V5") | {"V3": float("nan")})
    assert "V3 comes back worst" in said and said.endswith("V3 nan)")


def test_only_chest_leads_are_compared() -> None:
    leads = {"III": {"mse_mv2": 0.1}, "V1": {"mse_mv2": 0.02}, "V6": {"mse_mv2": 0.01}}
    assert chest_mse(leads) == {"V1": 0.02, "V6": 0.01}


def test_each_design_of_the_limb_leads_has_its_sentence() -> None:
    def row(inputs: list[str], design: str) -> dict[str, Any]:
        leads = {lead: {"mse_mv2": mse} for lead, mse in ranked(*CHEST).items()}
        return {"inputs": inputs, "design": design, "configuration": "+".join(inputs), "figures": {"leads": leads}}

    docs = [row(["I", "II"], "ours"), row(["II"], "ours"), row(["I", "II"], "offline U-Net")]
    said = words(docs)
    assert [s.partition(":")[0] for s in said] == ["ours, I+II", "offline U-Net, I+II"]
    assert len(words(docs, ("II",))) == 1 and words(docs, ("V2",)) == []
