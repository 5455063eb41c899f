import numpy as np
import pytest

from ecg_edge.device.inference.load import load_model
from ecg_edge.train.studies.noise_gate import made_up, mains, motion, muscle, recorded


@pytest.mark.parametrize(("make", "low", "high"), [(motion, 0.2, 6), (muscle, 8, 50), (mains, 40, 50)])
def test_the_made_up_noise_is_of_its_band_and_size(make, low, high):
    x = make(4000, np.random.default_rng(1))
    power = np.abs(np.fft.rfft(x)) ** 2
    hz = np.fft.rfftfreq(len(x), 0.01)
    assert power[(hz >= low) & (hz <= high)].sum() > 0.8 * power[1:].sum()
    assert np.sqrt((x**2).mean()) == pytest.approx(1, rel=0.05)


@pytest.mark.data
def test_the_gate_closes_where_reconstruction_is_worthless_and_nowhere_else(real_data):
    rows = made_up(load_model("i-ii-int8"), real_data / "ptb-xl", 30)
    clean = [r for r in rows if r["noise"] == "none"]
    assert sum(r["hits"] + r["early"] for r in clean) <= 0.01 * sum(r["windows"] for r in clean)
    loud = [r for r in rows if r["rms_mv"] >= 0.4]
    assert sum(r["hits"] for r in loud) > 0.85 * sum(r["worthless"] for r in loud) > 0
    error = {how: sum(r["windows"] * r["errors"][how] for r in loud) for how in ("both", "one", "gate", "best")}
    assert error["best"] <= error["gate"] < 0.6 * error["both"] and error["gate"] < 1.5 * error["one"]


@pytest.mark.data
def test_on_recordings_the_gate_closes_where_noise_was_added(real_data):
    model = load_model("i-ii-int8")
    noisy = recorded(model, str(real_data / "nstdb" / "118e06"), 60)["minutes"]
    clean = [noisy[k] for k in (0, 1, 2, 3, 4, 7, 8, 11, 12, 15, 16, 19, 20, 23, 24, 27, 28)]
    added = [noisy[k] for k in (5, 6, 9, 10, 13, 14, 17, 18, 21, 22, 25, 26, 29)]
    assert np.mean(clean) < 0.03 and np.mean(added) > 0.4
    assert recorded(model, str(real_data / "wearable" / "data_101_6"), 50)["closed"] == [0.0, 0.0]
