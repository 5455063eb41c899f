"""Lead algebra on the CTS calibration signal and on every subset of leads."""

from itertools import combinations

import numpy as np
import pytest

from ecg_edge.device.lead_algebra import (
    BASIS,
    Provenance,
    hidden_leads,
    known_basis,
    missing_basis,
    provenance,
    twelve_from_basis,
)
from ecg_edge.firmware_bridge.errors import UsageError
from ecg_edge.firmware_bridge.lead_names import ELECTRODES, LEADS, electrodes_of, lead_name, lead_off_leads, parse_leads

SUBSETS = [s for n in (1, 2, 3) for s in combinations(LEADS, n)]


def twelve(seed: int = 0, n: int = 50) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, 8)) @ twelve_from_basis().T


def test_cts_calibration_signal() -> None:
    """CTS: I = II = V1…V6, III = 0, aVR = -I, aVL = aVF = I/2."""
    pulse = np.sin(np.linspace(0, 7, 100))[:, None]
    out = (pulse * np.ones((1, 8))) @ twelve_from_basis().T
    by = dict(zip(LEADS, out.T, strict=True))
    p = pulse[:, 0]
    for lead in ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6"):
        np.testing.assert_array_equal(by[lead], p)
    np.testing.assert_array_equal(by["III"], 0)
    np.testing.assert_array_equal(by["aVR"], -p)
    np.testing.assert_array_equal(by["aVL"], p / 2)
    np.testing.assert_array_equal(by["aVF"], p / 2)


def test_augmented_leads_sum_to_zero() -> None:
    x = twelve()
    np.testing.assert_allclose(x[:, 3:6].sum(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(x[:, 1], x[:, 0] + x[:, 2], atol=1e-12)


@pytest.mark.parametrize("measured", SUBSETS, ids=",".join)
def test_known_basis_is_exact(measured: tuple[str, ...]) -> None:
    x = twelve(3)
    names, matrix = known_basis(measured)
    got = x[:, [LEADS.index(n) for n in measured]] @ matrix.T
    np.testing.assert_allclose(got, x[:, [LEADS.index(n) for n in names]], atol=1e-9)
    assert set(names) | set(missing_basis(measured)) == set(BASIS)
    assert not set(names) & set(missing_basis(measured))


def test_any_two_limb_leads_give_all_six() -> None:
    for pair in combinations(LEADS[:6], 2):
        assert missing_basis(pair) == ("V1", "V2", "V3", "V4", "V5", "V6"), pair
        kinds = dict(zip(LEADS, provenance(pair), strict=True))
        assert all(kinds[lead] is not Provenance.RECONSTRUCTED for lead in LEADS[:6])


@pytest.mark.parametrize(
    ("measured", "expected"),
    [
        (("I", "II"), "M M D D D D R R R R R R"),
        (("I",), "M R R R R R R R R R R R"),
        (("aVR",), "R R R M R R R R R R R R"),
        (("I", "III", "V2"), "M D M D D D R M R R R R"),
        (("V3",), "R R R R R R R R M R R R"),
    ],
)
def test_provenance(measured: tuple[str, ...], expected: str) -> None:
    letters = {"M": Provenance.MEASURED, "D": Provenance.DERIVED, "R": Provenance.RECONSTRUCTED}
    assert provenance(measured) == tuple(letters[c] for c in expected.split())


def test_hidden_leads_are_neither_measured_nor_algebra() -> None:
    assert hidden_leads(("I", "II")) == ("V1", "V2", "V3", "V4", "V5", "V6")
    assert hidden_leads(("II",)) == ("I", "V1", "V2", "V3", "V4", "V5", "V6")


def test_names_in_any_case() -> None:
    assert parse_leads("i, AVR,v6") == ("I", "aVR", "V6")
    for bad in ("", "I,I", "V7", "I,X"):
        with pytest.raises(UsageError, match="fix"):
            parse_leads(bad)
    with pytest.raises(UsageError, match="V9"):
        lead_name("V9")


@pytest.mark.parametrize("electrode", ELECTRODES)
def test_lead_off_reaches_exactly_the_leads_of_the_electrode(electrode: str) -> None:
    off = lead_off_leads(1 << ELECTRODES.index(electrode))
    assert off == {lead for lead in LEADS if electrode in electrodes_of(lead)}
    assert lead_off_leads(0) == frozenset()
    if electrode == "RL":
        assert off == frozenset()
    if electrode == "V2":
        assert off == {"V2"}
