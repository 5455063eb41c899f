from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecg_edge.device.personal_calibration.reference import Reference
from ecg_edge.device.personal_calibration.reference_checks import (
    algebra_error,
    check,
    chest_swap_score,
    flags,
    limb_swap_score,
)
from ecg_edge.firmware_bridge.errors import CalibrationError
from ecg_edge.firmware_bridge.lead_names import LEADS
from ecg_edge.firmware_bridge.synthetic_heart.heart import SyntheticHeart

FS = 100
HEART = SyntheticHeart(FS, seed=3).read(12 * FS)


def changed(lead, how):
    x = HEART.copy()
    k = LEADS.index(lead)
    x[:, k] = how(x[:, k])
    return x


def checked(x, seconds=None):
    rows = x if seconds is None else x[: round(seconds * FS)]
    return check(Reference("r", Fraction(FS), rows), rows.astype(np.float32), FS)


def test_a_heart_is_a_reference():
    checked(HEART)
    assert algebra_error(HEART) < 1e-3


@pytest.mark.parametrize(("seconds", "ok"), [(9.9, False), (9.96, True), (12, True)])
def test_ten_seconds_are_wanted(seconds, ok):
    if ok:
        checked(HEART, seconds)
        return
    with pytest.raises(CalibrationError, match=r"r is 9\.9 s long") as e:
        checked(HEART, seconds)
    assert "10 s" in e.value.fix


@pytest.mark.parametrize("lead", ["V1", "V4", "V6"])
def test_a_flat_lead_is_named(lead):
    with pytest.raises(CalibrationError, match=f"lead {lead} is flat"):
        checked(changed(lead, lambda x: 0.001 * x))


@pytest.mark.parametrize("lead", ["V2", "V5"])
def test_a_lead_full_of_noise_is_named(lead):
    noise = 0.3 * np.random.default_rng(0).normal(size=len(HEART))
    with pytest.raises(CalibrationError, match=f"lead {lead} is full of noise"):
        checked(changed(lead, lambda x: x + noise))


@given(lead=st.sampled_from(LEADS[:6]))
def test_a_limb_lead_upside_down_contradicts_the_others(lead):
    with pytest.raises(CalibrationError, match="contradict each other"):
        checked(changed(lead, lambda x: -3 * x))


@given(size=st.floats(0.06, 2))
def test_the_error_of_the_algebra_is_the_rms_by_which_an_equation_fails(size):
    rng = np.random.default_rng(0)
    x = HEART.copy()
    x[:, 2] += size * rng.choice([-1.0, 1.0], len(x))  # III stands in one equation
    assert algebra_error(x) == pytest.approx(size, rel=0.05)


def test_exchanged_electrodes_turn_the_sign_of_their_score():
    swapped = HEART.copy()
    swapped[:, 0] = -swapped[:, 0]
    assert limb_swap_score(swapped) == pytest.approx(-limb_swap_score(HEART))
    v1, v2 = LEADS.index("V1"), LEADS.index("V2")
    chest = HEART.copy()
    chest[:, [v1, v2]] = chest[:, [v2, v1]]
    assert chest_swap_score(chest) == pytest.approx(-chest_swap_score(HEART))


def test_what_is_doubtful_is_said_and_not_refused():
    x = np.abs(np.random.default_rng(0).normal(size=(500, 1))) * np.ones(12)
    x[:, 0] *= -1
    assert any("LA and RA" in text for text in flags(x))
    v1, v2, v3 = (LEADS.index(lead) for lead in ("V1", "V2", "V3"))
    x[:, v2] = np.random.default_rng(1).normal(size=500)
    assert any("V1 and V2" in text for text in flags(x)) and np.array_equal(x[:, v1], x[:, v3])
