"""Channels between any electrodes: the algebra against potentials, over random sets."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecg_edge.device.lead_algebra import (
    Provenance,
    channel_vector,
    known_leads,
    missing_basis,
    of_basis,
    provenance,
    twelve_from_basis,
)
from ecg_edge.firmware_bridge.errors import UsageError
from ecg_edge.firmware_bridge.lead_names import (
    ELECTRODES,
    LEADS,
    SKIN,
    channel_name,
    electrodes_of,
    lead_off_leads,
    parse_channels,
)

CHANNELS = (*LEADS, *(f"{a}-{b}" for a, b in permutations(SKIN, 2)))
potentials = np.random.default_rng(4).normal(size=(40, len(SKIN)))


def measure(channels: tuple[str, ...]) -> np.ndarray:
    """From the potentials themselves: no algebra of the code under test."""
    of = dict(zip(SKIN, potentials.T, strict=True))
    wilson = (of["RA"] + of["LA"] + of["LL"]) / 3
    leads = {"I": of["LA"] - of["RA"], "II": of["LL"] - of["RA"], "III": of["LL"] - of["LA"]}
    leads |= {"aVR": of["RA"] - (of["LA"] + of["LL"]) / 2, "aVL": of["LA"] - (of["RA"] + of["LL"]) / 2}
    leads |= {"aVF": of["LL"] - (of["RA"] + of["LA"]) / 2} | {f"V{k}": of[f"V{k}"] - wilson for k in range(1, 7)}

    def one(name: str) -> np.ndarray:
        negative, dash, positive = name.partition("-")
        return of[positive] - of[negative] if dash else leads[name]

    return np.array([one(name) for name in channels]).reshape(-1, len(potentials)).T


sets = st.lists(st.sampled_from(CHANNELS), min_size=1, max_size=6, unique=True).map(tuple)


@given(sets)
def test_known_leads_agree_with_the_potentials(channels: tuple[str, ...]) -> None:
    leads, matrix = known_leads(channels)
    np.testing.assert_allclose(measure(channels) @ matrix.T, measure(leads), atol=1e-9)


@given(sets)
def test_a_lead_is_known_exactly_when_it_lies_in_the_span(channels: tuple[str, ...]) -> None:
    leads, _ = known_leads(channels)
    seen = measure(channels)
    for lead in LEADS:
        both = np.hstack([seen, measure((lead,))])
        inside = np.linalg.matrix_rank(both, tol=1e-8) == np.linalg.matrix_rank(seen, tol=1e-8)
        assert (lead in leads) == inside


@given(sets)
def test_provenance_says_what_is_known(channels: tuple[str, ...]) -> None:
    leads, _ = known_leads(channels)
    seen = measure(channels)
    for lead, found in zip(LEADS, provenance(channels), strict=True):
        itself = any(np.allclose(column, measure((lead,))[:, 0]) for column in seen.T)
        assert (found is Provenance.MEASURED) == itself
        assert (found is Provenance.RECONSTRUCTED) == (lead not in leads)


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_channel_is_a_difference_of_electrodes(channel: str) -> None:
    vector = channel_vector(channel)
    assert abs(vector.sum()) < 1e-12
    assert {SKIN[k] for k in np.flatnonzero(vector)} == set(electrodes_of(channel))
    np.testing.assert_allclose(potentials @ vector, measure((channel,))[:, 0], atol=1e-12)


def test_the_twelve_leads_are_what_they_were() -> None:
    np.testing.assert_array_equal(of_basis(LEADS), twelve_from_basis())


def test_v1_and_v1_v5_give_v5() -> None:
    assert "V5" not in missing_basis(("V1", "V1-V5"))
    assert provenance(("V1", "V1-V5"))[LEADS.index("V5")] is Provenance.DERIVED


def test_a_pair_of_limbs_is_a_limb_lead() -> None:
    assert provenance(("RA-LL",))[LEADS.index("II")] is Provenance.MEASURED
    assert provenance(("LL-RA",))[LEADS.index("II")] is Provenance.DERIVED
    assert provenance(("LA-LL",))[LEADS.index("III")] is Provenance.MEASURED


def test_no_lead_follows_from_two_chest_electrodes() -> None:
    assert known_leads(("V1-V5",))[0] == ()


@pytest.mark.parametrize("text", ["ra-v5", "RA-V5", " Ra - v5 ", "RA\N{EN DASH}V5"])
def test_pairs_are_read_in_any_spelling(text: str) -> None:
    assert channel_name(text) == "RA-V5"


@pytest.mark.parametrize("text", ["RA-RA", "RA-X5", "RA-", "-V5", "RA-V5-V6", "RL-V5", "RA-I"])
def test_a_pair_that_is_none_is_refused_with_a_way_out(text: str) -> None:
    with pytest.raises(UsageError, match="no pair of electrodes") as e:
        channel_name(text)
    assert "RA-V5" in str(e.value.fix)


def test_channel_lists() -> None:
    assert parse_channels("ra-v2, RA-V5") == ("RA-V2", "RA-V5")
    assert parse_channels("I+ii") == ("I", "II")
    with pytest.raises(UsageError, match="bad channel list"):
        parse_channels("RA-V2,ra-v2")


def test_lead_off_knows_the_electrodes_of_a_pair() -> None:
    off = 1 << ELECTRODES.index("V2")
    assert lead_off_leads(off, ("RA-V2", "RA-V5", "V2", "II")) == {"RA-V2", "V2"}
