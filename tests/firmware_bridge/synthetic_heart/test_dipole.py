import numpy as np
import pytest

from ecg_edge.firmware_bridge.lead_names import SKIN
from ecg_edge.firmware_bridge.synthetic_heart.dipole import Patient, electrode_vectors, rotation
from ecg_edge.firmware_bridge.synthetic_heart.rhythm import Beat


def patient(seed: int = 0) -> Patient:
    return Patient.draw(np.random.default_rng(seed))


def test_limb_electrodes_give_back_the_published_limb_leads() -> None:
    ra, la, ll = electrode_vectors()[:3]
    assert np.allclose(la - ra, [0.632, -0.235, 0.059])
    assert np.allclose(ll - ra, [0.235, 1.066, -0.132])
    assert np.allclose(ra + la + ll, 0)


def test_electrodes_sit_where_they_are_stuck() -> None:
    torso = dict(zip(SKIN, electrode_vectors(), strict=True))
    assert torso["LA"][0] > 0 > torso["RA"][0]
    assert torso["LL"][1] > 0
    assert torso["V1"][2] < 0 < torso["V6"][2]  # front, and round to the back
    assert list(SKIN[-6:]) == ["V1", "V2", "V3", "V4", "V5", "V6"]


@pytest.mark.parametrize("seed", range(8))
def test_r_peak_of_lead_ii_is_at_the_beat(seed: int) -> None:
    p = patient(seed)
    t = np.arange(0.0, 2.0, 0.0005)
    lead_ii = p.dipole(t, [Beat(0.9, 0.85, 1.0)]) @ (p.torso[2] - p.torso[0])
    assert t[lead_ii.argmax()] == pytest.approx(0.9, abs=0.001)


def test_patients_differ_and_are_reproducible() -> None:
    assert np.array_equal(patient(3).moment, patient(3).moment)
    assert not np.allclose(patient(3).moment, patient(4).moment)


def test_beats_add_up_and_cutting_time_changes_nothing() -> None:
    p = patient()
    beats = [Beat(0.4, 0.8, 1.0), Beat(1.2, 0.8, 1.1)]
    t = np.arange(0, 2, 0.002)
    whole = p.dipole(t, beats)
    assert np.allclose(whole, p.dipole(t, beats[:1]) + p.dipole(t, beats[1:]), atol=1e-12)
    parts = [p.dipole(piece, beats) for piece in np.array_split(t, 7)]
    assert np.allclose(whole, np.concatenate(parts), atol=1e-12)
    assert np.array_equal(p.dipole(np.array([50.0]), beats), np.zeros((1, 3)))


def width_at_half(x: np.ndarray) -> int:
    return int(np.count_nonzero(x > x.max() / 2))


def test_qt_shortens_with_the_interval_but_qrs_does_not() -> None:
    p = patient()
    t = np.arange(-0.3, 0.8, 0.0005)
    lead = p.torso[2] - p.torso[0]
    slow, fast = (p.dipole(t, [Beat(0.0, rr, 1.0)]) @ lead for rr in (1.0, 0.49))
    qrs, t_wave = np.abs(t) < 0.06, t > 0.1
    assert width_at_half(slow[qrs]) == width_at_half(fast[qrs])
    peaks = [t[t_wave][x[t_wave].argmax()] for x in (slow, fast)]
    assert peaks[1] / peaks[0] == pytest.approx(0.7, abs=0.02)  # Bazett: the root of RR


def test_rotation_turns_without_stretching() -> None:
    turn = rotation(0.3, -0.2)
    assert np.allclose(turn @ turn.T, np.eye(3))
    assert np.linalg.det(turn) == pytest.approx(1.0)
    assert np.allclose(rotation(np.pi / 2, 0) @ [1, 0, 0], [0, 1, 0])  # left to foot, clockwise as seen
