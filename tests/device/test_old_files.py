"""Files written before the rooms: a calibration and a recording of 2026-11-28 (commit eccf18c's behaviour)."""

from pathlib import Path

import numpy as np
import pytest

from ecg_edge.device.inference.load import load_model
from ecg_edge.device.personal_calibration.file import read_calibration
from ecg_edge.device.reconstruction.stream_reconstructor import StreamReconstructor
from ecg_edge.device.recording.stored_recording import read_stored
from ecg_edge.device.sources.replay_source import read_recording
from ecg_edge.device.verification.model_checks import stimulus
from ecg_edge.firmware_bridge.lead_names import LEADS

FILES = Path(__file__).parent / "old_files"
RECORD = str(FILES / "20261128T193020Z")
LAST_MV = [0.02545, 0.15290, 0.12745, -0.08917, -0.05100, 0.14017, 0.06296, 0.16203, 0.22360, 0.18329, 0.12205, 0.05205]
LAST_SIGMA = [0, 0, 0, 0, 0, 0, 0.03247, 0.03619, 0.03966, 0.03482, 0.02281, 0.02327]


def test_an_old_calibration_computes_what_it_did() -> None:
    calibration = read_calibration(FILES / "i-ii.calibration.json")
    model = calibration.apply(load_model("i-ii-int8"), "P1", "same")
    out = StreamReconstructor(model).feed(stimulus(2, 100))
    np.testing.assert_allclose(out.mv[-1], LAST_MV, atol=0.002)
    np.testing.assert_allclose(out.sigma[-1], LAST_SIGMA, atol=0.002)
    assert out.share is not None
    assert out.share[-1] == pytest.approx(0.8432, abs=0.01)


def test_an_old_recording_reads() -> None:
    stored = read_stored(RECORD)
    assert (float(stored.fs), stored.counts.shape) == (100.0, (300, 12))
    assert [s.lead for s in stored.signals] == list(LEADS)
    assert [s.provenance for s in stored.signals] == ["measured"] * 2 + ["derived"] * 4 + ["reconstructed"] * 6
    assert any(c.startswith("model: i-ii-int8.onnx") for c in stored.comments)


def test_an_old_recording_replays() -> None:
    info, blocks = read_recording(f"{RECORD}_measured")
    assert (float(info.fs), info.leads) == (250.0, ("I", "II"))
    mv = np.concatenate([b.mv for b in blocks])
    assert mv.shape == (750, 2)
    assert 0.5 < np.ptp(mv[:, 1]) < 3
