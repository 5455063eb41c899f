from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecg_edge.device.inference.any_lead import MaskedInputs, for_leads, listed_subset, view
from ecg_edge.device.inference.load import Model
from ecg_edge.device.lead_algebra import BASIS, missing_basis
from ecg_edge.firmware_bridge.errors import LeadMismatchError
from tests.support.tiny_model import any_lead_spec, tiny_spec

LEADS = st.lists(st.sampled_from(BASIS), min_size=1, max_size=7, unique=True).map(tuple)


class Echo:
    """A backend that returns its input and counts its steps in its state."""

    name = "echo"
    runs_on = "CPU"

    def initial_state(self):
        return [np.zeros(1)]

    def step(self, x, state):
        return x.copy(), [state[0] + 1]


def model(spec=None):
    return Model(Path("m"), spec or any_lead_spec(), Echo(), "0" * 64)


@given(leads=LEADS)
def test_the_view_predicts_what_the_whole_model_predicts_with_the_other_leads_at_zero(leads):
    spec = any_lead_spec()
    part = view(spec, leads)
    assert part.input_leads == leads and part.target_leads == missing_basis(leads) and not part.any_lead
    rng = np.random.default_rng(0)
    features, taps = rng.normal(size=3), rng.normal(size=(2, len(leads)))
    whole_taps = np.zeros((2, 8))
    whole_taps[:, [BASIS.index(lead) for lead in leads]] = taps
    whole = np.concatenate([features, whole_taps.ravel(), [1]])
    small = np.concatenate([features, taps.ravel(), [1]])
    columns = [BASIS.index(lead) for lead in part.target_leads]
    for name in ("mean", "log_scale"):
        want = (whole @ getattr(spec.head, name))[columns]
        np.testing.assert_allclose(small @ getattr(part.head, name), want, rtol=1e-5, atol=1e-5)


@given(leads=LEADS)
def test_the_view_is_a_description_that_its_own_reader_accepts(leads):
    part = view(any_lead_spec(), leads)
    if part.head.moments.size:  # the moments of a set that is not listed are empty, and only a file must have them
        type(part).from_json(part.to_json())
    assert part.head.mean.shape == (part.n_regressors, len(part.target_leads))


def test_a_listed_set_in_another_order_has_its_moments_in_that_order():
    spec = any_lead_spec()
    listed, turned = view(spec, ("II", "V3")), view(spec, ("V3", "II"))
    have, want = listed.head.moments, turned.head.moments
    order = [0, 1, 2, 4, 3, 6, 5, 7]  # features, (II, V3) now, (II, V3) two samples ago, one
    np.testing.assert_array_equal(want, have[np.ix_(order, order)])
    np.testing.assert_array_equal(have, spec.subsets[1].moments)


def test_the_ridge_of_a_listed_set_holds_in_its_own_order_alone():
    spec = any_lead_spec()
    assert view(spec, ("II", "V3")).ridge.keys() == {"1"}
    assert view(spec, ("V3", "II")).ridge == {} == view(spec, ("V1",)).ridge


def test_a_set_that_is_not_listed_gets_the_widest_interval_of_all():
    spec = any_lead_spec()
    factors = view(spec, ("V1",)).head.interval_factors
    widest = np.maximum(spec.subsets[0].interval_factors, spec.subsets[1].interval_factors)
    np.testing.assert_array_equal(factors, np.delete(np.maximum(widest, 1), BASIS.index("V1")))


@pytest.mark.parametrize(("leads", "listed"), [(("I",), True), (("V3", "II"), True), (("V1",), False), ((), False)])
def test_a_set_is_listed_in_any_order(leads, listed):
    assert (listed_subset(any_lead_spec(), leads) is not None) == listed


@pytest.mark.parametrize("leads", [(), ("aVR",), BASIS, ("aVF", "RA-V5")])
def test_no_basis_lead_or_all_of_them_is_no_task(leads):
    with pytest.raises(LeadMismatchError, match="one to seven of") as e:
        view(any_lead_spec(), leads)
    assert "--leads" in e.value.fix


def test_for_leads_uses_what_follows_from_the_measured_leads():
    made = for_leads(model(), ("II", "III"))
    assert set(made.spec.input_leads) == {"I", "II"} and not made.interval_calibrated
    assert for_leads(model(), ("V3", "II")).interval_calibrated


def test_a_model_of_fixed_leads_is_returned_as_it_is():
    fixed = model(tiny_spec())
    assert for_leads(fixed, ("V1",)) is fixed


@given(leads=LEADS, n=st.integers(1, 5))
def test_every_lead_and_its_mask_are_where_the_graph_expects_them(leads, n):
    x = np.random.default_rng(1).normal(size=(n, len(leads))).astype(np.float32)
    y, state = MaskedInputs(Echo(), leads).step(x, [np.zeros(1)])
    assert y.shape == (n, 16) and state[0] == 1
    for k, lead in enumerate(BASIS):
        there = lead in leads
        np.testing.assert_array_equal(y[:, k], x[:, leads.index(lead)] if there else 0)
        np.testing.assert_array_equal(y[:, 8 + k], float(there))


def test_masked_inputs_start_cold_as_the_graph_does():
    wrapped = MaskedInputs(Echo(), ("I",))
    assert wrapped.name == "echo" and wrapped.initial_state() == [np.zeros(1)]


def test_a_view_does_not_change_the_file_it_is_made_of():
    spec = any_lead_spec()
    before = spec.to_json()
    view(spec, ("I", "V2"))
    assert spec.to_json() == before and replace(spec).any_lead
