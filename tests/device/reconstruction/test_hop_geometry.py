"""What leads from a model's inputs to the twelve leads."""

from dataclasses import replace

import numpy as np
import pytest

from ecg_edge.device.inference.load import load_model
from ecg_edge.device.lead_algebra import Provenance
from ecg_edge.device.reconstruction.hop_geometry import geometry_of
from ecg_edge.firmware_bridge.lead_names import LEADS


@pytest.mark.parametrize("name", ["i-int8", "i-ii-int8", "i-ii-v2-int8"])
def test_every_lead_is_measured_derived_or_a_guess(name: str) -> None:
    spec = load_model(name).spec
    g = geometry_of(spec)
    assert [LEADS[k] for k in g.measured] == list(spec.input_leads)
    assert sorted([*g.certain.tolist(), *np.flatnonzero(g.guess).tolist()]) == list(range(12))
    assert g.needs[g.guess].all()  # a guess is from all inputs
    assert (g.needs[g.measured] == np.eye(g.n_in, dtype=np.bool_)).all()  # what is measured needs itself alone


def test_lead_iii_needs_both_limb_leads_and_follows_from_them() -> None:
    g = geometry_of(load_model("i-ii-int8").spec)
    iii = LEADS.index("III")
    assert g.provenance[iii] is Provenance.DERIVED and g.needs[iii].tolist() == [True, True]
    assert g.needs[LEADS.index("I")].tolist() == [True, False]


def test_sizes_are_in_samples_of_the_model() -> None:
    spec = load_model("i-ii-int8").spec
    g = geometry_of(replace(spec, settling_s=2.5))
    assert (g.hop, g.late, g.settle) == (spec.hop, spec.lookahead, round(2.5 * spec.fs))
    assert g.back == spec.lookahead + g.layout.history
