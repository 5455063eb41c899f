"""The study of 100 against 250 Hz: figures that know the answer, and the whole on a synthetic archive."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pytest
import wfdb
from scipy import signal

from ecg_edge.device.conditioning.conditioner import Conditioner
from ecg_edge.device.conditioning.spec import ConditioningSpec
from ecg_edge.firmware_bridge.errors import DataFolderError
from ecg_edge.firmware_bridge.lead_names import LEADS
from ecg_edge.train.cli.reproduce import REPRODUCE
from ecg_edge.train.pages.results_tables import bandwidth as table
from ecg_edge.train.studies import bandwidth, bandwidth_figures
from tests.support.ptbxl_folder import heart, write_folder


def call(*args: str) -> int:
    parser = argparse.ArgumentParser()
    REPRODUCE.configure(parser)
    return REPRODUCE.run(parser.parse_args(args))


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Both rates of every record."""
    root = write_folder(tmp_path / "ptbxl", {1: 10, 9: 3, 10: 3})
    folder = root / "records500" / "00000"
    folder.mkdir(parents=True)
    for number in range(1, 17):
        x = signal.resample_poly(heart(number), 5, 1, axis=0)
        x[:, 2:6] = np.stack(
            [x[:, 1] - x[:, 0], -(x[:, 0] + x[:, 1]) / 2, x[:, 0] - x[:, 1] / 2, x[:, 1] - x[:, 0] / 2]
        ).T
        wfdb.wrsamp(
            f"{number:05d}_hr", fs=500, units=["mV"] * 12, sig_name=list(LEADS), p_signal=x, fmt=["16"] * 12,
            adc_gain=[1000.0] * 12, baseline=[0] * 12, write_dir=str(folder),
        )  # fmt: skip
    return root


def test_the_study_from_end_to_end(archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    args = ["bandwidth", "--quick", "--data", str(archive), "--out", str(tmp_path / "out"), "--json"]
    assert call(*args) == 0
    doc = json.loads(capsys.readouterr().out.splitlines()[-1])
    names = [row["configuration"] for row in doc["rows"]]
    assert names == [
        "100 Hz", "100 Hz, fine-tuned", "250 Hz", "250 Hz, fine-tuned", "truth at 100 Hz, interpolated",
    ]  # fmt: skip
    assert doc["test_records"] == 3
    ceiling = doc["rows"][-1]["figures"]
    # hearts of 100 Hz hold nothing above 50 Hz: sent through 100 Hz and back they are as they were
    assert ceiling["mean"]["r"] > 0.995
    assert ceiling["qrs"]["amplitude_ratio"] == pytest.approx(1, abs=0.05)
    assert doc["rows"][2]["macs_per_s"] > doc["rows"][0]["macs_per_s"]
    assert "Is 250 Hz worth it?" in table(doc).markdown()
    assert json.loads((tmp_path / "out" / "bandwidth.json").read_text())["rows"] == doc["rows"]


def test_without_the_500_hz_records_it_says_so(ptbxl: Path, tmp_path: Path) -> None:
    with pytest.raises(DataFolderError):
        call("bandwidth", "--quick", "--data", str(ptbxl), "--out", str(tmp_path))


def test_both_rates_show_the_same_instant() -> None:
    """A slow wave through either conditioner, the lower interpolated: the delays cancel."""
    t = np.arange(5000) / 500
    x = np.stack([np.sin(2 * np.pi * 3 * t), np.exp(-(((t - 5) / 0.05) ** 2))], axis=1)
    spec = ConditioningSpec()
    low, high = (Conditioner(500, fs, 2, spec).feed(x)[None] for fs in (100, 250))
    back = bandwidth.interpolated(low, 100)[0]
    np.testing.assert_allclose(back[500:2400], high[0, 500:2400], atol=5e-3)


def beats(notch: float = 0.0, n: int = 2500) -> np.ndarray:
    x = np.zeros(n)
    for at in range(300, n - 100, 200):
        k = np.arange(-20, 21)
        x[at - 20 : at + 21] += np.exp(-((k / 6) ** 2)) - notch * np.exp(-(((k - 1) / 2) ** 2))
    return x


def test_amplitude_and_notches_are_counted() -> None:
    assert bandwidth_figures.turns(beats()[280:321]) == 1
    assert bandwidth_figures.turns(beats(0.4)[280:321]) == 3
    truth = beats(0.4)[None, :, None].astype(np.float32)
    lead = beats()[None].astype(np.float32)
    same = bandwidth_figures.of(truth, truth, lead, ("V1",))
    assert same["qrs"]["notches_found"] == same["qrs"]["same_turns"] == 1
    assert same["above_40_hz"]["coherence"] == pytest.approx(1)
    smooth = (0.8 * beats())[None, :, None].astype(np.float32)
    blunt = bandwidth_figures.of(truth, smooth, lead, ("V1",))
    assert blunt["qrs"]["notches_found"] == blunt["qrs"]["same_turns"] == 0
    assert blunt["qrs"]["beats"] == blunt["qrs"]["notched"] > 5


def test_noise_of_ones_own_is_not_coherent() -> None:
    rng = np.random.default_rng(0)
    a, b = (rng.normal(0, 1, (40, 2500, 1)).astype(np.float32) for _ in range(2))
    found = bandwidth_figures._spectrum(a, b)
    assert found["coherence"] < 0.02
    assert found["power_ratio"] == pytest.approx(1, abs=0.05)
    half = bandwidth_figures._spectrum(a, (a / 2).astype(np.float32))
    assert half["power_ratio"] == pytest.approx(0.25)
    assert half["coherence"] == pytest.approx(1)
