import numpy as np
import pytest
from scipy import signal

from ecg_edge.firmware_bridge.errors import UsageError
from ecg_edge.firmware_bridge.synthetic_heart.electrode_noise import ElectrodeNoise

FS = 500.0


def blocks(
    n: int, noise_uv: float = 0.0, mains_uv: float = 0.0, wander_uv: float = 0.0, electrodes: int = 9
) -> np.ndarray:
    source = ElectrodeNoise(FS, np.random.default_rng(7), electrodes, noise_uv, mains_uv, 50.0, wander_uv)
    t = np.arange(n * 1000).reshape(n, 1000) / FS
    return np.concatenate([source.block(row, np.sin(1.5 * row)) for row in t])


@pytest.mark.parametrize("noise_uv", [2.0, 20.0])
def test_noise_has_the_rms_asked_for_in_a_limb_lead(noise_uv: float) -> None:
    x = blocks(60, noise_uv=noise_uv)
    lead = x[:, 1] - x[:, 0]
    assert lead.std() * 1e3 == pytest.approx(noise_uv, rel=0.06)
    assert abs(lead.mean()) * 1e3 < 0.1 * noise_uv


def test_noise_is_white_with_a_muscle_hump() -> None:
    f, power = signal.welch(blocks(100, noise_uv=10.0)[:, 0], fs=FS, nperseg=500)
    hump, floor = power[(f > 50) & (f < 110)].mean(), power[(f > 200) & (f < 245)].mean()
    assert 1.3 < hump / floor < 3.0
    assert power[(f > 2) & (f < 10)].mean() / floor == pytest.approx(1.0, abs=0.25)


def test_muscle_noise_runs_on_from_block_to_block() -> None:
    source = ElectrodeNoise(FS, np.random.default_rng(1), 60, 10.0, 0.0, 50.0, 0.0)
    t = np.arange(400 * 50).reshape(400, 50) / FS
    x = np.concatenate([source.block(row, 0 * row) for row in t])
    neighbours = (x[:-1] * x[1:]).mean(axis=1) / np.mean(x * x)
    across = neighbours[49::50].mean()
    assert neighbours.mean() > 0.05
    assert across == pytest.approx(neighbours.mean(), abs=0.03)


def test_electrodes_are_independent() -> None:
    correlation = np.corrcoef(blocks(40, noise_uv=10.0).T) - np.eye(9)
    assert np.abs(correlation).max() < 0.05


def test_hum_has_its_amplitude_in_lead_i_and_its_frequency() -> None:
    x = blocks(60, mains_uv=100.0)
    lead = x[:, 1] - x[:, 0]
    f, power = signal.periodogram(lead, fs=FS)
    near = (f > 49.9) & (f < 50.1)
    assert np.sqrt(2 * power[near].sum() * f[1]) * 1e3 == pytest.approx(100.0, rel=0.02)
    third = (f > 149.8) & (f < 150.2)
    assert power[near].sum() + power[third].sum() > 0.999 * power.sum()
    assert power[third].sum() / power[near].sum() == pytest.approx(0.12**2, rel=0.05)


def test_wander_is_slow_and_of_the_size_asked_for() -> None:
    x = blocks(150, wander_uv=50.0, electrodes=60)
    pairs = x[:, 1::2] - x[:, ::2]
    assert np.sqrt(np.mean(pairs**2)) * 1e3 == pytest.approx(50.0, rel=0.2)
    f, power = signal.periodogram(pairs, fs=FS, axis=0)
    assert power[f < 0.5].sum() > 0.999 * power.sum()


def test_silence_is_silent() -> None:
    assert not blocks(2).any()


@pytest.mark.parametrize(
    "amounts",
    [(-1.0, 0.0, 50.0, 0.0), (0.0, -1.0, 50.0, 0.0), (0.0, 0.0, 50.0, float("nan")), (0.0, 10.0, 250.0, 0.0)],
)
def test_what_cannot_be_made_is_refused(amounts: tuple[float, float, float, float]) -> None:
    with pytest.raises(UsageError):
        ElectrodeNoise(FS, np.random.default_rng(0), 9, *amounts)


def test_a_third_harmonic_beyond_reach_is_left_out() -> None:
    source = ElectrodeNoise(180.0, np.random.default_rng(0), 9, 0.0, 10.0, 50.0, 0.0)
    t = np.arange(3600) / 180.0
    f, power = signal.periodogram(source.block(t, 0 * t)[:, 0], fs=180.0, window="hann")
    assert power[np.abs(f - 30) < 2].sum() < 1e-6 * power.sum()  # where 150 Hz would fold to
