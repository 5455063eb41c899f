"""What is wrong with a reference: exchanged electrodes are algebra, and the counts are those of the flags."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecg_edge.device.lead_algebra import BASIS, twelve_from_basis
from ecg_edge.firmware_bridge.lead_names import LEADS
from ecg_edge.firmware_bridge.synthetic_heart.heart import SyntheticHeart
from ecg_edge.train.data.prepare import Prepared
from ecg_edge.train.studies import calibration_checks as checks


def twelve(basis: np.ndarray) -> dict[str, np.ndarray]:
    return dict(zip(LEADS, (basis @ twelve_from_basis().T).T, strict=True))


@given(st.integers(0, 1000))
def test_exchanged_arms_are_what_the_textbook_says(seed: int) -> None:
    """I turns round, II and III change places, aVR and aVL change places, aVF and the chest leads stay."""
    basis = np.random.default_rng(seed).normal(size=(20, 8))
    before, after = twelve(basis), twelve(checks._arms(basis))
    np.testing.assert_allclose(after["I"], -before["I"], atol=1e-12)
    for a, b in (("II", "III"), ("aVR", "aVL")):
        np.testing.assert_allclose(after[a], before[b], atol=1e-12)
        np.testing.assert_allclose(after[b], before[a], atol=1e-12)
    for lead in ("aVF", *(f"V{k}" for k in range(1, 7))):
        np.testing.assert_allclose(after[lead], before[lead], atol=1e-12)


@given(st.integers(0, 1000))
def test_exchanging_twice_is_nothing_and_leaves_the_record_alone(seed: int) -> None:
    basis = np.random.default_rng(seed).normal(size=(20, 8))
    whole = basis.copy()
    for exchange in (checks._arms, checks._first_chest_leads):
        np.testing.assert_allclose(exchange(exchange(basis)), basis, atol=1e-12)
        assert not np.array_equal(exchange(basis), basis)
    np.testing.assert_array_equal(basis, whole)


def test_the_first_chest_leads_change_places_and_no_other() -> None:
    basis = np.random.default_rng(0).normal(size=(20, 8))
    after = checks._first_chest_leads(basis)
    v1, v2 = BASIS.index("V1"), BASIS.index("V2")
    np.testing.assert_array_equal(after[:, [v1, v2]], basis[:, [v2, v1]])
    others = [k for k in range(8) if k not in (v1, v2)]
    np.testing.assert_array_equal(after[:, others], basis[:, others])


@pytest.fixture(scope="module")
def hearts() -> Prepared:
    x = np.stack([SyntheticHeart(100, BASIS, seed=k, wander_uv=0).read(1000) for k in range(4)]).astype(np.float32)
    return Prepared(x, [1, 2, 3, 4], [""] * 4, [""] * 4, {})


def test_exchanged_arms_are_seen_in_hearts_that_are_upright(hearts: Prepared) -> None:
    row = checks._exchanged("LA and RA exchanged", hearts, "LA and RA", checks._arms)
    assert row == {"check": "LA and RA exchanged", "hits": 4, "of": 4, "false_alarms": 0, "of_sound": 4}


def test_hits_and_false_alarms_are_counted_apart(hearts: Prepared, monkeypatch: pytest.MonkeyPatch) -> None:
    said = iter([["V1 and V2"], [], [], ["V1 and V2"], ["LA and RA"], ["V1 and V2"], [], ["a flag"]])

    def flags(mv: np.ndarray) -> list[str]:
        assert mv.shape == (900, 12), "the first second is settling"
        return next(said)

    monkeypatch.setattr(checks, "flags", flags)
    row: dict[str, Any] = checks._exchanged("check", hearts, "V1 and V2", checks._first_chest_leads)
    assert (row["hits"], row["of"], row["false_alarms"], row["of_sound"]) == (2, 4, 1, 4)


def test_arms_are_told_from_lead_i_while_worn(hearts: Prepared) -> None:
    row = checks._arms_while_worn(hearts)
    assert row["of"] == row["of_sound"] <= 4 and row["false_alarms"] == 0
    assert row["hits"] == row["of"]
